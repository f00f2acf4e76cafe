//! Ensures that every index exists when the server starts.

use std::time::{Duration, Instant};

use bson::Document;
use mongodb::{Collection, Database};

use super::{
    BATCH, COMMAND, StoreError, error,
    indexes::{
        CHANGES, EXCHANGE_CODES, FORMER, IDEMPOTENCY_KEYS, Index, MOVIES, PERSONAL_TOKENS, REVOKED_TOKENS,
        SESSIONS, TEXT, THROTTLE, USERS, all, text,
    },
    within,
};

/// How long building the indexes of a collection may take: some minutes for each million movies.
const BUILD: Duration = Duration::from_hours(4);
/// The server's error code for a missing collection.
const NO_SUCH_COLLECTION: i32 = 26;
/// Its error codes for a missing index or collection.
const ABSENT: [i32; 2] = [27, NO_SUCH_COLLECTION];

/// Builds the missing indexes, except for the one that only a text search needs. For a large collection this takes a
/// while, and the log says so.
///
/// # Errors
/// The database's error. This includes data that breaks a unique rule.
pub async fn ensure(database: &Database) -> Result<(), StoreError> {
    tracing::info!("checking the indexes, and building any that are missing");
    for name in [
        USERS,
        MOVIES,
        CHANGES,
        SESSIONS,
        PERSONAL_TOKENS,
        REVOKED_TOKENS,
        EXCHANGE_CODES,
        THROTTLE,
        IDEMPOTENCY_KEYS,
    ] {
        ensure_of(database, name).await?;
    }
    for former in FORMER {
        drop_one(&database.collection(MOVIES), former).await?;
    }
    Ok(())
}

/// Builds the missing indexes of one collection.
///
/// # Errors
/// The database's error.
pub async fn ensure_of(database: &Database, collection: &str) -> Result<(), StoreError> {
    let indexes = all().into_iter().filter(|index| index.collection == collection).collect();
    make(&database.collection(collection), indexes).await
}

/// Builds the index of MongoDB's own text search, if it is missing.
///
/// # Errors
/// The database's error.
pub async fn ensure_text(database: &Database) -> Result<(), StoreError> {
    make(&database.collection(MOVIES), vec![text()]).await
}

/// Whether MongoDB's own text search is usable.
///
/// # Errors
/// The database's error.
pub async fn has_text<T: Send + Sync>(movies: &Collection<T>) -> Result<bool, StoreError> {
    let there = within(COMMAND, present(&movies.clone_with_type())).await?;
    Ok(there.iter().any(|name| name == TEXT))
}

/// Drops the index of MongoDB's own text search, which slows down every write.
///
/// # Errors
/// The database's error. A missing index is not an error.
pub async fn drop_text<T: Send + Sync>(movies: &Collection<T>) -> Result<(), StoreError> {
    drop_one(&movies.clone_with_type(), TEXT).await
}

async fn drop_one(collection: &Collection<Document>, index: &str) -> Result<(), StoreError> {
    match within(BATCH, collection.drop_index(index)).await {
        Err(StoreError::Other(error)) if error::code(&error).is_some_and(|code| ABSENT.contains(&code)) => {
            Ok(())
        }
        Ok(()) => {
            tracing::info!(collection = collection.name(), index, "dropped an index that is no longer used");
            Ok(())
        }
        error => error,
    }
}

async fn make(collection: &Collection<Document>, indexes: Vec<Index>) -> Result<(), StoreError> {
    let there = within(BATCH, present(collection)).await?;
    let missing = indexes.iter().filter(|index| !there.iter().any(|name| name == index.name));
    let names: Vec<&str> = missing.map(|index| index.name).collect();
    let documents = within(BATCH, collection.estimated_document_count()).await?;
    let begun = Instant::now();
    let says_so = !names.is_empty() && documents > 0;
    if says_so {
        // Log a warning, so that every command shows it: somebody is waiting, and wonders why.
        tracing::warn!(
            collection = collection.name(),
            documents,
            ?names,
            "building the missing indexes; this may take minutes"
        );
    }
    // Create the others too: an index that exists in another form must be an error.
    within(BUILD, collection.create_indexes(indexes.into_iter().map(Index::into_model))).await?;
    if says_so {
        tracing::warn!(
            collection = collection.name(),
            seconds = begun.elapsed().as_secs(),
            "the indexes are built"
        );
    }
    Ok(())
}

/// The names of a collection's indexes. A missing collection has none.
async fn present(collection: &Collection<Document>) -> mongodb::error::Result<Vec<String>> {
    match collection.list_index_names().await {
        Err(error) if error::code(&error) == Some(NO_SUCH_COLLECTION) => Ok(Vec::new()),
        names => names,
    }
}
