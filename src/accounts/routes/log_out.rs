//! Logging out: one token, or all of a user's.

use rocket::{State, post};

use crate::{
    accounts::{
        CurrentUser, Users,
        audit::{Audit, Event},
        revocation::RevokedTokens,
    },
    http::{
        openapi::answers::{Answers, answers},
        problem::Problem,
        query::NoQuery,
        reply::Reply,
    },
};

answers! {
    LoggedOut => Answers::with_database().empty(204, "The token is revoked.", &[]).problems(CurrentUser::REFUSALS);
    LoggedOutEverywhere => Answers::with_database()
        .empty(204, "Every token of the user is revoked.", &[])
        .problems(CurrentUser::REFUSALS);
}

/// Revokes the token that came with the request.
#[utoipa::path(context_path = "/api/auth", tag = "auth", operation_id = "log_out", responses(LoggedOut))]
#[post("/logout")]
pub(in crate::accounts) async fn logout(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    revoked: &State<RevokedTokens>,
) -> Result<Reply, Problem> {
    revoked.insert(&user.token).await?;
    audit.record(Event::Logout, user.id());
    Ok(Reply::no_content())
}

/// Revokes every token of the user.
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
) -> Result<Reply, Problem> {
    users.revoke_generation(user.id(), user.token.generation).await?;
    audit.record(Event::LogoutAll, user.id());
    Ok(Reply::no_content())
}
