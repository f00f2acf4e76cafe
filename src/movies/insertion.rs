//! How new movies get into the collection: those of several callers in one command, each with an
//! outcome of its own.

use std::{
    collections::HashMap,
    future::IntoFuture,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use mongodb::{
    Collection,
    error::{ErrorKind, InsertManyError},
};

use super::model::MovieDocument;
use crate::mongo::{COMMAND, StoreError, batches::Command, error::DUPLICATE_KEY};

/// What became of a new movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Yes,
    /// Another movie has its name in its year.
    Duplicate,
}

/// Inserts what can be inserted, and tells it of each movie, by its place.
///
/// # Errors
/// When there is no news of each movie: then some may be in.
pub(super) async fn insert_each(
    collection: &Collection<MovieDocument>,
    movies: &[&MovieDocument],
    limit: Duration,
) -> Result<Vec<Inserted>, StoreError> {
    let mut outcome = vec![Inserted::Yes; movies.len()];
    // Unordered: one that is refused does not keep out those after it.
    let insert = collection.insert_many(movies.iter().copied()).ordered(false);
    match tokio::time::timeout(limit, insert.into_future()).await {
        Ok(Ok(_)) => Ok(outcome),
        Ok(Err(error)) => match &*error.kind {
            ErrorKind::InsertMany(InsertManyError {
                write_errors: Some(refused),
                write_concern_error: None,
                ..
            }) if refused.iter().all(|refused| refused.code == DUPLICATE_KEY) => {
                for refused in refused {
                    if let Some(outcome) = outcome.get_mut(refused.index)
                        && !is_own_id(&refused.message)
                    {
                        *outcome = Inserted::Duplicate;
                    }
                }
                Ok(outcome)
            }
            _ => Err(error.into()),
        },
        Err(_) => Err(StoreError::Unavailable(format!("no answer in {} ms", limit.as_millis()))),
    }
}

/// Whether what is there already is the document itself: an earlier try that was thought lost has
/// arrived. The text before the key is the server's alone.
fn is_own_id(message: &str) -> bool {
    message.split(" dup key:").next().is_some_and(|before| before.contains("index: _id_"))
}

/// A movie that waits to be inserted. No two are equal.
#[derive(Clone)]
pub(super) struct NewMovie(pub Arc<MovieDocument>);

impl PartialEq for NewMovie {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for NewMovie {}

impl Hash for NewMovie {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

/// The inserts of single movies.
pub(super) struct Insert(pub Collection<MovieDocument>);

impl Command for Insert {
    type Key = NewMovie;
    type Value = Inserted;

    const KEYS: usize = 100;
    const RUNS: usize = 1;
    const MOST_RUNS: usize = 4;
    /// Fewer than of those who read: each of these holds a body.
    const CALLERS: usize = 512;
    const LIMIT: Duration = COMMAND;

    /// The driver repeats the command itself, once, under its own number, so that the database does
    /// nothing twice; we never do.
    async fn run(&self, movies: Vec<NewMovie>) -> Result<HashMap<NewMovie, Inserted>, StoreError> {
        let documents: Vec<&MovieDocument> = movies.iter().map(|movie| &*movie.0).collect();
        let outcome = insert_each(&self.0, &documents, COMMAND).await?;
        Ok(movies.into_iter().zip(outcome).collect())
    }
}
