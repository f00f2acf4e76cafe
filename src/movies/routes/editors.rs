//! `/api/movies/{id}/editors`: who edits a movie. Only its owner and its editors can see that.

use rocket::{State, delete, get, request::FromParam};
use serde::Serialize;
use utoipa::{
    IntoParams, PartialSchema,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::{
    accounts::{
        CurrentUser, Users,
        audit::{Audit, Event},
    },
    http::{
        ids::{MovieId, PathId, UserId},
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
    movies::{Movies, ownership::Role, store::editors::NotRemoved},
};

answers! {
    Listed => Answers::with_database()
        .json::<EditorList>(200, "The editors, in the order in which they have accepted. Only the owner sees their \
             addresses.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(&[Code::MovieNotFound, Code::NotOwner]);
    Removed => Answers::with_database()
        .empty(204, "The user is no longer an editor.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(&[Code::MovieNotFound, Code::NotOwner, Code::UserNotFound]);
}

/// A user who may change a movie.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Editor)]
struct EditorView {
    id: UserId,
    /// Only present for the owner of the movie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "email", max_length = 254, example = "ann@example.com")]
    email: Option<String>,
}

/// The editors of a movie.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EditorList {
    #[schema(max_items = 20)]
    items: Vec<EditorView>,
}

/// Lists the editors of a movie.
///
/// Needs the token of a session of the movie's owner or of an editor; other users get 403 `not-owner`. Only the owner
/// sees the editors' addresses.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "list_editors",
    params(PathId<MovieId>),
    responses(Listed)
)]
#[get("/<id>/editors")]
pub(in crate::movies) async fn list(
    user: CurrentUser,
    _query: NoQuery,
    id: PathId<MovieId>,
    movies: &State<Movies>,
    users: &State<Users>,
) -> Result<Reply, Problem> {
    let rights = movies.rights(id.or_not_found()?).await?.ok_or(Problem::MovieNotFound)?;
    if !rights.allow(user.id(), Role::OwnerOrEditor) {
        return Err(Problem::NotOwner);
    }
    let is_owner = rights.allow(user.id(), Role::Owner);
    // An editor whose account is being deleted may still be on the list.
    let mut accounts = users.find_several(rights.editors()).await?;
    let editors = rights.editors().iter().filter_map(|id| accounts.remove(id));
    let items =
        editors.map(|account| EditorView { id: account.id, email: is_owner.then_some(account.email) });
    Reply::ok(&EditorList { items: items.collect() })
}

/// Removes an editor from a movie.
///
/// Needs the token of a session. The movie's owner may remove any editor, and editors may remove themselves; other
/// users get 403 `not-owner`. If that user is not an editor of the movie, the answer is 404 `user-not-found`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "remove_editor",
    params(PathId<MovieId>, PathEditor),
    responses(Removed)
)]
#[delete("/<id>/editors/<user_id>")]
pub(in crate::movies) async fn remove(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    id: PathId<MovieId>,
    user_id: PathEditor,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    movies.remove_editor(id.or_not_found()?, user.id(), user_id.0).await?.map_err(
        |refusal| match refusal {
            NotRemoved::NotThere => Problem::MovieNotFound,
            NotRemoved::NotAllowed => {
                Problem::OwnerOnly("Only this movie's owner may remove another editor.")
            }
            NotRemoved::NoEditor => Problem::UserNotFound,
        },
    )?;
    if let Some(editor) = user_id.0 {
        audit.record_by(Event::EditorRemoved, editor, user.id());
    }
    Ok(Reply::no_content())
}

/// An editor in a path. A malformed id belongs to nobody.
#[derive(Clone, Copy)]
pub struct PathEditor(Option<UserId>);

impl FromParam<'_> for PathEditor {
    type Error = std::convert::Infallible;

    fn from_param(text: &str) -> Result<Self, Self::Error> {
        Ok(Self(UserId::parse(text)))
    }
}

impl IntoParams for PathEditor {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let editor = ParameterBuilder::new().name("user_id").parameter_in(ParameterIn::Path);
        vec![editor.required(Required::True).schema(Some(UserId::schema())).build()]
    }
}
