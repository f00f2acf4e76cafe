//! How many commands that look at every movie that matches may be in flight: facets, and `count=true`.
//!
//! Each takes the longer the more there are, up to seconds, and a connection to the database. Without a
//! bound, as many callers as there are connections would keep everybody else waiting.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::mongo::StoreError;

/// A quarter of the connections that the driver keeps if the URI says nothing.
const AT_ONCE: usize = 8;

/// Who may count. Clones share it.
#[derive(Clone)]
pub(super) struct Counting(Arc<Semaphore>);

impl Counting {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// To be held while a command counts.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when too many do already.
    pub fn begin(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| StoreError::Overloaded)
    }
}
