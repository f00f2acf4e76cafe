//! When something was last used. The API promises clients that this time is accurate to 10 minutes. So a request writes
//! it only if the stored time is older than half of that, and does not wait for the write.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bson::{Bson, DateTime, Document, doc};
use mongodb::Collection;

use crate::mongo::{COMMAND, within};

/// How much older than the last use the stored time may be. If a write fails, the next request tries again.
const EXACT_TO: Duration = Duration::from_mins(5);

/// Notes the last use of a collection's documents in their field `last_used_at`. Clones share the writes in flight.
#[derive(Clone)]
pub struct LastUse<Id> {
    documents: Collection<Document>,
    in_flight: Arc<Mutex<HashSet<Id>>>,
}

impl<Id: Clone + Eq + Hash + Into<Bson> + Send + Sync + 'static> LastUse<Id> {
    #[must_use]
    pub fn of(documents: Collection<Document>) -> Self {
        Self { documents, in_flight: Arc::default() }
    }

    /// Notes that the document is used now. `known` is the last use that it has stored.
    pub fn note(&self, id: Id, known: Option<DateTime>) {
        let now = DateTime::now();
        let is_fresh = |known: DateTime| now.saturating_duration_since(known) < EXACT_TO;
        // If many requests come at once, one of them writes.
        if known.is_some_and(is_fresh) || !self.in_flight().insert(id.clone()) {
            return;
        }
        let own = self.clone();
        tokio::spawn(async move {
            // Servers whose clocks differ can only move the time forward.
            let update = doc! { "$max": { "last_used_at": now } };
            let noting = own.documents.update_one(doc! { "_id": id.clone() }, update);
            if let Err(error) = within(COMMAND, noting).await {
                tracing::warn!(%error, "a last use could not be noted; the next request will try again");
            }
            own.in_flight().remove(&id);
        });
    }

    fn in_flight(&self) -> MutexGuard<'_, HashSet<Id>> {
        // No code that holds this lock panics half-way through a change.
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
