//! What the server counts, for Prometheus.
//!
//! | question | file |
//! | --- | --- |
//! | what is counted of requests | [`requests`] |
//! | `GET /metrics`, this binary and this process | [`mod@routes`] |
//! | who may read them | [`visibility`] |
//!
//! There is no global registry. Whoever counts makes its own counters, with the functions below, and
//! counts with them whether anybody reads them or not; its `collectors()` are handed to the one registry
//! when its stage is attached ([`register`], [`registering`]). So a new counter is three lines beside
//! the code that counts:
//!
//! ```text
//! let batches = metrics::counter("movie_bag_write_batches_total", "Batches of writes.");  // in new()
//! self.batches.inc();                                                     // where it happens: an atomic
//! pub fn collectors(&self) -> Vec<Box<dyn Collector>> { vec![Box::new(self.batches.clone())] }
//! ```
//!
//! and a row in `docs/OPERATING.md`, which a test holds against what is answered. A scrape reads memory
//! and `/proc`, and asks the database nothing: what only the database knows is noted when it was asked
//! anyway.
//!
//! Names follow Prometheus' conventions: base units, `_seconds`, `_total`; those of requests are
//! OpenTelemetry's. A label takes few values, and none that a client can choose.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, PullingGauge, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use rocket::{Build, Rocket, fairing::AdHoc};

pub mod requests;

pub use super::metrics::requests::RequestMetrics;

/// Where the metrics are.
pub const PATH: &str = "/metrics";
/// From an answer out of memory to the limit of a request, in seconds.
pub const LATENCY_SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
pub const WIRING: &str = "BUG: a metric's name or labels";

/// A number that only grows.
///
/// # Panics
/// If the name is none.
#[must_use]
pub fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect(WIRING)
}

/// One such number for each value of a label. Every value is named here, so that each is there from the
/// start, with 0, and none is made up later.
///
/// # Panics
/// If a name is none.
#[must_use]
pub fn counters(name: &str, help: &str, label: &str, values: &[&str]) -> IntCounterVec {
    let counters = IntCounterVec::new(Opts::new(name, help), &[label]).expect(WIRING);
    for value in values {
        let _ = counters.with_label_values(&[value]);
    }
    counters
}

/// A number that goes up and down.
///
/// # Panics
/// If the name is none.
#[must_use]
pub fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect(WIRING)
}

/// A number that is known elsewhere, and asked for at each scrape: `read` must be quick.
///
/// # Panics
/// If the name is none.
#[must_use]
pub fn read_gauge(name: &str, help: &str, read: impl Fn() -> f64 + Send + Sync + 'static) -> PullingGauge {
    PullingGauge::new(name, help, Box::new(read)).expect(WIRING)
}

/// A number that only grows and is known elsewhere: `read` must be quick.
///
/// # Panics
/// If the name is none.
#[must_use]
pub fn read_counter(
    name: &str,
    help: &str,
    read: impl Fn() -> u64 + Send + Sync + 'static,
) -> impl Collector {
    ReadCounter { counter: counter(name, help), read }
}

/// What [`PullingGauge`] is for a gauge.
struct ReadCounter<R> {
    counter: IntCounter,
    read: R,
}

impl<R: Fn() -> u64 + Send + Sync> Collector for ReadCounter<R> {
    fn desc(&self) -> Vec<&Desc> {
        self.counter.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.counter.inc_by((self.read)().saturating_sub(self.counter.get()));
        self.counter.collect()
    }
}

/// How long something takes.
///
/// # Panics
/// If the name is none.
#[must_use]
pub fn latency(name: &str, help: &str) -> Histogram {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(LATENCY_SECONDS.to_vec())).expect(WIRING)
}

/// The registry, and who may read it.
pub struct Metrics {
    pub registry: Registry,
    pub public: bool,
}

/// Hands over what a feature counts. Where there is no registry (a stage alone, in a test) nobody reads it.
///
/// # Panics
/// If a name is taken.
pub fn register(rocket: &Rocket<Build>, collectors: Vec<Box<dyn Collector>>) {
    if let Some(metrics) = rocket.state::<Metrics>() {
        for collector in collectors {
            metrics.registry.register(collector).expect("BUG: two metrics have one name");
        }
    }
}

/// [`register`] as a stage, for what is no feature.
#[must_use]
pub fn registering(name: &'static str, collectors: Vec<Box<dyn Collector>>) -> AdHoc {
    AdHoc::on_ignite(name, |rocket| async move {
        register(&rocket, collectors);
        rocket
    })
}
