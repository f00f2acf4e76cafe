//! An attempt, which is counted before it is made, and what happens to the count.

use std::{mem::take, time::Duration};

use tokio::runtime::Handle;

use super::counts::Counts;
use crate::mongo::StoreError;

/// An attempt that may be made, and has been counted. If none of its methods settles it, it counts as one that was not
/// made: for example, the database was unavailable or the hashing queue was full.
#[must_use]
pub struct Attempt {
    pub(super) counts: Counts,
    /// These counts are forgotten as a whole when the attempt succeeds.
    pub(super) strict: Vec<String>,
    /// These counts are reduced by one when the attempt succeeds.
    pub(super) loose: Vec<String>,
    /// These counts stay in any case.
    pub(super) fixed: Vec<String>,
    pub(super) too_early: Option<TooEarly>,
}

/// A login that should have waited. It is verified all the same, since a known address need not wait. A login from
/// any other address is verified too. Otherwise the answer or the time of a failure would tell whether the address is
/// known, and so whether the account exists.
#[derive(Debug, Clone, Copy)]
pub struct TooEarly {
    /// The wait for a failure, as if nothing had been verified.
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

    /// `Some` only for a login.
    #[must_use]
    pub fn too_early(&self) -> Option<TooEarly> {
        self.too_early
    }

    fn take_all(&mut self) -> Vec<String> {
        [take(&mut self.strict), take(&mut self.loose), take(&mut self.fixed)].concat()
    }

    /// Settles an attempt that has failed. It stays counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(mut self) -> Result<(), StoreError> {
        let all = self.take_all();
        self.counts.settle(all).await
    }

    /// Settles an attempt that has succeeded: forgets what was counted against it and earlier ones. If that fails, the
    /// attempt is still a success.
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
