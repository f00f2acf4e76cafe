//! Reading the log, a page at a time. A page contains everything that this server has acknowledged.

use std::time::Duration;

use bson::doc;
use mongodb::ClientSession;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    acknowledged::instant,
    entry::Entry,
    log::Changes,
    progress::{Position, Progress},
    store::{ChangeStore, Gone},
    token::Token,
};
use crate::mongo::{COMMAND, StoreError, within};

/// How long a reader waits for what this server has acknowledged.
const CATCH_UP: Duration = Duration::from_secs(2);
/// How often a reader checks whether another server has written an entry.
const LOOK: Duration = Duration::from_millis(20);

/// Why the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("a standalone MongoDB has no change streams")]
    Unsupported,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Changes {
    /// The time of the latest write that this server has acknowledged: see [`Token::instant`].
    pub(in crate::movies) fn acknowledged(&self) -> u64 {
        self.0.acknowledged.latest()
    }

    /// The time of the database's latest write. A process that has seen every change up to this time has seen every
    /// change from before the call.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::movies) async fn present(&self) -> Result<u64, StoreError> {
        let mut session = within(COMMAND, self.0.movies.client().start_session()).await?;
        // Any read of all movies will do, so that each shard is asked.
        let any = self.0.movies.find_one(doc! {}).projection(doc! { "_id": 1 });
        within(COMMAND, any.session(&mut session)).await?;
        Ok(seen_by(&session))
    }

    /// The log as it is stored: writes that this server has acknowledged may be missing.
    #[must_use]
    pub fn store(&self) -> &ChangeStore {
        &self.0.store
    }

    /// Waits until everything that this server has acknowledged is in the log.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] after two seconds.
    pub async fn catch_up(&self) -> Result<(), ReadError> {
        self.catch_up_within(CATCH_UP).await
    }

    /// The same with a given time limit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] after that time.
    pub async fn catch_up_within(&self, limit: Duration) -> Result<(), ReadError> {
        self.reach(self.0.acknowledged.latest(), limit).await
    }

    /// Waits until the log has everything that a read of this session could see.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] after two seconds.
    pub(in crate::movies) async fn catch_up_with(&self, session: &ClientSession) -> Result<(), ReadError> {
        self.reach(seen_by(session), CATCH_UP).await
    }

    async fn reach(&self, wanted: u64, limit: Duration) -> Result<(), ReadError> {
        let deadline = Instant::now() + limit;
        let mut progress = self.progress();
        let has_seen = |progress: &Progress| match progress {
            Progress::Waiting => false,
            Progress::Live(position) => position.complete >= wanted,
            Progress::Unsupported => true,
        };
        let seen = match timeout_at(deadline, progress.wait_for(has_seen)).await {
            Ok(Ok(progress)) => progress.clone(),
            _ => return Err(late().into()),
        };
        match seen {
            Progress::Live(position) => Ok(self.wait_for_the_writer(&position, deadline).await?),
            Progress::Unsupported => Err(ReadError::Unsupported),
            Progress::Waiting => Err(late().into()),
        }
    }

    /// Waits until everything that this process has passed on is in the log.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] after `limit`.
    pub async fn written(&self, limit: Duration) -> Result<(), StoreError> {
        // While changes are being passed on, the progress lacks them: without this, a listener that joined among them
        // would not wait for those that it has missed.
        drop(self.seen());
        let seen = match &*self.progress().borrow() {
            Progress::Live(position) => position.clone(),
            Progress::Waiting | Progress::Unsupported => return Err(late()),
        };
        self.wait_for_the_writer(&seen, Instant::now() + limit).await
    }

    /// If another server writes the log, that server may not have reached the place that this one has seen.
    async fn wait_for_the_writer(&self, seen: &Position, deadline: Instant) -> Result<(), StoreError> {
        let Some(last) = seen.last.as_ref().filter(|_| !seen.is_written) else { return Ok(()) };
        loop {
            // One reader asks the database at a time. Its result also serves the readers that wait for it.
            let mut known = timeout_at(deadline, self.0.known_as_written.lock()).await.map_err(|_| late())?;
            if known.as_ref().is_some_and(|known| known >= last) {
                return Ok(());
            }
            if self.0.store.has(last).await? {
                *known = Some(last.clone());
                return Ok(());
            }
            if Instant::now() + LOOK >= deadline {
                return Err(late());
            }
            // The lock is held during the pause, so that no other reader looks sooner.
            sleep(LOOK).await;
        }
    }

    /// The place after the newest entry of the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn now(&self) -> Result<Token, ReadError> {
        self.catch_up().await?;
        let end = self.0.store.end().await?;
        Ok(end.ok_or_else(|| StoreError::Unavailable("there is no change log yet".to_owned()))?)
    }

    /// The entries after a place, oldest first.
    ///
    /// # Errors
    /// When the log cannot be read. The inner error means that the log no longer has all of them.
    pub async fn after(&self, since: &Token, limit: usize) -> Result<Result<Vec<Entry>, Gone>, ReadError> {
        self.catch_up().await?;
        Ok(self.0.store.after(since, limit).await?)
    }
}

/// The time up to which a read of this session could see changes. A standalone MongoDB reports none.
fn seen_by(session: &ClientSession) -> u64 {
    session.operation_time().map_or(0, instant)
}

fn late() -> StoreError {
    StoreError::Unavailable("the change log is behind".to_owned())
}
