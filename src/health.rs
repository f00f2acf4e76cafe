//! Whether the process serves, and whether its database answers.

use std::time::Duration;

use mongodb::Database;
use rocket::{State, fairing::AdHoc, get, routes};
use serde::Serialize;

use crate::{mongo, problem::Problem, query::NoQuery, reply::Reply};

const PING_LIMIT: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// 200 while the process serves.
#[get("/live")]
fn live(_query: NoQuery) -> Result<Reply, Problem> {
    Reply::ok(&Health { status: "live" })
}

/// 200 when the database answers, else 503.
#[get("/ready")]
async fn ready(_query: NoQuery, database: &State<Database>) -> Result<Reply, Problem> {
    mongo::ping(database, PING_LIMIT).await?;
    Reply::ok(&Health { status: "ready" })
}

/// Mounts the routes.
#[must_use]
pub fn stage(database: Database) -> AdHoc {
    AdHoc::on_ignite("health", |rocket| async move {
        rocket.manage(database).mount("/health", crate::deadline::limited(routes![live, ready]))
    })
}
