//! The index of all movies: opening it, applying changes, waiting for them, and searching.

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

/// How long a search waits for changes that this server has acknowledged.
const WAIT: Duration = Duration::from_secs(2);
/// How many batches may wait to be written. Callers that apply more wait for room.
const BATCHES: usize = 64;

/// The index. Clones share it. When the last clone is dropped, applied changes are committed and the thread ends.
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
    /// Opens the index in a folder. If there is no usable one, this creates an empty one: apply every movie, then
    /// call [`Self::complete`].
    ///
    /// # Errors
    /// [`SearchError::Failed`] when the folder is not writable, or another process uses it.
    pub fn open(folder: &Path, threads: usize) -> Result<(Self, Option<String>), SearchError> {
        let (fields, folder) = (Fields::new(), Folder::new(folder));
        let opened = folder.open(&fields)?;
        let position = opened.position.clone();
        Ok((Self::start(fields, folder, opened, threads)?, position))
    }

    /// Creates an empty index beside the existing one, which is deleted when the new one is complete.
    ///
    /// # Errors
    /// [`SearchError::Failed`] when the folder is not writable.
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

    /// Applies changes to the index, in the order of the calls. They become visible soon: see [`Self::visible`].
    ///
    /// # Errors
    /// [`SearchError::Failed`] when the index can no longer be written.
    pub async fn apply(&self, batch: Batch) -> Result<(), SearchError> {
        let room = Arc::clone(&self.0.room).acquire_owned().await.map_err(|_| self.failure())?;
        self.0.tasks.send(Task::Apply(batch, room)).map_err(|_| self.failure())
    }

    /// Marks the index as complete: it has every movie, and every change up to this position and number. From now on
    /// it answers.
    ///
    /// # Errors
    /// [`SearchError::Failed`] when the index can no longer be written.
    pub async fn complete(&self, position: String, number: u64) -> Result<(), SearchError> {
        self.0.tasks.send(Task::Complete(position, number)).map_err(|_| self.failure())?;
        self.until(|state| state.is_complete).await
    }

    /// Waits until every change up to this number is visible.
    ///
    /// # Errors
    /// [`SearchError::Behind`] after two seconds; [`SearchError::Failed`] when the index can no longer be written.
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

    /// The commit that is visible now.
    #[must_use]
    pub fn commit(&self) -> Commit {
        self.0.commits.latest()
    }

    /// The progress of the index.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.state.borrow().clone()
    }

    /// How many movies the index has.
    #[must_use]
    pub fn movies(&self) -> u64 {
        self.0.reader.searcher().num_docs()
    }

    /// # Errors
    /// [`SearchError::Behind`] while the index is being built; [`SearchError::Cursor`] when the cursor belongs to
    /// other words or another order.
    pub async fn page(&self, question: PageQuestion) -> Result<Found, SearchError> {
        self.ask(move |answers| answers.page(&question)).await
    }

    /// The exact number of matching movies.
    ///
    /// # Errors
    /// [`SearchError::Behind`] while the index is being built.
    pub async fn count(&self, meant: Meant) -> Result<u64, SearchError> {
        self.ask(move |answers| answers.count(&meant)).await
    }

    /// # Errors
    /// [`SearchError::Behind`] while the index is being built.
    pub async fn facets(&self, meant: Meant) -> Result<Facets, SearchError> {
        self.ask(move |answers| answers.facets(&meant)).await
    }

    /// Movies with a word in the name that begins with the text, best match first.
    ///
    /// # Errors
    /// [`SearchError::Behind`] while the index is being built.
    pub async fn suggest(&self, prefix: String, limit: usize) -> Result<Vec<ObjectId>, SearchError> {
        self.ask(move |answers| answers.suggest(&prefix, limit)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Answers<'_>) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        {
            let state = self.0.state.borrow();
            // An index that can no longer be written soon falls behind.
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
