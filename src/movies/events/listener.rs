//! One who listens: what is sent, and when that ends.
//!
//! A task of its own sends to each. Rocket takes the next event when the client has read far enough, and
//! not otherwise: a client that does not read would keep its slot, and what waits for it, for ever.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::Stream;
use prometheus::IntGauge;
use rocket::{Shutdown, response::stream::Event};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, broadcast::error::RecvError, mpsc},
    time::timeout,
};

use super::{
    Events,
    change::{Change, RESET},
    hub::Missed,
};
use crate::movies::changes::Token;

/// Something is said at least this often, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long an event may wait until the client has read what came before.
const UNREAD: Duration = Duration::from_mins(1);

/// How many may listen at once.
pub struct ListenerSlots {
    free: Arc<Semaphore>,
    taken: IntGauge,
}

/// A slot, until it is dropped.
pub struct ListenerSlot {
    _permit: OwnedSemaphorePermit,
    taken: IntGauge,
}

impl ListenerSlots {
    pub fn new(number: u32, taken: IntGauge) -> Self {
        let number = usize::try_from(number).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(number)), taken }
    }

    /// `None` if all are taken.
    pub fn take(&self) -> Option<ListenerSlot> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.taken.inc();
        Some(ListenerSlot { _permit: permit, taken: self.taken.clone() })
    }

    /// How many are taken.
    pub fn taken(&self) -> &IntGauge {
        &self.taken
    }
}

impl Drop for ListenerSlot {
    fn drop(&mut self) {
        self.taken.dec();
    }
}

/// Listens from `position` on.
pub struct Listener {
    pub position: Token,
    /// What came before is not known.
    pub is_reset: bool,
    pub missed: Missed,
    pub live: Live,
    pub events: Events,
}

/// Changes as they come; `None`: something was lost.
type Live = broadcast::Receiver<Option<Arc<Change>>>;

/// The listener does not read, or something was lost, or cannot be read now.
struct CutOff;

impl Listener {
    /// Begins to send; what is to be written.
    pub fn start(self, slot: ListenerSlot, shutdown: Shutdown) -> impl Stream<Item = Event> {
        // One event: what a client that does not read is left with when it is cut off.
        let (sender, mut receiver) = mpsc::channel(1);
        let events = self.events.clone();
        tokio::spawn(async move {
            let _slot = slot;
            tokio::select! {
                biased;
                () = shutdown => {}
                () = sender.closed() => {}
                CutOff = self.send_all(&sender) => events.note_cut_off(),
            }
        });
        futures::stream::poll_fn(move |context| receiver.poll_recv(context))
    }

    async fn send_all(self, sender: &mpsc::Sender<Event>) -> CutOff {
        match self.sent_all(sender).await {
            Ok(never) => match never {},
            Err(cut_off) => cut_off,
        }
    }

    async fn sent_all(self, sender: &mpsc::Sender<Event>) -> Result<Infallible, CutOff> {
        let Self { position, is_reset, missed, live, events } = self;
        let first = if is_reset {
            Event::data("{}").event(RESET)
        } else {
            // No event, only an id: who is cut off before the first event can come back all the same.
            Event::comment("")
        };
        send(sender, first.id(position.to_string())).await?;
        let mut sending = Sending { sender, events, at: position };
        sending.send_missed(missed).await?;
        sending.send_live(live).await?;
        loop {
            // It was too slow for what is live: the log has what was lost.
            let (live, _) = sending.events.join();
            let missed = sending.read_missed().await?;
            sending.send_missed(missed).await?;
            sending.send_live(live).await?;
        }
    }
}

/// Sends to one listener.
struct Sending<'a> {
    sender: &'a mpsc::Sender<Event>,
    events: Events,
    /// What was sent last. It may come from another server that is ahead of this one: what the client knows already
    /// is not sent again.
    at: Token,
}

