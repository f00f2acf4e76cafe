//! The server's metrics, for Prometheus.
//!
//! | question | file |
//! | --- | --- |
//! | how counters, gauges and histograms are made | `instruments.rs` |
//! | who collects them | `registry.rs` |
//! | which metrics requests have | [`requests`] |
//! | `GET /metrics`, this binary and this process; who may read them | `server/metrics.rs`, `server/loopback.rs` |
//!
//! There is no global registry. Code that counts makes its own counters, and uses them whether anybody reads them or
//! not. When its stage is attached, it passes its `collectors()` to the one registry ([`register`], [`registering`]).
//! So a new counter takes three lines beside the code that counts:
//!
//! ```text
//! let batches = metrics::counter("movie_bag_write_batches_total", "Batches of writes.");  // in new()
//! self.batches.inc();                                                     // where it happens: an atomic
//! pub fn collectors(&self) -> Vec<Box<dyn Collector>> { vec![Box::new(self.batches.clone())] }
//! ```
//!
//! and a row in `docs/reference/metrics.md`, which a test compares with the real metrics. A scrape reads memory and
//! `/proc`, and never asks the database: values that only the database knows are recorded when it is asked anyway.
//!
//! Names follow the conventions of Prometheus: base units, `_seconds`, `_total`. The names for requests are those of
//! OpenTelemetry. A label takes few values, and a client can choose none of them.

mod instruments;
mod registry;
pub mod requests;

pub use self::{
    instruments::{counter, counters, gauge, info, latency, read_counter, read_gauge},
    registry::{Metrics, register, registering},
    requests::RequestMetrics,
};
