//! A listener: what it is sent, and when the server disconnects it.
//!
//! Each listener has its own sending task. Rocket takes the next event only when the client has read far enough.
//! Without the task, a client that does not read would keep its slot, and the events that wait for it, forever.

use std::{convert::Infallible, mem, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use prometheus::IntGauge;
use rocket::{Shutdown, response::stream::Event};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, broadcast::error::RecvError, mpsc},
    time::timeout,
};

use super::{
    Events,
    change::{Change, MAX_MOVIE_BYTES, RESET},
    hub::Missed,
};
use crate::movies::changes::Token;

/// The server sends something at least this often, so that no proxy takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a group of events may wait for the client to read the events before it.
const UNREAD: Duration = Duration::from_mins(1);

/// How many missed changes are rendered in one step. A listener that does not read makes the server keep this many
/// events, and the entries of one page.
const RENDERED: usize = 16;

/// Limits how many clients listen at the same time.
pub struct ListenerSlots {
    free: Arc<Semaphore>,
    taken: IntGauge,
}

/// A taken slot. Dropping it frees the slot.
pub struct ListenerSlot {
    _permit: OwnedSemaphorePermit,
    taken: IntGauge,
}

impl ListenerSlots {
    pub fn new(number: u32, taken: IntGauge) -> Self {
        let number = usize::try_from(number).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(number)), taken }
    }

    /// Takes a slot; `None` if all are taken.
    pub fn take(&self) -> Option<ListenerSlot> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.taken.inc();
        Some(ListenerSlot { _permit: permit, taken: self.taken.clone() })
    }

    /// How many slots are taken.
    pub fn taken(&self) -> &IntGauge {
        &self.taken
    }
}

impl Drop for ListenerSlot {
    fn drop(&mut self) {
        self.taken.dec();
    }
}

/// A listener, before it is started.
pub struct Listener {
    pub position: Token,
    /// Whether the changes before this are unknown.
    pub is_reset: bool,
    pub missed: Missed,
    pub live: Live,
    pub events: Events,
}

/// The live changes. `None` means that some were lost.
type Live = broadcast::Receiver<Option<Arc<Change>>>;

/// The listener does not read, or a change was lost, or a change cannot be read now.
struct CutOff;

impl Listener {
    /// Starts the sending task. Returns the stream of events to write to the client.
    pub fn start(self, slot: ListenerSlot, shutdown: Shutdown) -> impl Stream<Item = Event> {
        // One group: a client that does not read gets at most this one after it is disconnected.
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
        futures::stream::poll_fn(move |context| receiver.poll_recv(context)).flat_map(futures::stream::iter)
    }

    async fn send_all(self, sender: &mpsc::Sender<Group>) -> CutOff {
        match self.sent_all(sender).await {
            Ok(never) => match never {},
            Err(cut_off) => cut_off,
        }
    }

    async fn sent_all(self, sender: &mpsc::Sender<Group>) -> Result<Infallible, CutOff> {
        let Self { position, is_reset, missed, live, events } = self;
        let first = if is_reset {
            Event::data("{}").event(RESET)
        } else {
            // An id without an event: a client that is disconnected before the first event can resume too.
            Event::comment("")
        };
        send(sender, vec![first.id(position.to_string())]).await?;
        let mut sending = Sending { sender, events, at: position, group: Vec::new(), bytes: 0 };
        sending.send_missed(missed).await?;
        sending.send_live(live).await?;
        loop {
            // The listener was too slow for the live changes. The log has the ones that it missed.
            let (live, _) = sending.events.join();
            let missed = sending.read_missed().await?;
            sending.send_missed(missed).await?;
            sending.send_live(live).await?;
        }
    }
}

/// Events that are passed on together. To wake the task that writes to the client for each event would take longer than
/// writing it.
type Group = Vec<Event>;

/// A group is passed on once it has this many bytes: as many as one large event.
const GROUP_BYTES: usize = MAX_MOVIE_BYTES;
/// About what an event takes without its data. Most of it is the id.
const EVENT_BYTES: usize = 400;

/// Sends to one listener.
struct Sending<'a> {
    sender: &'a mpsc::Sender<Group>,
    events: Events,
    /// The last place that the client has. It may come from another server that is ahead of this one; changes that
    /// the client already knows are not sent again.
    at: Token,
    /// What comes next. If the client is disconnected before, it resumes before these.
    group: Group,
    bytes: usize,
}

