//! `GET /api/movies`, and the caller's own list: a page of movies.

use rocket::{State, get};

use super::{
    described::MoviePage,
    queries::{MovieQuery, MyMovieQuery, MyRole},
};
use crate::{
    accounts::{AccountRead, CurrentUser, ScopedUser},
    http::{
        openapi::answers::{Answers, LINK, answers},
        page::{Cursors, Page},
        problem::Problem,
        reply::Reply,
    },
    movies::{Movies, store::pages::Placed},
};

answers! {
    List => Answers::with_database().json::<MoviePage>(200, "A page of movies.", &[LINK]);
    Mine => Answers::with_database()
        .json::<MoviePage>(200, "A page of the movies that the caller owns, or edits.", &[LINK])
        .problems(CurrentUser::REFUSALS);
}

/// A page of the catalogue.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "list_movies",
    params(MovieQuery),
    responses(List)
)]
#[get("/")]
pub(in crate::movies) async fn list(
    query: MovieQuery,
    movies: &State<Movies>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    page(&query, movies, cursors).await
}

/// A page of the movies that the caller owns or edits.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "list_my_movies",
    params(MyMovieQuery),
    responses(Mine),
    security(("token" = []), ("personal_token" = ["account:read"]))
)]
#[get("/me/movies")]
pub(in crate::movies) async fn my_movies(
    user: ScopedUser<AccountRead>,
    query: MyMovieQuery,
    movies: &State<Movies>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    let MyMovieQuery { movies: mut query, role } = query;
    let filter = std::sync::Arc::make_mut(&mut query.filter);
    match role {
        MyRole::Owner => filter.added_by = Some(user.id()),
        MyRole::Editor => filter.editor = Some(user.id()),
    }
    page(&query, movies, cursors).await
}

async fn page(query: &MovieQuery, movies: &Movies, cursors: &Cursors) -> Result<Reply, Problem> {
    let binding = query.binding();
    let after = query.paging.after(cursors, &binding)?;
    // First, as it may be refused.
    let total = if query.count { Some(movies.count_matching(&query.filter).await?) } else { None };
    let found = movies.list(&query.filter, query.sort, after, query.paging.limit).await?;
    let position = |(_, position): &Placed| position.clone();
    Page::new(&found, &query.paging, cursors, &binding, position)
        .with_total(total)
        .reply(|(movie, _), json| query.selection.write(movie, json))
}
