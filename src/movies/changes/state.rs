//! The one document of `change_log`: up to where the log is complete, from where on it is kept, and who writes it.

use std::time::Duration;

use bson::{doc, oid::ObjectId};
use mongodb::{
    Collection, Database,
    options::{Acknowledgment, CollectionOptions, ReadConcern, WriteConcern},
};
use serde::{Deserialize, Serialize};

use super::token::Token;
use crate::mongo::{COMMAND, StoreError, indexes, inserting, within};

const ID: &str = "log";
/// How long a writer that has died keeps other servers from writing.
const LEASE: Duration = Duration::from_secs(3);

/// Clones share nothing but the connections.
#[derive(Clone)]
pub(super) struct LogState {
    document: Collection<Marks>,
    /// A lease that an election forgets does no harm: it is not worth a majority's time.
    lease: Collection<Marks>,
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Marks {
    /// Whether the document is an older one than that: somebody has restored a backup.
    pub(super) fn is_older_than(&self, known: &Self) -> bool {
        self.floor < known.floor || self.checkpoint < known.checkpoint
    }
}

/// The places that the document holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Marks {
    #[serde(rename = "_id")]
    id: String,
    /// Up to here every change is in the log.
    pub checkpoint: Token,
    /// Every change after this is in the log still.
    pub floor: Token,
}

impl LogState {
    pub(super) fn new(database: &Database) -> Self {
        let quickly = WriteConcern::builder().w(Acknowledgment::Nodes(1)).build();
        let quickly = CollectionOptions::builder().write_concern(quickly).build();
        Self {
            document: database.collection(indexes::CHANGE_LOG),
            lease: database.collection_with_options(indexes::CHANGE_LOG, quickly),
        }
    }

    /// `None`: there is no log yet.
    pub(super) async fn marks(&self) -> Result<Option<Marks>, StoreError> {
        within(COMMAND, self.document.find_one(doc! { "_id": ID })).await
    }

    /// The same, as a majority knows it: an election does not take it back.
    pub(super) async fn lasting_marks(&self) -> Result<Option<Marks>, StoreError> {
        let find = self.document.find_one(doc! { "_id": ID }).read_concern(ReadConcern::majority());
        within(COMMAND, find).await
    }

    /// Begins the log here, unless another server has begun it.
    pub(super) async fn begin(&self, at: &Token) -> Result<(), StoreError> {
        let marks = Marks { id: ID.to_owned(), checkpoint: at.clone(), floor: at.clone() };
        match inserting(COMMAND, indexes::ID, self.document.insert_one(marks)).await {
            Ok(_) | Err(StoreError::Duplicate(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Every change up to here is in the log.
    pub(super) async fn advance(&self, to: &Token) -> Result<(), StoreError> {
        self.raise(doc! { "checkpoint": to.as_str() }).await
    }

    /// Some changes up to here are not in the log any more.
    pub(super) async fn raise_floor(&self, to: &Token) -> Result<(), StoreError> {
        self.raise(doc! { "floor": to.as_str() }).await
    }

    /// After a gap: some changes up to here are not in the log, and never will be.
    pub(super) async fn begin_anew(&self, at: &Token) -> Result<(), StoreError> {
        self.raise(doc! { "floor": at.as_str(), "checkpoint": at.as_str() }).await
    }

    async fn raise(&self, marks: bson::Document) -> Result<(), StoreError> {
        within(COMMAND, self.document.update_one(doc! { "_id": ID }, doc! { "$max": marks })).await.map(drop)
    }

    /// Takes the lease from its holder, if it has one. That holder notices at its next renewal; until then both write the
    /// same entries.
    pub(super) async fn take_over(&self, holder: ObjectId) -> Result<bool, StoreError> {
        Ok(within(COMMAND, self.lease.update_one(doc! { "_id": ID }, lease_of(holder))).await?.matched_count
            == 1)
    }

    /// Takes or renews the lease; says whether `holder` has it now. Times are the database's.
    pub(super) async fn hold(&self, holder: ObjectId) -> Result<bool, StoreError> {
        let filter = doc! { "_id": ID, "$or": [
            { "lease.holder": holder },
            { "lease": { "$exists": false } },
            { "$expr": { "$lt": ["$lease.until", "$$NOW"] } },
            // The clock was ahead when it was taken, and went back.
            { "$expr": { "$gt": ["$lease.until", { "$add": ["$$NOW", 2 * milliseconds(LEASE)] }] } },
        ] };
        Ok(within(COMMAND, self.lease.update_one(filter, lease_of(holder))).await?.matched_count == 1)
    }

    /// Leaves the log to other servers at once.
    pub(super) async fn let_go(&self, holder: ObjectId) -> Result<(), StoreError> {
        let filter = doc! { "_id": ID, "lease.holder": holder };
        within(COMMAND, self.lease.update_one(filter, doc! { "$unset": { "lease": true } })).await.map(drop)
    }
}

/// The update that gives the lease to this holder, by the database's clock.
fn lease_of(holder: ObjectId) -> Vec<bson::Document> {
    let until = doc! { "$add": ["$$NOW", milliseconds(LEASE)] };
    vec![doc! { "$set": { "lease": { "holder": holder, "until": until } } }]
}
