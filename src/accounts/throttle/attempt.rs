//! An attempt that was counted before it is made, and what becomes of the count.

use std::{mem::take, time::Duration};

use tokio::runtime::Handle;

use super::counts::Counts;
use crate::mongo::StoreError;

/// An attempt that may be made, and has been counted. Unless it is settled by one of its methods, it is
/// taken for one that was not made: the database was away, or the queue for hashing full.
#[must_use]
pub struct Attempt {
    pub(super) counts: Counts,
    /// Forgotten as a whole when the attempt succeeds.
    pub(super) strict: Vec<String>,
    /// Taken back by one when the attempt succeeds.
    pub(super) loose: Vec<String>,
    /// Counts in any case.
    pub(super) fixed: Vec<String>,
    pub(super) too_early: Option<TooEarly>,
}

/// A login that should have waited. It is verified all the same, since a known address need not wait; and
/// one from any other address is, so that a failure tells neither by its answer nor by its time whether the
/// address is known, and so whether there is an account.
#[derive(Debug, Clone, Copy)]
pub struct TooEarly {
    /// For a failure: as if nothing had been verified.
    pub wait: Duration,
    /// Whether the right password makes a difference.
    pub may_succeed: bool,
}

impl Attempt {
    pub(super) fn new(counts: &Counts) -> Self {
        Self {
            counts: counts.clone(),
            strict: Vec::new(),
            loose: Vec::new(),
            fixed: Vec::new(),
            too_early: None,
        }
    }

    /// Only of a login.
    #[must_use]
    pub fn too_early(&self) -> Option<TooEarly> {
        self.too_early
    }

    fn take_all(&mut self) -> Vec<String> {
        [take(&mut self.strict), take(&mut self.loose), take(&mut self.fixed)].concat()
    }

    /// The attempt has failed: it stays counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(mut self) -> Result<(), StoreError> {
        let all = self.take_all();
        self.counts.settle(all).await
    }

    /// The attempt has succeeded: what was counted against it and those before it is forgotten. If that
    /// cannot be done, the success stands all the same.
    pub async fn forgive(mut self) {
        let (strict, loose, fixed) = (take(&mut self.strict), take(&mut self.loose), take(&mut self.fixed));
        let counts = &self.counts;
        let forgiving = async {
            counts.forget(strict).await?;
            counts.take_back(loose).await?;
            counts.settle(fixed).await
        };
        if let Err(error) = forgiving.await {
            tracing::warn!(%error, "a successful attempt stays counted");
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let all = self.take_all();
        if let (false, Ok(runtime)) = (all.is_empty(), Handle::try_current()) {
            let counts = self.counts.clone();
            runtime.spawn(async move {
                if let Err(error) = counts.take_back(all).await {
                    tracing::warn!(%error, "an attempt that was not made stays counted");
                }
            });
        }
    }
}
