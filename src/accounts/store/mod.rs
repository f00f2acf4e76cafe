//! How accounts are stored: the collection itself, what proves who a user is, identities at other providers, and the
//! list of admins.

pub mod admin_list;
pub mod credentials;
pub mod identities;
pub mod resets;
pub mod users;
pub mod verification;

pub use users::Users;
