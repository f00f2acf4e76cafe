//! Makes sure at the start that every index is there.

use std::time::{Duration, Instant};

use bson::Document;
use mongodb::{Collection, Database};

use super::{
    BATCH, StoreError, error,
    indexes::{
        CHANGES, EXCHANGE_CODES, Index, MOVIES, PERSONAL_TOKENS, REVOKED_TOKENS, SESSIONS, THROTTLE, USERS,
        all,
    },
    within,
};

/// How long the making of a collection's indexes may take: some minutes for each million movies.
const BUILD: Duration = Duration::from_hours(4);
/// The server's reply when a collection is not there.
const NO_SUCH_COLLECTION: i32 = 26;

/// Makes the indexes that are missing. Of a large collection this takes a while, and says so in the log.
///
/// # Errors
/// The database's, also for data that breaks a unique rule.
pub async fn ensure(database: &Database) -> Result<(), StoreError> {
    for name in [USERS, MOVIES, CHANGES, SESSIONS, PERSONAL_TOKENS, REVOKED_TOKENS, EXCHANGE_CODES, THROTTLE]
    {
        let collection = database.collection::<Document>(name);
        let there = within(BATCH, present(&collection)).await?;
        let missing: Vec<Index> = all()
            .into_iter()
            .filter(|index| index.collection == name && !there.iter().any(|name| name == index.name))
            .collect();
        let names: Vec<&str> = missing.iter().map(|index| index.name).collect();
        let documents = within(BATCH, collection.estimated_document_count()).await?;
        let begun = Instant::now();
        let says_so = !names.is_empty() && documents > 0;
        if says_so {
            // A warning, so that every command shows it: somebody waits, and wonders why.
            tracing::warn!(
                collection = name,
                documents,
                ?names,
                "making the missing indexes; this may take minutes"
            );
        }
        // The others too: an index that is there in another shape must be an error.
        let models = all().into_iter().filter(|index| index.collection == name).map(Index::into_model);
        within(BUILD, collection.create_indexes(models)).await?;
        if says_so {
            tracing::warn!(collection = name, seconds = begun.elapsed().as_secs(), "the indexes are made");
        }
    }
    Ok(())
}

/// The names of a collection's indexes; of one that is not there yet, none.
async fn present(collection: &Collection<Document>) -> mongodb::error::Result<Vec<String>> {
    match collection.list_index_names().await {
        Err(error) if error::code(&error) == Some(NO_SUCH_COLLECTION) => Ok(Vec::new()),
        names => names,
    }
}
