//! Which shape the data has: a number in the database, which a binary compares with its own.
//!
//! It is raised when an older binary could no longer work with what a newer one has written, and only then:
//! a new index or a new optional field does not raise it. So far that has not happened, and there is no
//! step from one version to the next: decision 62 says how the first one is to be made.

use bson::{Document, doc};
use mongodb::Database;

use super::{BATCH, StoreError, indexes, inserting, within};

pub const SCHEMA: &str = "schema";
/// The one document of the collection.
const ID: &str = "schema";
/// What this binary reads and writes.
pub const VERSION: i64 = 1;

/// Why a database is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "the database {database} has schema version {found}, and this movie-bag ({binary}) knows {VERSION} at most: \
         run the newer movie-bag that has written it; nothing was changed",
        binary = env!("CARGO_PKG_VERSION")
    )]
    Newer { database: String, found: i64 },
    #[error("the database {database} has a schema version that is none ({found}); nothing was changed")]
    Unknown { database: String, found: String },
    #[error("the schema version cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Reads the version; writes it where there is none. Databases from before there was one have version 1.
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
                // Another one who starts now was faster; it may be a newer one.
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
