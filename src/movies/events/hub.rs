//! Connects the log and the listeners. A listener first reads what it has missed from the log, and then receives live
//! changes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{IntCounter, core::Collector};
use tokio::{
    sync::{Semaphore, SemaphorePermit, broadcast, watch},
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
        changes::{Changes, Entry, Gone, Kind, Progress, Token},
        store::movies::Movies,
    },
    telemetry::metrics::{counter, gauge},
};

/// How many events a listener may lag behind before it reads from the log again.
const BEHIND: usize = 1_024;
/// How many entries of the log are read in one step. They are small: the movies are read when the entries are rendered.
const PAGE: usize = 256;
/// How many listeners read from the database at the same time: after a restart, all of them reconnect.
const READERS: usize = 8;
/// How long a reader waits for its turn.
const TURN: Duration = Duration::from_secs(30);
/// How long a reader waits until another server has written the changes that this one has passed on.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The hub. Clones share it.
#[derive(Clone)]
pub struct Events(pub(super) Arc<Hub>);

pub(super) struct Hub {
    pub movies: Movies,
    pub changes: Changes,
    /// The live changes. `None` means that some were lost, and every listener has to reconnect.
    pub live: broadcast::Sender<Option<Arc<Change>>>,
    /// Every change up to this place was sent to `live`. Unknown at first.
    pub position: watch::Sender<Option<Token>>,
    /// Held while a listener joins, and while the renderer decides that nobody listens, so that no listener joins in
    /// between.
    pub joining: Mutex<()>,
    readers: Semaphore,
    slots: ListenerSlots,
    pub told: IntCounter,
    /// Listeners that were too slow, or that missed a change.
    cut_off: IntCounter,
}

/// Some of the changes that a listener has missed.
pub(super) struct Missed {
    pub entries: Vec<Arc<Entry>>,
    /// Whether the log already has more.
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
            told: counter("movie_bag_events_changes_total", "Changes that were rendered for listeners."),
            cut_off: counter(
                "movie_bag_events_listeners_cut_off_total",
                "Listeners that were disconnected because they did not read, were too slow or missed a change.",
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

    /// Counts a listener that was disconnected.
    pub(super) fn note_cut_off(&self) {
        self.0.cut_off.inc();
    }

    /// How far this process has read the stream.
    pub(super) fn position(&self) -> Option<Token> {
        self.0.position.borrow().clone()
    }

    /// A receiver of the live changes, and a place after which it has every change.
    pub(super) fn join(&self) -> (broadcast::Receiver<Option<Arc<Change>>>, Option<Token>) {
        let _joining = self.joining();
        (self.0.live.subscribe(), self.position())
    }

    pub(super) fn joining(&self) -> MutexGuard<'_, ()> {
        // It guards no data that a panic could leave inconsistent.
        self.0.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that every change up to this place was sent.
    pub(super) fn move_to(&self, at: Token) {
        self.0.position.send_modify(|position| *position = position.take().max(Some(at)));
    }

    /// Takes a slot for a listener.
    ///
    /// # Errors
    /// 503 if all slots are taken.
    pub(super) fn slot(&self) -> Result<ListenerSlot, Problem> {
        self.0.slots.take().ok_or(Problem::Overloaded)
    }

    /// Begins to listen: from now on, or after an id that some server gave out before.
    ///
    /// # Errors
    /// 501 on a standalone mongod, 503 when the database is unavailable.
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

    /// What follows an id. The last part contains everything that this process has passed on so far; whatever follows
    /// it is live.
    pub(super) async fn missed_after(&self, last: &Token) -> Result<Result<Missed, Gone>, StoreError> {
        match self.part_after(last).await? {
            Ok(missed) if !missed.is_more => {
                // Without a turn: other listeners can read while this one waits for another server.
                self.0.changes.written(CATCH_UP).await?;
                self.part_after(last).await
            }
            part => Ok(part),
        }
    }

    /// Renders some of the changes that a listener has missed.
    pub(super) async fn render_missed(&self, entries: &[Arc<Entry>]) -> Result<Vec<Change>, StoreError> {
        // Deletions are rendered without the database.
        let reads = entries.iter().any(|entry| entry.kind != Kind::Deleted);
        let _turn = if reads { Some(self.turn().await?) } else { None };
        self.render(entries).await
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let turn = timeout(TURN, self.0.readers.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or(StoreError::Overloaded)
    }

    async fn part_after(&self, last: &Token) -> Result<Result<Missed, Gone>, StoreError> {
        let _turn = self.turn().await?;
        let entries = self.0.changes.store().after(last, PAGE + 1).await?;
        let Ok(mut entries) = entries else { return Ok(Err(Gone)) };
        let is_more = entries.len() > PAGE;
        entries.truncate(PAGE);
        Ok(Ok(Missed { entries: entries.into_iter().map(Arc::new).collect(), is_more }))
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
        Self { entries: Vec::new(), is_more: false }
    }
}

fn no_stream() -> Problem {
    Problem::DatabaseUnavailable("the change stream is not open".into())
}
