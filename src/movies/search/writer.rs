//! The one thread that writes to the index.
//!
//! It keeps one writer of the library for as long as it lives, because each new writer leaves a segment. A change
//! becomes visible with a commit, which takes some milliseconds. The thread commits at once if somebody waits for the
//! change, and otherwise within [`COMMIT_AFTER`].

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

/// How long a change may take to become visible if nobody waits for it.
const COMMIT_AFTER: Duration = Duration::from_millis(500);
/// How long a position without a change may wait for a commit. After a crash, changes since the last position are
/// read again.
const KEEP_POSITION_AFTER: Duration = Duration::from_secs(10);

/// How many tasks one commit takes at most.
const TOGETHER: usize = 64;

/// How many bytes each indexing thread may use: the least that the library allows, and more while an index is being
/// built.
const MEMORY: usize = 15_000_000;
const MEMORY_WHILE_MADE: usize = 60_000_000;
const MOST_THREADS: usize = 4;
/// A segment is rewritten when this share of its movies is deleted.
const MOST_DELETED: f32 = 0.2;

/// Changes, in the order of the log. The deletions are applied first.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The current state of movies.
    pub upserts: Vec<IndexedMovie>,
    pub deletes: Vec<ObjectId>,
    /// Whether the index has none of `upserts` yet and each occurs once, so that it need not look for them. While an
    /// index is being built, first every movie is applied with this set. The changes made in the meantime follow
    /// without it.
    pub is_new: bool,
    /// The place up to which the index has every change after this batch. It is stored with the batch in one step.
    pub position: Option<String>,
    /// The same place as an increasing number, for callers that wait for a change.
    pub number: u64,
}

pub enum Task {
    Apply(Batch, OwnedSemaphorePermit),
    /// The index has every movie, up to this position and number.
    Complete(String, u64),
    /// Somebody waits for a change.
    Wake,
}

/// The progress of the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Whether the index has every movie. Until then it answers nothing.
    pub is_complete: bool,
    /// How many movies were written to the index since the start.
    pub written: u64,
    /// Every change up to this number is visible.
    pub visible: u64,
    /// Why the index can no longer be written. It must be opened again.
    pub failed: Option<String>,
}

pub struct Writer {
    pub fields: Arc<Fields>,
    pub index: Index,
    pub reader: IndexReader,
    pub state: watch::Sender<State>,
    pub commits: Commits,
    /// The highest number that a caller waits for.
    pub wanted: Arc<AtomicU64>,
    pub folder: Folder,
    pub path: std::path::PathBuf,
    pub position: Option<String>,
}

/// The changes that are written but not committed.
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

    /// How long the thread may wait for tasks before a commit is due.
    fn rest(&self) -> Option<Duration> {
        let rest = |since: Option<Instant>, limit: Duration| Some(limit.saturating_sub(since?.elapsed()));
        [rest(self.since, COMMIT_AFTER), rest(self.position_since, KEEP_POSITION_AFTER)]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Writer {
    /// Works until nobody can send another task, or writing fails.
    pub fn run(mut self, writer: IndexWriter, tasks: &Receiver<Task>) {
        if let Err(error) = self.work(writer, tasks) {
            // The writer of the library is dropped by now, and its lock is free, so the index can be opened again.
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
            // Commit all tasks that have arrived in the meantime together. A caller that waits does not wait for
            // tasks that arrive later.
            let more = std::iter::from_fn(|| tasks.try_recv().ok()).take(TOGETHER);
            let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
            for task in first.into_iter().chain(more) {
                match task {
                    Task::Apply(batch, _room) => {
                        if let Err(error) = self.write(&writer, &mut pending, batch) {
                            // Only the failed thread of the library knows the reason, for example that the disk is
                            // full.
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
    /// When another writer uses the folder.
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
