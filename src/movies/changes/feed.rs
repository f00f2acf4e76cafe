//! The change stream of the collection. A task of its own reads it, because a read that has begun must never be
//! cancelled: the driver would lose its place.

use std::{future::IntoFuture, mem, task::Poll, time::Duration};

use bson::{Document, RawDocument, RawDocumentBuf};
use mongodb::{
    Collection,
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, OperationType},
    },
    options::{FullDocumentBeforeChangeType, ReadConcern},
};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{entry::Entry, token::Token};
use crate::mongo::{StoreError, error};

/// How long the database waits for a change before it reports how far it has looked.
const AWAIT: Duration = Duration::from_millis(200);
/// The database reports its progress five times a second. If it is silent for this long, it or the connection is
/// down; the driver itself would wait forever.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the stream may take to open: finding a place in a long oplog takes a while.
const OPENING: Duration = Duration::from_secs(15);
/// How many reads may wait to be consumed. Each may hold the former state of a movie.
const AHEAD: usize = 64;
/// The database ends the first batch of a stream after this many changes, whether or not there are more. It counts for
/// every batch, because the driver may reopen the stream unseen.
const CUT_COUNT: usize = 101;
/// It ends any batch before 16 MB. Half of that leaves room for the change that did not fit.
const CUT_BYTES: usize = 8 << 20;
/// `ChangeStreamHistoryLost`: the database no longer knows what follows the token.
const HISTORY_LOST: i32 = 286;
/// `ChangeStreamFatalError` and `BSONObjectTooLarge`: the database cannot report what follows the token, and never will.
/// For example, somebody put a document of many megabytes there by hand: the stream would end at it every time.
const UNREADABLE: [i32; 2] = [280, 10_334];

/// Raw, because the size of a change counts.
type Events = ChangeStream<RawDocumentBuf>;

/// One result of reading the stream.
pub(super) enum Read {
    Change(Box<Entry>),
    /// There was no change of a movie up to this place.
    Nothing(Token),
    /// The database has been asked for more. When it was asked before, at the time that is given, it had no changes but
    /// those that have been read. `None` if it may have had more.
    Drained(Option<Instant>),
}

/// Why a stream ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The database no longer knows what follows this place. It may know what follows a later one.
    Forgotten,
    /// The database cannot report some changes, now or later.
    Lost,
    /// A standalone MongoDB has no change streams.
    Unsupported,
    Failed(StoreError),
}

impl From<mongodb::error::Error> for Ended {
    fn from(error: mongodb::error::Error) -> Self {
        match error::code(&error) {
            Some(error::NOT_A_REPLICA_SET) => Self::Unsupported,
            Some(HISTORY_LOST) => Self::Forgotten,
            Some(code) if UNREADABLE.contains(&code) => Self::Lost,
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// An open stream.
pub(super) struct Feed {
    /// The place where it begins.
    pub start: Token,
    reads: mpsc::Receiver<Result<Read, Ended>>,
    task: AbortHandle,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Feed {
    /// Opens the stream after a place, or from now on.
    pub(super) async fn open(movies: &Collection<Document>, after: Option<&Token>) -> Result<Self, Ended> {
        let open = movies
            .watch()
            // Never `required`: one event without an image would end the stream permanently.
            .full_document_before_change(FullDocumentBeforeChangeType::WhenAvailable)
            .read_concern(ReadConcern::majority())
            .resume_after(after.and_then(Token::resume))
            .max_await_time(AWAIT);
        let Ok(stream) = timeout(OPENING, open.into_future()).await else {
            return Err(StoreError::Unavailable("the change stream did not open in time".to_owned()).into());
        };
        let stream: Events = stream?.with_type();
        let start = after.cloned().map_or_else(|| place_of(&stream), Ok)?;
        let (sender, reads) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move { read_all(stream, &sender).await }).abort_handle();
        Ok(Self { start, reads, task })
    }

    pub(super) async fn next(&mut self) -> Result<Read, Ended> {
        let silent = || StoreError::Unavailable("the change stream is silent".to_owned());
        timeout(SILENCE, self.reads.recv()).await.ok().flatten().ok_or_else(silent)?
    }
}

/// The changes that the database has sent in one answer.
#[derive(Default)]
struct Batch {
    /// When the database was asked for it. `None` for the first one, which came when the stream was opened.
    asked: Option<Instant>,
    count: usize,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, event: &RawDocument) {
        self.count += 1;
        self.bytes += event.as_bytes().len();
    }

    /// Begins the next batch. Returns the time at which the database had no further changes, if that is certain. It is
    /// the time of the request: others may have arrived while this batch was read.
    fn end(&mut self, now: Instant) -> Option<Instant> {
        let ended = mem::replace(self, Self { asked: Some(now), ..Self::default() });
        ended.asked.filter(|_| ended.count < CUT_COUNT && ended.bytes < CUT_BYTES)
    }
}

async fn read_all(mut stream: Events, sender: &mpsc::Sender<Result<Read, Ended>>) {
    let mut batch = Batch::default();
    while stream.is_alive() {
        // Polling the future sends the request, so take the time before.
        let now = Instant::now();
        let event = {
            let mut next = Box::pin(stream.next_if_any());
            match futures::poll!(&mut next) {
                Poll::Ready(event) => event,
                Poll::Pending => {
                    if sender.send(Ok(Read::Drained(batch.end(now)))).await.is_err() {
                        return;
                    }
                    next.await
                }
            }
        };
        if let Ok(Some(event)) = &event {
            batch.push(event);
        }
        let read = event.map_err(Ended::from).and_then(|event| news(&stream, event.as_deref()));
        let is_last = read.is_err();
        if sender.send(read).await.is_err() || is_last {
            return;
        }
    }
    let _ = sender.send(Err(Ended::Lost)).await;
}

fn news(stream: &Events, event: Option<&RawDocument>) -> Result<Read, Ended> {
    let parse = |raw: &RawDocument| bson::deserialize_from_slice(raw.as_bytes());
    let event: Option<ChangeStreamEvent<Document>> =
        event.map(parse).transpose().map_err(mongodb::error::Error::from)?;
    // The collection was dropped or renamed.
    if event.as_ref().is_some_and(|event| event.operation_type == OperationType::Invalidate) {
        return Err(Ended::Lost);
    }
    match event.as_ref().and_then(Entry::of) {
        Some(entry) => Ok(Read::Change(Box::new(entry))),
        None => Ok(Read::Nothing(place_of(stream)?)),
    }
}

/// How far a stream has read.
fn place_of(stream: &Events) -> Result<Token, StoreError> {
    let place = stream.resume_token().as_ref().and_then(Token::of);
    place.ok_or_else(|| StoreError::Unavailable("the change stream has no place yet".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_every_change_up_to_its_request_unless_the_database_may_have_cut_it() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let batch = |asked, count, bytes| Batch { asked, count, bytes };
        assert_eq!(batch(None, 0, 0).end(after(9)), None);
        assert_eq!(batch(Some(begun), 0, 0).end(after(9)), Some(begun));
        assert_eq!(batch(Some(begun), CUT_COUNT - 1, CUT_BYTES - 1).end(after(9)), Some(begun));
        assert_eq!(batch(Some(begun), CUT_COUNT, 0).end(after(9)), None);
        assert_eq!(batch(Some(begun), 1, CUT_BYTES).end(after(9)), None);
        // The next batch begins with nothing, and with the time of its own request.
        let mut cut = batch(Some(begun), CUT_COUNT, CUT_BYTES);
        assert_eq!((cut.end(after(9)), cut.end(after(10))), (None, Some(after(9))));
    }
}
