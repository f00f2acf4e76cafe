//! The one thread that writes to the index.
//!
//! It has one writer of the library for as long as it lives, since each new one leaves a segment. A change is
//! visible after a commit, which takes some milliseconds: at once if somebody waits for it, else within
//! [`COMMIT_AFTER`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use bson::oid::ObjectId;
use tantivy::{Index, IndexReader, IndexWriter, indexer::IndexWriterOptions, merge_policy::LogMergePolicy};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    commits::Commits,
    error::SearchError,
    folder::{self, Folder},
    movie::IndexedMovie,
    schema::Fields,
};

/// How long a change may wait to become visible to those who do not wait for it.
const COMMIT_AFTER: Duration = Duration::from_millis(500);
/// How long a position may wait that brings no change: what is lost by a crash is read again.
const KEEP_POSITION_AFTER: Duration = Duration::from_secs(10);

/// Tasks that one commit takes together, at most.
const TOGETHER: usize = 64;

/// Bytes for each thread that takes documents: as few as the library allows, and while the index is made.
const MEMORY: usize = 15_000_000;
const MEMORY_WHILE_MADE: usize = 60_000_000;
const MOST_THREADS: usize = 4;
/// A segment of which so many movies are gone is written anew.
const MOST_DELETED: f32 = 0.2;

/// Changes, in the order of the log. The deletions come before the rest.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Movies as they are now.
    pub upserts: Vec<IndexedMovie>,
    pub deletes: Vec<ObjectId>,
    /// Whether the index has none of `upserts` yet, and each is there once: it need not look for them. While an index is
    /// made, first all movies are applied so, and then what has changed meanwhile, not so.
    pub is_new: bool,
    /// Up to where the index has every change with this batch. It is kept with the batch, in one step.
    pub position: Option<String>,
    /// The same as a number that grows, for those who wait for a change.
    pub number: u64,
}

pub enum Task {
    Apply(Batch, OwnedSemaphorePermit),
    /// All movies are there, up to this position and number.
    Complete(String, u64),
    /// Somebody waits.
    Wake,
}

/// How far the index is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Whether it has every movie. Until then it answers nothing.
    pub is_complete: bool,
    /// Movies that were put into it since the start.
    pub written: u64,
    /// Every change up to this number is visible.
    pub visible: u64,
    /// Why it can no longer be written. It must be opened again.
    pub failed: Option<String>,
}

pub struct Writer {
    pub fields: Arc<Fields>,
    pub index: Index,
    pub reader: IndexReader,
    pub state: watch::Sender<State>,
    pub commits: Commits,
    /// The highest number that somebody waits for.
    pub wanted: Arc<AtomicU64>,
    pub folder: Folder,
    pub path: std::path::PathBuf,
    pub position: Option<String>,
}

/// What is written and not committed.
#[derive(Default)]
struct Pending {
    number: u64,
    since: Option<Instant>,
    position_since: Option<Instant>,
}

impl Pending {
    fn is_due(&self, wanted: bool) -> bool {
        let is_older = |since: Option<Instant>, limit| since.is_some_and(|since| since.elapsed() >= limit);
        self.since.is_some() && wanted
            || is_older(self.since, COMMIT_AFTER)
            || is_older(self.position_since, KEEP_POSITION_AFTER)
    }

    /// How long nothing needs to be done.
    fn rest(&self) -> Option<Duration> {
        let rest = |since: Option<Instant>, limit: Duration| Some(limit.saturating_sub(since?.elapsed()));
        [rest(self.since, COMMIT_AFTER), rest(self.position_since, KEEP_POSITION_AFTER)]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Writer {
    /// Works until nobody can send a task any more, or writing fails.
    pub fn run(mut self, writer: IndexWriter, tasks: &Receiver<Task>) {
        if let Err(error) = self.work(writer, tasks) {
            // By now the writer of the library is dropped, and with it the lock: the index can be opened again.
            self.state.send_modify(|state| state.failed = Some(error.to_string()));
        }
    }

    fn work(&mut self, mut writer: IndexWriter, tasks: &Receiver<Task>) -> Result<(), SearchError> {
        let mut pending = Pending { number: self.state.borrow().visible, ..Pending::default() };
        loop {
            let first = match pending.rest().filter(|_| self.is_complete()) {
                Some(rest) => tasks.recv_timeout(rest),
                None => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            // One commit for all that have come meanwhile; but whoever waits does not wait for those that still come.
            let more = std::iter::from_fn(|| tasks.try_recv().ok()).take(TOGETHER);
            let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
            for task in first.into_iter().chain(more) {
                match task {
                    Task::Apply(batch, _room) => {
                        if let Err(error) = self.write(&writer, &mut pending, batch) {
                            // Only the thread that failed knows why: there is no room, say.
                            return Err(writer.prepare_commit().err().unwrap_or(error).into());
                        }
                    }
                    Task::Complete(position, number) => {
                        self.position = Some(position);
                        pending.number = pending.number.max(number);
                        self.commit(&mut writer, &mut pending)?;
                        drop(writer);
                        writer = self.library_writer(true)?;
                        self.state.send_modify(|state| state.is_complete = true);
                        self.folder.keep_only(&self.path);
                    }
                    Task::Wake => {}
                }
            }
            let is_wanted = is_over || self.wanted.load(Ordering::SeqCst) > self.state.borrow().visible;
            if self.is_complete() && pending.is_due(is_wanted) {
                self.commit(&mut writer, &mut pending)?;
            } else if pending.since.is_none() {
                self.show(pending.number);
            }
            if is_over {
                return Ok(());
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.state.borrow().is_complete
    }

    /// # Errors
    /// When another writer has the folder.
    pub fn library_writer(&self, is_complete: bool) -> tantivy::Result<IndexWriter> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let (memory, threads) = if is_complete { (MEMORY, 1) } else { (MEMORY_WHILE_MADE, threads) };
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(memory)
            .num_worker_threads(threads)
            .num_merge_threads(1)
            .build();
        let writer = self.index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_del_docs_ratio_before_merge(MOST_DELETED);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }

    fn write(&mut self, writer: &IndexWriter, pending: &mut Pending, batch: Batch) -> tantivy::Result<()> {
        let now = Instant::now();
        if !batch.upserts.is_empty() || !batch.deletes.is_empty() {
            pending.since.get_or_insert(now);
        }
        for id in &batch.deletes {
            writer.delete_term(self.fields.id_term(*id));
        }
        for movie in &batch.upserts {
            if !batch.is_new {
                writer.delete_term(self.fields.id_term(movie.id));
            }
            writer.add_document(self.fields.document(movie))?;
        }
        if batch.position.is_some() {
            self.position = batch.position;
            pending.position_since.get_or_insert(now);
        }
        pending.number = pending.number.max(batch.number);
        self.state.send_modify(|state| state.written += batch.upserts.len() as u64);
        Ok(())
    }

    fn commit(&mut self, writer: &mut IndexWriter, pending: &mut Pending) -> tantivy::Result<()> {
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&folder::payload(self.position.as_deref()));
        commit.commit()?;
        self.reader.reload()?;
        self.commits.count();
        *pending = Pending { number: pending.number, ..Pending::default() };
        self.show(pending.number);
        Ok(())
    }

    fn show(&self, number: u64) {
        self.state.send_if_modified(|state| {
            let is_new = state.visible < number;
            state.visible = state.visible.max(number);
            is_new
        });
    }
}
