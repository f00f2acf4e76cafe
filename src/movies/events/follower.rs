//! The one change stream of the process, and those who listen to it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bson::{Document, doc};
use mongodb::{
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, OperationType},
    },
    error::Error,
    options::{FullDocumentType, ReadConcern},
};
use prometheus::{IntCounter, core::Collector};
use rocket::Shutdown;
use tokio::{
    sync::{Notify, broadcast, watch},
    time::{sleep, timeout},
};

use super::{
    change::{Change, MAX_MOVIE_BYTES},
    event_id::EventId,
    journal::{Journal, MAX_BYTES},
    listener::{Listener, ListenerSlot, ListenerSlots},
};
use crate::{
    http::problem::Problem,
    mongo::{COMMAND, StoreError, error},
    movies::store::movies::Movies,
    telemetry::metrics::{counter, gauge, read_gauge},
};

/// How many events a listener may be behind: as many as the journal may hold of the largest.
const BEHIND: usize = MAX_BYTES / MAX_MOVIE_BYTES;
/// How much may be missed between two visits; who has missed more begins anew.
const MISSED: usize = 10_000;
const CATCH_UP: Duration = Duration::from_secs(10);
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// `ChangeStreamHistoryLost`, `ChangeStreamFatalError`: what comes after the token is no longer known.
const HISTORY_LOST: [i32; 2] = [286, 280];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Nobody listens yet, or the database is away.
    Waiting,
    Live,
    /// A standalone mongod has no change streams.
    Unsupported,
}

/// The hub: clones share it.
#[derive(Clone)]
pub struct Events(Arc<Hub>);

struct Hub {
    movies: Movies,
    /// The first listener starts the stream.
    wanted: Notify,
    status: watch::Sender<Status>,
    /// `None`: something was lost, and whoever listens has to come back.
    live: broadcast::Sender<Option<Arc<Change>>>,
    /// Also the order of publishing and listening: nothing falls in between.
    journal: Mutex<Option<Journal>>,
    /// Looking back is done by one for all.
    looking_back: tokio::sync::Mutex<()>,
    slots: ListenerSlots,
    changes: IntCounter,
    breaks: IntCounter,
    /// Listeners that were too slow, or for whom something was lost.
    cut_off: IntCounter,
}

/// Changes, and up to where these are all.
type Found = (Vec<Arc<Change>>, EventId);

type Stream = ChangeStream<ChangeStreamEvent<Document>>;

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

    fn journal(&self) -> MutexGuard<'_, Option<Journal>> {
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

/// What a change stream is good for, or why not.
enum Followed {
    /// It broke off; it goes on from where it was.
    Broken(Error),
    Lost,
    Unsupported,
}

impl Events {
    async fn open(&self, after: Option<&EventId>) -> Result<Stream, Error> {
        // What is not needed does not travel.
        let fields = doc! { "operationType": 1, "documentKey": 1, "ns": 1, "fullDocument": 1 };
        let pipeline = [
            doc! { "$match": { "operationType": { "$in": ["insert", "update", "replace", "delete", "invalidate"] } } },
            doc! { "$project": fields },
            doc! { "$unset": "fullDocument.typeahead" },
        ];
        let movies = self.0.movies.collection().clone_with_type::<Document>();
        movies
            .watch()
            .pipeline(pipeline)
            .read_concern(ReadConcern::majority())
            .full_document(FullDocumentType::UpdateLookup)
            .resume_after(after.and_then(EventId::resume))
            .await
    }

    /// Follows the changes until the shutdown, once somebody wants to hear of them.
    pub(in crate::movies) async fn follow(&self, mut shutdown: Shutdown) {
        tokio::select! {
            () = self.0.wanted.notified() => {}
            () = &mut shutdown => return,
        }
        loop {
            let followed = tokio::select! {
                followed = self.follow_once() => followed,
                () = &mut shutdown => return,
            };
            self.0.breaks.inc();
            match followed {
                Followed::Unsupported => {
                    self.0.status.send_replace(Status::Unsupported);
                    return;
                }
                Followed::Lost => {
                    tracing::warn!("the change stream cannot be resumed: listeners begin anew");
                    self.begin_anew();
                }
                Followed::Broken(error) => {
                    tracing::warn!(error = %StoreError::from(error), "the change stream broke off");
                }
            }
            self.0.status.send_replace(Status::Waiting);
            sleep(RETRY_DELAY).await;
        }
    }

