//! Logging out: one session, or all of a user's.

use rocket::{State, post};

use crate::{
    accounts::{
        CurrentUser, Users,
        audit::{Audit, Event},
        grants::Grants,
        revocation::RevokedTokens,
        sessions::Sessions,
    },
    http::{
        openapi::answers::{Answers, answers},
        problem::Problem,
        query::NoQuery,
        reply::Reply,
    },
};

answers! {
    LoggedOut => Answers::with_database().empty(204, "The session has ended, and its tokens are revoked.", &[]).problems(CurrentUser::REFUSALS);
    LoggedOutEverywhere => Answers::with_database()
        .empty(204, "Every session of the user has ended.", &[])
        .problems(CurrentUser::REFUSALS);
}

/// Logs out: ends the session of the token that comes with the request.
///
/// Needs the token of a session. The server rejects the session's tokens from the next request on. The caller's other
/// sessions continue.
#[utoipa::path(context_path = "/api/auth", tag = "auth", operation_id = "log_out", responses(LoggedOut))]
#[post("/logout")]
pub(in crate::accounts) async fn logout(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    sessions: &State<Sessions>,
    revoked: &State<RevokedTokens>,
) -> Result<Reply, Problem> {
    match user.session() {
        // It makes no difference if another request has ended the session in the meantime.
        Some(session) => drop(sessions.end(&user.account, session).await?),
        None => revoked.insert(&user.token).await?,
    }
    audit.record(Event::Logout, user.id());
    Ok(Reply::no_content())
}

/// Logs out everywhere: ends all sessions of the caller.
///
/// Needs the token of a session. The server rejects every token of the account from the next request on, including its
/// personal access tokens.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "log_out_everywhere",
    responses(LoggedOutEverywhere)
)]
#[post("/logout-all")]
pub(in crate::accounts) async fn logout_all(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    grants: &State<Grants>,
) -> Result<Reply, Problem> {
    users.revoke_generation(user.id(), user.token.generation).await?;
    grants.tidy_up(user.id(), user.token.generation + 1).await;
    audit.record(Event::LogoutAll, user.id());
    Ok(Reply::no_content())
}
