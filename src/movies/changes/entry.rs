//! One entry of the log: what changed, and the former state that an undo needs.

use std::collections::BTreeSet;

use bson::{Bson, DateTime, Document};
use mongodb::change_stream::event::{ChangeStreamEvent, OperationType};
use serde::{Deserialize, Serialize};

use super::token::Token;

/// Fields that say nothing about the movie: they change with every write, or are derived from other fields.
const NOT_HISTORY: [&str; 5] = ["_id", "typeahead", "version", "updated_at", "updated_by"];
/// The editors and the invitations are not public, and a change of them makes no version.
const NOT_PUBLIC: [&str; 2] = ["editors", "invitations"];
/// Derived from the name; each release does so in its own way.
const MADE: &str = "typeahead";
/// A restored movie does not get these back: an invitation is void once its movie is deleted.
const NOT_KEPT: [&str; 2] = ["invitations", MADE];
/// The approximate size of an entry without the former state: its ids, its token and their field names.
const FIXED_BYTES: usize = 400;
const MILLISECONDS: i64 = 1_000;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Created,
    Updated,
    Deleted,
}

impl Kind {
    /// The name that clients read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// A change. A movie that never changes costs only the fixed fields of its creation; each change also costs the
/// values that it replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    #[serde(rename = "_id")]
    pub token: Token,
    pub kind: Kind,
    pub movie: bson::oid::ObjectId,
    /// The owner after the change; for a deletion, before it. Unknown if the database kept no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<bson::oid::ObjectId>,
    /// The version after the change; for a deletion, before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Who made the change. Unknown if somebody changed the database by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<bson::oid::ObjectId>,
    /// By the database's clock.
    pub at: DateTime,
    /// For an update, the values that the changed fields had before; `null` for a field that was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<Document>,
    /// For a deletion, the deleted movie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

impl Entry {
    /// `None` for an event that changes no movie.
    pub(super) fn of(event: &ChangeStreamEvent<Document>) -> Option<Self> {
        let kind = match event.operation_type {
            OperationType::Insert => Kind::Created,
            OperationType::Update | OperationType::Replace => Kind::Updated,
            OperationType::Delete => Kind::Deleted,
            _ => return None,
        };
        let before = event.full_document_before_change.as_ref();
        let set = match (&event.update_description, &event.full_document) {
            (Some(update), _) => Some(&update.updated_fields),
            (None, after) => after.as_ref(),
        };
        if kind == Kind::Updated && is_private(&changed(event)) {
            return None;
        }
        let latest = |name: &str| set.and_then(|set| set.get(name)).or_else(|| before?.get(name));
        let id = |name: &str| latest(name).and_then(Bson::as_object_id);
        let clock =
            || event.cluster_time.map(|time| DateTime::from_millis(i64::from(time.time) * MILLISECONDS));
        Some(Self {
            token: Token::of(&event.id)?,
            kind,
            movie: event.document_key.as_ref()?.get_object_id("_id").ok()?,
            owner: id("added_by"),
            version: latest("version").and_then(whole),
            by: match kind {
                // The event leaves out fields that did not change. Every write of ours raises the version.
                Kind::Updated => set.filter(|set| set.contains_key("version")).and_then(|_| id("updated_by")),
                Kind::Created => id("updated_by").or_else(|| id("added_by")),
                // Only the owner deletes a movie.
                Kind::Deleted => id("added_by"),
            },
            at: event.wall_time.or_else(clock)?,
            former: (kind == Kind::Updated).then(|| former(event)).flatten(),
            document: before.filter(|_| kind == Kind::Deleted).cloned().map(|mut movie| {
                for name in NOT_KEPT {
                    movie.remove(name);
                }
                movie
            }),
        })
    }

    /// The same without the former state, for listeners that only need to know that something changed.
    pub(super) fn without_former_state(&self) -> Self {
        Self {
            token: self.token.clone(),
            former: None,
            document: None,
            kind: self.kind,
            movie: self.movie,
            owner: self.owner,
            version: self.version,
            by: self.by,
            at: self.at,
        }
    }

    /// The approximate size in memory and in a command.
    pub(super) fn bytes(&self) -> usize {
        let size = |document: &Option<Document>| {
            document
                .as_ref()
                .and_then(|document| bson::serialize_to_vec(document).ok())
                .map_or(0, |bytes| bytes.len())
        };
        FIXED_BYTES + size(&self.former) + size(&self.document)
    }
}

/// A whole number, in any of the types that a client may store it as.
fn whole(number: &Bson) -> Option<i64> {
    match number {
        Bson::Int64(number) => Some(*number),
        Bson::Int32(number) => Some((*number).into()),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it has no fraction; a version is far from the limits"
        )]
        Bson::Double(number) if number.fract() == 0.0 => Some(*number as i64),
        _ => None,
    }
}

/// Whether the only changed fields are private, or derived from others.
fn is_private(changed: &BTreeSet<&str>) -> bool {
    !changed.is_empty() && changed.iter().all(|name| NOT_PUBLIC.contains(name) || *name == MADE)
}

