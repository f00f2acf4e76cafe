//! Whether the process serves requests, and whether its database answers.

use std::time::Duration;

use mongodb::Database;
use rocket::{State, fairing::AdHoc, get, routes};
use serde::Serialize;

use crate::{
    http::{
        openapi::answers::{Answers, answers},
        problem::Problem,
        query::NoQuery,
        reply::Reply,
    },
    mongo,
};

const PING_LIMIT: Duration = Duration::from_secs(1);

/// The routes of this feature.
#[derive(utoipa::OpenApi)]
#[openapi(paths(live, ready), components(schemas(Health)))]
pub struct Documented;

answers! {
    Live => Answers::without_database().unlimited().json::<Health>(200, "The process serves.", &[]);
    Ready => Answers::with_database().unlimited().json::<Health>(200, "The database answers.", &[]);
}

/// The state of the server.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    #[schema(value_type = String, example = "ready")]
    status: &'static str,
}

/// Says whether the process serves requests.
///
/// Anyone may call this. It does not ask the database. Restart an instance that does not answer.
#[utoipa::path(context_path = "/health", tag = "service", operation_id = "is_live", responses(Live))]
#[get("/live")]
fn live(_query: NoQuery) -> Result<Reply, Problem> {
    Reply::ok(&Health { status: "live" })
}

/// Says whether the server can answer requests: whether its database answers.
///
/// Anyone may call this. If the database does not answer within a second, the answer is 503 `database-unavailable`:
/// send the instance no requests until it is ready again.
#[utoipa::path(context_path = "/health", tag = "service", operation_id = "is_ready", responses(Ready))]
#[get("/ready")]
async fn ready(_query: NoQuery, database: &State<Database>) -> Result<Reply, Problem> {
    mongo::ping(database, PING_LIMIT).await?;
    Reply::ok(&Health { status: "ready" })
}

/// Mounts the routes.
#[must_use]
pub fn stage(database: Database) -> AdHoc {
    AdHoc::on_ignite("health", |rocket| async move {
        rocket.manage(database).mount("/health", crate::http::deadline::limited(routes![live, ready]))
    })
}
