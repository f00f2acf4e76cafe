//! The routes of accounts. Each file holds one route or a few: what a client sends, what the OpenAPI document says
//! about it, and the handler.

pub mod admin;
pub mod callback;
pub mod change_me;
mod current_password;
pub mod exchange;
pub mod identities;
pub mod log_in;
pub mod log_out;
pub mod me;
pub mod refresh;
pub mod reset;
pub mod sessions;
mod sign_in;
pub mod sign_up;
pub mod start;
pub mod tokens;
pub mod verify;
