//! One movie: `POST /api/movies`, and `/api/movies/{id}`. Anyone can read it, every signed-in user can add one, and the
//! owner and the editors can change it.

use std::sync::Arc;

use rocket::{State, delete, get, patch, post, put};

use super::{
    described::MovieSelection,
    once::{self, Once},
    rate::{WriteRate, Writer},
};
use crate::{
    accounts::{CurrentUser, MoviesWrite, ScopedUser, Users},
    http::{
        body::{self, JsonBody, KeyedBody, MergePatchBody},
        conditional::{EntityTag, IfMatch, IfNoneMatch},
        idempotency::RequestKey,
        ids::{MovieId, PathId},
        openapi::answers::{Answers, CACHE_CONTROL, ETAG, LOCATION, REPLAYED, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::{Json, Reply},
    },
    mongo::StoreError,
    movies::{
        Movies,
        changes::Changes,
        model::{MovieDocument, MovieInput, MoviePatch},
        ownership::{Precondition, Refusal, Role},
        selection::SelectionQuery,
        store::{
            insertion::{NameTaken, OwnerGone},
            keys::KeyedRequest,
        },
        view::MovieView,
    },
};

/// The refusals of a write to a movie that has an owner.
pub(super) const OWNED: &[Code] = &[Code::MovieNotFound, Code::NotOwner, Code::PreconditionFailed];

answers! {
    Created => Answers::with_database()
        .json::<MovieView<'_>>(201, "The movie as it was added.", &[LOCATION, ETAG, REPLAYED])
        .problems(CurrentUser::REFUSALS)
        .problems(Writer::REFUSALS)
        .problems(body::REFUSALS)
        .problems(&[Code::DuplicateMovie])
        .problems(once::REFUSALS);
    Found => Answers::with_database()
        .json_of_fields::<MovieView<'_>, MovieSelection>("The movie.", &[ETAG, CACHE_CONTROL])
        .empty(304, "The version that `If-None-Match` names is the current one.", &[ETAG, CACHE_CONTROL])
        .problems(&[Code::MovieNotFound]);
    Changed => Answers::with_database()
        .json::<MovieView<'_>>(200, "The movie as it is now.", &[ETAG])
        .problems(CurrentUser::REFUSALS)
        .problems(Writer::REFUSALS)
        .problems(body::REFUSALS)
        .problems(OWNED)
        .problems(&[Code::DuplicateMovie]);
    Deleted => Answers::with_database()
        .empty(204, "The movie is deleted.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(OWNED);
}

impl From<IfMatch> for Precondition {
    fn from(header: IfMatch) -> Self {
        match header {
            IfMatch::Any => Self::AnyVersion,
            IfMatch::Versions(versions) => Self::OneOf(versions),
        }
    }
}

/// Adds a movie. The caller becomes its owner.
///
/// Needs a token. A personal access token needs the scope `movies:write`. No two movies have the same name in the same
/// year: if there is one already, the answer is 409 `duplicate-movie`, and `existing` is its path.
///
/// With an `Idempotency-Key` you can safely send the request again: the movie is added once. If the operator requires
/// confirmed addresses and the caller's is not confirmed, the answer is 403 `email-not-verified`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "add_movie",
    params(RequestKey),
    request_body = MovieInput,
    responses(Created),
    security(("token" = []), ("personal_token" = ["movies:write"]))
)]
#[post("/", data = "<body>")]
pub(in crate::movies) async fn create(
    writer: Writer,
    _query: NoQuery,
    key: RequestKey,
    movies: &State<Movies>,
    users: &State<Users>,
    changes: &State<Changes>,
    rate: &State<WriteRate>,
    body: KeyedBody<MovieInput>,
) -> Result<Reply, Problem> {
    let KeyedBody { value: movie, digest } = body;
    let once = Once { movies, users, changes, rate };
    match key.0.zip(digest) {
        Some((key, digest)) => {
            let request = KeyedRequest::new(writer.id(), &key, "/api/movies", &digest);
            once.add(writer.id(), movie, &request).await
        }
        None => created(&*add(movies, users, movie.into_document(writer.id())).await?),
    }
}

/// Adds a movie, and then checks that its owner still exists.
pub(super) async fn add(
    movies: &Movies,
    users: &Users,
    movie: MovieDocument,
) -> Result<Arc<MovieDocument>, Problem> {
    let inserted = movies.insert(movie).await?.map_err(taken)?;
    movies.confirm(users, inserted).await?.map_err(|OwnerGone| Problem::RevokedToken)
}

