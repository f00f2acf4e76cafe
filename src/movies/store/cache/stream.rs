//! What keeps the cache true: the change stream that feeds the log.

use std::{sync::Arc, time::Duration};

use bson::{Bson, doc};
use mongodb::Collection;
use rocket::Shutdown;
use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    time::{Instant, sleep},
};

use super::{Cache, SILENCE};
use crate::{
    http::ids::MovieId,
    mongo::{COMMAND, StoreError, within},
    movies::{
        changes::{Changes, Entry, Progress},
        model::MovieDocument,
    },
};

/// How often it is looked whether the primary is still the same.
const LOOK: Duration = Duration::from_secs(1);
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why the cache has to begin anew.
enum Ended {
    /// The stream broke off, or something was lost, or there is another primary.
    Lost,
    Unsupported,
    Failed(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Cache {
    /// Follows the changes until the shutdown.
    pub async fn follow(
        &self,
        changes: &Changes,
        movies: &Collection<MovieDocument>,
        mut shutdown: Shutdown,
    ) {
        loop {
            let ended = tokio::select! {
                ended = self.follow_once(changes, movies) => ended,
                () = &mut shutdown => return,
            };
            self.begin_anew(None);
            match ended {
                Ended::Unsupported => {
                    tracing::warn!("cache.movies has no effect: a standalone MongoDB has no change streams");
                    return;
                }
                Ended::Lost => tracing::warn!("the cache is not in use: its change stream broke off"),
                Ended::Failed(error) => {
                    tracing::warn!(%error, "the cache is not in use: the primary cannot be asked");
                }
            }
            tokio::select! {
                () = sleep(RETRY_DELAY) => {}
                () = &mut shutdown => return,
            }
        }
    }

    async fn follow_once(&self, changes: &Changes, movies: &Collection<MovieDocument>) -> Ended {
        match self.follow_to_its_end(changes, movies).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn follow_to_its_end(
        &self,
        changes: &Changes,
        movies: &Collection<MovieDocument>,
    ) -> Result<std::convert::Infallible, Ended> {
        let (mut entries, mut progress) = (changes.listen(), changes.progress());
        let is_settled = |progress: &Progress| !matches!(progress, Progress::Waiting);
        progress.wait_for(is_settled).await.map_err(|_| Ended::Lost)?;
        let primary = Primary::of(movies).await?;
        let (mut heard, mut seen) = (Instant::now(), Instant::now());
        self.begin_anew(Some(heard));
        loop {
            // Read before the changes: all up to here is among them.
            let asked = match &*progress.borrow_and_update() {
                Progress::Live(position) => position.heard,
                Progress::Unsupported => return Err(Ended::Unsupported),
                Progress::Waiting => return Err(Ended::Lost),
            };
            loop {
                match entries.try_recv() {
                    Ok(Some(entry)) => self.note(&entry),
                    Ok(None) | Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => {
                        return Err(Ended::Lost);
                    }
                    Err(TryRecvError::Empty) => break,
                }
            }
            // A member that is primary no more may go on telling that there was nothing, and what it had may have
            // been rolled back.
            if seen.elapsed() > LOOK {
                if Primary::of(movies).await? != primary {
                    return Err(Ended::Lost);
                }
                seen = Instant::now();
            }
            if heard.elapsed() > SILENCE {
                // The driver has resumed the stream: there may be more to come of what happened meanwhile.
                return Err(Ended::Lost);
            }
            heard = heard.max(asked);
            self.kept().heard = Some(heard);
            tokio::select! {
                changed = progress.changed() => changed.map_err(|_| Ended::Lost)?,
                entry = entries.recv() => match entry {
                    Ok(Some(entry)) => self.note(&entry),
                    Ok(None) | Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Ended::Lost),
                },
            }
        }
    }

    fn note(&self, entry: &Arc<Entry>) {
        self.invalidate(&[MovieId(entry.movie)]);
    }
}

/// Which member is primary, by which election.
#[derive(PartialEq)]
struct Primary {
    election: Option<Bson>,
    is_writable: bool,
}

impl Primary {
    async fn of(movies: &Collection<MovieDocument>) -> Result<Self, StoreError> {
        let admin = movies.client().database("admin");
        let hello = within(COMMAND, admin.run_command(doc! { "hello": 1 })).await?;
        let is_writable = hello.get_bool("isWritablePrimary").unwrap_or(false);
        Ok(Self { election: hello.get("electionId").cloned(), is_writable })
    }
}
