//! Keeps the cache up to date, with the change stream that also feeds the log.

use std::{convert::Infallible, sync::Arc, time::Duration};

use rocket::Shutdown;
use tokio::{
    sync::{
        broadcast::error::{RecvError, TryRecvError},
        watch,
    },
    time::{Instant, sleep},
};

use super::{Cache, SILENCE};
use crate::{
    http::ids::MovieId,
    movies::changes::{Changes, Entry, Progress},
};

const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why the cache has to start over.
enum Ended {
    /// The stream broke off, or a change was lost. The stream breaks off when another member becomes primary: writes
    /// of the former primary may have been rolled back.
    Lost,
    Unsupported,
}

impl Cache {
    /// Follows the changes until the shutdown.
    pub async fn follow(&self, changes: &Changes, mut shutdown: Shutdown) {
        loop {
            let ended = tokio::select! {
                ended = self.follow_once(changes) => ended,
                () = &mut shutdown => return,
            };
            self.begin_anew(None);
            match ended {
                Ended::Unsupported => {
                    tracing::warn!("cache.movies has no effect: a standalone MongoDB has no change streams");
                    return;
                }
                Ended::Lost => tracing::warn!(
                    "the cache of movies is off until the change stream is back or has caught up"
                ),
            }
            tokio::select! {
                () = sleep(RETRY_DELAY) => {}
                () = &mut shutdown => return,
            }
        }
    }

    async fn follow_once(&self, changes: &Changes) -> Ended {
        match self.follow_to_its_end(changes).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn follow_to_its_end(&self, changes: &Changes) -> Result<Infallible, Ended> {
        let mut progress = changes.progress();
        let mut heard = opening(&mut progress).await?;
        // Changes from before concern nothing that is kept: the cache is empty.
        let mut entries = changes.listen();
        self.begin_anew(Some(heard));
        loop {
            // Read this before the changes: they include every change up to this place.
            let latest = match &*progress.borrow_and_update() {
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
            if heard.elapsed() > SILENCE {
                // The stream was silent or is behind: changes from the meantime may follow.
                return Err(Ended::Lost);
            }
            heard = latest.map_or(heard, |latest| heard.max(latest));
            self.kept().heard = Some(heard);
            tokio::select! {
                moved = progress.changed() => moved.map_err(|_| Ended::Lost)?,
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

/// Waits until this process knows of every change, but for the last [`SILENCE`]. Returns the time of which that is true.
async fn opening(progress: &mut watch::Receiver<Progress>) -> Result<Instant, Ended> {
    loop {
        let heard = match &*progress.borrow_and_update() {
            Progress::Live(position) => position.heard,
            Progress::Waiting => None,
            Progress::Unsupported => return Err(Ended::Unsupported),
        };
        if let Some(heard) = heard
            && heard.elapsed() <= SILENCE
        {
            return Ok(heard);
        }
        progress.changed().await.map_err(|_| Ended::Lost)?;
    }
}
