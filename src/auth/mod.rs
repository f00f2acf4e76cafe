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
//! | how the service takes all this in | [`mod@stage`] |

pub mod guard;
pub mod hs256;
pub mod network;
pub mod openapi;
pub mod password;
mod reset;
pub mod reset_token;
pub mod revocation;
mod routes;
mod stage;
pub mod throttle;
pub mod token;

pub use guard::{Admin, CurrentUser};
pub use stage::{Documented, Parts, stage};