impl Sending<'_> {
    async fn send_change(&mut self, change: &Change) -> Result<(), CutOff> {
        if change.id > self.at {
            self.at = change.id.clone();
            send(self.sender, event(change)).await?;
        }
        Ok(())
    }

    async fn send_missed(&mut self, mut missed: Missed) -> Result<(), CutOff> {
        loop {
            for change in &missed.changes {
                self.send_change(change).await?;
            }
            if !missed.is_more {
                return Ok(());
            }
            missed = self.read_missed().await?;
        }
    }

    async fn read_missed(&self) -> Result<Missed, CutOff> {
        self.events.missed_after(&self.at).await.ok().and_then(Result::ok).ok_or(CutOff)
    }

    /// Until the listener is too slow.
    async fn send_live(&mut self, mut live: Live) -> Result<(), CutOff> {
        loop {
            match timeout(HEARTBEAT, live.recv()).await {
                Ok(Ok(Some(change))) => self.send_change(&change).await?,
                Ok(Err(RecvError::Lagged(_))) => return Ok(()),
                // Something was lost, or the server is at its end.
                Ok(Ok(None) | Err(RecvError::Closed)) => return Err(CutOff),
                Err(_) => {
                    // Read before the look at the queue: with nothing left there, all up to here was sent.
                    let position = self.events.position();
                    let position = position.filter(|position| live.is_empty() && *position >= self.at);
                    let heartbeat = match position {
                        Some(position) => Event::comment("").id(position.to_string()),
                        None => Event::comment(""),
                    };
                    send(self.sender, heartbeat).await?;
                }
            }
        }
    }
}

async fn send(sender: &mpsc::Sender<Event>, event: Event) -> Result<(), CutOff> {
    timeout(UNREAD, sender.send(event)).await.ok().and_then(Result::ok).ok_or(CutOff)
}

fn event(change: &Change) -> Event {
    Event::data(change.data.clone()).event(change.kind).id(change.id.to_string())
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use mongodb::{Client, options::ClientOptions};

    use super::*;
    use crate::movies::{Movies, changes::Changes};

    fn id(number: u32) -> Token {
        Token::parse(&format!("8200000000{number:08X}2B")).unwrap()
    }

    fn change(number: u32) -> Change {
        Change { id: id(number), kind: "deleted", data: "{}".to_owned() }
    }

    /// One who has missed these, with whom changes are sent.
    fn listener(changes: Vec<Change>) -> (Listener, broadcast::Sender<Option<Arc<Change>>>) {
        // Nothing is asked of it.
        let client = Client::with_options(ClientOptions::default()).unwrap();
        let database = client.database("movie_bag");
        let movies = Movies::new(&database);
        let changes_of = Changes::new(&database, movies.acknowledged().clone(), Duration::ZERO);
        let events = Events::new(movies, changes_of, 1);
        let (sender, live) = broadcast::channel(8);
        let missed = Missed { changes, is_more: false };
        (Listener { position: id(1), is_reset: false, missed, live, events }, sender)
    }

    async fn shutdown() -> Shutdown {
        rocket::custom(crate::config::defaults()).ignite().await.unwrap().shutdown()
    }

    fn slots() -> ListenerSlots {
        ListenerSlots::new(1, IntGauge::new("listeners", "Clients that listen.").unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_read_is_cut_off_and_leaves_its_place_and_what_it_missed() {
        let slots = slots();
        let (listener, sender) = listener((2..10).map(change).collect());
        let waiting = Arc::new(change(20));
        sender.send(Some(Arc::clone(&waiting))).unwrap();
        let stream = listener.start(slots.take().unwrap(), shutdown().await);
        assert!(slots.take().is_none());
        // Of a clock that moves by itself.
        tokio::time::sleep(UNREAD * 2).await;
        assert!(slots.take().is_some());
        assert_eq!((Arc::strong_count(&waiting), sender.receiver_count()), (1, 0));
        assert_eq!(stream.count().await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_keeps_its_place_until_it_leaves() {
        let slots = slots();
        let (listener, sender) = listener(vec![change(2)]);
        let mut stream = Box::pin(listener.start(slots.take().unwrap(), shutdown().await));
        // Where it begins, what it missed, and some heartbeats.
        for _ in 0..20 {
            assert!(stream.next().await.is_some());
        }
        sender.send(Some(Arc::new(change(3)))).unwrap();
        assert!(stream.next().await.is_some());
        assert!(slots.take().is_none());
        drop(stream);
        tokio::task::yield_now().await;
        assert!(slots.take().is_some());
    }
}
