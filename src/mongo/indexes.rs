//! Every index, and with them every unique rule.
//!
//! Each costs every insert, so there are few; a test holds this table against the database.

use bson::{Document, doc};
use mongodb::{IndexModel, options::IndexOptions};

use super::{BATCH, StoreError, within};

pub const USERS: &str = "users";
pub const MOVIES: &str = "movies";
pub const ROLES: &str = "roles";

struct Index {
    collection: &'static str,
    name: &'static str,
    keys: Document,
    unique: bool,
    /// Only documents that match are in the index.
    only: Option<Document>,
}

fn all() -> Vec<Index> {
    let newest_first = doc! { "created_at": -1, "_id": -1 };
    vec![
        // An email belongs to one account. A marked account has none: its email is free again.
        Index {
            collection: USERS,
            name: "email_unique",
            keys: doc! { "email": 1 },
            unique: true,
            only: Some(doc! { "email": { "$exists": true } }),
        },
        Index {
            collection: USERS,
            name: "newest_first",
            keys: newest_first.clone(),
            unique: false,
            only: Some(doc! { "email": { "$exists": true } }),
        },
        // What the cascade has still to look after.
        Index {
            collection: USERS,
            name: "marked",
            keys: doc! { "deleted_at": 1 },
            unique: false,
            only: Some(doc! { "deleted_at": { "$exists": true } }),
        },
        // A name is taken once per year; no year counts as a year of its own.
        Index {
            collection: MOVIES,
            name: "name_year_unique",
            keys: doc! { "name": 1, "year": 1 },
            unique: true,
            only: None,
        },
        Index { collection: MOVIES, name: "newest_first", keys: newest_first, unique: false, only: None },
        // A user's movies, newest first; also their number, and the cascade.
        Index {
            collection: MOVIES,
            name: "owner_newest_first",
            keys: doc! { "added_by": 1, "created_at": -1, "_id": -1 },
            unique: false,
            only: None,
        },
    ]
}

/// Makes the indexes that are missing.
///
/// # Errors
/// The database's, also for data that breaks a unique rule.
pub async fn ensure(database: &mongodb::Database) -> Result<(), StoreError> {
    for collection in [USERS, MOVIES] {
        let models = all().into_iter().filter(|index| index.collection == collection).map(|index| {
            let options = IndexOptions::builder()
                .name(index.name.to_owned())
                .unique(index.unique.then_some(true))
                .partial_filter_expression(index.only)
                .build();
            IndexModel::builder().keys(index.keys).options(options).build()
        });
        within(BATCH, database.collection::<Document>(collection).create_indexes(models)).await?;
    }
    Ok(())
}
