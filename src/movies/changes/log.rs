//! The change log as the rest of this process sees it: where it is stored, how far this process has come, and the
//! changes as they arrive.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bson::{Document, oid::ObjectId};
use mongodb::{Collection, Database};
use prometheus::{IntCounter, IntGauge, core::Collector};
use tokio::sync::{broadcast, watch};

use super::{
    acknowledged::Acknowledged,
    entry::Entry,
    progress::{Progress, Seen},
    store::ChangeStore,
    token::Token,
};
use crate::{
    accounts::Users,
    mongo::indexes,
    telemetry::metrics::{counter, gauge, read_gauge},
};

/// How many changes a listener may lag behind.
const BEHIND: usize = 1_024;

/// The log, and this process's part in it. Clones share it.
#[derive(Clone)]
pub struct Changes(pub(super) Arc<Shared>);

pub(super) struct Shared {
    /// Identifies this process as the holder of the lease.
    pub holder: ObjectId,
    pub keep: Duration,
    pub movies: Collection<Document>,
    pub users: Users,
    pub acknowledged: Acknowledged,
    pub store: ChangeStore,
    seen: Mutex<Seen>,
    /// The last entry of another server that a reader has found in the log.
    pub known_as_written: tokio::sync::Mutex<Option<Token>>,
    pub progress: watch::Sender<Progress>,
    /// The incoming changes. `None` means that some were lost, and listeners have to start over.
    pub live: broadcast::Sender<Option<Arc<Entry>>>,
    pub written: IntCounter,
    pub breaks: IntCounter,
    pub writes: IntGauge,
}

impl Changes {
    /// `keep` is how long changes are kept.
    #[must_use]
    pub fn new(database: &Database, acknowledged: Acknowledged, keep: Duration) -> Self {
        Self(Arc::new(Shared {
            holder: ObjectId::new(),
            keep,
            movies: database.collection(indexes::MOVIES),
            users: Users::new(database),
            acknowledged,
            store: ChangeStore::new(database),
            seen: Mutex::default(),
            known_as_written: tokio::sync::Mutex::default(),
            progress: watch::Sender::new(Progress::Waiting),
            live: broadcast::Sender::new(BEHIND),
            written: counter(
                "movie_bag_changes_written_total",
                "Entries that this server has written to the change log.",
            ),
            breaks: counter(
                "movie_bag_changes_stream_breaks_total",
                "How often the change stream broke off, or could not be opened.",
            ),
            writes: gauge("movie_bag_changes_writer", "1 while this server writes the change log."),
        }))
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let progress = self.0.progress.subscribe();
        let is_live = move || if matches!(*progress.borrow(), Progress::Live(_)) { 1.0 } else { 0.0 };
        let help = "1 while the change stream is followed, if the database has any.";
        vec![
            Box::new(read_gauge("movie_bag_changes_stream_live", help, is_live)),
            Box::new(self.0.written.clone()),
            Box::new(self.0.breaks.clone()),
            Box::new(self.0.writes.clone()),
        ]
    }

    /// The changes from now on, in the order of the log.
    pub(in crate::movies) fn listen(&self) -> broadcast::Receiver<Option<Arc<Entry>>> {
        self.0.live.subscribe()
    }

    pub(in crate::movies) fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress.subscribe()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        // The value is always replaced as a whole, so a panic cannot leave it half-written.
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
