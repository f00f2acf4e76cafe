//! Keeps the search index up to date. The index is built from every movie, and then follows the change log.
//!
//! The log names the movies that have changed, and the indexer reads each of them again. So an entry that comes twice
//! or late never brings back an old state, and the index may resume anywhere before its last change.

use std::{
    collections::HashSet,
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::oid::ObjectId;
use prometheus::core::Collector;
use tokio::{
    sync::{
        broadcast::error::{RecvError, TryRecvError},
        watch,
    },
    time::sleep,
};

use super::{
    opening::{Ended, LOG_PATIENCE, Open, Opener},
    reading::as_they_are,
};
use crate::{
    mongo::index_builds,
    movies::{
        Movies,
        changes::{Changes, Entry, Progress, Token},
        search::{Batch, MovieIndex},
    },
    telemetry::metrics::read_gauge,
};

/// How many changes are applied together.
const TOGETHER: usize = 500;
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Building an index reads every movie, so the server retries an unusable folder less and less often.
const MOST_DELAY: Duration = Duration::from_secs(30);

/// Clones share the index.
#[derive(Clone)]
pub struct Indexer(Arc<Inner>);

struct Inner {
    movies: Movies,
    log: Changes,
    /// The parent of the folders of all servers that share a `data_dir`.
    search: PathBuf,
    /// The index, once it can answer.
    index: watch::Sender<Option<MovieIndex>>,
    /// Whether a text index of MongoDB, left by an earlier release, answers until the new index is ready.
    falls_back: Arc<AtomicBool>,
}

impl Indexer {
    #[must_use]
    pub fn new(movies: Movies, log: Changes, data_dir: &Path) -> Self {
        Self(Arc::new(Inner {
            movies,
            log,
            search: data_dir.join("search"),
            index: watch::Sender::new(None),
            falls_back: Arc::default(),
        }))
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let (complete, movies) = (self.0.index.subscribe(), self.0.index.subscribe());
        let is_complete = move || f64::from(u8::from(complete.borrow().is_some()));
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let movies = move || movies.borrow().as_ref().map_or(0.0, |index| index.movies() as f64);
        vec![
            Box::new(read_gauge(
                "movie_bag_search_index_ready",
                "1 while the search index answers.",
                is_complete,
            )),
            Box::new(read_gauge("movie_bag_search_index_movies", "Movies in the search index.", movies)),
        ]
    }

    /// Watches the index: `Some` once it can answer.
    #[must_use]
    pub fn index(&self) -> watch::Receiver<Option<MovieIndex>> {
        self.0.index.subscribe()
    }

    /// Whether the database answers searches until the index can.
    #[must_use]
    pub fn falls_back(&self) -> bool {
        self.0.falls_back.load(Ordering::Relaxed)
    }

    /// Builds the index and keeps it up to date, until `shutdown` resolves.
    pub async fn follow(&self, mut shutdown: impl Future<Output = ()> + Unpin) {
        let Inner { movies, log, search, falls_back, .. } = &*self.0;
        let mut opener = Opener::new(movies.clone(), log.clone(), search.clone(), Arc::clone(falls_back));
        let mut open = None;
        let mut delay = RETRY_DELAY;
        loop {
            let ended = tokio::select! {
                ended = self.keep_true(&mut opener, &mut open) => ended,
                () = &mut shutdown => return,
            };
            let Err(ended) = ended;
            match &ended {
                Ended::Behind => continue,
                Ended::Log | Ended::Database(_) => {
                    delay = RETRY_DELAY;
                    tracing::info!(reason = %ended, "the search index waits and will try again");
                }
                Ended::Index(_) | Ended::Folder(_) => {
                    tracing::warn!(
                        reason = %ended,
                        folder = %self.0.search.display(),
                        "the search index cannot be used and will be opened again"
                    );
                    let was_usable = self.0.index.send_replace(None).is_some();
                    delay = if was_usable { RETRY_DELAY } else { MOST_DELAY.min(2 * delay) };
                    open = None;
                }
            }
            tokio::select! {
                () = sleep(delay) => {}
                () = &mut shutdown => return,
            }
        }
    }

    async fn keep_true(&self, opener: &mut Opener, open: &mut Option<Open>) -> Result<Infallible, Ended> {
        // Listen before reading anything, so that no change in between is missed.
        let (mut entries, mut progress) = (self.0.log.listen(), self.0.log.progress());
        let is_live = |progress: &Progress| matches!(progress, Progress::Live(_));
        progress.wait_for(is_live).await.map_err(|_| Ended::Log)?;
        self.0.log.written(LOG_PATIENCE).await?;
        let collection = opener.collection().await?;
        if let Some(former) = open
            && (former.collection != collection || !opener.can_go_on(former).await?)
        {
            self.0.index.send_replace(None);
            *open = None;
        }
        let open = match open {
            Some(open) => open,
            None => open.insert(opener.open(collection).await?),
        };
        while self.replay(open).await? {}
        let mut first = None;
        let mut told = 0;
        loop {
            // Read this before the changes: they include every change up to this place.
            let complete = match &*progress.borrow_and_update() {
                Progress::Live(position) => position.complete,
                Progress::Waiting | Progress::Unsupported => return Err(Ended::Log),
            };
            let mut changes = Changed::default();
            changes.extend(first.take(), &open.position);
            let is_all = loop {
                match entries.try_recv() {
                    Ok(Some(entry)) => changes.extend(Some(entry), &open.position),
                    Ok(None) | Err(TryRecvError::Closed) => return Err(Ended::Log),
                    Err(TryRecvError::Lagged(_)) => return Err(Ended::Behind),
                    Err(TryRecvError::Empty) => break true,
                }
                if changes.ids.len() >= TOGETHER {
                    break false;
                }
            };
            let number = if is_all { complete } else { 0 };
            if number > told || !changes.ids.is_empty() {
                self.apply(open, changes, number).await?;
                told = told.max(number);
            }
            if !is_all {
                continue;
            }
            if told >= open.answers_from {
                self.publish(&open.index, told).await?;
            }
            tokio::select! {
                moved = progress.changed() => moved.map_err(|_| Ended::Log)?,
                entry = entries.recv() => match entry {
                    Ok(Some(entry)) => first = Some(entry),
                    Ok(None) | Err(RecvError::Closed) => return Err(Ended::Log),
                    Err(RecvError::Lagged(_)) => return Err(Ended::Behind),
                },
            }
        }
    }

    /// Lets the index answer, once every change up to `number` is visible.
    async fn publish(&self, index: &MovieIndex, number: u64) -> Result<(), Ended> {
        if self.0.index.borrow().is_some() {
            return Ok(());
        }
        index.visible(number).await?;
        self.0.index.send_replace(Some(index.clone()));
        self.0.falls_back.store(false, Ordering::Relaxed);
        // No search uses that index any more.
        Ok(index_builds::drop_text(self.0.movies.collection()).await?)
    }

    /// Applies some of the changes that the log has after the index. Returns whether there may be many more: the few
    /// that come later arrive on the live channel.
    async fn replay(&self, open: &mut Open) -> Result<bool, Ended> {
        let Ok(entries) = self.0.log.store().after(&open.position, TOGETHER).await? else {
            return Err(Ended::Log);
        };
        let is_full = entries.len() == TOGETHER;
        let mut changes = Changed::default();
        for entry in entries {
            changes.extend(Some(Arc::new(entry)), &open.position);
        }
        self.apply(open, changes, 0).await?;
        Ok(is_full)
    }

    async fn apply(&self, open: &mut Open, changes: Changed, number: u64) -> Result<(), Ended> {
        let (upserts, deletes) = if changes.ids.is_empty() {
            Default::default()
        } else {
            as_they_are(&self.0.movies, changes.ids).await?
        };
        let position = changes.last.map(|last| {
            open.position = last;
            open.text()
        });
        Ok(open.index.apply(Batch { upserts, deletes, is_new: false, position, number }).await?)
    }
}

/// Changed movies, and the place of the last change.
#[derive(Default)]
struct Changed {
    ids: HashSet<ObjectId>,
    last: Option<Token>,
}

impl Changed {
    /// Adds an entry, unless it is at or before `position`: a position never goes back.
    fn extend(&mut self, entry: Option<Arc<Entry>>, position: &Token) {
        if let Some(entry) = entry.filter(|entry| entry.token > *position) {
            self.ids.insert(entry.movie);
            self.last = self.last.take().max(Some(entry.token.clone()));
        }
    }
}
