//! The time that the throttle counts by.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bson::{Bson, DateTime};

/// The clock runs.
const RUNS: i64 = 0;

/// The database's clock, which all servers share. Tests stop it, and then move it instead of waiting.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Milliseconds since 1970, or [`RUNS`].
    stopped_at: Arc<AtomicI64>,
}

impl Clock {
    /// The present time, for an expression of the database.
    pub(super) fn now(&self) -> Bson {
        match self.stopped_at.load(Ordering::Relaxed) {
            RUNS => "$$NOW".into(),
            milliseconds => DateTime::from_millis(milliseconds).into(),
        }
    }

    /// Stops the clock at this moment.
    pub fn stop(&self) {
        self.stopped_at.store(DateTime::now().timestamp_millis(), Ordering::Relaxed);
    }

    /// Moves the stopped clock.
    pub fn advance(&self, time: Duration) {
        let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.stopped_at.fetch_add(milliseconds, Ordering::Relaxed);
    }
}
