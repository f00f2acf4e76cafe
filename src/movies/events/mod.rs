//! `GET /api/movies/events`: every change of the catalogue, as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! The changes come from the log ([`super::changes`]), so they include changes made through other servers. An id is a
//! place in the log: it is valid on every server and after a restart. A client that reconnects with `Last-Event-ID`
//! first gets what it has missed from the log, and then live changes.
//!
//! | question | file |
//! | --- | --- |
//! | what an event says | [`change`] |
//! | what is done once for all listeners | [`renderer`] |
//! | how a client begins to listen | [`hub`] |
//! | what a listener is sent, and when it is disconnected | [`listener`] |
//! | the route | [`route`] |

mod change;
mod hub;
mod listener;
mod renderer;
pub mod route;

pub use hub::Events;
