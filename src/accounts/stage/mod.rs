//! How the service takes in accounts.

pub mod auth;
pub mod users;
