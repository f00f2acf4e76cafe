//! What keeps the cache true: a change stream of its own.

use std::time::Duration;

use bson::{Bson, Document, doc};
use mongodb::{
    Collection,
    change_stream::event::{ChangeStreamEvent, OperationType},
    options::ReadConcern,
};
use rocket::Shutdown;
use tokio::time::{Instant, sleep};

use super::{Cache, SILENCE};
use crate::{
    http::ids::MovieId,
    mongo::{StoreError, error},
    movies::model::MovieDocument,
};

/// How often it is looked whether the primary is still the same.
const LOOK: Duration = Duration::from_secs(1);
const RETRY_DELAY: Duration = Duration::from_secs(1);

impl Cache {
    /// Follows the changes until the shutdown.
    pub async fn follow(&self, movies: &Collection<MovieDocument>, mut shutdown: Shutdown) {
        loop {
            let followed = tokio::select! {
                followed = self.follow_once(movies) => followed,
                () = &mut shutdown => return,
            };
            self.begin_anew(None);
            match followed {
                Err(error) if error::code(&error) == Some(error::NOT_A_REPLICA_SET) => {
                    tracing::warn!("cache.movies has no effect: a standalone MongoDB has no change streams");
                    return;
                }
                Err(error) => tracing::warn!(
                    error = %StoreError::from(error),
                    "the cache is not in use: its change stream broke off"
                ),
                Ok(()) => {}
            }
            tokio::select! {
                () = sleep(RETRY_DELAY) => {}
                () = &mut shutdown => return,
            }
        }
    }

    async fn follow_once(&self, movies: &Collection<MovieDocument>) -> mongodb::error::Result<()> {
        let pipeline = [doc! { "$project": { "operationType": 1, "documentKey": 1, "ns": 1 } }];
        let documents = movies.clone_with_type::<Document>();
        let mut stream = documents.watch().pipeline(pipeline).read_concern(ReadConcern::majority()).await?;
        let primary = Primary::of(movies).await?;
        let (mut heard, mut seen) = (Instant::now(), Instant::now());
        self.begin_anew(Some(heard));
        while stream.is_alive() {
            // What it says was so when it was asked, or later.
            let asked = Instant::now();
            let event = stream.next_if_any().await?;
            // A member that is primary no more may go on telling that there was nothing, and what it had may
            // have been rolled back.
            if seen.elapsed() > LOOK {
                if Primary::of(movies).await? != primary {
                    return Ok(());
                }
                seen = Instant::now();
            }
            if heard.elapsed() > SILENCE {
                // The driver has resumed it: there may be more to come of what happened meanwhile.
                return Ok(());
            }
            heard = asked;
            match event.as_ref().map(|event| (event, changed(event))) {
                Some((_, Some(id))) => self.invalidate(&[id]),
                // The collection was dropped or renamed.
                Some((event, None)) if event.operation_type != OperationType::Insert => return Ok(()),
                _ => {}
            }
            self.kept().heard = Some(heard);
        }
        Ok(())
    }
}

/// Which member is primary, by which election.
#[derive(PartialEq)]
struct Primary {
    election: Option<Bson>,
    is_writable: bool,
}

impl Primary {
    async fn of(movies: &Collection<MovieDocument>) -> mongodb::error::Result<Self> {
        let hello = movies.client().database("admin").run_command(doc! { "hello": 1 }).await?;
        let is_writable = hello.get_bool("isWritablePrimary").unwrap_or(false);
        Ok(Self { election: hello.get("electionId").cloned(), is_writable })
    }
}

fn changed(event: &ChangeStreamEvent<Document>) -> Option<MovieId> {
    Some(MovieId(event.document_key.as_ref()?.get_object_id("_id").ok()?))
}
