//! Personal access tokens, for scripts.
//!
//! | question | file |
//! | --- | --- |
//! | what such a token is, and what a client reads of it | [`model`] |
//! | what it may do, and how a route says which tokens it takes | [`scope`] |
//! | what it is made of | [`secret`] |
//! | how tokens are stored, listed and deleted | [`store`] |
//! | who looks them up | [`crate::accounts::guard`] |

pub mod model;
pub mod scope;
pub mod secret;
pub mod store;

pub use model::{PersonalToken, PersonalTokenView};
pub use scope::Scope;
pub use store::PersonalTokens;
