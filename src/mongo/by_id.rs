//! Documents by their ids, several at a time.

use std::{collections::HashMap, hash::Hash, marker::PhantomData, sync::Arc, time::Duration};

use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Collection;
use serde::de::DeserializeOwned;

use super::{
    COMMAND, StoreError,
    batches::{Batches, Command},
    within,
};

/// A document that knows its id.
pub trait HasId: DeserializeOwned + Send + Sync + 'static {
    /// The name of the command in the metrics.
    const PLURAL: &'static str;

    type Id: Clone + Eq + Hash + Into<Bson> + Send + Sync + 'static;

    fn id(&self) -> Self::Id;
}

/// Finds documents by id. Like all our reads, this reads from the primary.
pub struct ById<T: HasId> {
    documents: Collection<T>,
    /// A further condition that a document must meet.
    condition: Document,
    projection: Document,
    id: PhantomData<fn() -> T::Id>,
}

impl<T: HasId> ById<T> {
    pub fn new(documents: Collection<T>, condition: Document, projection: Document) -> Self {
        Self { documents, condition, projection, id: PhantomData }
    }

    fn filter(&self, id: impl Into<Bson>) -> Document {
        let mut filter = doc! { "_id": id };
        filter.extend(self.condition.clone());
        filter
    }
}

impl<T: HasId> ById<T> {
    async fn one(&self, id: T::Id) -> Result<Option<Arc<T>>, StoreError> {
        let find = self.documents.find_one(self.filter(id)).projection(self.projection.clone());
        Ok(within(COMMAND, find).await?.map(Arc::new))
    }

    async fn several(&self, ids: &[T::Id]) -> Result<HashMap<T::Id, Result<Arc<T>, StoreError>>, StoreError> {
        let ids: Vec<Bson> = ids.iter().cloned().map(Into::into).collect();
        let find = self.documents.find(self.filter(doc! { "$in": ids })).projection(self.projection.clone());
        let found: Vec<T> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().map(|document| (document.id(), Ok(Arc::new(document)))).collect())
    }
}

impl<T: HasId> Command for ById<T> {
    type Key = T::Id;
    /// A document that cannot be parsed fails only the callers that asked for it.
    type Value = Result<Arc<T>, StoreError>;

    const NAME: &'static str = T::PLURAL;
    /// The database sends up to this many documents in its first batch.
    const KEYS: usize = 100;
    const RUNS: usize = 1;
    const MOST_RUNS: usize = 4;
    const CALLERS: usize = 4_096;
    const LIMIT: Duration = COMMAND;

    async fn run(&self, ids: Vec<T::Id>) -> Result<HashMap<T::Id, Self::Value>, StoreError> {
        // The database answers an equality fastest.
        if let [id] = ids.as_slice() {
            let found = self.one(id.clone()).await?;
            return Ok(found.into_iter().map(|document| (id.clone(), Ok(document))).collect());
        }
        match self.several(&ids).await {
            Err(StoreError::Other(_)) => {}
            found => return found,
        }
        let mut each = HashMap::new();
        for id in ids {
            match self.one(id.clone()).await.transpose() {
                Some(Err(away @ StoreError::Unavailable(_))) => return Err(away),
                Some(found) => drop(each.insert(id, found)),
                None => {}
            }
        }
        Ok(each)
    }
}

impl<T: HasId> Batches<ById<T>> {
    /// # Errors
    /// Only when the database fails. A missing document is `None`.
    pub async fn find(&self, id: T::Id) -> Result<Option<Arc<T>>, StoreError> {
        self.ask(id).await?.transpose()
    }
}
