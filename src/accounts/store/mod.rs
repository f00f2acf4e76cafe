//! How accounts are stored: the collection itself, what proves who somebody is, also at other providers, and who is admin.

pub mod admin_list;
pub mod credentials;
pub mod identities;
pub mod resets;
pub mod users;
pub mod verification;

pub use users::Users;
