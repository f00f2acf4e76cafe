//! The index of all movies: where it is opened, fed, waited for and asked.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use bson::oid::ObjectId;
use tantivy::IndexReader;
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use super::{
    answers::Answers,
    commits::{Commit, Commits},
    error::SearchError,
    folder::{Folder, Opened},
    question::{Facets, Found, Meant, PageQuestion},
    schema::Fields,
    threads::QueryThreads,
    writer::{Batch, State, Task, Writer},
};

/// How long a search waits for what this server has acknowledged.
const WAIT: Duration = Duration::from_secs(2);
/// Batches that wait to be written. Who feeds the index waits for room.
const BATCHES: usize = 64;

/// The index. Clones share it; when the last is dropped, what was applied is committed and its thread ends.
#[derive(Clone)]
pub struct MovieIndex(Arc<Inner>);

struct Inner {
    fields: Arc<Fields>,
    reader: IndexReader,
    queries: QueryThreads,
    tasks: mpsc::Sender<Task>,
    room: Arc<Semaphore>,
    wanted: Arc<AtomicU64>,
    state: watch::Receiver<State>,
    commits: Commits,
}

impl MovieIndex {
    /// Opens the index in a folder. If there is none that can be used, an empty one is made: apply every movie, then
    /// call [`Self::complete`].
    ///
    /// # Errors
    /// [`SearchError::Failed`], when the folder cannot be written, or another process has it.
    pub fn open(folder: &Path, threads: usize) -> Result<(Self, Option<String>), SearchError> {
        let (fields, folder) = (Fields::new(), Folder::new(folder));
        let opened = folder.open(&fields)?;
        let position = opened.position.clone();
        Ok((Self::start(fields, folder, opened, threads)?, position))
    }

    /// Makes an empty index beside the one that is there, which is deleted when this one is complete.
    ///
    /// # Errors
    /// [`SearchError::Failed`], when the folder cannot be written.
    pub fn create(folder: &Path, threads: usize) -> Result<Self, SearchError> {
        let (fields, folder) = (Fields::new(), Folder::new(folder));
        let opened = folder.create(&fields)?;
        Self::start(fields, folder, opened, threads)
    }

    fn start(fields: Fields, folder: Folder, opened: Opened, threads: usize) -> Result<Self, SearchError> {
        let fields = Arc::new(fields);
        let state = State { is_complete: opened.position.is_some(), ..State::default() };
        let (state, watched) = watch::channel(state);
        let wanted = Arc::new(AtomicU64::new(0));
        let commits = Commits::default();
        let writer = Writer {
            fields: Arc::clone(&fields),
            index: opened.index,
            reader: opened.reader.clone(),
            state,
            commits: commits.clone(),
            wanted: Arc::clone(&wanted),
            folder,
            path: opened.path,
            position: opened.position.clone(),
        };
        let library_writer = writer.library_writer(opened.position.is_some())?;
        let (tasks, received) = mpsc::channel();
        std::thread::Builder::new()
            .name("search-writer".into())
            .spawn(move || writer.run(library_writer, &received))?;
        let queries = QueryThreads::start(threads)?;
        let room = Arc::new(Semaphore::new(BATCHES));
        let inner =
            Inner { fields, reader: opened.reader, queries, tasks, room, wanted, state: watched, commits };
        Ok(Self(Arc::new(inner)))
    }

    /// Puts changes into the index, in the order of the calls. They are visible soon: see [`Self::visible`].
    ///
    /// # Errors
    /// [`SearchError::Failed`], when the index can no longer be written.
    pub async fn apply(&self, batch: Batch) -> Result<(), SearchError> {
        let room = Arc::clone(&self.0.room).acquire_owned().await.map_err(|_| self.failure())?;
        self.0.tasks.send(Task::Apply(batch, room)).map_err(|_| self.failure())
    }

    /// Says that the index has every movie, and every change up to this position and number. From here on it answers.
    ///
    /// # Errors
    /// [`SearchError::Failed`], when the index can no longer be written.
    pub async fn complete(&self, position: String, number: u64) -> Result<(), SearchError> {
        self.0.tasks.send(Task::Complete(position, number)).map_err(|_| self.failure())?;
        self.until(|state| state.is_complete).await
    }

    /// Waits until every change up to this number is visible.
    ///
    /// # Errors
    /// [`SearchError::Behind`], after two seconds; [`SearchError::Failed`], when the index can no longer be written.
    pub async fn visible(&self, number: u64) -> Result<(), SearchError> {
        self.visible_within(number, WAIT).await
    }

    pub(super) async fn visible_within(&self, number: u64, limit: Duration) -> Result<(), SearchError> {
        if self.0.state.borrow().visible < number {
            self.0.wanted.fetch_max(number, Ordering::SeqCst);
            self.0.tasks.send(Task::Wake).map_err(|_| self.failure())?;
        }
        timeout(limit, self.until(|state| state.visible >= number)).await.map_err(|_| SearchError::Behind)?
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) -> Result<(), SearchError> {
        let mut state = self.0.state.clone();
        let changed = state.wait_for(|state| state.failed.is_some() || is_so(state)).await;
        match changed.map(|state| state.failed.clone()) {
            Ok(None) => Ok(()),
            Ok(Some(failed)) => Err(SearchError::Failed(failed)),
            Err(_) => Err(self.failure()),
        }
    }

    fn failure(&self) -> SearchError {
        let failed = self.0.state.borrow().failed.clone();
        SearchError::Failed(failed.unwrap_or_else(|| "its thread has ended".into()))
    }

    /// What is visible now.
    #[must_use]
    pub fn commit(&self) -> Commit {
        self.0.commits.latest()
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.state.borrow().clone()
    }

    /// How many movies it has.
    #[must_use]
    pub fn movies(&self) -> u64 {
        self.0.reader.searcher().num_docs()
    }

    /// # Errors
    /// [`SearchError::Behind`], while the index is made; [`SearchError::Cursor`], when the cursor belongs to other
    /// words or another order.
    pub async fn page(&self, question: PageQuestion) -> Result<Found, SearchError> {
        self.ask(move |answers| answers.page(&question)).await
    }

    /// How many movies are meant: exact.
    ///
    /// # Errors
    /// [`SearchError::Behind`], while the index is made.
    pub async fn count(&self, meant: Meant) -> Result<u64, SearchError> {
        self.ask(move |answers| answers.count(&meant)).await
    }

    /// # Errors
    /// [`SearchError::Behind`], while the index is made.
    pub async fn facets(&self, meant: Meant) -> Result<Facets, SearchError> {
        self.ask(move |answers| answers.facets(&meant)).await
    }

    /// Movies in whose names a word begins so, the best first.
    ///
    /// # Errors
    /// [`SearchError::Behind`], while the index is made.
    pub async fn suggest(&self, prefix: String, limit: usize) -> Result<Vec<ObjectId>, SearchError> {
        self.ask(move |answers| answers.suggest(&prefix, limit)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Answers<'_>) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        {
            let state = self.0.state.borrow();
            // An index that is no longer written is soon behind.
            if state.failed.is_some() || self.0.state.has_changed().is_err() {
                drop(state);
                return Err(self.failure());
            }
            if !state.is_complete {
                return Err(SearchError::Behind);
            }
        }
        let (fields, reader) = (Arc::clone(&self.0.fields), self.0.reader.clone());
        self.0.queries.run(move || question(&Answers { fields: &fields, searcher: &reader.searcher() })).await
    }
}
