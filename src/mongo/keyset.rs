//! Keyset paging: a page begins after the last item of the previous page, in the list's own order.
//!
//! So every page costs the same, however deep it is. `page.rs` turns a [`Position`] into a cursor.

use bson::{DateTime, Document, doc, oid::ObjectId};
use serde_json::Value;

/// The place of an item in its order: the sort key, and the id to break ties.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    pub key: Value,
    pub id: ObjectId,
    /// Whether the next item had another key when this one was read. Then no later item has this key, except those that
    /// were added since, and a walk need not visit these.
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

/// The condition for items after a position in that order.
#[must_use]
pub fn older_than(position: &Position) -> Document {
    let time = DateTime::from_millis(position.key.as_i64().unwrap_or_default());
    doc! {
        // MongoDB would plan the `$or` below alone as two scans. This bound makes it one.
        "created_at": { "$lte": time },
        "$or": [{ "created_at": { "$lt": time } }, { "_id": { "$lt": position.id } }],
    }
}
