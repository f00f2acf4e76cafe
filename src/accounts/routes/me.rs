//! `/api/users/me`: the caller's own account.

use std::sync::Arc;

use rocket::{State, delete, get};

use crate::{
    accounts::{
        AccountRead, Belongings, Cascade, CurrentUser, Role, ScopedUser, UserView,
        audit::{Audit, Event},
        deletion::Removal,
        model::Account,
        store::admin_list::{Admins, LastAdmin},
    },
    http::{
        ids::UserId,
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
};

answers! {
    Me => Answers::with_database().json::<UserView>(200, "The caller's account.", &[]).problems(CurrentUser::REFUSALS);
    Deleted => deleted(Answers::with_database().problems(CurrentUser::REFUSALS));
}

/// The answers to a deletion.
pub(super) fn deleted(answers: Answers) -> Answers {
    answers
        .empty(204, "The account and all its movies are deleted.", &[])
        .empty(202, "The account is deleted. The server is still deleting the last of its many movies.", &[])
        .problems(&[Code::LastAdmin])
}

/// Returns the caller's account.
///
/// Needs a token. A personal access token needs the scope `account:read`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "get_me",
    responses(Me),
    security(("token" = []), ("personal_token" = ["account:read"]))
)]
#[get("/me")]
pub(in crate::accounts) async fn me(
    user: ScopedUser<AccountRead>,
    _query: NoQuery,
    admins: &State<Admins>,
    belongings: &State<Arc<dyn Belongings>>,
) -> Result<Reply, Problem> {
    Reply::ok(&whole(&user.account, admins, belongings).await?)
}

/// Deletes the caller's account and all its movies.
///
/// Needs the token of a session. Nobody can restore the account or its movies. If this takes over 20 seconds, the
/// answer is 202, and the server deletes the rest of the movies afterwards. The last admin gets 409 `last-admin`.
#[utoipa::path(context_path = "/api/users", tag = "users", operation_id = "delete_me", responses(Deleted))]
#[delete("/me")]
pub(in crate::accounts) async fn delete_me(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    cascade: &State<Cascade>,
) -> Result<Reply, Problem> {
    let id = user.id();
    remove(cascade, id, move || audit.record(Event::AccountDeleted, id)).await
}

/// One user, with the fields that a list of users leaves out.
pub(super) async fn whole(
    account: &Account,
    admins: &Admins,
    belongings: &Arc<dyn Belongings>,
) -> Result<UserView, Problem> {
    let role = if admins.contains(account.id).await? { Role::Admin } else { Role::User };
    let movie_count = belongings.count_of(account.id).await?;
    Ok(UserView::new(account, role).with_movie_count(movie_count))
}

/// 204, or 202 while the movies are still being deleted. `record` writes the line of the audit log.
pub(super) async fn remove(
    cascade: &Cascade,
    id: UserId,
    record: impl FnOnce() + Send + 'static,
) -> Result<Reply, Problem> {
    match cascade.remove_account(id, record).await? {
        Ok(Removal::Complete) => Ok(Reply::no_content()),
        Ok(Removal::GoesOn) => Ok(Reply::accepted()),
        Err(LastAdmin) => Err(Problem::LastAdmin),
    }
}
