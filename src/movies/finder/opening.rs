//! Opens the search index that this server has kept, or builds it from every movie.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::doc;
use futures::TryStreamExt;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{reading::AllMovies, slot::Slot};
use crate::{
    mongo::{COMMAND, StoreError, index_builds, within},
    movies::{
        Movies,
        changes::{Changes, Progress, Token},
        search::{Batch, MovieIndex, SearchError},
    },
};

/// How long the writer of the log may take to reach the changes that this server has seen.
pub(super) const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// How often a log line reports the progress of a new index.
const NEWS: Duration = Duration::from_secs(5);

/// An open index, which has every change up to a place in the log.
pub(super) struct Open {
    pub index: MovieIndex,
    /// The collection that it was built from.
    pub collection: String,
    pub position: Token,
    /// The index answers once it has every change up to this time: see [`Token::instant`]. An index that was kept from
    /// an earlier run lacks what has changed since, and the log may not have the newest of these changes yet.
    pub answers_from: u64,
}

impl Open {
    /// The position in the form that the index stores.
    pub fn text(&self) -> String {
        format!("{} {}", self.collection, self.position)
    }
}

/// Why the index has stopped following the log, for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
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

/// Opens the index of this server.
pub(super) struct Opener {
    movies: Movies,
    log: Changes,
    /// The parent of the folders of all servers that share a `data_dir`.
    search: PathBuf,
    /// The folder of this server, once it has one.
    slot: Option<Slot>,
    /// Whether a text index of MongoDB, left by an earlier release, answers until the new index is ready.
    falls_back: Arc<AtomicBool>,
}

impl Opener {
    pub fn new(movies: Movies, log: Changes, search: PathBuf, falls_back: Arc<AtomicBool>) -> Self {
        Self { movies, log, search, slot: None, falls_back }
    }

    /// The identity of the collection. It differs for a restored database or for another one.
    ///
    /// # Errors
    /// When the database fails, or has no such collection.
    pub async fn collection(&self) -> Result<String, StoreError> {
        let movies = self.movies.collection();
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
    ///
    /// # Errors
    /// When the database fails.
    pub async fn can_go_on(&self, open: &Open) -> Result<bool, StoreError> {
        let store = self.log.store();
        Ok(store.has(&open.position).await? && store.after(&open.position, 1).await?.is_ok())
    }

    /// Waits until the log is as new as an index that was just opened. This server may have learned of changes before
    /// the server that writes the log had written them; if both were killed, the log gets them now.
    async fn wait_for_the_log(&self, position: &Token) -> Result<(), Ended> {
        let mut progress = self.log.progress();
        let has_seen = |progress: &Progress| matches!(progress, Progress::Live(seen) if seen.complete >= position.instant());
        match timeout(LOG_PATIENCE, progress.wait_for(has_seen)).await {
            Ok(seen) => seen.map(drop).map_err(|_| Ended::Log)?,
            Err(_) if matches!(&*self.log.progress().borrow(), Progress::Live(_)) => return Ok(()),
            Err(_) => return Err(Ended::Log),
        }
        Ok(self.log.written(LOG_PATIENCE).await?)
    }

    /// Opens the index that was built from this collection, if the log has every change since. Otherwise builds it.
    ///
    /// # Errors
    /// When the folder, the log or the database cannot be used.
    pub async fn open(&mut self, collection: String) -> Result<Open, Ended> {
        let path = self.folder().await?;
        let folder = path.clone();
        let (index, position) = in_the_background(move || MovieIndex::open(&folder, threads())).await?;
        let Some(position) = position else { return self.fill(index, collection).await };
        if let Some((of, position)) = position.split_once(' ')
            && of == collection
        {
            let position = Token::stored(position);
            let answers_from = self.log.present().await?;
            let open = Open { index, collection: collection.clone(), position, answers_from };
            self.wait_for_the_log(&open.position).await?;
            if self.can_go_on(&open).await? {
                return Ok(open);
            }
        }
        tracing::info!("the search index belongs to another database or is too old, and will be rebuilt");
        let index = in_the_background(move || MovieIndex::create(&path, threads())).await?;
        self.fill(index, collection).await
    }

    /// The folder of this server's index.
    async fn folder(&mut self) -> Result<PathBuf, Ended> {
        if let Some(slot) = &self.slot {
            return Ok(slot.folder.clone());
        }
        let search = self.search.clone();
        let slot = in_the_background(move || Slot::take(&search)).await?;
        Ok(self.slot.insert(slot).folder.clone())
    }

    /// Fills an empty index with every movie.
    async fn fill(&self, index: MovieIndex, collection: String) -> Result<Open, Ended> {
        self.falls_back.store(index_builds::has_text(self.movies.collection()).await?, Ordering::Relaxed);
        let no_log = || StoreError::Unavailable("there is no change log yet".to_owned());
        // Read the position before the movies: changes in the meantime come after it.
        let position = self.log.store().newest_or_floor().await?.ok_or_else(no_log)?;
        let count = within(COMMAND, self.movies.collection().estimated_document_count()).await?;
        let (begun, mut told, mut taken) = (Instant::now(), Instant::now(), 0);
        let mut all = AllMovies::open(&self.movies).await?;
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
        let open = Open { index, collection, position, answers_from: 0 };
        open.index.complete(open.text(), open.position.instant()).await?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(movies = taken, milliseconds, "the search index is built");
        Ok(open)
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
