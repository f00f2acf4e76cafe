//! Deletes an account so that nothing of it is left.
//!
//! A deletion has three steps, and each is safe to repeat:
//!
//! 1. The account loses the role `admin`, unless this is the last admin ([`super::store::admin_list`]).
//! 2. A tombstone replaces the account. From then on its tokens are refused, its email is free, and the audit log has a
//!    line about it.
//! 3. The account's sessions and personal access tokens are deleted. Then its belongings are deleted in batches
//!    ([`super::belongings`]).
//!
//! A server may die between two steps, and an insert may be in flight. So the tombstone stays for a day. Each server
//! looks for tombstones at its start and every minute, and deletes what is left. And after every insert, the server
//! asks the primary whether the owner still exists ([`Users::is_alive`]), and takes the insert back if not. Either
//! the insert sees the tombstone, or the tombstone was written later. Then the deletion that follows it sees what was
//! inserted.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use prometheus::{IntCounter, IntGauge, core::Collector};
use rocket::Shutdown;
use tokio::{
    task::JoinHandle,
    time::{interval, timeout},
};

use super::{
    audit,
    belongings::Belongings,
    grants::Grants,
    store::{
        admin_list::{Admins, LastAdmin},
        users::Users,
    },
};
use crate::{
    http::ids::UserId,
    mongo::StoreError,
    telemetry::metrics::{counter, gauge},
};

/// How long a caller waits until everything is deleted.
const PATIENCE: Duration = Duration::from_secs(20);
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);
/// How many accounts a sweep handles in one command.
const SWEEP_CHUNK: usize = 500;

/// Deletes accounts and everything that belongs to them.
#[derive(Clone)]
pub struct Cascade {
    users: Users,
    admins: Admins,
    grants: Grants,
    belongings: Arc<dyn Belongings>,
    progress: Progress,
}

/// What this server knows about deletions that are not complete. Deletions and sweeps update it.
#[derive(Clone)]
struct Progress {
    /// Deleted accounts that may still have belongings.
    unfinished: Arc<Mutex<HashSet<UserId>>>,
    backlog: IntGauge,
    tombstones: IntGauge,
    removed: IntCounter,
    failed: IntCounter,
    swept: IntGauge,
}

/// How far a deletion got while the caller waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    Complete,
    /// The account is deleted; its belongings are being deleted.
    GoesOn,
}

impl Cascade {
    #[must_use]
    pub fn new(users: Users, admins: Admins, grants: Grants, belongings: Arc<dyn Belongings>) -> Self {
        Self { users, admins, grants, belongings, progress: Progress::new() }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let Progress { backlog, tombstones, removed, failed, swept, .. } = self.progress.clone();
        vec![Box::new(backlog), Box::new(tombstones), Box::new(removed), Box::new(failed), Box::new(swept)]
    }

    /// Deletes an account. The deletion continues when the caller no longer waits. `record` runs once the
    /// account is a tombstone; if the database fails before, a sweep records the deletion that it finishes.
    ///
    /// # Errors
    /// When the database fails before the account is a tombstone; inside, when this is the last admin.
    pub async fn remove_account(
        &self,
        id: UserId,
        record: impl FnOnce() + Send + 'static,
    ) -> Result<Result<Removal, LastAdmin>, StoreError> {
        let own = self.clone();
        // This is a task, so that the deletion continues if the caller disconnects.
        let buried = tokio::spawn(async move {
            match own.admins.begin_leaving(id).await? {
                Ok(()) => Ok(Ok(own.finish(id, record).await?)),
                Err(LastAdmin) => Ok(Err(LastAdmin)),
            }
        });
        let movies = match buried.await.map_err(|error| StoreError::Unavailable(error.to_string()))? {
            Ok(Ok(movies)) => movies,
            Ok(Err(LastAdmin)) => return Ok(Err(LastAdmin)),
            Err(error) => return Err(error),
        };
        Ok(Ok(match timeout(PATIENCE, movies).await {
            Ok(Ok(Ok(()))) => Removal::Complete,
            Err(_) => Removal::GoesOn,
            Ok(failed) => {
                tracing::warn!(user = %id, ?failed, "the next sweep will complete the deletion of an account");
                Removal::GoesOn
            }
        }))
    }

