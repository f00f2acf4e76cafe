//! How the log begins: when a process starts, before its first write.

use bson::{Document, doc};
use mongodb::{Collection, Database};

use super::{
    feed::{Ended, Feed},
    store::ChangeStore,
};
use crate::mongo::{BATCH, StoreError, error, indexes, within};

const NAMESPACE_NOT_FOUND: i32 = 26;

/// Begins the log, unless there is one already. The log does not contain earlier writes. Returns whether it began now.
///
/// # Errors
/// When the database fails. A standalone MongoDB is not an error: it has no log.
pub async fn prepare(database: &Database) -> Result<bool, StoreError> {
    let movies = database.collection(indexes::MOVIES);
    keep_images(&movies).await?;
    let log = ChangeStore::new(database).state;
    if log.marks().await?.is_some() {
        return Ok(false);
    }
    match Feed::open(&movies, None).await {
        Ok(feed) => log.begin(&feed.start).await,
        Err(Ended::Failed(error)) => Err(error),
        Err(Ended::Unsupported | Ended::Forgotten | Ended::Lost) => Ok(false),
    }
}

/// Makes the database keep the state of a movie before a change, for a while. This must be set before the stream is
/// opened. A standalone MongoDB accepts the option too.
pub(super) async fn keep_images(movies: &Collection<Document>) -> Result<(), StoreError> {
    let database = movies.client().database(&movies.namespace().db);
    let images = doc! { "enabled": true };
    let command = doc! { "collMod": movies.name(), "changeStreamPreAndPostImages": images.clone() };
    match within(BATCH, database.run_command(command)).await {
        // The collection was dropped in the meantime.
        Err(StoreError::Other(error)) if error::code(&error) == Some(NAMESPACE_NOT_FOUND) => {
            let command = doc! { "create": movies.name(), "changeStreamPreAndPostImages": images };
            within(BATCH, database.run_command(command)).await.map(drop)
        }
        result => result.map(drop),
    }
}
