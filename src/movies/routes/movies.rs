//! `/api/movies`, and the caller's own list. Anyone reads; a signed-in user adds; the owner changes.

use rocket::{
    Request, State, delete, get, patch, post, put,
    request::{FromRequest, Outcome},
};

use super::{described as answers, rate::Writer};
use crate::{
    accounts::{Cascade, CurrentUser, deletion::OwnerGone},
    http::{
        body::{JsonBody, MergePatchBody},
        conditional::{EntityTag, IfMatch, IfNoneMatch},
        fields::{has_control, normalized},
        ids::{MovieId, PathId},
        page::{Cursors, Page},
        problem::Problem,
        query::{NoQuery, Query, invalid, number},
        reply::{Json, Reply},
    },
    mongo::StoreError,
    movies::{
        Movies,
        filter::{FacetQuery, MovieQuery, MyMovieQuery},
        model::{MovieDocument, MovieInput, MoviePatch},
        ownership::Refusal,
        selection::SelectionQuery,
        store::{catalogue::Placed, facets::FacetCounter},
        view::MovieView,
    },
};

/// A page of the catalogue.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "list_movies",
    params(MovieQuery),
    responses(answers::List)
)]
#[get("/")]
pub(in crate::movies) async fn list(
    query: MovieQuery,
    movies: &State<Movies>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    page(&query, movies, cursors).await
}

/// A page of the caller's movies.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "list_my_movies",
    params(MyMovieQuery),
    responses(answers::Mine)
)]
#[get("/me/movies")]
pub(in crate::movies) async fn my_movies(
    user: CurrentUser,
    query: MyMovieQuery,
    movies: &State<Movies>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    let mut query = query.0;
    std::sync::Arc::make_mut(&mut query.filter).added_by = Some(user.id());
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

/// How many suggestions there are at most, and if nothing is said.
pub(super) const MAX_SUGGESTIONS: u32 = 20;
pub(super) const SUGGESTIONS: u32 = 10;

/// `?prefix=&limit=`
pub struct SuggestQuery {
    prefix: String,
    limit: u32,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SuggestQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| {
            let rule = "is required, and must not be blank or hold a control character";
            let usable = |text: &str| {
                let text = normalized(text);
                (!text.is_empty() && !has_control(&text, false)).then_some(text)
            };
            let prefix = query.parsed("prefix", rule, usable)?.ok_or_else(|| invalid("prefix", rule))?;
            let in_range = |limit: &u32| (1..=MAX_SUGGESTIONS).contains(limit);
            let rule = format!("must be a number from 1 to {MAX_SUGGESTIONS}");
            let limit = query.parsed("limit", &rule, |text| number(text).filter(in_range))?;
            Ok(Self { prefix, limit: limit.unwrap_or(SUGGESTIONS) })
        })
    }
}

/// Names in which a word begins so.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "suggest_movies",
    params(SuggestQuery),
    responses(answers::Suggested)
)]
#[get("/suggest")]
pub(in crate::movies) async fn suggest(
    query: SuggestQuery,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    Reply::ok(&movies.suggest(&query.prefix, query.limit).await?)
}

/// How many movies there are of each genre, decade and language, within the filters.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "count_movies",
    params(FacetQuery),
    responses(answers::FacetsCounted)
)]
#[get("/facets")]
pub(in crate::movies) async fn facets(
    query: FacetQuery,
    counter: &State<FacetCounter>,
) -> Result<Reply, Problem> {
    Reply::ok(&*counter.count(&query.0).await?)
}

/// Adds a movie, which is then the caller's.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "add_movie",
    request_body = MovieInput,
    responses(answers::Created),
)]
#[post("/", data = "<body>")]
pub(in crate::movies) async fn create(
    writer: Writer,
    _query: NoQuery,
    movies: &State<Movies>,
    cascade: &State<Cascade>,
    body: JsonBody<MovieInput>,
) -> Result<Reply, Problem> {
    let inserted = movies.insert(writer.id(), body.0).await.map_err(taken)?;
    let movie = cascade.confirm(inserted).await?.map_err(|OwnerGone| Problem::RevokedToken)?;
    let location = format!("/api/movies/{}", movie.id);
    Ok(Reply::created(&MovieView::from(&*movie))?.location(location).etag(EntityTag(movie.version)))
}

/// One movie.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "get_movie",
    params(PathId<MovieId>, SelectionQuery, IfNoneMatch),
    responses(answers::Found)
)]
#[get("/<id>")]
pub(in crate::movies) async fn get(
    query: SelectionQuery,
    condition: IfNoneMatch,
    id: PathId<MovieId>,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    let id = id.0.ok_or(Problem::MovieNotFound)?;
    let movie = movies.find(id).await?.ok_or(Problem::MovieNotFound)?;
    let reply = if condition.has(movie.version) {
        Reply::not_modified()
    } else {
        let mut json = Json::default();
        query.0.write(&movie, &mut json)?;
        Reply::ok_with(json)
    };
    Ok(reply.etag(EntityTag(movie.version)))
}

/// Replaces every client field of a movie of the caller's.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "replace_movie",
    params(PathId<MovieId>, IfMatch),
    request_body = MovieInput,
    responses(answers::Changed),
)]
#[put("/<id>", data = "<body>")]
pub(in crate::movies) async fn replace(
    writer: Writer,
    _query: NoQuery,
    precondition: IfMatch,
    id: PathId<MovieId>,
    movies: &State<Movies>,
    body: JsonBody<MovieInput>,
) -> Result<Reply, Problem> {
    let id = id.0.ok_or(Problem::MovieNotFound)?;
    changed(movies.replace(id, writer.id(), &precondition, body.0).await)
}

/// Changes some fields of a movie of the caller's.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "patch_movie",
    params(PathId<MovieId>, IfMatch),
    request_body(content((MoviePatch = "application/json"), (MoviePatch = "application/merge-patch+json"))),
    responses(answers::Changed),
)]
#[patch("/<id>", data = "<body>")]
pub(in crate::movies) async fn patch(
    writer: Writer,
    _query: NoQuery,
    precondition: IfMatch,
    id: PathId<MovieId>,
    movies: &State<Movies>,
    body: MergePatchBody<MoviePatch>,
) -> Result<Reply, Problem> {
    let id = id.0.ok_or(Problem::MovieNotFound)?;
    changed(movies.patch(id, writer.id(), &precondition, body.0).await)
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
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "delete_movie",
    params(PathId<MovieId>, IfMatch),
    responses(answers::Deleted)
)]
#[delete("/<id>")]
pub(in crate::movies) async fn delete(
    user: CurrentUser,
    _query: NoQuery,
    precondition: IfMatch,
    id: PathId<MovieId>,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    let id = id.0.ok_or(Problem::MovieNotFound)?;
    movies.remove(id, user.id(), &precondition).await?.map_err(refused)?;
    Ok(Reply::no_content())
}
