//! Where the log and those who listen meet: a listener first reads what it has missed from the log, and then what is live.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{IntCounter, core::Collector};
use tokio::{
    sync::{Semaphore, broadcast, watch},
    time::timeout,
};

use super::{
    change::Change,
    listener::{Listener, ListenerSlot, ListenerSlots},
};
use crate::{
    http::problem::Problem,
    mongo::{COMMAND, StoreError},
    movies::{
        changes::{Changes, Gone, Progress, Token},
        store::movies::Movies,
    },
    telemetry::metrics::{counter, gauge},
};

/// How many events a listener may be behind before it reads from the log again.
const BEHIND: usize = 1_024;
/// How many changes are read from the log in one step: so many a listener that does not read can make the server keep.
const PAGE: usize = 16;
/// How many read from the log at once: after a restart everybody comes back.
const READERS: usize = 8;
/// How long a reader waits for its turn.
const TURN: Duration = Duration::from_secs(30);
/// How long a reader waits until another server has written what this one has passed on.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The hub: clones share it.
#[derive(Clone)]
pub struct Events(pub(super) Arc<Hub>);

pub(super) struct Hub {
    pub movies: Movies,
    pub changes: Changes,
    /// `None`: something was lost, and every listener has to come back.
    pub live: broadcast::Sender<Option<Arc<Change>>>,
    /// Every change up to here was sent to `live`; unknown at first.
    pub position: watch::Sender<Option<Token>>,
    /// Held by those who begin to listen, and when it is decided that nobody listens: nothing falls in between.
    pub joining: Mutex<()>,
    readers: Semaphore,
    slots: ListenerSlots,
    pub told: IntCounter,
    /// Listeners that were too slow, or for whom something was lost.
    cut_off: IntCounter,
}

/// A part of what a listener has missed.
pub(super) struct Missed {
    pub changes: Vec<Change>,
    /// Whether the log has more already.
    pub is_more: bool,
}

impl Events {
    #[must_use]
    pub fn new(movies: Movies, changes: Changes, listeners: u32) -> Self {
        Self(Arc::new(Hub {
            movies,
            changes,
            live: broadcast::Sender::new(BEHIND),
            position: watch::Sender::new(None),
            joining: Mutex::new(()),
            readers: Semaphore::new(READERS),
            slots: ListenerSlots::new(
                listeners,
                gauge("movie_bag_events_listeners", "Clients that listen to the events."),
            ),
            told: counter(
                "movie_bag_events_changes_total",
                "Changes that were rendered for those who listen.",
            ),
            cut_off: counter(
                "movie_bag_events_listeners_cut_off_total",
                "Listeners that were cut off, as they did not read, were too slow or missed something.",
            ),
        }))
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.0.slots.taken().clone()),
            Box::new(self.0.told.clone()),
            Box::new(self.0.cut_off.clone()),
        ]
    }

    /// A listener is cut off.
    pub(super) fn note_cut_off(&self) {
        self.0.cut_off.inc();
    }

    /// How far this process has come.
    pub(super) fn position(&self) -> Option<Token> {
        self.0.position.borrow().clone()
    }

    /// What is live, and a place from which on all of it is.
    pub(super) fn join(&self) -> (broadcast::Receiver<Option<Arc<Change>>>, Option<Token>) {
        let _joining = self.joining();
        (self.0.live.subscribe(), self.position())
    }

    pub(super) fn joining(&self) -> MutexGuard<'_, ()> {
        // It guards nothing that could be half-way.
        self.0.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every change up to here was sent.
    pub(super) fn move_to(&self, at: Token) {
        self.0.position.send_modify(|position| *position = position.take().max(Some(at)));
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
    /// 501 on a standalone mongod, 503 when the database is away.
    pub(super) async fn listen(&self, last: Option<Token>) -> Result<Listener, Problem> {
        self.is_live().await?;
        let mut known = self.0.position.subscribe();
        let _ = timeout(COMMAND, known.wait_for(Option::is_some)).await;
        let (live, position) = self.join();
        let position = position.ok_or_else(no_stream)?;
        let Some(last) = last else { return Ok(self.listener(position, live, Missed::nothing())) };
        Ok(match self.missed_after(&last).await? {
            Ok(missed) => self.listener(last, live, missed),
            Err(Gone) => Listener { is_reset: true, ..self.listener(position, live, Missed::nothing()) },
        })
    }

    async fn is_live(&self) -> Result<(), Problem> {
        let mut progress = self.0.changes.progress();
        let settled =
            timeout(COMMAND, progress.wait_for(|progress| !matches!(progress, Progress::Waiting))).await;
        match settled.map(|progress| progress.map(|progress| progress.clone())) {
            Ok(Ok(Progress::Live(_))) => Ok(()),
            Ok(Ok(Progress::Unsupported)) => Err(Problem::NoEvents),
            _ => Err(no_stream()),
        }
    }

    /// What follows an id. The last part has all that this process has passed on until now: what follows it is live.
    pub(super) async fn missed_after(&self, last: &Token) -> Result<Result<Missed, Gone>, StoreError> {
        let turn = timeout(TURN, self.0.readers.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(StoreError::Overloaded) };
        match self.part_after(last).await? {
            Ok(missed) if !missed.is_more => {
                self.0.changes.written(CATCH_UP).await?;
                self.part_after(last).await
            }
            part => Ok(part),
        }
    }

    async fn part_after(&self, last: &Token) -> Result<Result<Missed, Gone>, StoreError> {
        let entries = self.0.changes.store().after(last, PAGE + 1).await?;
        let Ok(mut entries) = entries else { return Ok(Err(Gone)) };
        let is_more = entries.len() > PAGE;
        entries.truncate(PAGE);
        let entries: Vec<_> = entries.into_iter().map(Arc::new).collect();
        Ok(Ok(Missed { changes: self.render(&entries).await?, is_more }))
    }

    fn listener(
        &self,
        position: Token,
        live: broadcast::Receiver<Option<Arc<Change>>>,
        missed: Missed,
    ) -> Listener {
        Listener { position, is_reset: false, missed, live, events: self.clone() }
    }
}

impl Missed {
    fn nothing() -> Self {
        Self { changes: Vec::new(), is_more: false }
    }
}

fn no_stream() -> Problem {
    Problem::DatabaseUnavailable("no change stream".into())
}
