//! The database: connecting to it, and the one way to ask it something. Stores build on this; nothing
//! here knows a feature.
//!
//! May import `config`, `mongod` and `telemetry`.
//!
//! | question | file |
//! | --- | --- |
//! | how a connection is opened | [`connection`] |
//! | what can go wrong | [`error`] |
//! | unique rules and all indexes | [`indexes`] |
//! | which databases this binary takes | [`schema`] |
//! | where a page begins | [`keyset`] |
//! | how callers share a command | [`batches`], [`by_id`] |

pub mod batches;
pub mod by_id;
pub mod client;
pub mod connection;
pub mod error;
pub mod index_builds;
pub mod indexes;
pub mod keyset;
pub mod pool;
pub mod schema;
mod sightings;
pub mod versions;

pub use client::{BATCH, COMMAND, parse};
pub use connection::{ConnectError, Connection, ping};
pub use error::{StoreError, inserting, patiently, within};
