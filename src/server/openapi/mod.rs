//! The OpenAPI document: put together in [`mod@document`], answered by [`mod@route`].

mod document;
mod route;

pub use document::{document, pretty};
pub use route::stage;
