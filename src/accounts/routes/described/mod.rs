//! What the OpenAPI document says of the routes.

pub mod auth;
pub mod users;
