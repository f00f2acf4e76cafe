//! `/api/movies/{id}/versions`: what a movie was like before, and how to restore that. Only for its owner and its
//! editors.

use std::borrow::Cow;

use rocket::{State, get, post, request::FromParam};
use serde::Serialize;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Required, Schema, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::{
    described,
    movie::{OWNED, changed},
    rate::Writer,
};
use crate::{
    accounts::{AccountRead, CurrentUser, ScopedUser},
    http::{
        conditional::IfMatch,
        ids::{MovieId, PathId, UserId},
        openapi::{
            answers::{Answers, ETAG, LINK, answers},
            parameters::int64,
        },
        page::{self, Cursors, Page, Paging},
        problem::{Code, Problem},
        query::{NoQuery, number},
        reply::Reply,
        timestamp::Timestamp,
    },
    mongo::keyset::Position,
    movies::{
        Movies,
        changes::{Changes, Kind, Version},
        model::{FIELDS, MovieDocument, MovieInput},
        ownership::{Rights, Role},
        view::MovieView,
    },
};

/// The refusals of a request for the versions of a movie.
const ASKED: &[Code] = &[Code::MovieNotFound, Code::NotOwner, Code::NoEvents];
/// Fields that a former version does not have.
const NOT_OF_A_VERSION: [&str; 2] = ["created_at", "updated_at"];

answers! {
    Listed => Answers::with_database()
        .json::<VersionPage>(200, "A page of the versions that are kept. The current one is always there.", &[LINK])
        .problems(CurrentUser::REFUSALS)
        .problems(ASKED);
    Found => Answers::with_database()
        .json::<FormerMovie>(200, "The movie as it was.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(ASKED)
        .problems(&[Code::VersionNotFound]);
    Restored => Answers::with_database()
        .json::<MovieView<'_>>(200, "The movie as it is now.", &[ETAG])
        .problems(CurrentUser::REFUSALS)
        .problems(Writer::REFUSALS)
        .problems(OWNED)
        .problems(&[Code::NoEvents, Code::VersionNotFound, Code::DuplicateMovie]);
}

/// Lists the versions of a movie, newest first, page by page.
///
/// Needs the token of the movie's owner or of an editor; other users get 403 `not-owner`. A personal access token needs
/// the scope `account:read`. The current version is always in the list; older ones are there as far as the server keeps
/// them. If the database has no change streams, the answer is 501 `no-events`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "list_versions",
    params(PathId<MovieId>, Paging),
    responses(Listed),
    security(("token" = []), ("personal_token" = ["account:read"]))
)]
#[get("/<id>/versions")]
pub(in crate::movies) async fn list(
    user: ScopedUser<AccountRead>,
    paging: Paging,
    id: PathId<MovieId>,
    movies: &State<Movies>,
    changes: &State<Changes>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    let id = id.or_not_found();
    let binding = format!("versions {id:?}");
    let after = paging.after(cursors, &binding)?;
    let id = id?;
    let paging = paging.below(id);
    let movie = current(movies, changes, user.id(), id).await?;
    let mut versions = changes.store().versions(&movie).await?;
    if let Some(after) = after.and_then(|position| position.key.as_i64()) {
        versions.retain(|version| version.version < after);
    }
    let position = |version: &Version| Position::new(version.version.into(), id.0);
    Page::new(&versions, &paging, cursors, &binding, position)
        .reply(|version, json| json.view(&VersionView::from(version)))
}

/// Returns a movie as it was in one version.
///
/// Needs the token of the movie's owner or of an editor; other users get 403 `not-owner`. A personal access token needs
/// the scope `account:read`. If the server does not have this version, the answer is 404 `version-not-found`. If the
/// database has no change streams, the answer is 501 `no-events`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "get_version",
    params(PathId<MovieId>, PathVersion),
    responses(Found),
    security(("token" = []), ("personal_token" = ["account:read"]))
)]
#[get("/<id>/versions/<n>")]
pub(in crate::movies) async fn get(
    user: ScopedUser<AccountRead>,
    _query: NoQuery,
    id: PathId<MovieId>,
    n: PathVersion,
    movies: &State<Movies>,
    changes: &State<Changes>,
) -> Result<Reply, Problem> {
    let movie = current(movies, changes, user.id(), id.or_not_found()?).await?;
    let former = at(changes, &movie, n).await?;
    let fields: Vec<&str> = FIELDS.into_iter().filter(|name| !NOT_OF_A_VERSION.contains(name)).collect();
    Reply::ok(&MovieView::only(&former, &fields))
}

