//! Makes counters, gauges and histograms.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, PullingGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// Bucket limits in seconds: from an answer out of memory to the time limit of a request.
pub(super) const LATENCY_SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
pub(super) const WIRING: &str = "BUG: a metric's name or labels";

/// A number that only increases.
///
/// # Panics
/// If the name is not a valid one.
#[must_use]
pub fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect(WIRING)
}

/// One such number for each value of a label. All values are listed here, so that each exists from the start, with 0,
/// and none can be added later.
///
/// # Panics
/// If a name is not a valid one.
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
/// If the name is not a valid one.
#[must_use]
pub fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect(WIRING)
}

/// A number that is known elsewhere. Each scrape calls `read`, which must be quick.
///
/// # Panics
/// If the name is not a valid one.
#[must_use]
pub fn read_gauge(name: &str, help: &str, read: impl Fn() -> f64 + Send + Sync + 'static) -> PullingGauge {
    PullingGauge::new(name, help, Box::new(read)).expect(WIRING)
}

/// A number that only increases and is known elsewhere. `read` must be quick.
///
/// # Panics
/// If the name is not a valid one.
#[must_use]
pub fn read_counter(
    name: &str,
    help: &str,
    read: impl Fn() -> u64 + Send + Sync + 'static,
) -> impl Collector {
    ReadCounter { counter: counter(name, help), read }
}

/// The counterpart of [`PullingGauge`] for a counter.
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

/// A histogram of how long something takes.
///
/// # Panics
/// If the name is not a valid one.
#[must_use]
pub fn latency(name: &str, help: &str) -> Histogram {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(LATENCY_SECONDS.to_vec())).expect(WIRING)
}

/// A fact that does not change while the process runs. The value is always 1, and the label is the fact.
///
/// # Panics
/// If a name is not a valid one.
#[must_use]
pub fn info(name: &str, help: &str, label: &str, fact: &str) -> IntGauge {
    let gauge = IntGauge::with_opts(Opts::new(name, help).const_label(label, fact)).expect(WIRING);
    gauge.set(1);
    gauge
}
