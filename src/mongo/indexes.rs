//! Every index, including those that enforce a unique rule.
//!
//! Each index slows down every insert, so there are few. A test compares this table with the database.

use std::time::Duration;

use bson::{Document, doc, oid::ObjectId};
use mongodb::{
    IndexModel,
    options::{Collation, CollationStrength, IndexOptions},
};

use super::keyset::newest_first;

pub const USERS: &str = "users";
pub const MOVIES: &str = "movies";
pub const ROLES: &str = "roles";
pub const SESSIONS: &str = "sessions";
pub const PERSONAL_TOKENS: &str = "personal_tokens";
pub const REVOKED_TOKENS: &str = "revoked_tokens";
pub const EXCHANGE_CODES: &str = "exchange_codes";
pub const THROTTLE: &str = "throttle";
pub const CHANGES: &str = "changes";
pub const CHANGE_LOG: &str = "change_log";
pub const IDEMPOTENCY_KEYS: &str = "idempotency_keys";

/// The unique indexes, by the names that [`super::StoreError::Duplicate`] carries.
pub const ID: &str = "_id_";
pub const EMAIL_UNIQUE: &str = "email_unique";
pub const IDENTITY_UNIQUE: &str = "identity_unique";
pub const NAME_YEAR_UNIQUE: &str = "name_year_unique";
/// For an answer that does not name the index.
pub const UNNAMED: &str = "without a name";

pub(super) struct Index {
    pub(super) collection: &'static str,
    pub(super) name: &'static str,
    keys: Document,
    unique: bool,
    /// Whether the database deletes a document at the time in the index's field.
    forgets: bool,
    /// The condition of a partial index.
    only: Option<Document>,
    collation: Option<Collation>,
    /// For a text index, the weight of each field.
    weights: Option<Document>,
}

impl Index {
    fn of(collection: &'static str) -> Self {
        Self {
            collection,
            name: "",
            keys: Document::new(),
            unique: false,
            forgets: false,
            only: None,
            collation: None,
            weights: None,
        }
    }

    fn of_users() -> Self {
        Self::of(USERS)
    }

    fn of_movies() -> Self {
        Self::of(MOVIES)
    }

    pub(super) fn into_model(self) -> IndexModel {
        let is_text = self.weights.is_some();
        let options = IndexOptions::builder()
            .name(self.name.to_owned())
            .unique(self.unique.then_some(true))
            .expire_after(self.forgets.then_some(Duration::ZERO))
            .partial_filter_expression(self.only)
            .collation(self.collation)
            .weights(self.weights)
            // Films are in many languages, so every word counts, and none is reduced to its stem.
            .default_language(is_text.then(|| "none".to_owned()))
            .language_override(is_text.then(|| "no_such_field".to_owned()))
            .build();
        IndexModel::builder().keys(self.keys).options(options).build()
    }
}

/// Movies with one value of a field, newest first.
fn newest_by(field: &'static str) -> Index {
    let mut keys = doc! { field: 1 };
    keys.extend(newest_first());
    Index { name: field, keys, ..Index::of_movies() }
}

/// The alphabetical order of names, as a person expects it: case and accents only break ties. A query must name the
/// same collation. With strength 3, its filters tell `drama` from `Drama`; with 1 or 2 they would not.
#[must_use]
pub fn name_collation() -> Collation {
    Collation::builder().locale("en").strength(CollationStrength::Tertiary).build()
}

/// The name of the unique index on these keys.
pub(super) fn unique_by(keys: &Document) -> Option<&'static str> {
    if keys.keys().eq(["_id"]) {
        return Some(ID);
    }
    all().into_iter().find(|index| index.unique && index.keys.keys().eq(keys.keys())).map(|index| index.name)
}

/// MongoDB's text index, for a server without the search index.
pub const TEXT: &str = "search";
/// Earlier releases used these for suggestions.
pub(super) const FORMER: [&str; 2] = ["typeahead_whole", "typeahead_phrases"];

pub(super) fn text() -> Index {
    Index {
        name: TEXT,
        keys: doc! { "name": "text", "casts": "text", "directors": "text", "plot": "text" },
        weights: Some(doc! { "name": 10, "casts": 4, "directors": 4, "plot": 1 }),
        ..Index::of_movies()
    }
}

pub(super) fn all() -> Vec<Index> {
    let mut all = basic();
    all.extend(of_sharing_and_repeats());
    all
}

