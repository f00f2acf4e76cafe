//! The metrics of the pool.

use prometheus::{IntCounterVec, IntGauge};

use crate::telemetry::metrics::{self, counters};

/// The jobs, counted.
#[derive(Clone)]
pub(super) struct Counters {
    pub waiting: IntGauge,
    pub running: IntGauge,
    pub ended: IntCounterVec,
}

impl Counters {
    pub fn new() -> Self {
        Self {
            waiting: metrics::gauge(
                "movie_bag_password_jobs_waiting",
                "Passwords that wait in the queue to be hashed.",
            ),
            running: metrics::gauge("movie_bag_password_jobs_running", "Passwords that are being hashed."),
            ended: counters(
                "movie_bag_password_jobs_total",
                "Passwords to hash: done, refused because the queue or the caller's share of it was full, or abandoned because the request ran out of time.",
                "result",
                &["done", "refused", "abandoned"],
            ),
        }
    }

    pub fn ended(&self, result: &str) {
        self.ended.with_label_values(&[result]).inc();
    }
}

/// A running job. It also ends if it panics.
pub(super) struct Running(pub IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
