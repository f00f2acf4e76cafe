//! The change stream of the collection. A task of its own reads it, because a read that has begun must never be
//! cancelled: the driver would lose its place.

use std::{future::IntoFuture, mem, task::Poll, time::Duration};

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
/// The database ends a batch at 16 MB, and the first one of a stream at this many changes. A smaller batch is all that
/// there was: its movies are far too small to fill 16 MB.
const CUT: usize = 101;
/// `ChangeStreamHistoryLost`: the database no longer knows what follows the token.
const HISTORY_LOST: i32 = 286;
/// `ChangeStreamFatalError` and `BSONObjectTooLarge`: the database cannot report what follows the token, and never will.
/// For example, somebody put a document of many megabytes there by hand: the stream would end at it every time.
const UNREADABLE: [i32; 2] = [280, 10_334];

type Events = ChangeStream<ChangeStreamEvent<Document>>;

/// One result of reading the stream.
pub(super) enum Read {
    Change(Box<Entry>),
    /// An event up to this place that changes no movie.
    Other(Token),
    /// The changes so far are every change that there was at `asked`, and there is none up to this place.
    Nothing {
        at: Token,
        asked: Instant,
    },
    /// A batch of the database's ends here; the next read waits for more. The changes so far are every change that
    /// there was at `whole`. It is `None` if the database may have had more.
    Drained {
        whole: Option<Instant>,
    },
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
        let stream: Events = stream?;
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
    /// When the database was asked for it. `None` for the first one, which opening the stream brought.
    asked: Option<Instant>,
    count: usize,
}

impl Batch {
    /// The database is asked for the next batch. Returns the time at which there were no changes but those that have
    /// been read: not the end of this batch, because reading it may have taken long.
    fn end(&mut self, now: Instant) -> Option<Instant> {
        let ended = mem::replace(self, Self { asked: Some(now), count: 0 });
        ended.asked.filter(|_| ended.count < CUT)
    }
}

async fn read_all(mut stream: Events, sender: &mpsc::Sender<Result<Read, Ended>>) {
    let mut batch = Batch::default();
    while stream.is_alive() {
        // The future asks the database when it is polled, so this comes first.
        let now = Instant::now();
        let event = {
            let mut next = Box::pin(stream.next_if_any());
            match futures::poll!(&mut next) {
                Poll::Ready(event) => event,
                Poll::Pending => {
                    let whole = batch.end(now);
                    if sender.send(Ok(Read::Drained { whole })).await.is_err() {
                        return;
                    }
                    next.await
                }
            }
        };
        batch.count += 1;
        let read = event.map_err(Ended::from).and_then(|event| news(&stream, event.as_ref(), batch.asked));
        let is_last = read.is_err();
        if sender.send(read).await.is_err() || is_last {
            return;
        }
    }
    let _ = sender.send(Err(Ended::Lost)).await;
}

fn news(
    stream: &Events,
    event: Option<&ChangeStreamEvent<Document>>,
    asked: Option<Instant>,
) -> Result<Read, Ended> {
    let Some(event) = event else {
        let at = place_of(stream)?;
        return Ok(asked.map_or(Read::Other(at.clone()), |asked| Read::Nothing { at, asked }));
    };
    // The collection was dropped or renamed.
    if event.operation_type == OperationType::Invalidate {
        return Err(Ended::Lost);
    }
    match Entry::of(event) {
        Some(entry) => Ok(Read::Change(Box::new(entry))),
        None => Ok(Read::Other(place_of(stream)?)),
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
    fn a_batch_is_whole_as_of_the_question_unless_the_database_may_have_cut_it() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut batch = Batch::default();
        assert_eq!(batch.end(after(0)), None, "the first one may be cut at any size");
        batch.count = CUT - 1;
        assert_eq!(batch.end(after(9)), Some(after(0)), "it took nine seconds to read");
        batch.count = CUT;
        assert_eq!(batch.end(after(10)), None);
        assert_eq!(batch.end(after(11)), Some(after(10)));
    }
}
