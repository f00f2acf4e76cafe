//! Requests: how long they take, by route, method and status, and how many are in flight.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use prometheus::{HistogramOpts, HistogramVec, IntGauge, core::Collector};
use rocket::http::Method;

use super::instruments::{LATENCY_SECONDS, WIRING, gauge};

/// The label for a request that matched no route.
pub const UNMATCHED: &str = "unmatched";
/// The label for a request whose method is not one of HTTP's (OpenTelemetry's word for it).
pub const OTHER: &str = "_OTHER";

/// Clones share the metrics.
#[derive(Clone)]
pub struct RequestMetrics {
    durations: HistogramVec,
    active: IntGauge,
}

/// A request in progress. It counts until it is dropped with its request, however its handler ended: when the
/// connection has taken the last byte of the answer, or closes before that. A client that disconnects while the
/// handler runs ends nothing, because Rocket runs each request in its own task. It stops counting earlier if it is
/// let go.
pub struct Active {
    gauge: IntGauge,
    is_over: AtomicBool,
}

impl Active {
    /// Stops counting a request whose answer has no end (a stream of events).
    pub fn let_go(&self) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            self.gauge.dec();
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestMetrics {
    /// # Panics
    /// Never: the names are valid.
    #[must_use]
    pub fn new() -> Self {
        // https://opentelemetry.io/docs/specs/semconv/http/http-metrics/, in Prometheus' spelling.
        let labels = ["http_request_method", "http_route", "http_response_status_code"];
        let opts = HistogramOpts::new(
            "http_server_request_duration_seconds",
            "Time from the head of a request to the head of its answer.",
        )
        .buckets(LATENCY_SECONDS.to_vec());
        Self {
            durations: HistogramVec::new(opts, &labels).expect(WIRING),
            active: gauge("http_server_active_requests", "Requests whose answer is not complete yet."),
        }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.durations.clone()), Box::new(self.active.clone())]
    }

    /// Counts a request that has begun.
    #[must_use]
    pub fn begin(&self) -> Active {
        self.active.inc();
        Active { gauge: self.active.clone(), is_over: AtomicBool::new(false) }
    }

    /// Records an answered request. `route` is the path of a route. `method` is `None` for one that is not HTTP's.
    pub fn answered(&self, method: Option<Method>, route: Option<&str>, status: u16, took: Duration) {
        let (method, status) = (method.map_or(OTHER, |method| method.as_str()), status.to_string());
        let labels = [method, route.unwrap_or(UNMATCHED), status.as_str()];
        self.durations.with_label_values(&labels).observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_in_progress_stops_counting_once_however_it_ends() {
        let metrics = RequestMetrics::new();
        let (streamed, dropped) = (metrics.begin(), metrics.begin());
        assert_eq!(metrics.active.get(), 2);
        streamed.let_go();
        streamed.let_go();
        assert_eq!(metrics.active.get(), 1);
        drop(streamed);
        assert_eq!(metrics.active.get(), 1);
        drop(dropped);
        assert_eq!(metrics.active.get(), 0);
    }

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let metrics = RequestMetrics::new();
        for status in [200, 418, 418] {
            metrics.answered(Some(Method::Get), Some("/tea"), status, Duration::from_millis(3));
        }
        let count = |status| metrics.durations.with_label_values(&["GET", "/tea", status]).get_sample_count();
        assert_eq!((count("200"), count("418")), (1, 2));
    }
}
