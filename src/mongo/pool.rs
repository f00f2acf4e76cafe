//! Metrics of the driver's connections, from its own events (CMAP).
//!
//! A request that waits too long drops its future, and the driver's future with it. Then a checkout that has begun
//! neither succeeds nor fails, and a connection may be returned that was never reported as taken. So the connections
//! in use are a set, not a sum. The driver does not report how many commands wait, only how long each waited.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use mongodb::{
    event::{EventHandler, cmap::CmapEvent},
    options::{ClientOptions, ServerAddress},
};
use prometheus::{Histogram, IntCounter, IntGauge, core::Collector};

use crate::telemetry::metrics::{counter, gauge, latency};

/// Metrics of a client's pools. The client has one pool for each server of the replica set; the metrics add them up.
#[derive(Clone)]
pub struct PoolMetrics {
    open: IntGauge,
    in_use: IntGauge,
    taken: Arc<Mutex<HashSet<(ServerAddress, u32)>>>,
    begun: IntCounter,
    checkouts: Histogram,
    failed: IntCounter,
    cleared: IntCounter,
}

impl PoolMetrics {
    /// Makes metrics for the client that will use these options.
    #[must_use]
    pub fn watching(options: &mut ClientOptions) -> Self {
        let own = Self::new();
        let watching = own.clone();
        options.cmap_event_handler = Some(EventHandler::callback(move |event| watching.note(event)));
        own
    }

    fn new() -> Self {
        Self {
            open: gauge("movie_bag_mongodb_connections_open", "Connections to the database."),
            in_use: gauge("movie_bag_mongodb_connections_in_use", "Connections that a command is using."),
            taken: Arc::default(),
            begun: counter(
                "movie_bag_mongodb_checkouts_begun_total",
                "How often a command asked for a connection.",
            ),
            checkouts: latency(
                "movie_bag_mongodb_checkout_duration_seconds",
                "How long a command waited for a connection.",
            ),
            failed: counter("movie_bag_mongodb_checkouts_failed_total", "Commands that got no connection."),
            cleared: counter(
                "movie_bag_mongodb_pool_clears_total",
                "How often the driver closed all connections to a server after an error.",
            ),
        }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.open.clone()),
            Box::new(self.in_use.clone()),
            Box::new(self.begun.clone()),
            Box::new(self.checkouts.clone()),
            Box::new(self.failed.clone()),
            Box::new(self.cleared.clone()),
        ]
    }

    fn note(&self, event: CmapEvent) {
        match event {
            CmapEvent::ConnectionCreated(_) => self.open.inc(),
            CmapEvent::ConnectionClosed(event) => {
                self.open.dec();
                self.set_taken((event.address, event.connection_id), false);
            }
            CmapEvent::ConnectionCheckoutStarted(_) => self.begun.inc(),
            CmapEvent::ConnectionCheckedOut(event) => {
                self.checkouts.observe(event.duration.as_secs_f64());
                self.set_taken((event.address, event.connection_id), true);
            }
            CmapEvent::ConnectionCheckedIn(event) => {
                self.set_taken((event.address, event.connection_id), false);
            }
            CmapEvent::ConnectionCheckoutFailed(_) => self.failed.inc(),
            CmapEvent::PoolCleared(_) => self.cleared.inc(),
            _ => {}
        }
    }

    fn set_taken(&self, connection: (ServerAddress, u32), is_taken: bool) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if is_taken {
            taken.insert(connection);
        } else {
            taken.remove(&connection);
        }
        self.in_use.set(taken.len().try_into().unwrap_or(i64::MAX));
    }
}
