//! The routes of accounts, a file for each part of the API; what the OpenAPI document says of them is in
//! [`described`].

pub mod admin;
pub mod auth;
pub mod change_me;
pub mod described;
pub mod me;
pub mod reset;
