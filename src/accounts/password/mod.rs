//! Passwords.
//!
//! | question | file |
//! | --- | --- |
//! | which passwords are accepted | [`model`] |
//! | how they are hashed and verified, who may wait for it | [`hasher`] |
//! | the token of a link that resets one | [`reset_token`] |

mod hasher;
mod model;
pub mod reset_token;

pub use hasher::{Hasher, Requester};
pub use model::{ClaimedPassword, NewPassword, NewPasswordRule, PasswordHash};