impl Sending<'_> {
    async fn send_change(&mut self, change: &Change) -> Result<(), CutOff> {
        if change.id > self.at {
            self.at = change.id.clone();
            self.bytes += change.data.len() + EVENT_BYTES;
            self.group.push(event(change));
        }
        if self.bytes >= GROUP_BYTES { self.send_group().await } else { Ok(()) }
    }

    async fn send_group(&mut self) -> Result<(), CutOff> {
        self.bytes = 0;
        match mem::take(&mut self.group) {
            group if group.is_empty() => Ok(()),
            group => send(self.sender, group).await,
        }
    }

    async fn send_missed(&mut self, mut missed: Missed) -> Result<(), CutOff> {
        loop {
            for entries in missed.entries.chunks(RENDERED) {
                for change in self.events.render_missed(entries).await.map_err(|_| CutOff)? {
                    self.send_change(&change).await?;
                }
                self.send_group().await?;
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

    /// Sends live changes until the listener is too slow.
    async fn send_live(&mut self, mut live: Live) -> Result<(), CutOff> {
        loop {
            match timeout(HEARTBEAT, live.recv()).await {
                Ok(Ok(Some(change))) => {
                    self.send_change(&change).await?;
                    if live.is_empty() {
                        self.send_group().await?;
                    }
                }
                Ok(Err(RecvError::Lagged(_))) => return self.send_group().await,
                // A change was lost, or the server is stopping.
                Ok(Ok(None) | Err(RecvError::Closed)) => return Err(CutOff),
                Err(_) => {
                    // Read this before looking at the queue: if the queue is empty then, every change up to this
                    // place was sent.
                    let position = self.events.position();
                    let position = position.filter(|position| live.is_empty() && *position >= self.at);
                    let heartbeat = match position {
                        Some(position) => Event::comment("").id(position.to_string()),
                        None => Event::comment(""),
                    };
                    send(self.sender, vec![heartbeat]).await?;
                }
            }
        }
    }
}

async fn send(sender: &mpsc::Sender<Group>, group: Group) -> Result<(), CutOff> {
    timeout(UNREAD, sender.send(group)).await.ok().and_then(Result::ok).ok_or(CutOff)
}

fn event(change: &Change) -> Event {
    Event::data(change.data.clone()).event(change.kind).id(change.id.to_string())
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc, oid::ObjectId};
    use futures::StreamExt;
    use mongodb::{Client, options::ClientOptions};

    use super::*;
    use crate::movies::{
        Movies,
        changes::{Changes, Entry},
    };

    fn id(number: u32) -> Token {
        Token::stored(&format!("8200000000{number:08X}2B"))
    }

    /// A deletion: its event needs no movie.
    fn entry(number: u32) -> Arc<Entry> {
        let (movie, at) = (ObjectId::new(), DateTime::now());
        let fields = doc! { "_id": id(number).to_string(), "kind": "deleted", "movie": movie, "at": at };
        Arc::new(bson::deserialize_from_document(fields).unwrap())
    }

    fn change(number: u32) -> Arc<Change> {
        Arc::new(Change::of(&entry(number), None))
    }

    /// A listener that has missed these changes, and the sender of its live changes.
    fn listener(entries: Vec<Arc<Entry>>) -> (Listener, broadcast::Sender<Option<Arc<Change>>>) {
        // The test never uses this client.
        let client = Client::with_options(ClientOptions::default()).unwrap();
        let database = client.database("movie_bag");
        let movies = Movies::new(&database);
        let changes_of = Changes::new(&database, movies.acknowledged().clone(), Duration::ZERO);
        let events = Events::new(movies, changes_of, 1);
        let (sender, live) = broadcast::channel(8);
        let missed = Missed { entries, is_more: false };
        (Listener { position: id(1), is_reset: false, missed, live, events }, sender)
    }

    async fn shutdown() -> Shutdown {
        rocket::custom(crate::config::defaults()).ignite().await.unwrap().shutdown()
    }

    fn slots() -> ListenerSlots {
        ListenerSlots::new(1, IntGauge::new("listeners", "Clients that listen.").unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_does_not_read_is_disconnected_and_frees_its_slot_and_its_events() {
        let slots = slots();
        let (listener, sender) = listener((2..10).map(entry).collect());
        let waiting = change(20);
        sender.send(Some(Arc::clone(&waiting))).unwrap();
        let stream = listener.start(slots.take().unwrap(), shutdown().await);
        assert!(slots.take().is_none());
        // The clock of the test advances by itself.
        tokio::time::sleep(UNREAD * 2).await;
        assert!(slots.take().is_some());
        assert_eq!((Arc::strong_count(&waiting), sender.receiver_count()), (1, 0));
        assert_eq!(stream.count().await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_reads_keeps_its_slot_until_it_leaves() {
        let slots = slots();
        let (listener, sender) = listener(vec![entry(2)]);
        let mut stream = Box::pin(listener.start(slots.take().unwrap(), shutdown().await));
        // The starting id, the missed changes, and some heartbeats.
        for _ in 0..20 {
            assert!(stream.next().await.is_some());
        }
        sender.send(Some(change(3))).unwrap();
        assert!(stream.next().await.is_some());
        assert!(slots.take().is_none());
        drop(stream);
        tokio::task::yield_now().await;
        assert!(slots.take().is_some());
    }
}
