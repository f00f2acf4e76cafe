//! Keeps the search index up to date. The index is built from every movie, and then follows the change log.
//!
//! The log names the movies that have changed, and the indexer reads each of them again. So an entry that comes twice
//! or late never brings back an old state, and the index may resume anywhere before its last change.

use std::{
    collections::HashSet,
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::{doc, oid::ObjectId};
use futures::TryStreamExt;
use prometheus::core::Collector;
use tokio::{
    sync::{
        broadcast::error::{RecvError, TryRecvError},
        watch,
    },
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::{
    reading::{AllMovies, as_they_are},
    slot::Slot,
};
use crate::{
    mongo::{COMMAND, StoreError, index_builds, within},
    movies::{
        Movies,
        changes::{Changes, Entry, Progress, Token},
        search::{Batch, MovieIndex, SearchError},
    },
    telemetry::metrics::read_gauge,
};

/// How many changes are applied together.
const TOGETHER: usize = 500;
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Building an index reads every movie, so the server retries an unusable folder less and less often.
const MOST_DELAY: Duration = Duration::from_secs(30);
/// How long the writer of the log may take to reach the changes that this server has seen.
const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// How often a log line reports the progress of a new index.
const NEWS: Duration = Duration::from_secs(5);

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
    falls_back: AtomicBool,
}

/// An open index, which has every change up to a place in the log.
struct Open {
    index: MovieIndex,
    /// The collection that it was built from.
    collection: String,
    position: Token,
    /// When this process began to fill it with every movie. It has every change from before.
    filled: Option<Instant>,
}

/// Why the index has stopped following the log, for now.
#[derive(Debug, thiserror::Error)]
enum Ended {
    /// There were more changes than could be applied in time. The log has all of them.
    #[error("the index is behind the log")]
    Behind,
    #[error("the change stream broke off")]
    Log,
    #[error(transparent)]
    Database(#[from] StoreError),
    /// The index files failed. They are opened again, and rebuilt if they cannot be read.
    #[error(transparent)]
    Index(SearchError),
    #[error("the folder cannot be used: {0}")]
    Folder(#[from] io::Error),
}

impl From<SearchError> for Ended {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Behind => Self::Behind,
            error => Self::Index(error),
        }
    }
}

impl Indexer {
    #[must_use]
    pub fn new(movies: Movies, log: Changes, data_dir: &Path) -> Self {
        Self(Arc::new(Inner {
            movies,
            log,
            search: data_dir.join("search"),
            index: watch::Sender::new(None),
            falls_back: AtomicBool::new(false),
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
        let (mut slot, mut open) = (None, None);
        let mut delay = RETRY_DELAY;
        loop {
            let ended = tokio::select! {
                ended = self.keep_true(&mut slot, &mut open) => ended,
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

    async fn keep_true(&self, slot: &mut Option<Slot>, open: &mut Option<Open>) -> Result<Infallible, Ended> {
        let begun = Instant::now();
        // Listen before reading anything, so that no change in between is missed.
        let (mut entries, mut progress) = (self.0.log.listen(), self.0.log.progress());
        let is_live = |progress: &Progress| matches!(progress, Progress::Live(_));
        progress.wait_for(is_live).await.map_err(|_| Ended::Log)?;
        self.0.log.written(LOG_PATIENCE).await?;
        let collection = self.collection().await?;
        if open.as_ref().is_some_and(|open| open.collection != collection)
            || !self.can_go_on(open.as_ref()).await?
        {
            self.0.index.send_replace(None);
            *open = None;
        }
        let open = match open {
            Some(open) => open,
            None => open.insert(self.open(slot, collection).await?),
        };
        while self.replay(open).await? {}
        let mut first = None;
        let mut told = 0;
        loop {
            // Read this before the changes: they include every change up to this place.
            let (complete, heard) = match &*progress.borrow_and_update() {
                Progress::Live(position) => (position.complete, position.heard),
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
            // The log may still lack changes from before the start.
            if heard.max(open.filled).is_some_and(|known| known >= begun) {
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

    /// The identity of the collection. It differs for a restored database or for another one.
    async fn collection(&self) -> Result<String, StoreError> {
        let movies = self.0.movies.collection();
        let database = movies.client().database(&movies.namespace().db);
        let list = database.list_collections().filter(doc! { "name": movies.name() });
        let found: Vec<_> = within(COMMAND, async { list.await?.try_collect().await }).await?;
        let id = found.first().and_then(|collection| collection.info.uuid.as_ref());
        let id = id.and_then(|id| id.to_uuid().ok());
        let id =
            id.ok_or_else(|| StoreError::Unavailable("the collection of movies does not exist".to_owned()))?;
        Ok(id.to_string())
    }

    /// Whether the log still has every change after the position of this index.
    async fn can_go_on(&self, open: Option<&Open>) -> Result<bool, StoreError> {
        let Some(open) = open else { return Ok(true) };
        let store = self.0.log.store();
        Ok(store.has(&open.position).await? && store.after(&open.position, 1).await?.is_ok())
    }

    /// Waits until the log is as new as an index that was just opened. This server may have learned of changes before
    /// the server that writes the log had written them; if both were killed, the log gets them now.
    async fn wait_for_the_log(&self, position: &Token) -> Result<(), Ended> {
        let mut progress = self.0.log.progress();
        let has_seen = |progress: &Progress| matches!(progress, Progress::Live(seen) if seen.complete >= position.instant());
        match timeout(LOG_PATIENCE, progress.wait_for(has_seen)).await {
            Ok(seen) => seen.map(drop).map_err(|_| Ended::Log)?,
            Err(_) if matches!(&*self.0.log.progress().borrow(), Progress::Live(_)) => return Ok(()),
            Err(_) => return Err(Ended::Log),
        }
        Ok(self.0.log.written(LOG_PATIENCE).await?)
    }

    async fn open(&self, slot: &mut Option<Slot>, collection: String) -> Result<Open, Ended> {
        let taken = match slot {
            Some(slot) => slot,
            None => slot.insert(self.slot().await?),
        };
        let folder = taken.folder.clone();
        let (index, position) = in_the_background(move || MovieIndex::open(&folder, threads())).await?;
        let Some(position) = position else { return self.fill(index, collection).await };
        if let Some((of, position)) = position.split_once(' ')
            && of == collection
        {
            let position = Token::stored(position);
            let open = Open { index, collection: collection.clone(), position, filled: None };
            self.wait_for_the_log(&open.position).await?;
            if self.can_go_on(Some(&open)).await? {
                return Ok(open);
            }
        }
        tracing::info!("the search index belongs to another database or is too old, and will be rebuilt");
        let folder = taken.folder.clone();
        let index = in_the_background(move || MovieIndex::create(&folder, threads())).await?;
        self.fill(index, collection).await
    }

    async fn slot(&self) -> Result<Slot, Ended> {
        let search = self.0.search.clone();
        in_the_background(move || Ok::<_, Ended>(Slot::take(&search)?)).await
    }

    /// Fills an empty index with every movie.
    async fn fill(&self, index: MovieIndex, collection: String) -> Result<Open, Ended> {
        self.0.falls_back.store(index_builds::has_text(self.0.movies.collection()).await?, Ordering::Relaxed);
        let no_log = || StoreError::Unavailable("there is no change log yet".to_owned());
        // Read the position before the movies: changes in the meantime come after it.
        let position = self.0.log.store().newest_or_floor().await?.ok_or_else(no_log)?;
        let count = within(COMMAND, self.0.movies.collection().estimated_document_count()).await?;
        let (begun, mut told, mut taken) = (Instant::now(), Instant::now(), 0);
        let mut all = AllMovies::open(&self.0.movies).await?;
        loop {
            let upserts = all.next().await?;
            if upserts.is_empty() {
                break;
            }
            taken += upserts.len();
            index.apply(Batch { upserts, is_new: true, ..Batch::default() }).await?;
            if told.elapsed() > NEWS {
                told = Instant::now();
                tracing::info!(movies = taken, of = count, "building the search index");
            }
        }
        let open = Open { index, collection, position, filled: Some(begun) };
        open.index.complete(open.text(), open.position.instant()).await?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(movies = taken, milliseconds, "the search index is built");
        Ok(open)
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

impl Open {
    /// The position in the form that the index stores.
    fn text(&self) -> String {
        format!("{} {}", self.collection, self.position)
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

/// Searches are bound by the CPU, so more threads than cores would not help.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

async fn in_the_background<T: Send + 'static, E: Into<Ended> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Ended> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| Ended::Folder(io::Error::other(error)))?.map_err(Into::into)
}
