//! The counts of the throttle: one document for each key. Each change is one atomic step by the database's [`Clock`].

use std::time::Duration;

use bson::{Bson, DateTime, Document, bson, doc};
use mongodb::{
    Collection, Database,
    options::{Acknowledgment, CollectionOptions, ReturnDocument, UpdateModifications, WriteConcern},
};
use serde::Deserialize;

use super::{clock::Clock, quota::Quotas};
use crate::mongo::{COMMAND, StoreError, indexes, within};

/// The first wait.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// After this time an attempt is no longer in progress, whatever has happened to it.
const UNDER_WAY: Duration = Duration::from_mins(1);
/// How often an upsert is tried. If two upsert the same new key at once, the second fails and is done again.
const TRIES: usize = 4;

/// How a key is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How many attempts need no wait.
    pub free: u32,
    /// How many attempts may be in progress at a time.
    pub at_once: u32,
    /// One attempt is forgotten each time this much time has passed.
    pub forgotten_after: Duration,
    pub longest_wait: Duration,
}

/// The collection `throttle`.
#[derive(Clone)]
pub(super) struct Counts {
    documents: Collection<Document>,
    clock: Clock,
}

#[derive(Deserialize)]
struct Count {
    open: bool,
    until: Option<DateTime>,
    at: DateTime,
}

impl Counts {
    pub(super) fn new(database: &Database, clock: Clock) -> Self {
        // Losing a count with a server does no harm, but waiting for a majority at each attempt would.
        let fast = WriteConcern::builder().w(Acknowledgment::Nodes(1)).journal(false).build();
        let options = CollectionOptions::builder().write_concern(fast).build();
        Self { documents: database.collection_with_options(indexes::THROTTLE, options), clock }
    }

    /// The daily turns, in the same collection.
    pub(super) fn quotas(&self) -> Quotas {
        Quotas::new(self.documents.clone(), self.clock.clone())
    }

    /// Does three things in one atomic step: forgets what has run off, decides whether the attempt may be made, and
    /// counts it.
    ///
    /// # Errors
    /// When the database fails; inside, the time to wait.
    pub(super) async fn reserve(&self, key: &str, pace: Pace) -> Result<Result<(), Duration>, StoreError> {
        let (free, longest_wait) = (i64::from(pace.free), milliseconds(pace.longest_wait));
        let forgotten_after = milliseconds(pace.forgotten_after);
        let now = self.clock.now();
        // A field that does not exist yet is null here, which `$max` ignores. And a clock that was set back makes no
        // wait longer.
        let elapsed = doc! { "$max": [0, { "$subtract": [now.clone(), "$counted_at"] }] };
        let run_off = doc! { "$subtract": ["$count", { "$divide": [elapsed.clone(), forgotten_after] }] };
        let is_old = doc! { "$gt": [elapsed, milliseconds(UNDER_WAY)] };
        let failed = doc! { "$ceil": { "$subtract": ["$left", "$under_way"] } };
        // Once attempts have to wait, one is made at a time, so that the end of a wait does not let a crowd in.
        let room = doc! { "$subtract": [i64::from(pace.at_once), failed.clone()] };
        let at_once = doc! { "$cond": [{ "$lt": [failed, free] }, { "$max": [1, room] }, 1] };
        let waited = doc! { "$or": [
            { "$lte": ["$until", now.clone()] },
            { "$gt": ["$until", { "$add": [now.clone(), longest_wait] }] },
        ] };
        let if_open = |then: Bson, field: &str| doc! { "$cond": ["$open", then, format!("${field}")] };
        let forgotten = doc! { "$multiply": [{ "$add": ["$count", 1] }, forgotten_after] };
        let update = vec![
            doc! { "$set": {
                "at": now.clone(),
                "left": { "$max": [0, run_off] },
                "under_way": { "$cond": [is_old, 0, { "$max": [0, "$under_way"] }] },
                "free": free,
                "longest_wait": longest_wait,
            } },
            // A missing `until` is before any time, so an attempt without one need not wait.
            doc! { "$set": { "open": { "$and": [waited, { "$lt": ["$under_way", at_once] }] } } },
            doc! { "$set": {
                "count": if_open(bson!({ "$add": ["$left", 1] }), "count"),
                "under_way": if_open(bson!({ "$add": ["$under_way", 1] }), "under_way"),
                "counted_at": if_open(now.clone(), "counted_at"),
            } },
            doc! { "$set": { "expires_at": if_open(bson!({ "$add": [now, forgotten] }), "expires_at") } },
        ];
        let documents = self.documents.clone_with_type::<Count>();
        let mut tries = 0;
        let count = loop {
            let update = documents
                .find_one_and_update(doc! { "_id": key }, update.clone())
                .upsert(true)
                .return_document(ReturnDocument::After);
            match within(COMMAND, update).await {
                Err(StoreError::Duplicate(indexes::ID)) if tries < TRIES => tries += 1,
                result => break result?,
            }
        };
        Ok(match count {
            Some(count) if !count.open => {
                let until = count.until.map_or(0, DateTime::timestamp_millis);
                let wait = until.saturating_sub(count.at.timestamp_millis());
                Err(Duration::from_millis(u64::try_from(wait).unwrap_or_default()))
            }
            _ => Ok(()),
        })
    }

    /// Forgets all attempts of these keys.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn forget(&self, keys: Vec<String>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        within(COMMAND, self.documents.delete_many(doc! { "_id": { "$in": keys } })).await.map(drop)
    }

    async fn update(
        &self,
        keys: Vec<String>,
        update: impl Into<UpdateModifications>,
    ) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        within(COMMAND, self.documents.update_many(doc! { "_id": { "$in": keys } }, update)).await.map(drop)
    }

    /// Settles an attempt that stays counted. From now on the next one may have to wait.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn settle(&self, keys: Vec<String>) -> Result<(), StoreError> {
        // An attempt that has run off only in part still counts.
        let settled = doc! { "$ceil": { "$subtract": ["$count", "$under_way"] } };
        // The exponent has a limit of its own, because the power of a large one is not a number.
        let above = doc! { "$min": [20, { "$subtract": [settled.clone(), "$free"] }] };
        let doubled = doc! { "$multiply": [milliseconds(FIRST_WAIT), { "$pow": [2, above] }] };
        let limited = doc! { "$min": ["$longest_wait", doubled] };
        let end = doc! { "$add": [self.clock.now(), limited] };
        // While attempts are free there is no time to wait for, not even the present: an attempt that is counted after
        // this one may have read the clock before it.
        let until = doc! { "$cond": [{ "$lt": [settled, "$free"] }, "$$REMOVE", end] };
        let update = vec![
            doc! { "$set": { "under_way": { "$max": [0, { "$subtract": ["$under_way", 1] }] } } },
            doc! { "$set": { "until": until } },
        ];
        self.update(keys, update).await
    }

    /// Takes back an attempt that was not made or that succeeded.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn take_back(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.update(keys, doc! { "$inc": { "count": -1, "under_way": -1 } }).await
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