    /// Whoever listens is cut off, and learns with the next visit that something may be missing.
    fn begin_anew(&self) {
        let mut journal = self.journal();
        *journal = None;
        let _ = self.0.live.send(None);
    }

    async fn follow_once(&self) -> Followed {
        match self.follow_to_its_end().await {
            Ok(()) => Followed::Lost,
            Err(error) => match error::code(&error) {
                Some(error::NOT_A_REPLICA_SET) => Followed::Unsupported,
                Some(code) if HISTORY_LOST.contains(&code) => Followed::Lost,
                _ => Followed::Broken(error),
            },
        }
    }

    async fn follow_to_its_end(&self) -> Result<(), Error> {
        let before = self.position();
        let mut stream = self.open(before.as_ref()).await?;
        if let (None, Some(position)) = (before, stream.resume_token().as_ref().and_then(EventId::of)) {
            *self.journal() = Some(Journal::new(position));
        }
        self.0.status.send_replace(Status::Live);
        while stream.is_alive() {
            let event = stream.next_if_any().await?;
            if event.as_ref().is_some_and(|event| event.operation_type == OperationType::Invalidate) {
                break;
            }
            let position = stream.resume_token().as_ref().and_then(EventId::of);
            if !self.take(event.as_ref().and_then(Change::of), position) {
                break;
            }
            // A burst comes without a pause: the listeners need one.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Writes a change down and passes it on, or remembers that there was none up to `position`.
    fn take(&self, change: Option<Change>, position: Option<EventId>) -> bool {
        let mut journal = self.journal();
        let Some(journal) = journal.as_mut() else { return false };
        if let Some(change) = change.map(Arc::new) {
            journal.push(Arc::clone(&change));
            self.0.changes.inc();
            // Nobody may be listening.
            let _ = self.0.live.send(Some(change));
        } else if let Some(position) = position {
            journal.advance(position);
        }
        true
    }

    /// What came after `last` and up to where the journal began; `None` if that is lost or too much.
    async fn look_back(&self, last: &EventId) -> Result<Option<Found>, Problem> {
        let Some(end) = self.journal().as_ref().map(|journal| journal.from().clone()) else {
            return Ok(None);
        };
        let mut stream = match self.open(Some(last)).await {
            Ok(stream) => stream,
            Err(error) => return refused(error),
        };
        let (mut changes, mut bytes) = (Vec::new(), 0);
        while changes.len() < MISSED && bytes < MAX_BYTES {
            let event = match stream.next_if_any().await {
                Ok(event) => event,
                Err(error) => return refused(error),
            };
            let position = stream.resume_token().as_ref().and_then(EventId::of);
            if let Some(change) = event.as_ref().and_then(Change::of) {
                if change.id > end {
                    return Ok(Some((changes, end)));
                }
                bytes += change.data.len();
                changes.push(Arc::new(change));
            }
            if position.is_some_and(|position| position >= end) {
                return Ok(Some((changes, end)));
            }
        }
        Ok(None)
    }
}

/// Why nothing was found: it is lost, or the database is away, or the id was none.
fn refused(error: Error) -> Result<Option<Found>, Problem> {
    match error::code(&error) {
        Some(code) if HISTORY_LOST.contains(&code) => Ok(None),
        _ => match StoreError::from(error) {
            StoreError::Unavailable(reason) => Err(Problem::DatabaseUnavailable(reason.into())),
            StoreError::Overloaded => Err(Problem::Overloaded),
            StoreError::Duplicate | StoreError::Other(_) => Err(Problem::BadRequest),
        },
    }
}
