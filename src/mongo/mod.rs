//! Connects to the database, creates the indexes, sorts errors by what the caller can do about them, and lets
//! callers share commands.
//!
//! May import `config`, `mongod` and `telemetry`. The stores of `accounts` and `movies` build on this folder. Nothing
//! here depends on a feature, except for the names of the collections and their indexes.
//!
//! | question | file |
//! | --- | --- |
//! | how a connection is opened and closed | [`connection`] |
//! | which time limits, reads and writes every client has | [`client`] |
//! | what can go wrong | [`error`] |
//! | which indexes there are, and which rules are unique | [`indexes`]; how missing ones are created: [`index_builds`] |
//! | which databases this binary accepts | [`schema`] |
//! | which versions of MongoDB the server warns about | [`versions`] |
//! | where a page begins | [`keyset`] |
//! | how callers share a command | [`batches`]; a read by id: [`by_id`] |
//! | which metrics the driver's connections have | [`pool`] |
//! | why no server is usable when the server starts | [`sightings`] |

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
