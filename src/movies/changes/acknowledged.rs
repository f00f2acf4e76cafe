//! What this server has acknowledged: the latest cluster time at which the database completed one of its writes.
//!
//! A reader of the log waits until the log has reached that time, so it sees its own server's writes. Each write uses
//! its own session, which the driver would open anyway.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bson::Timestamp;
use mongodb::ClientSession;

/// Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged(Arc<Writes>);

#[derive(Debug, Default)]
struct Writes {
    /// The cluster time of the latest.
    latest: AtomicU64,
    count: AtomicU64,
}

impl Acknowledged {
    /// Call this after the database acknowledges a write of this session, and before the server answers the client. A
    /// standalone MongoDB reports no time; it has no log either.
    pub fn note(&self, session: &ClientSession) {
        if let Some(time) = session.operation_time() {
            self.0.latest.fetch_max(instant(time), Ordering::AcqRel);
        }
        self.0.count.fetch_add(1, Ordering::AcqRel);
    }

    /// How many writes this server has acknowledged.
    pub(super) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    /// The cluster time that the log must have reached.
    pub(super) fn latest(&self) -> u64 {
        self.0.latest.load(Ordering::Acquire)
    }
}

/// A cluster time as one number: the seconds, then the number within the second.
pub(super) fn instant(time: Timestamp) -> u64 {
    (u64::from(time.time) << 32) | u64::from(time.increment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_the_order_of_the_cluster() {
        let time = |time, increment| instant(Timestamp { time, increment });
        assert!(time(1, u32::MAX) < time(2, 0));
        assert!(time(2, 1) < time(2, 2));
    }
}
