//! Whether any movie has changed: an answer that was made before stays good as long as none has.

use std::time::Duration;

use super::{follower::Changes, progress::Progress};

/// How long a change by another server may stay unknown here. The contract allows a second for what the search index
/// answers; the stream takes some milliseconds.
const FRESH: Duration = Duration::from_secs(1);

/// A state of the catalogue, as this server knows it. Between two readings of it that are equal, no movie has changed
/// that this server knows of: neither through itself nor through another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// The writes that this server has acknowledged: they count at once, before the stream brings them.
    acknowledged: u64,
    passed_on: u64,
}

impl Changes {
    /// `None` where a change by another server could stay unknown for longer than [`FRESH`]: without a change stream,
    /// or while nothing is heard from it.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        let acknowledged = self.0.acknowledged.count();
        match &*self.0.progress.borrow() {
            Progress::Live(position) if position.heard.elapsed() < FRESH => {
                Some(Generation { acknowledged, passed_on: position.generation })
            }
            Progress::Live(_) | Progress::Waiting | Progress::Unsupported => None,
        }
    }
}
