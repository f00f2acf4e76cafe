//! Counts the commits of an index. Between two commits, a question always has the same answer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts the commits of one index. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Commits(Arc<AtomicU64>);

/// One commit of one index.
#[derive(Debug, Clone)]
pub struct Commit {
    of: Commits,
    number: u64,
}

impl Commits {
    /// Call this when a commit has become visible.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// The latest commit. A commit may be visible a moment before it is counted.
    #[must_use]
    pub fn latest(&self) -> Commit {
        Commit { of: self.clone(), number: self.0.load(Ordering::Acquire) }
    }
}

impl PartialEq for Commit {
    /// Commits of different indexes are never equal, because an index that is opened again counts from the beginning.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.of.0, &other.of.0) && self.number == other.number
    }
}
