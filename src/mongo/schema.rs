//! The schema version: a number in the database that a binary compares with its own.
//!
//! Raise it only when an older binary could no longer work with data that a newer one has written. A new index or a
//! new optional field does not raise it. So far that has not happened, and no migration exists yet: decision 62 says
//! how to write the first one.

use bson::{Document, doc};
use mongodb::Database;

use super::{BATCH, StoreError, indexes, inserting, within};

pub const SCHEMA: &str = "schema";
/// The one document of the collection.
const ID: &str = "schema";
/// The version that this binary reads and writes.
pub const VERSION: i64 = 1;

/// Why this binary does not accept a database.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "the database {database} has schema version {found}, but this movie-bag ({binary}) supports at most {VERSION}: \
         run the newer movie-bag that wrote it; nothing was changed",
        binary = env!("CARGO_PKG_VERSION")
    )]
    Newer { database: String, found: i64 },
    #[error("the database {database} has an invalid schema version ({found}); nothing was changed")]
    Unknown { database: String, found: String },
    #[error("the schema version cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Reads the version, and writes it if there is none. A database from before the version existed counts as version 1.
///
/// # Errors
/// See [`SchemaError`].
pub async fn ensure(database: &Database) -> Result<(), SchemaError> {
    let schema = database.collection::<Document>(SCHEMA);
    let found = match within(BATCH, schema.find_one(doc! { "_id": ID })).await? {
        Some(found) => found,
        None => {
            match inserting(BATCH, indexes::ID, schema.insert_one(doc! { "_id": ID, "version": VERSION }))
                .await
            {
                Ok(_) => return Ok(()),
                // Another process that is starting now was faster. It may be a newer release.
                Err(StoreError::Duplicate(indexes::ID)) => {
                    within(BATCH, schema.find_one(doc! { "_id": ID })).await?.unwrap_or_default()
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let database = database.name().to_owned();
    let version = match found.get("version") {
        Some(bson::Bson::Int32(version)) => Some(i64::from(*version)),
        Some(bson::Bson::Int64(version)) => Some(*version),
        _ => None,
    };
    match version {
        Some(VERSION) => Ok(()),
        Some(found) if found > VERSION => Err(SchemaError::Newer { database, found }),
        _ => Err(SchemaError::Unknown {
            database,
            found: found.get("version").map_or_else(|| "missing".to_owned(), ToString::to_string),
        }),
    }
}