/// The answer to a request that has added a movie.
pub(super) fn created(movie: &MovieDocument) -> Result<Reply, Problem> {
    let reply = Reply::created(&MovieView::from(movie))?;
    Ok(reply.location(path_of(MovieId(movie.id))).etag(EntityTag(movie.version)))
}

pub(super) fn path_of(movie: MovieId) -> String {
    format!("/api/movies/{movie}")
}

/// Returns one movie.
///
/// Anyone may call this. With `fields` the answer has only the `id` and the fields that you name: it is a
/// `MovieSelection`. If `If-None-Match` has the ETag of the current version, the answer is 304. If there is no movie
/// with this id, the answer is 404 `movie-not-found`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "get_movie",
    params(PathId<MovieId>, SelectionQuery, IfNoneMatch),
    responses(Found)
)]
#[get("/<id>")]
pub(in crate::movies) async fn get(
    query: SelectionQuery,
    condition: IfNoneMatch,
    id: PathId<MovieId>,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    let id = id.or_not_found()?;
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

/// Replaces a movie: optional fields that you do not send become unset.
///
/// Needs the token of the movie's owner or of an editor; other users get 403 `not-owner`. A personal access token needs
/// the scope `movies:write`. With `If-Match`, the answer is 412 `precondition-failed` if the movie has changed in
/// between. If another movie has this name in this year, the answer is 409 `duplicate-movie`, and `existing` is its
/// path.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "replace_movie",
    params(PathId<MovieId>, IfMatch),
    request_body = MovieInput,
    responses(Changed),
    security(("token" = []), ("personal_token" = ["movies:write"]))
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
    let id = id.or_not_found()?;
    changed(movies.replace(id, writer.id(), &precondition.into(), body.0).await)
}

/// Changes some fields of a movie.
///
/// Needs the token of the movie's owner or of an editor; other users get 403 `not-owner`. A personal access token needs
/// the scope `movies:write`. The body is a JSON Merge Patch (RFC 7396): fields that you do not send stay, and `null`
/// unsets an optional field. With `If-Match`, the answer is 412 `precondition-failed` if the movie has changed in
/// between. If another movie has this name in this year, the answer is 409 `duplicate-movie`, and `existing` is its
/// path.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "patch_movie",
    params(PathId<MovieId>, IfMatch),
    request_body(content((MoviePatch = "application/json"), (MoviePatch = "application/merge-patch+json"))),
    responses(Changed),
    security(("token" = []), ("personal_token" = ["movies:write"]))
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
    let id = id.or_not_found()?;
    changed(movies.patch(id, writer.id(), &precondition.into(), body.0).await)
}

pub(super) fn changed(outcome: Result<Result<MovieDocument, Refusal>, StoreError>) -> Result<Reply, Problem> {
    let movie = outcome?.map_err(refused)?;
    Ok(Reply::ok(&MovieView::from(&movie))?.etag(EntityTag(movie.version)))
}

/// The problem when a write would break the rule that a name is taken once per year.
pub(super) fn taken(NameTaken { by }: NameTaken) -> Problem {
    Problem::DuplicateMovie(path_of(by))
}

pub(super) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotThere => Problem::MovieNotFound,
        Refusal::Not(Role::OwnerOrEditor) => Problem::NotOwner,
        Refusal::Not(Role::Owner) => Problem::OwnerOnly("Only this movie's owner may delete it."),
        Refusal::NameTaken(by) => taken(NameTaken { by }),
        Refusal::VersionDiffers => Problem::PreconditionFailed,
    }
}

/// Deletes a movie.
///
/// Needs the token of the movie's owner; other users, editors included, get 403 `not-owner`. A personal access token
/// needs the scope `movies:write`. The owner can restore the movie from the trash for 30 days. With `If-Match`, the
/// answer is 412 `precondition-failed` if the movie has changed in between.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "delete_movie",
    params(PathId<MovieId>, IfMatch),
    responses(Deleted),
    security(("token" = []), ("personal_token" = ["movies:write"]))
)]
#[delete("/<id>")]
pub(in crate::movies) async fn delete(
    user: ScopedUser<MoviesWrite>,
    _query: NoQuery,
    precondition: IfMatch,
    id: PathId<MovieId>,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    let id = id.or_not_found()?;
    movies.remove(id, user.id(), &precondition.into()).await?.map_err(refused)?;
    Ok(Reply::no_content())
}
