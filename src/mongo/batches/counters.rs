//! Metrics of the commands that callers share.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Opts, core::Collector};

/// The metrics of one kind of command.
pub struct BatchMetrics {
    /// Callers whose command has not been sent yet.
    pub waiting: IntGauge,
    pub refused: IntCounter,
    keys: Histogram,
    callers: IntCounter,
}

const WIRING: &str = "BUG: a metric's name or labels";

impl BatchMetrics {
    /// # Panics
    /// Never: the names are valid.
    pub fn new(command: &str) -> Self {
        let opts = |name, help| Opts::new(name, help).const_label("command", command);
        let keys: HistogramOpts =
            opts("movie_bag_batch_keys", "How many questions or documents one command carried.").into();
        let buckets = vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
        Self {
            waiting: IntGauge::with_opts(opts(
                "movie_bag_batch_waiting",
                "Callers whose command has not been sent yet.",
            ))
            .expect(WIRING),
            refused: IntCounter::with_opts(opts(
                "movie_bag_batch_refused_total",
                "Callers that were refused because too many were waiting.",
            ))
            .expect(WIRING),
            keys: Histogram::with_opts(keys.buckets(buckets)).expect(WIRING),
            callers: IntCounter::with_opts(opts(
                "movie_bag_batch_callers_total",
                "Callers for whom a command was sent.",
            ))
            .expect(WIRING),
        }
    }

    pub fn carried(&self, keys: usize, callers: usize) {
        self.callers.inc_by(callers as u64);
        // At most a hundred keys, so the conversion is exact.
        self.keys.observe(f64::from(u32::try_from(keys).unwrap_or(u32::MAX)));
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.waiting.clone()),
            Box::new(self.refused.clone()),
            Box::new(self.keys.clone()),
            Box::new(self.callers.clone()),
        ]
    }
}
