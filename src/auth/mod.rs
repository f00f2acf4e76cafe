//! Who is calling: passwords, tokens, and the request guards that stand on them.
//!
//! | question | file |
//! | --- | --- |
//! | how a password is checked and hashed | [`password`] |
//! | what is in a token, how long it lives | [`token`] |
//! | how a token is signed | [`hs256`] |
//! | which tokens were logged out | [`revocation`] |
//! | who is calling | [`guard`] |
//! | which addresses are one network | [`network`] |
//! | how often something may be attempted | [`throttle`] |
//! | sign up, log in, log out | [`mod@routes`] |
//! | what the OpenAPI document says of these | [`openapi`] |
//! | a forgotten password | [`mod@reset`], [`reset_token`] |

use rocket::{fairing::AdHoc, routes};

use crate::{metrics, users::Users};

pub mod guard;
pub mod hs256;
pub mod network;
pub mod openapi;
pub mod password;
mod reset;
pub mod reset_token;
pub mod revocation;
mod routes;
pub mod throttle;
pub mod token;

pub use guard::{Admin, CurrentUser};

/// What the routes and guards of this feature stand on.
pub struct Parts {
    pub tokens: token::Tokens,
    pub revoked: revocation::RevokedTokens,
    pub hasher: password::Hasher,
    pub throttle: throttle::Throttle,
}

/// Mounts the routes; the parts are this feature's state.
#[must_use]
pub fn stage(parts: Parts) -> AdHoc {
    AdHoc::on_ignite("auth", |rocket| async move {
        let hasher = parts.hasher.clone();
        let routes = routes![
            routes::signup,
            routes::login,
            routes::logout,
            routes::logout_all,
            reset::forgot,
            reset::reset
        ];
        metrics::register(&rocket, parts.hasher.collectors());
        metrics::register(&rocket, parts.throttle.collectors());
        metrics::register(&rocket, parts.revoked.collectors());
        rocket
            .manage(parts.tokens)
            .manage(parts.revoked)
            .manage(parts.hasher)
            .manage(parts.throttle)
            .mount("/api/auth", crate::deadline::limited(routes))
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
async fn learn_highest_cost(hasher: &password::Hasher, users: &Users) {
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