/// The top-level fields that an update changed.
fn changed(event: &ChangeStreamEvent<Document>) -> BTreeSet<&str> {
    if let Some(update) = &event.update_description {
        let truncated = update.truncated_arrays.iter().flatten().map(|array| array.field.as_str());
        let paths = update.updated_fields.keys().chain(&update.removed_fields).map(String::as_str);
        // The path of an array element begins with the name of its field.
        return paths.chain(truncated).filter_map(|path| path.split('.').next()).collect();
    }
    let (Some(before), Some(after)) = (&event.full_document_before_change, &event.full_document) else {
        return BTreeSet::new();
    };
    let names = before.keys().chain(after.keys()).map(String::as_str);
    names.filter(|name| before.get(name) != after.get(name)).collect()
}

/// The former values of the fields that the event changed; `None` if the database kept no image.
fn former(event: &ChangeStreamEvent<Document>) -> Option<Document> {
    let before = event.full_document_before_change.as_ref()?;
    let history =
        changed(event).into_iter().filter(|name| !NOT_HISTORY.contains(name) && !NOT_PUBLIC.contains(name));
    Some(history.map(|name| (name.to_owned(), before.get(name).cloned().unwrap_or(Bson::Null))).collect())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    const TOKEN: &str = "82674A1B2C000000012B042C0100296E5A1004";

    fn event(fields: Document) -> ChangeStreamEvent<Document> {
        let mut event = doc! {
            "_id": { "_data": TOKEN },
            "documentKey": { "_id": bson::oid::ObjectId::new() },
            "wallTime": DateTime::from_millis(1_700_000_000_123),
        };
        event.extend(fields);
        bson::deserialize_from_document(event).unwrap()
    }

    #[test]
    fn an_update_keeps_the_former_values_of_what_it_changed_and_nothing_else() {
        let (owner, editor) = (bson::oid::ObjectId::new(), bson::oid::ObjectId::new());
        let entry = Entry::of(&event(doc! {
            "operationType": "update",
            "updateDescription": {
                "updatedFields": { "version": 3_i64, "updated_by": editor, "casts.1": "B", "plot": "new" },
                "removedFields": ["year"],
            },
            "fullDocumentBeforeChange": {
                "name": "Heat", "added_by": owner, "version": 2_i64, "casts": ["A", "C"], "year": 1995,
            },
        }))
        .unwrap();
        assert_eq!((entry.kind, entry.version), (Kind::Updated, Some(3)));
        assert_eq!((entry.owner, entry.by), (Some(owner), Some(editor)));
        assert_eq!(entry.former, Some(doc! { "casts": ["A", "C"], "plot": null, "year": 1995 }));
        assert_eq!(entry.at.timestamp_millis(), 1_700_000_000_123);
    }

    #[test]
    fn a_deletion_keeps_the_movie() {
        let owner = bson::oid::ObjectId::new();
        let before =
            doc! { "name": "Heat", "added_by": owner, "version": 7_i64, "typeahead": { "whole": "heat" } };
        let entry = Entry::of(&event(doc! { "operationType": "delete", "fullDocumentBeforeChange": before }))
            .unwrap();
        assert_eq!((entry.kind, entry.version, entry.by), (Kind::Deleted, Some(7), Some(owner)));
        assert_eq!(entry.document, Some(doc! { "name": "Heat", "added_by": owner, "version": 7_i64 }));
    }

    #[test]
    fn without_an_image_the_change_is_known_but_the_former_state_is_not() {
        let update = doc! { "updatedFields": { "version": 3_i64, "plot": "new" }, "removedFields": [] };
        let entry =
            Entry::of(&event(doc! { "operationType": "update", "updateDescription": update })).unwrap();
        assert_eq!((entry.version, entry.owner, entry.former), (Some(3), None, None));
        let entry = Entry::of(&event(doc! { "operationType": "delete" })).unwrap();
        assert_eq!((entry.owner, entry.document), (None, None));
    }

    #[test]
    fn a_user_who_changes_a_movie_twice_is_named_for_both_changes() {
        let (owner, editor) = (bson::oid::ObjectId::new(), bson::oid::ObjectId::new());
        let by = |set: Document| {
            let entry = Entry::of(&event(doc! {
                "operationType": "update",
                "updateDescription": { "updatedFields": set, "removedFields": [] },
                "fullDocumentBeforeChange": { "added_by": owner, "updated_by": editor, "version": 2_i64 },
            }));
            entry.unwrap().by
        };
        assert_eq!(by(doc! { "version": 3_i64, "updated_by": owner }), Some(owner));
        // The event leaves out fields that stay the same.
        assert_eq!(by(doc! { "version": 3_i64, "plot": "new" }), Some(editor));
        // Changed by hand.
        assert_eq!(by(doc! { "plot": "new" }), None);
    }

    #[test]
    fn a_change_of_only_the_editors_is_not_a_change_of_the_movie() {
        let update =
            doc! { "updatedFields": { "editors.0": bson::oid::ObjectId::new() }, "removedFields": [] };
        assert!(Entry::of(&event(doc! { "operationType": "update", "updateDescription": update })).is_none());
        let update = doc! { "updatedFields": { "typeahead.whole": "heat" }, "removedFields": [] };
        assert!(Entry::of(&event(doc! { "operationType": "update", "updateDescription": update })).is_none());
        assert!(Entry::of(&event(doc! { "operationType": "drop" })).is_none());
    }
}
