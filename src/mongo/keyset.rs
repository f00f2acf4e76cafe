//! Keyset paging: a page begins behind the last item of the page before, in the list's own order.
//!
//! So a page costs the same however deep it is. `page.rs` makes a cursor of a [`Position`].

use bson::{DateTime, Document, doc, oid::ObjectId};
use serde_json::Value;

/// Where an item stands in its order: the sort key, and the id to break ties.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    pub key: Value,
    pub id: ObjectId,
    /// Whether the next item, when this one was read, had another key. Then no item after this one has its key, but
    /// for those that were added since, which need not be visited.
    pub is_last_of_key: bool,
}

impl Position {
    /// A place after which more items may have the same key.
    #[must_use]
    pub fn new(key: Value, id: ObjectId) -> Self {
        Self { key, id, is_last_of_key: false }
    }

    /// The place of an item in the order "newest first".
    #[must_use]
    pub fn newest_first(created_at: DateTime, id: ObjectId) -> Self {
        Self::new(created_at.timestamp_millis().into(), id)
    }
}

/// The order "newest first".
#[must_use]
pub fn newest_first() -> Document {
    doc! { "created_at": -1, "_id": -1 }
}

/// What comes after a position in that order.
#[must_use]
pub fn older_than(position: &Position) -> Document {
    let time = DateTime::from_millis(position.key.as_i64().unwrap_or_default());
    doc! {
        // Alone, the `$or` below would be planned as two scans; this bound makes it one.
        "created_at": { "$lte": time },
        "$or": [{ "created_at": { "$lt": time } }, { "_id": { "$lt": position.id } }],
    }
}
