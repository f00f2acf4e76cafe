//! `/api/users/me/sessions`: where the caller is signed in, and how to end a session from elsewhere.

use rocket::{State, delete, get};
use serde::Serialize;

use crate::{
    accounts::{
        CurrentUser,
        audit::{Audit, Event},
        sessions::{SessionView, Sessions},
    },
    http::{
        ids::{PathId, SessionId},
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
};

/// The caller's sessions, last used first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionList {
    #[schema(max_items = 1000)]
    items: Vec<SessionView>,
}

answers! {
    Listed => Answers::with_database()
        .json::<SessionList>(200, "The sessions that have not ended.", &[])
        .problems(CurrentUser::REFUSALS);
    Ended => Answers::with_database()
        .empty(204, "The session has ended, and its tokens are revoked.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(&[Code::SessionNotFound]);
}

/// Lists the caller's sessions, last used first.
///
/// Needs the token of a session. `current` marks the session of this request.
#[utoipa::path(context_path = "/api/users", tag = "users", operation_id = "list_sessions", responses(Listed))]
#[get("/me/sessions")]
pub(in crate::accounts) async fn list(
    user: CurrentUser,
    _query: NoQuery,
    sessions: &State<Sessions>,
) -> Result<Reply, Problem> {
    let current = user.session();
    let found = sessions.list(&user.account).await?;
    let items = found.into_iter().map(|session| SessionView::new(session, current)).collect();
    Reply::ok(&SessionList { items })
}

/// Ends one of the caller's sessions.
///
/// Needs the token of a session. The server rejects the tokens of the ended session from the next request on. If the
/// caller has no session with this id, the answer is 404 `session-not-found`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "end_session",
    params(PathId<SessionId>),
    responses(Ended)
)]
#[delete("/me/sessions/<id>")]
pub(in crate::accounts) async fn end(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    id: PathId<SessionId>,
    sessions: &State<Sessions>,
) -> Result<Reply, Problem> {
    if !sessions.end(&user.account, id.or_not_found()?).await? {
        return Err(Problem::SessionNotFound);
    }
    audit.record(Event::SessionEnded, user.id());
    Ok(Reply::no_content())
}