    /// Everything after the first step. The work after the tombstone runs as a task of its own. By then the account is
    /// deleted, so a failure only leaves work for the next sweep.
    async fn finish(
        &self,
        id: UserId,
        record: impl FnOnce(),
    ) -> Result<JoinHandle<Result<(), StoreError>>, StoreError> {
        // If several callers delete one account at the same time, only one of them records it.
        if self.users.bury(id).await? {
            record();
        }
        let own = self.clone();
        own.progress.begin(&[id]);
        Ok(tokio::spawn(async move {
            let left = own.admins.end_leaving(id).await;
            own.remove_belongings(&[id]).await.and(left)
        }))
    }

    async fn remove_belongings(&self, owners: &[UserId]) -> Result<(), StoreError> {
        self.grants.remove_all_of(owners).await.inspect_err(|_| self.progress.begin(owners))?;
        loop {
            // After a failure, some belongings may remain.
            let removed =
                self.belongings.remove_batch_of(owners).await.inspect_err(|_| self.progress.begin(owners))?;
            if removed.is_empty() {
                self.progress.end(owners);
                return Ok(());
            }
            self.progress.begin(&removed);
            self.progress.removed.inc_by(removed.len().try_into().unwrap_or(0));
        }
    }

    /// Finishes the deletions that others have begun, at the start and every minute until `shutdown`.
    pub async fn keep_sweeping(&self, shutdown: Shutdown) {
        let mut ticks = interval(SWEEP_INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.clone() => return,
            }
            if let Err(error) = self.sweep().await {
                self.progress.failed.inc();
                tracing::warn!(%error, "a sweep for deleted accounts failed; the next one will try again");
            }
        }
    }

    /// Finishes the deletions that others have begun. A failure with one account does not hold up the others.
    ///
    /// # Errors
    /// The first failure. The next sweep deletes what is left.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        for id in self.admins.leaving().await? {
            outcome = outcome.and(self.finish_leaving(id).await);
        }
        let tombstones = self.users.tombstones().await?;
        self.progress.tombstones.set(tombstones.len().try_into().unwrap_or(i64::MAX));
        for chunk in tombstones.chunks(SWEEP_CHUNK) {
            match self.sweep_tombstones(chunk).await {
                Err(StoreError::Other(error)) if chunk.len() > 1 => {
                    tracing::warn!(%error, "a sweep for many deleted accounts failed; the server now tries one at a time");
                    for id in chunk {
                        outcome = outcome.and(self.sweep_tombstones(&[*id]).await);
                    }
                }
                result => outcome = outcome.and(result),
            }
        }
        outcome.inspect(|()| self.progress.swept())
    }

    /// Finishes a deletion that a dead server has begun, or that a running one is working on. Both are safe.
    async fn finish_leaving(&self, id: UserId) -> Result<(), StoreError> {
        self.users.bury(id).await?;
        // Before the list forgets the account. Otherwise a server that dies in between would leave no audit line.
        audit::record_swept(id);
        self.admins.end_leaving(id).await
    }

    async fn sweep_tombstones(&self, ids: &[UserId]) -> Result<(), StoreError> {
        self.remove_belongings(ids).await?;
        self.users.remove_old_tombstones(ids).await
    }
}

impl Progress {
    fn new() -> Self {
        Self {
            unfinished: Arc::default(),
            backlog: gauge(
                "movie_bag_cascade_backlog",
                "Deleted accounts whose movies are not all deleted, as far as this server knows.",
            ),
            tombstones: gauge(
                "movie_bag_cascade_marks",
                "Accounts deleted in the last day, as of the last sweep. Sweeps look for movies that they still own.",
            ),
            removed: counter("movie_bag_cascade_movies_removed_total", "Movies removed with their accounts."),
            failed: counter("movie_bag_cascade_sweep_failures_total", "Sweeps that failed."),
            swept: gauge(
                "movie_bag_cascade_last_sweep_timestamp_seconds",
                "When the last sweep was completed, in Unix time; 0 before the first one.",
            ),
        }
    }

    fn begin(&self, ids: &[UserId]) {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.extend(ids);
        self.backlog.set(unfinished.len().try_into().unwrap_or(i64::MAX));
    }

    fn end(&self, ids: &[UserId]) {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.retain(|id| !ids.contains(id));
        self.backlog.set(unfinished.len().try_into().unwrap_or(i64::MAX));
    }

    fn swept(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.swept.set(now.as_secs().try_into().unwrap_or(i64::MAX));
    }
}
