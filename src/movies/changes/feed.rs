//! The change stream of the collection. A task of its own reads it, because a read that has begun must never be
//! cancelled: the driver would lose its place.

use std::{future::IntoFuture, task::Poll, time::Duration};

use bson::Document;
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
/// `ChangeStreamHistoryLost`: the database no longer knows what follows the token.
const HISTORY_LOST: i32 = 286;
/// `ChangeStreamFatalError` and `BSONObjectTooLarge`: the database cannot report what follows the token, and never will.
/// For example, somebody put a document of many megabytes there by hand: the stream would end at it every time.
const UNREADABLE: [i32; 2] = [280, 10_334];

type Events = ChangeStream<ChangeStreamEvent<Document>>;

/// One result of reading the stream.
pub(super) enum Read {
    Change(Box<Entry>),
    /// No relevant change up to this place.
    Nothing(Token),
    /// The database has sent everything that it had; the next read waits for more.
    Drained,
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
    reads: mpsc::Receiver<(Instant, Result<Read, Ended>)>,
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
        let stream: Events = stream?;
        let start = after.cloned().map_or_else(|| place_of(&stream), Ok)?;
        let (sender, reads) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move { read_all(stream, &sender).await }).abort_handle();
        Ok(Self { start, reads, task })
    }

    /// The next result, and the time at which the database was asked for it. The result was true at that time or
    /// later.
    pub(super) async fn next(&mut self) -> Result<(Instant, Read), Ended> {
        let silent = || StoreError::Unavailable("the change stream is silent".to_owned());
        let (asked, read) = timeout(SILENCE, self.reads.recv()).await.ok().flatten().ok_or_else(silent)?;
        Ok((asked, read?))
    }
}

async fn read_all(mut stream: Events, sender: &mpsc::Sender<(Instant, Result<Read, Ended>)>) {
    let mut asked = Instant::now();
    while stream.is_alive() {
        let event = {
            let mut next = Box::pin(stream.next_if_any());
            match futures::poll!(&mut next) {
                Poll::Ready(event) => event,
                Poll::Pending => {
                    asked = Instant::now();
                    if sender.send((asked, Ok(Read::Drained))).await.is_err() {
                        return;
                    }
                    next.await
                }
            }
        };
        let read = event.map_err(Ended::from).and_then(|event| news(&stream, event.as_ref()));
        let is_last = read.is_err();
        if sender.send((asked, read)).await.is_err() || is_last {
            return;
        }
    }
    let _ = sender.send((asked, Err(Ended::Lost))).await;
}

fn news(stream: &Events, event: Option<&ChangeStreamEvent<Document>>) -> Result<Read, Ended> {
    // The collection was dropped or renamed.
    if event.is_some_and(|event| event.operation_type == OperationType::Invalidate) {
        return Err(Ended::Lost);
    }
    match event.and_then(Entry::of) {
        Some(entry) => Ok(Read::Change(Box::new(entry))),
        None => Ok(Read::Nothing(place_of(stream)?)),
    }
}

/// How far a stream has read.
fn place_of(stream: &Events) -> Result<Token, StoreError> {
    let place = stream.resume_token().as_ref().and_then(Token::of);
    place.ok_or_else(|| StoreError::Unavailable("the change stream has no place yet".to_owned()))
}
