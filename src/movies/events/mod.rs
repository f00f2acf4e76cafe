//! `GET /api/movies/events`: every change of the catalogue, as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! The changes come from a change stream of the database, so those made through another instance are
//! among them. A process follows one, however many listen, and begins when the first one does
//! ([`follower`]). It keeps the last events ([`journal`]); who comes back with `Last-Event-ID` gets what
//! was missed from there, and what is older from the database, once for all who ask. An id is a resume
//! token of the database: it is good on every instance, and after a restart. What is sent to each, and
//! who is cut off, is in [`listener`]; [`hub`] brings the two together.

mod change;
mod event_id;
mod follower;
mod hub;
mod journal;
mod listener;
pub mod route;

pub use hub::Events;
