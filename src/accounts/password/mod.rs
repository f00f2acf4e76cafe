//! Passwords.
//!
//! | question | file |
//! | --- | --- |
//! | which passwords are accepted | [`model`] |
//! | how they are hashed and verified, and who may wait for it | [`hasher`] |

mod hasher;
mod model;

pub use hasher::{Hasher, Requester};
pub use model::{ClaimedPassword, NewPassword, NewPasswordRule, PasswordHash};
