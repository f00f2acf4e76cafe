//! Requests: how long they take, by route, method and status, and how many are under way.
//!
//! Each series is looked up once: after that a request finds its histogram by the route's path, and
//! adds to it with a few atomic operations. Nothing is allocated and no lock is taken.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntGauge, core::Collector};
use rocket::{Route, http::Method};

use super::{LATENCY_SECONDS, WIRING, gauge};

/// The route of a request that has found none.
pub const UNMATCHED: &str = "unmatched";
/// The method of a request whose method is none of HTTP's (OpenTelemetry's word for it).
pub const OTHER: &str = "_OTHER";
/// The statuses that this server answers with; another one costs a look-up more.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 431, 500, 501,
    503, 504, 505,
];
/// In the order of [`place_of`].
const METHODS: usize = 10;

type Row = [[OnceLock<Histogram>; STATUSES.len()]; METHODS];

/// The clones share what they count.
#[derive(Clone)]
pub struct RequestMetrics {
    durations: HistogramVec,
    active: IntGauge,
    /// By the path of a route, once all are mounted.
    rows: Arc<OnceLock<HashMap<String, Box<Row>>>>,
}

/// A request under way. It counts until it is dropped with its request, however its handler ended: when the
/// connection has taken the last byte of the answer, or closes before that. A client that goes away while the
/// handler runs ends nothing: Rocket runs each request in a task of its own. Or it counts until it is let go.
pub struct Active {
    gauge: IntGauge,
    is_over: AtomicBool,
}

impl Active {
    /// The answer has no end: from here on it is no request under way (a stream of events).
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
    /// Never: the names are good.
    #[must_use]
    pub fn new() -> Self {
        // https://opentelemetry.io/docs/specs/semconv/http/http-metrics/, in Prometheus' spelling.
        let labels = ["http_request_method", "http_route", "http_response_status_code"];
        let opts = HistogramOpts::new(
            "http_server_request_duration_seconds",
            "From the head of a request to that of its answer.",
        )
        .buckets(LATENCY_SECONDS.to_vec());
        Self {
            durations: HistogramVec::new(opts, &labels).expect(WIRING),
            active: gauge("http_server_active_requests", "Requests that are not answered to the end yet."),
            rows: Arc::default(),
        }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.durations.clone()), Box::new(self.active.clone())]
    }

    /// Learns the routes, so that each has its place.
    pub fn learn<'r>(&self, routes: impl Iterator<Item = &'r Route>) {
        let rows = routes.map(|route| (route.uri.path().to_owned(), Box::default())).collect();
        // The first one stays: there is one liftoff.
        let _ = self.rows.set(rows);
    }

    /// A request has begun.
    #[must_use]
    pub fn begin(&self) -> Active {
        self.active.inc();
        Active { gauge: self.active.clone(), is_over: AtomicBool::new(false) }
    }

    /// A request was answered. `route` is the path of a route, `method` none where it is unknown.
    pub fn answered(&self, method: Option<Method>, route: Option<&str>, status: u16, took: Duration) {
        let label = method.map_or(OTHER, |method| method.as_str());
        let make = || {
            let status = status.to_string();
            self.durations.with_label_values(&[label, route.unwrap_or(UNMATCHED), status.as_str()])
        };
        match self.place(method, route, status) {
            Some(place) => place.get_or_init(make).observe(took.as_secs_f64()),
            None => make().observe(took.as_secs_f64()),
        }
    }

    fn place(
        &self,
        method: Option<Method>,
        route: Option<&str>,
        status: u16,
    ) -> Option<&OnceLock<Histogram>> {
        let row = self.rows.get()?.get(route?)?;
        let status = STATUSES.binary_search(&status).ok()?;
        row[place_of(method)].get(status)
    }
}

fn place_of(method: Option<Method>) -> usize {
    match method {
        Some(Method::Get) => 0,
        Some(Method::Head) => 1,
        Some(Method::Post) => 2,
        Some(Method::Put) => 3,
        Some(Method::Patch) => 4,
        Some(Method::Delete) => 5,
        Some(Method::Options) => 6,
        Some(Method::Trace) => 7,
        Some(Method::Connect) => 8,
        None => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_counted_off_once_however_it_ends() {
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
    fn a_status_that_has_no_place_is_counted_all_the_same() {
        assert!(STATUSES.is_sorted());
        let metrics = RequestMetrics::new();
        for status in [200, 418, 418] {
            metrics.answered(Some(Method::Get), Some("/tea"), status, Duration::from_millis(3));
        }
        let count = |status| metrics.durations.with_label_values(&["GET", "/tea", status]).get_sample_count();
        assert_eq!((count("200"), count("418")), (1, 2));
    }

    /// How much a request pays: `cargo test --release --lib cost_of -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, which asserts nothing"]
    fn cost_of_counting_a_request() {
        let metrics = RequestMetrics::new();
        metrics
            .learn([&Route::new(Method::Get, "/api/movies/<id>", rocket::route::dummy_handler)].into_iter());
        let started = std::time::Instant::now();
        let times = 1_000_000;
        for _ in 0..times {
            let active = metrics.begin();
            metrics.answered(Some(Method::Get), Some("/api/movies/<id>"), 200, Duration::from_micros(700));
            drop(active);
        }
        println!("{:?} a request", started.elapsed() / times);
    }
}
