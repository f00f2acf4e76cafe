//! What the server counts, for Prometheus.
//!
//! | question | file |
//! | --- | --- |
//! | how a counter, a gauge, a histogram is made | `instruments.rs` |
//! | who collects them | `registry.rs` |
//! | what is counted of requests | [`requests`] |
//! | `GET /metrics`, this binary and this process; who may read them | `server/metrics.rs`, `server/loopback.rs` |
//!
//! There is no global registry. Code that counts makes its own counters, and counts with them whether
//! anybody reads them or not. When its stage is attached, it hands its `collectors()` to the one registry
//! ([`register`], [`registering`]). So a new counter is three lines beside the code that counts:
//!
//! ```text
//! let batches = metrics::counter("movie_bag_write_batches_total", "Batches of writes.");  // in new()
//! self.batches.inc();                                                     // where it happens: an atomic
//! pub fn collectors(&self) -> Vec<Box<dyn Collector>> { vec![Box::new(self.batches.clone())] }
//! ```
//!
//! and a row in `docs/reference/metrics.md`, which a test holds against what is answered. A scrape reads memory
//! and `/proc`, and asks the database nothing: what only the database knows is noted when it was asked
//! anyway.
//!
//! Names follow Prometheus' conventions: base units, `_seconds`, `_total`; those of requests are
//! OpenTelemetry's. A label takes few values, and none that a client can choose.

mod instruments;
mod registry;
pub mod requests;

pub use self::{
    instruments::{counter, counters, gauge, info, latency, read_counter, read_gauge},
    registry::{Metrics, register, registering},
    requests::RequestMetrics,
};
