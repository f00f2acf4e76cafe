//! Who is calling: passwords, tokens, and the request guards that stand on them.
//!
//! | question | file |
//! | --- | --- |
//! | how a password is checked and hashed | [`password`] |
//! | what is in a token, how long it lives | [`token`] |
//! | who is calling | [`guard`] |
//! | sign up, log in | [`mod@routes`] |

use rocket::{fairing::AdHoc, routes};

pub mod guard;
pub mod password;
mod routes;
pub mod token;

pub use guard::{Admin, CurrentUser};

/// Mounts the routes; the tokens and the hasher are this feature's state.
#[must_use]
pub fn stage(tokens: token::Tokens, hasher: password::Hasher) -> AdHoc {
    AdHoc::on_ignite("auth", |rocket| async move {
        rocket
            .manage(tokens)
            .manage(hasher)
            .mount("/api/auth", crate::deadline::limited(routes![routes::signup, routes::login]))
    })
}
