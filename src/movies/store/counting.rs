//! Limits how many commands that scan every matching movie run at the same time: facets, and `count=true`.
//!
//! Each takes longer the more there are, up to seconds, and each occupies a connection to the database. Without a
//! limit, as many of them as there are connections would block everybody else.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::mongo::StoreError;

/// A quarter of the connections that the driver opens unless the URI says otherwise.
const AT_ONCE: usize = 8;

/// The permits for counting. Clones share them.
#[derive(Clone)]
pub(super) struct Counting(Arc<Semaphore>);

impl Counting {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Takes a permit. Hold it while a command counts.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when too many commands are counting already.
    pub fn begin(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| StoreError::Overloaded)
    }
}
