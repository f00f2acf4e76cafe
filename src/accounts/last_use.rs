//! When something was last used. Readers are promised 10 minutes, so a request writes only what is older than half of
//! that, and does not wait for the write.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bson::{Bson, DateTime, Document, doc};
use mongodb::Collection;

use crate::mongo::{COMMAND, within};

/// The time may be older than the last use by this much. A write that fails is tried again by the next request.
const EXACT_TO: Duration = Duration::from_mins(5);

/// Notes the last use of a collection's documents in their field `last_used_at`. Clones share what is being written.
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

    /// The document is used now; `known` is what it says of its last use.
    pub fn note(&self, id: Id, known: Option<DateTime>) {
        let now = DateTime::now();
        let is_fresh = |known: DateTime| now.saturating_duration_since(known) < EXACT_TO;
        // Of many requests at once, one writes.
        if known.is_some_and(is_fresh) || !self.in_flight().insert(id.clone()) {
            return;
        }
        let own = self.clone();
        tokio::spawn(async move {
            // Servers whose clocks differ only ever move it forward.
            let update = doc! { "$max": { "last_used_at": now } };
            let noting = own.documents.update_one(doc! { "_id": id.clone() }, update);
            if let Err(error) = within(COMMAND, noting).await {
                tracing::warn!(%error, "a last use was not noted; the next request will try again");
            }
            own.in_flight().remove(&id);
        });
    }

    fn in_flight(&self) -> MutexGuard<'_, HashSet<Id>> {
        // Nothing in here panics half-way.
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
