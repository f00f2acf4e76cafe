//! Documents by their ids, several at a time.

use std::{collections::HashMap, hash::Hash, marker::PhantomData, sync::Arc, time::Duration};

use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Collection;
use serde::de::DeserializeOwned;

use super::{COMMAND, StoreError, batches::Command, within};

/// What is stored under an id.
pub trait Identified: DeserializeOwned + Send + Sync + 'static {
    /// What the metrics call the command.
    const PLURAL: &'static str;

    type Id: Clone + Eq + Hash + Into<Bson> + Send + Sync + 'static;

    fn id(&self) -> Self::Id;
}

/// `find` by id. Its answers are read from the primary, as all of ours.
pub struct ById<T: Identified> {
    documents: Collection<T>,
    /// What else must hold of a document.
    condition: Document,
    projection: Document,
    id: PhantomData<fn() -> T::Id>,
}

impl<T: Identified> ById<T> {
    pub fn new(documents: Collection<T>, condition: Document, projection: Document) -> Self {
        Self { documents, condition, projection, id: PhantomData }
    }

    fn filter(&self, id: impl Into<Bson>) -> Document {
        let mut filter = doc! { "_id": id };
        filter.extend(self.condition.clone());
        filter
    }
}

impl<T: Identified> Command for ById<T> {
    type Key = T::Id;
    type Value = Arc<T>;

    const NAME: &'static str = T::PLURAL;
    /// So many documents come in one batch of the database's.
    const KEYS: usize = 100;
    const RUNS: usize = 1;
    const MOST_RUNS: usize = 4;
    const CALLERS: usize = 4_096;
    const LIMIT: Duration = COMMAND;

    async fn run(&self, mut ids: Vec<T::Id>) -> Result<HashMap<T::Id, Arc<T>>, StoreError> {
        let found = if ids.len() == 1 {
            // An equality is what the database answers fastest.
            let filter = self.filter(ids.remove(0));
            let find = self.documents.find_one(filter).projection(self.projection.clone());
            within(COMMAND, find).await?.into_iter().collect::<Vec<T>>()
        } else {
            let filter = self.filter(doc! { "$in": ids.into_iter().map(Into::into).collect::<Vec<Bson>>() });
            let find = self.documents.find(filter).projection(self.projection.clone());
            within(COMMAND, async { find.await?.try_collect().await }).await?
        };
        Ok(found.into_iter().map(|document| (document.id(), Arc::new(document))).collect())
    }
}
