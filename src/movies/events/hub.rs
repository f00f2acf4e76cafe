//! Where the changes and those who listen meet: who begins to listen gets what was missed, from the journal
//! or from the database, and then what is live.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{IntCounter, core::Collector};
use tokio::{
    sync::{Notify, broadcast, watch},
    time::timeout,
};

use super::{
    change::{Change, MAX_MOVIE_BYTES},
    event_id::EventId,
    journal::{Journal, MAX_BYTES},
    listener::{Listener, ListenerSlot, ListenerSlots},
};
use crate::{
    http::problem::Problem,
    mongo::COMMAND,
    movies::store::movies::Movies,
    telemetry::metrics::{counter, gauge, read_gauge},
};

/// How many events a listener may be behind: as many as the journal may hold of the largest.
const BEHIND: usize = MAX_BYTES / MAX_MOVIE_BYTES;
const CATCH_UP: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Nobody listens yet, or the database is away.
    Waiting,
    Live,
    /// A standalone mongod has no change streams.
    Unsupported,
}

/// The hub: clones share it.
#[derive(Clone)]
pub struct Events(pub(super) Arc<Hub>);

pub(super) struct Hub {
    pub movies: Movies,
    /// The first listener starts the stream.
    pub wanted: Notify,
    pub status: watch::Sender<Status>,
    /// `None`: something was lost, and whoever listens has to come back.
    pub live: broadcast::Sender<Option<Arc<Change>>>,
    /// Also the order of publishing and listening: nothing falls in between.
    journal: Mutex<Option<Journal>>,
    /// Looking back is done by one for all.
    looking_back: tokio::sync::Mutex<()>,
    slots: ListenerSlots,
    pub changes: IntCounter,
    pub breaks: IntCounter,
    /// Listeners that were too slow, or for whom something was lost.
    cut_off: IntCounter,
}

impl Events {
    #[must_use]
    pub fn new(movies: Movies, listeners: u32) -> Self {
        Self(Arc::new(Hub {
            movies,
            wanted: Notify::new(),
            status: watch::Sender::new(Status::Waiting),
            live: broadcast::Sender::new(BEHIND),
            journal: Mutex::new(None),
            looking_back: tokio::sync::Mutex::default(),
            slots: ListenerSlots::new(
                listeners,
                gauge("movie_bag_events_listeners", "Clients that listen to the events."),
            ),
            changes: counter("movie_bag_events_changes_total", "Changes that the change stream has told."),
            breaks: counter(
                "movie_bag_events_stream_breaks_total",
                "How often the change stream broke off, or could not be opened.",
            ),
            cut_off: counter(
                "movie_bag_events_listeners_cut_off_total",
                "Listeners that were cut off, as they did not read, were too slow or missed something.",
            ),
        }))
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let status = self.0.status.subscribe();
        let is_live = move || if *status.borrow() == Status::Live { 1.0 } else { 0.0 };
        let help =
            "1 while the change stream is followed: from the first listener on, if the database has any.";
        vec![
            Box::new(read_gauge("movie_bag_events_stream_live", help, is_live)),
            Box::new(self.0.slots.taken().clone()),
            Box::new(self.0.changes.clone()),
            Box::new(self.0.breaks.clone()),
            Box::new(self.0.cut_off.clone()),
        ]
    }

    /// A listener is cut off.
    pub(super) fn note_cut_off(&self) {
        self.0.cut_off.inc();
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Option<Journal>> {
        // A change is put in whole or not at all.
        self.0.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far this process has come.
    pub(super) fn position(&self) -> Option<EventId> {
        self.journal().as_ref().map(|journal| journal.position().clone())
    }

    /// A slot among those who listen.
    ///
    /// # Errors
    /// 503 if all are taken.
    pub(super) fn slot(&self) -> Result<ListenerSlot, Problem> {
        self.0.slots.take().ok_or(Problem::Overloaded)
    }

    /// Begins to listen: from now on, or from after an id that was given out before.
    ///
    /// # Errors
    /// 501 on a standalone mongod, 503 when the database is away, 400 for an id that it does not know.
    pub(super) async fn listen(&self, last: Option<EventId>) -> Result<Listener, Problem> {
        self.0.wanted.notify_one();
        let mut status = self.0.status.subscribe();
        let settled = timeout(COMMAND, status.wait_for(|status| *status != Status::Waiting)).await;
        match settled.map(|status| status.map(|status| *status)) {
            Ok(Ok(Status::Live)) => {}
            Ok(Ok(Status::Unsupported)) => return Err(Problem::NoEvents),
            _ => return Err(Problem::DatabaseUnavailable("no change stream".into())),
        }
        if let Some(listener) = self.join(last.as_ref()) {
            return Ok(listener);
        }
        let Some(last) = last else { return Err(Problem::DatabaseUnavailable("no change stream".into())) };
        // Waiting for one's turn counts: whoever has to wait too long begins anew, too.
        match timeout(CATCH_UP, self.join_earlier(&last)).await {
            Ok(Ok(Some(listener))) => return Ok(listener),
            Ok(Err(problem)) => return Err(problem),
            // Lost, or too much.
            Ok(Ok(None)) | Err(_) => {}
        }
        self.join(None)
            .map(|listener| Listener { is_reset: true, ..listener })
            .ok_or_else(|| Problem::DatabaseUnavailable("no change stream".into()))
    }

    /// Listens from now on, with what the journal has after `last`. `None` if that is not enough.
    fn join(&self, last: Option<&EventId>) -> Option<Listener> {
        let journal = self.journal();
        let journal = journal.as_ref()?;
        let missed = last.map_or_else(|| Some(Vec::new()), |last| journal.after(last))?;
        // An id from another instance may be ahead of this one's.
        let position = last.unwrap_or(journal.position()).clone();
        Some(self.listener(position, missed))
    }

    /// With what lies before the journal: in the database, unless somebody has just found it.
    async fn join_earlier(&self, last: &EventId) -> Result<Option<Listener>, Problem> {
        let _alone = self.0.looking_back.lock().await;
        if let Some(listener) = self.join(Some(last)) {
            return Ok(Some(listener));
        }
        let found = self.look_back(last).await?;
        Ok(found.and_then(|(earlier, end)| self.join_after(last, &earlier, &end)))
    }

    /// With what was found between `last` and `end`.
    fn join_after(&self, last: &EventId, earlier: &[Arc<Change>], end: &EventId) -> Option<Listener> {
        let mut journal = self.journal();
        let journal = journal.as_mut()?;
        // The journal may have forgotten something since: then the two do not meet.
        let later = journal.after(end)?;
        journal.extend_back(last.clone(), earlier);
        Some(self.listener(last.clone(), earlier.iter().chain(&later).cloned().collect()))
    }

    fn listener(&self, position: EventId, missed: Vec<Arc<Change>>) -> Listener {
        let (live, events) = (self.0.live.subscribe(), self.clone());
        Listener { position, is_reset: false, missed, live, events }
    }
}