/// Restores a version of a movie: its fields become a new version.
///
/// Needs the token of the movie's owner or of an editor; other users get 403 `not-owner`. A personal access token needs
/// the scope `movies:write`. If the server does not have this version, the answer is 404 `version-not-found`. With
/// `If-Match`, the answer is 412 `precondition-failed` if the movie has changed in between. If another movie has this
/// name in this year, the answer is 409 `duplicate-movie`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "restore_version",
    params(PathId<MovieId>, PathVersion, IfMatch),
    responses(Restored),
    security(("token" = []), ("personal_token" = ["movies:write"]))
)]
#[post("/<id>/versions/<n>/restore")]
pub(in crate::movies) async fn restore(
    writer: Writer,
    _query: NoQuery,
    precondition: IfMatch,
    id: PathId<MovieId>,
    n: PathVersion,
    movies: &State<Movies>,
    changes: &State<Changes>,
) -> Result<Reply, Problem> {
    let id = id.or_not_found()?;
    let movie = current(movies, changes, writer.id(), id).await?;
    let former = MovieInput::from(at(changes, &movie, n).await?);
    // A change of the rights since then does not matter, because the filter of the write checks them again.
    changed(movies.replace(id, writer.id(), &precondition.into(), former).await)
}

/// The movie as it is now, if the caller may see its history. Waits until the change that made it is in the log.
async fn current(
    movies: &Movies,
    changes: &Changes,
    caller: UserId,
    id: MovieId,
) -> Result<MovieDocument, Problem> {
    changes.catch_up().await?;
    let (movie, session) = movies.find_with_session(id).await?;
    let movie = movie.ok_or(Problem::MovieNotFound)?;
    if !Rights::from(&movie).allow(caller, Role::OwnerOrEditor) {
        return Err(Problem::NotOwner);
    }
    changes.catch_up_with_movie(&movie, &session).await?;
    Ok(movie)
}

async fn at(changes: &Changes, movie: &MovieDocument, n: PathVersion) -> Result<MovieDocument, Problem> {
    let version = n.0.ok_or(Problem::VersionNotFound)?;
    changes.store().at_version(movie, version).await?.ok_or(Problem::VersionNotFound)
}

/// A version in a path. A malformed number gets the same 404 as an unknown one.
pub struct PathVersion(Option<i64>);

impl FromParam<'_> for PathVersion {
    type Error = std::convert::Infallible;

    fn from_param(text: &str) -> Result<Self, Self::Error> {
        // The server accepts only the form in which it writes the number.
        Ok(Self(number(text).filter(|version: &i64| version.to_string() == text)))
    }
}

impl IntoParams for PathVersion {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let version = ParameterBuilder::new().name("n").parameter_in(ParameterIn::Path);
        let version = version.required(Required::True).description(Some("The number of the version."));
        vec![version.schema(Some(int64(1))).build()]
    }
}

/// A version in a list.
#[derive(Serialize)]
struct VersionView {
    version: i64,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<UserId>,
    changed_at: Timestamp,
}

impl From<&Version> for VersionView {
    fn from(version: &Version) -> Self {
        Self {
            version: version.version,
            r#type: version.kind.name(),
            changed_by: version.by.map(UserId),
            changed_at: Timestamp(version.at),
        }
    }
}

/// One of the versions of a movie.
pub struct MovieVersion;

impl PartialSchema for MovieVersion {
    fn schema() -> RefOr<Schema> {
        let kinds = [Kind::Created, Kind::Updated].map(Kind::name);
        let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds));
        let words = "`created`: the movie was added, or came back after a deletion.";
        ObjectBuilder::new()
            .property("version", int64(1))
            .required("version")
            .property("type", kind.description(Some(words)))
            .required("type")
            .property("changed_by", UserId::schema())
            .property("changed_at", Timestamp::schema())
            .required("changed_at")
            .description(Some("A version of a movie. `changed_by` is absent if it is not known who made it."))
            .into()
    }
}

impl ToSchema for MovieVersion {
    fn name() -> Cow<'static, str> {
        "Version".into()
    }
}

/// A page of [`MovieVersion`].
pub struct VersionPage;

impl PartialSchema for VersionPage {
    fn schema() -> RefOr<Schema> {
        page::schema(Ref::from_schema_name(MovieVersion::name())).into()
    }
}

impl ToSchema for VersionPage {}

/// A movie as it was.
pub struct FormerMovie;

impl PartialSchema for FormerMovie {
    fn schema() -> RefOr<Schema> {
        let mut object = described::whole();
        for name in NOT_OF_A_VERSION {
            object.properties.shift_remove(name);
            object.required.retain(|required| required != name);
        }
        object.description =
            Some("A movie as it was in one version, with its owner at that time.".to_owned());
        object.into()
    }
}

impl ToSchema for FormerMovie {}