fn of_sharing_and_repeats() -> Vec<Index> {
    vec![
        // The movies that a user edits, newest first. The account's deletion uses it too. It contains only movies
        // that have an editor: a query for one or several editors implies that condition.
        Index {
            name: "editor_newest_first",
            only: Some(doc! { "editors": { "$gte": ObjectId::from_bytes([0; 12]) } }),
            ..newest_by("editors")
        },
        // The links of invitations, for movies that have any.
        Index {
            name: "invitation_digest",
            keys: doc! { "invitations.digest": 1 },
            only: Some(doc! { "invitations.digest": { "$exists": true } }),
            ..Index::of_movies()
        },
        // The idempotency keys of an account, for counting them and for deleting them with the account.
        Index { name: "user", keys: doc! { "user": 1, "expires_at": 1 }, ..Index::of(IDEMPOTENCY_KEYS) },
        Index {
            name: "expires_at",
            keys: doc! { "expires_at": 1 },
            forgets: true,
            ..Index::of(IDEMPOTENCY_KEYS)
        },
    ]
}

fn basic() -> Vec<Index> {
    let alive = || Some(doc! { "email": { "$exists": true } });
    vec![
        // An email belongs to one account. The tombstone of a deleted account has no email, so the email is free
        // again.
        Index {
            name: EMAIL_UNIQUE,
            keys: doc! { "email": 1 },
            unique: true,
            only: alive(),
            ..Index::of_users()
        },
        // An identity at another provider belongs to one account.
        Index {
            name: IDENTITY_UNIQUE,
            keys: doc! { "identities.issuer": 1, "identities.subject": 1 },
            unique: true,
            only: Some(doc! { "identities.subject": { "$exists": true } }),
            ..Index::of_users()
        },
        Index { name: "newest_first", keys: newest_first(), only: alive(), ..Index::of_users() },
        // The tombstones, for the sweep. Databases have the index under this name.
        Index {
            name: "marked",
            keys: doc! { "deleted_at": 1 },
            only: Some(doc! { "deleted_at": { "$exists": true } }),
            ..Index::of_users()
        },
        // The token of a reset link, for accounts that have one.
        Index {
            name: "reset_digest",
            keys: doc! { "resets.digest": 1 },
            only: Some(doc! { "resets.digest": { "$exists": true } }),
            ..Index::of_users()
        },
        Index {
            name: "forgotten_at",
            keys: doc! { "forgotten_at": 1 },
            forgets: true,
            ..Index::of(REVOKED_TOKENS)
        },
        // The link that confirms an address, for accounts that have one.
        Index {
            name: "verification_digest",
            keys: doc! { "verification.digest": 1 },
            only: Some(doc! { "verification.digest": { "$exists": true } }),
            ..Index::of_users()
        },
        // A user's sessions, for listing them and for ending them all.
        Index { name: "user", keys: doc! { "user": 1 }, ..Index::of(SESSIONS) },
        Index {
            name: "forgotten_at",
            keys: doc! { "forgotten_at": 1 },
            forgets: true,
            ..Index::of(SESSIONS)
        },
        // A user's personal access tokens.
        Index { name: "user", keys: doc! { "user": 1 }, ..Index::of(PERSONAL_TOKENS) },
        Index {
            name: "forgotten_at",
            keys: doc! { "forgotten_at": 1 },
            forgets: true,
            ..Index::of(PERSONAL_TOKENS)
        },
        Index { name: "expires_at", keys: doc! { "expires_at": 1 }, forgets: true, ..Index::of(THROTTLE) },
        Index {
            name: "expires_at",
            keys: doc! { "expires_at": 1 },
            forgets: true,
            ..Index::of(EXCHANGE_CODES)
        },
        // The versions of a movie. Erasing the history of a deleted account uses it too.
        Index { name: "versions", keys: doc! { "movie": 1, "version": -1 }, ..Index::of(CHANGES) },
        // The movies that an account has deleted and can restore. Most entries have nothing to restore.
        Index {
            name: "trash",
            keys: doc! { "owner": 1, "_id": -1 },
            only: Some(doc! { "document": { "$exists": true } }),
            ..Index::of(CHANGES)
        },
        // A name can be taken once per year. No year counts as a year of its own.
        Index {
            name: NAME_YEAR_UNIQUE,
            keys: doc! { "name": 1, "year": 1 },
            unique: true,
            ..Index::of_movies()
        },
        Index { name: "newest_first", keys: newest_first(), ..Index::of_movies() },
        // A user's movies, newest first. Counting them and deleting the account use it too.
        Index { name: "owner_newest_first", ..newest_by("added_by") },
        // Each filter with the default order. The fields that are lists have one key for each entry.
        newest_by("casts"),
        newest_by("countries"),
        newest_by("directors"),
        newest_by("genres"),
        newest_by("languages"),
        newest_by("year"),
        // The other orders. Each works in both directions.
        Index { name: "by_year", keys: doc! { "year": 1, "_id": 1 }, ..Index::of_movies() },
        Index {
            name: "by_name",
            keys: doc! { "name": 1, "_id": 1 },
            collation: Some(name_collation()),
            ..Index::of_movies()
        },
    ]
}
