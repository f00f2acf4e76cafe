//! Who somebody is at another provider, and the account to which that is to be linked.

use crate::http::ids::UserId;

/// Somebody at a provider: its issuer and its subject name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's id here.
    pub provider: String,
    pub issuer: String,
    pub subject: String,
}

/// An account that has asked for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub user: UserId,
    /// The account's generation when it asked: a new password spoils the link.
    pub generation: i64,
}
