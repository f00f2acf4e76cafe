//! Where the log and those who listen meet: a listener first reads what it has missed from the log, and then what is live.

use std::{sync::Arc, time::Duration};

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
/// How many changes are read from the log in one step.
const PAGE: usize = 100;
/// How many read from the log at once: after a restart everybody comes back.
const READERS: usize = 8;
/// How long a reader waits for its turn.
const TURN: Duration = Duration::from_secs(30);

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

    pub(super) fn live(&self) -> broadcast::Receiver<Option<Arc<Change>>> {
        self.0.live.subscribe()
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
        // Before the position is read: what comes after it is live.
        let live = self.live();
        let mut position = self.0.position.subscribe();
        let known = timeout(COMMAND, position.wait_for(Option::is_some)).await;
        let position = known.ok().and_then(|known| known.ok().and_then(|position| position.clone()));
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

    /// What follows an id, of all that this process has passed on and perhaps more.
    pub(super) async fn missed_after(&self, last: &Token) -> Result<Result<Missed, Gone>, StoreError> {
        let turn = timeout(TURN, self.0.readers.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(StoreError::Overloaded) };
        self.0.changes.written().await?;
        match self.0.changes.store().after(last, PAGE + 1).await? {
            Ok(mut entries) => {
                let is_more = entries.len() > PAGE;
                entries.truncate(PAGE);
                let entries: Vec<_> = entries.into_iter().map(Arc::new).collect();
                Ok(Ok(Missed { changes: self.render(&entries).await?, is_more }))
            }
            Err(Gone) => Ok(Err(Gone)),
        }
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
