//! How the service takes in signing up, tokens and forgotten passwords: their routes, and their state.

use rocket::{fairing::AdHoc, routes};
use utoipa::OpenApi;

use crate::{
    accounts::{
        Users,
        password::Hasher,
        revocation::RevokedTokens,
        routes::{
            auth,
            auth::{Login, Signup, TokenView},
            reset::{self, Forgot, Reset},
        },
        throttle::Throttle,
        token::Tokens,
    },
    http::deadline::limited,
    telemetry::metrics,
};

/// The routes of this feature.
#[derive(OpenApi)]
#[openapi(
    paths(auth::signup, auth::login, auth::logout, auth::logout_all, reset::forgot, reset::reset,),
    components(schemas(Signup, Login, TokenView, Forgot, Reset))
)]
pub struct Documented;

/// What the routes and guards of this feature stand on.
pub struct Parts {
    pub tokens: Tokens,
    pub revoked: RevokedTokens,
    pub hasher: Hasher,
    pub throttle: Throttle,
}

/// Mounts the routes; the parts are this feature's state.
#[must_use]
pub fn stage(parts: Parts) -> AdHoc {
    AdHoc::on_ignite("auth", |rocket| async move {
        let hasher = parts.hasher.clone();
        let routes =
            routes![auth::signup, auth::login, auth::logout, auth::logout_all, reset::forgot, reset::reset];
        metrics::register(&rocket, parts.hasher.collectors());
        metrics::register(&rocket, parts.throttle.collectors());
        metrics::register(&rocket, parts.revoked.collectors());
        rocket
            .manage(parts.tokens)
            .manage(parts.revoked)
            .manage(parts.hasher)
            .manage(parts.throttle)
            .mount("/api/auth", limited(routes))
            // No request is answered before it has ended.
            .attach(AdHoc::on_liftoff("the costs of the stored hashes", |rocket| {
                Box::pin(async move {
                    if let Some(users) = rocket.state::<Users>() {
                        learn_highest_cost(&hasher, users).await;
                    }
                })
            }))
    })
}

/// Where the cost was lowered, the hashes of before keep theirs, and what fails must take as long as they
/// do. If the database does not say which there are, each is learned when somebody tries to log in to it.
async fn learn_highest_cost(hasher: &Hasher, users: &Users) {
    match users.costliest_hash(hasher.cost()).await {
        Ok(None) => {}
        Ok(Some(hash)) => {
            let cost = hasher.reckon_with(&hash);
            tracing::info!(
                cost,
                today = hasher.cost(),
                "there are passwords hashed at a higher cost: a wrong one takes as long"
            );
        }
        Err(error) => tracing::warn!(%error, "the costs of the stored passwords are not known"),
    }
}
