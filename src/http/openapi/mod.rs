//! How a route declares its answers ([`answers`]) and its parameters ([`parameters`]) in the OpenAPI document.

pub mod answers;
pub mod parameters;
