//! Sessions. A login makes one, a token carries its id, and the token is valid while the session lasts.
//!
//! | question | file |
//! | --- | --- |
//! | what a session is, and what a client reads of it | [`model`] |
//! | how a session begins | [`begin`] |
//! | what a session is called | [`naming`] |
//! | what a refresh token is made of | [`refresh_token`]; how it is used up: [`rotation`] |
//! | how sessions are stored, listed and ended | [`store`] |

pub mod begin;
pub mod model;
pub mod naming;
pub mod refresh_token;
pub mod rotation;
pub mod store;

pub use model::{Session, SessionView};
pub use store::Sessions;
