//! The one change stream of the process: it is followed for all who listen, and looked back into for those
//! who have missed more than the journal has.

use std::{sync::Arc, time::Duration};

use bson::{Document, doc};
use mongodb::{
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, OperationType},
    },
    error::Error,
    options::{FullDocumentType, ReadConcern},
};
use rocket::Shutdown;
use tokio::time::sleep;

use super::{
    change::Change,
    event_id::EventId,
    hub::{Events, Status},
    journal::{Journal, MAX_BYTES},
};
use crate::{
    http::problem::Problem,
    mongo::{StoreError, error},
};

/// How much may be missed between two visits; who has missed more begins anew.
const MISSED: usize = 10_000;
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// `ChangeStreamHistoryLost`, `ChangeStreamFatalError`: what comes after the token is no longer known.
const HISTORY_LOST: [i32; 2] = [286, 280];

/// Changes, and up to where these are all.
type Found = (Vec<Arc<Change>>, EventId);

type Stream = ChangeStream<ChangeStreamEvent<Document>>;

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
    pub(super) async fn look_back(&self, last: &EventId) -> Result<Option<Found>, Problem> {
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
            StoreError::Duplicate(_) | StoreError::Other(_) => Err(Problem::BadRequest),
        },
    }
}
