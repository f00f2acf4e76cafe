//! `GET /api/movies`, and the caller's own list: a page of movies.

use rocket::{State, get, http::uri::Origin};

use super::{
    described::{MoviePage, MovieSelectionPage},
    known::KnownTags,
    queries::{MovieQuery, MyMovieQuery, MyRole},
};
use crate::{
    accounts::{AccountRead, CurrentUser, ScopedUser},
    http::{
        conditional::IfNoneMatch,
        openapi::answers::{Answers, CACHE_CONTROL, LINK, UNCHANGED, WEAK_ETAG, answers},
        page::{Cursors, Page},
        problem::Problem,
        query::invalid,
        reply::Reply,
    },
    movies::{
        finder::{FindError, Finder, PageRequest},
        store::pages::Placed,
    },
};

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Store(error) => error.into(),
            FindError::Cursor => {
                invalid("after", "is not a cursor of this list: begin again at its first page")
            }
            FindError::Building => Self::SearchBuilding,
            FindError::Failed(_) => Self::Internal(error.to_string().into()),
        }
    }
}

answers! {
    List => Answers::with_search()
        .json_of_fields::<MoviePage, MovieSelectionPage>("A page of movies.", &[WEAK_ETAG, CACHE_CONTROL, LINK])
        .empty(304, UNCHANGED, &[WEAK_ETAG, CACHE_CONTROL]);
    Mine => Answers::with_search()
        .json_of_fields::<MoviePage, MovieSelectionPage>("A page of the movies that the caller owns or edits.", &[LINK])
        .problems(CurrentUser::REFUSALS);
}

/// Lists movies: filtered, searched and sorted, page by page.
///
/// Anyone may call this. While there is a next page, `next` is its cursor: send it as `after`, with the same filters
/// and the same sort. Walking through all pages returns each movie once, even if other movies are added or deleted
/// meanwhile.
///
/// With `fields` the items have only their `id` and the fields that you name: the page is a `MovieSelectionPage`. If
/// `If-None-Match` has the ETag of the answer, the answer is 304. While the server builds its search index, requests
/// that need the index get 503 `search-building`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "list_movies",
    params(MovieQuery, IfNoneMatch),
    responses(List)
)]
#[get("/")]
pub(in crate::movies) async fn list(
    query: MovieQuery,
    condition: IfNoneMatch,
    address: &Origin<'_>,
    finder: &State<Finder>,
    cursors: &State<Cursors>,
    known: &State<KnownTags>,
) -> Result<Reply, Problem> {
    known.unless_known(finder, address, &condition, page(&query, finder, cursors)).await
}

/// Lists the movies that the caller owns or edits, page by page.
///
/// Needs a token. A personal access token needs the scope `account:read`. It takes the parameters of `GET /api/movies`
/// except `added_by`, and `role`, which chooses between the movies that the caller owns and those that the caller
/// edits.
///
/// With `fields` the items have only their `id` and the fields that you name: the page is a `MovieSelectionPage`.
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
    finder: &State<Finder>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    let MyMovieQuery { movies: mut query, role } = query;
    let filter = std::sync::Arc::make_mut(&mut query.filter);
    match role {
        MyRole::Owner => filter.added_by = Some(user.id()),
        MyRole::Editor => filter.editor = Some(user.id()),
    }
    page(&query, finder, cursors).await
}

async fn page(query: &MovieQuery, finder: &Finder, cursors: &Cursors) -> Result<Reply, Problem> {
    let MovieQuery { filter, sort, paging, count, .. } = query;
    let is_indexed = finder.is_indexed(filter, *sort);
    let binding = query.binding(is_indexed);
    let after = paging.after(cursors, &binding)?;
    let request = PageRequest { filter, sort: *sort, after, limit: paging.limit, count: *count, is_indexed };
    let found = finder.page(request).await?;
    let position = |(_, position): &Placed| position.clone();
    Page::new(&found.movies, paging, cursors, &binding, position)
        .with_more(found.more)
        .with_relaxed(found.relaxed)
        .with_total(found.total)
        .reply(|(movie, _), json| query.selection.write(movie, json))
}
