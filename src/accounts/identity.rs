//! Who somebody is at another provider, and the account that this identity is to be linked to.

use crate::http::ids::UserId;

/// A person at a provider. The provider's issuer and the subject identify the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's id in the settings.
    pub provider: String,
    pub issuer: String,
    pub subject: String,
}

/// An account that has asked for a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub user: UserId,
    /// The account's generation when it asked. A new password makes the link invalid.
    pub generation: i64,
}
