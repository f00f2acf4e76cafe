//! `/api/admin`: how many users and movies there are.

use std::sync::Arc;

use rocket::{State, get};
use serde::Serialize;

use crate::{
    accounts::{Admin, Belongings, Users},
    http::{
        openapi::answers::{Answers, answers},
        problem::Problem,
        query::NoQuery,
        reply::Reply,
    },
};

/// How many there are of each.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Counts {
    users: u64,
    movies: u64,
}

answers! {
    AllCounted => Answers::with_database().json::<Counts>(200, "How many users and movies there are.", &[]).problems(Admin::REFUSALS);
}

/// Counts the users and the movies.
///
/// Needs the token of an admin; other users get 403 `admins-only`.
#[utoipa::path(context_path = "/api/admin", tag = "admin", operation_id = "count_all", responses(AllCounted))]
#[get("/")]
pub(in crate::accounts) async fn counts(
    _admin: Admin,
    _query: NoQuery,
    users: &State<Users>,
    belongings: &State<Arc<dyn Belongings>>,
) -> Result<Reply, Problem> {
    Reply::ok(&Counts { users: users.count().await?, movies: belongings.count().await? })
}
