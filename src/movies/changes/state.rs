//! The one document of `change_log`: up to which place the log is complete, from which place it is kept, and who
//! writes it.

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
/// How long a dead writer keeps other servers from writing.
const LEASE: Duration = Duration::from_secs(3);

/// Clones share only the connections.
#[derive(Clone)]
pub(super) struct LogState {
    document: Collection<Marks>,
    /// The same document, written without a majority: losing a lease in an election does no harm.
    lease: Collection<Marks>,
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Marks {
    /// Whether this document is older than the known one, which means that somebody restored a backup.
    pub(super) fn is_older_than(&self, known: &Self) -> bool {
        self.floor < known.floor || self.checkpoint < known.checkpoint
    }
}

/// The places that the document holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Marks {
    #[serde(rename = "_id")]
    id: String,
    /// The log has every change up to this place.
    pub checkpoint: Token,
    /// The log still has every change after this place.
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

    /// `None` if there is no log yet.
    pub(super) async fn marks(&self) -> Result<Option<Marks>, StoreError> {
        within(COMMAND, self.document.find_one(doc! { "_id": ID })).await
    }

    /// The same, but as acknowledged by a majority: an election cannot roll it back.
    pub(super) async fn lasting_marks(&self) -> Result<Option<Marks>, StoreError> {
        let find = self.document.find_one(doc! { "_id": ID }).read_concern(ReadConcern::majority());
        within(COMMAND, find).await
    }

    /// Begins the log at this place, unless another server has begun it already. Returns whether this call has.
    pub(super) async fn begin(&self, at: &Token) -> Result<bool, StoreError> {
        let marks = Marks { id: ID.to_owned(), checkpoint: at.clone(), floor: at.clone() };
        match inserting(COMMAND, indexes::ID, self.document.insert_one(marks)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Duplicate(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Records that the log has every change up to this place.
    pub(super) async fn advance(&self, to: &Token) -> Result<(), StoreError> {
        self.raise(doc! { "checkpoint": to.as_str() }).await
    }

    /// Records that some changes up to this place are no longer in the log.
    pub(super) async fn raise_floor(&self, to: &Token) -> Result<(), StoreError> {
        self.raise(doc! { "floor": to.as_str() }).await
    }

    /// Records a gap: some changes up to this place are not in the log, and never will be.
    pub(super) async fn begin_anew(&self, at: &Token) -> Result<(), StoreError> {
        self.raise(doc! { "floor": at.as_str(), "checkpoint": at.as_str() }).await
    }

    async fn raise(&self, marks: bson::Document) -> Result<(), StoreError> {
        within(COMMAND, self.document.update_one(doc! { "_id": ID }, doc! { "$max": marks })).await.map(drop)
    }

    /// Takes the lease, even from another holder. That holder notices at its next renewal; until then both write the
    /// same entries.
    pub(super) async fn take_over(&self, holder: ObjectId) -> Result<bool, StoreError> {
        Ok(within(COMMAND, self.lease.update_one(doc! { "_id": ID }, lease_of(holder))).await?.matched_count
            == 1)
    }

    /// Takes or renews the lease. Returns whether `holder` has it now. All times are the database's.
    pub(super) async fn hold(&self, holder: ObjectId) -> Result<bool, StoreError> {
        let filter = doc! { "_id": ID, "$or": [
            { "lease.holder": holder },
            { "lease": { "$exists": false } },
            { "$expr": { "$lt": ["$lease.until", "$$NOW"] } },
            // The database's clock was ahead when the lease was taken, and has been set back since.
            { "$expr": { "$gt": ["$lease.until", { "$add": ["$$NOW", 2 * milliseconds(LEASE)] }] } },
        ] };
        Ok(within(COMMAND, self.lease.update_one(filter, lease_of(holder))).await?.matched_count == 1)
    }

    /// Gives up the lease, so that other servers can take it at once.
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
