//! `/api/movies`, and the caller's own list. Anyone reads; a signed-in user adds; the owner changes.

use rocket::{State, delete, get, patch, post, put};

use super::{
    Movies,
    filter::{MovieQuery, MyMovieQuery},
    model::{MovieDocument, MovieInput, MoviePatch, MovieView},
    ownership::Refusal,
};
use crate::{
    auth::CurrentUser,
    body::{JsonBody, MergePatchBody},
    conditional::{EntityTag, IfMatch, IfNoneMatch},
    ids::MovieId,
    mongo::StoreError,
    page::{Cursors, Page, Position},
    problem::Problem,
    query::NoQuery,
    reply::Reply,
    users::{Cascade, cascade::OwnerGone},
};

/// A page of the catalogue.
#[get("/")]
pub(super) async fn list(
    query: MovieQuery,
    movies: &State<Movies>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    page(&query, movies, cursors).await
}

/// A page of the caller's movies.
#[get("/me/movies")]
pub(super) async fn my_movies(
    user: CurrentUser,
    query: MyMovieQuery,
    movies: &State<Movies>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    let mut query = query.0;
    query.filter.added_by = Some(user.0.id);
    page(&query, movies, cursors).await
}

async fn page(query: &MovieQuery, movies: &Movies, cursors: &Cursors) -> Result<Reply, Problem> {
    let binding = query.binding();
    let after = query.paging.after(cursors, &binding)?;
    let found = movies.list(&query.filter, after.as_ref(), query.paging.limit).await?;
    let position = |movie: &MovieDocument| Position::newest_first(movie.created_at, movie.id);
    Page::new(found, &query.paging, cursors, &binding, position).reply(MovieView::from)
}

/// Adds a movie, which is then the caller's.
#[post("/", data = "<body>")]
pub(super) async fn create(
    user: CurrentUser,
    _query: NoQuery,
    movies: &State<Movies>,
    cascade: &State<Cascade>,
    body: JsonBody<MovieInput>,
) -> Result<Reply, Problem> {
    let inserted = movies.insert(user.0.id, body.0).await.map_err(taken)?;
    let movie = cascade.confirm(inserted).await?.map_err(|OwnerGone| Problem::RevokedToken)?;
    let location = format!("/api/movies/{}", movie.id);
    Ok(Reply::created(&MovieView::from(&movie))?.location(location).etag(EntityTag(movie.version)))
}

/// One movie.
#[get("/<id>")]
pub(super) async fn get(
    _query: NoQuery,
    condition: IfNoneMatch,
    id: Option<MovieId>,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    let id = id.ok_or(Problem::MovieNotFound)?;
    let movie = movies.find(id).await?.ok_or(Problem::MovieNotFound)?;
    let reply = if condition.has(movie.version) {
        Reply::not_modified()
    } else {
        Reply::ok(&MovieView::from(&movie))?
    };
    Ok(reply.etag(EntityTag(movie.version)))
}

/// Replaces every client field of a movie of the caller's.
#[put("/<id>", data = "<body>")]
pub(super) async fn replace(
    user: CurrentUser,
    _query: NoQuery,
    precondition: IfMatch,
    id: Option<MovieId>,
    movies: &State<Movies>,
    body: JsonBody<MovieInput>,
) -> Result<Reply, Problem> {
    let id = id.ok_or(Problem::MovieNotFound)?;
    changed(movies.replace(id, user.0.id, &precondition, body.0).await)
}

/// Changes some fields of a movie of the caller's.
#[patch("/<id>", data = "<body>")]
pub(super) async fn patch(
    user: CurrentUser,
    _query: NoQuery,
    precondition: IfMatch,
    id: Option<MovieId>,
    movies: &State<Movies>,
    body: MergePatchBody<MoviePatch>,
) -> Result<Reply, Problem> {
    let id = id.ok_or(Problem::MovieNotFound)?;
    changed(movies.patch(id, user.0.id, &precondition, body.0).await)
}

fn changed(outcome: Result<Result<MovieDocument, Refusal>, StoreError>) -> Result<Reply, Problem> {
    let movie = outcome.map_err(taken)?.map_err(refused)?;
    Ok(Reply::ok(&MovieView::from(&movie))?.etag(EntityTag(movie.version)))
}

/// A write may break the rule that a name is taken once per year.
fn taken(error: StoreError) -> Problem {
    match error {
        StoreError::Duplicate => Problem::DuplicateMovie,
        error => error.into(),
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotThere => Problem::MovieNotFound,
        Refusal::NotOwner => Problem::NotOwner,
        Refusal::VersionDiffers => Problem::PreconditionFailed,
    }
}

/// Deletes a movie of the caller's.
#[delete("/<id>")]
pub(super) async fn delete(
    user: CurrentUser,
    _query: NoQuery,
    precondition: IfMatch,
    id: Option<MovieId>,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    let id = id.ok_or(Problem::MovieNotFound)?;
    movies.remove(id, user.0.id, &precondition).await?.map_err(refused)?;
    Ok(Reply::no_content())
}
