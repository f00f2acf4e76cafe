//! Errors of the database, sorted by what the caller can do about them.
//!
//! This file does not know HTTP: `http/problem` says what a client reads.

use std::{future::IntoFuture, time::Duration};

use bson::Document;
use mongodb::error::{CommandError, Error, ErrorKind, IndexedWriteError, WriteFailure};

use super::indexes;

/// A failed command. If several callers shared it, each gets a clone.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The unique index with this name rejected the document.
    #[error("the unique index {0} rejected the document")]
    Duplicate(&'static str),
    /// The database is unavailable, or is changing its primary. Retrying later will work. A write may have been
    /// applied.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Too many callers wait for the database, so it was not asked.
    #[error("too many requests are waiting for the database")]
    Overloaded,
    /// Anything else is a bug, in our code or in the deployment.
    #[error("the database rejected the command: {}", reason(.0))]
    Other(#[source] Box<Error>),
}

const DUPLICATE_KEY: i32 = 11000;
/// "The $changeStream stage is only supported on replica sets".
pub const NOT_A_REPLICA_SET: i32 = 40573;
/// How many times, and how far apart, [`patiently`] retries.
const RETRIES: u32 = 15;
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// Server errors that pass by themselves: the "retryable reads" and "retryable writes" of the driver specification,
/// and operations that ran out of time.
const PASSING: &[i32] =
    &[6, 7, 50, 64, 89, 91, 133, 134, 189, 202, 262, 290, 9001, 10107, 11600, 11601, 11602, 13435, 13436];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if is_duplicate(&error) {
            Self::Duplicate(refusing_index(&error))
        } else if is_passing(&error) {
            Self::Unavailable(reason(&error))
        } else {
            Self::Other(Box::new(error))
        }
    }
}

/// One document of several was rejected.
impl From<&IndexedWriteError> for StoreError {
    fn from(refused: &IndexedWriteError) -> Self {
        match refused.code {
            DUPLICATE_KEY => Self::Duplicate(indexes::UNNAMED),
            code if PASSING.contains(&code) => Self::Unavailable(refused.message.clone()),
            code => Self::Other(Box::new(Error::custom(format!("{} ({code})", refused.message)))),
        }
    }
}

/// The reason in one line: the driver's own text also contains labels, sources and topologies.
pub(super) fn reason(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::ServerSelection { .. } => "no reachable server can take the command".to_owned(),
        kind => kind.to_string(),
    }
}

/// The code of a command that the server rejected.
pub(crate) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        _ => None,
    }
}

/// Which index rejected the document. The answer to `findAndModify` contains the keys of the index. For an insert,
/// the driver keeps only a code and a text, so there the caller names the index ([`inserting`]).
fn refusing_index(error: &Error) -> &'static str {
    let keys = error.server_response().and_then(|answer| answer.get_document("keyPattern").ok());
    keys.and_then(|keys| Document::try_from(keys).ok())
        .and_then(|keys| indexes::unique_by(&keys))
        .unwrap_or(indexes::UNNAMED)
}

fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        // findAndModify returns a command error where update returns a write error.
        ErrorKind::Command(CommandError { code, .. }) => *code == DUPLICATE_KEY,
        _ => false,
    }
}

fn is_passing(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Shutdown
        // A majority has not acknowledged it (yet).
        | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        ErrorKind::Command(CommandError { code, .. }) => PASSING.contains(code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => PASSING.contains(&error.code),
        ErrorKind::InsertMany(errors) => errors.write_concern_error.is_some(),
        _ => ["RetryableWriteError", "TransientTransactionError"].iter().any(|label| error.contains_label(label)),
    }
}

/// Runs one command. All repositories use this.
///
/// # Errors
/// Also [`StoreError::Unavailable`] when the answer takes longer than `limit`: the driver has no time limit of its
/// own for a connection that is open but silent.
pub async fn within<T>(
    limit: Duration,
    command: impl IntoFuture<Output = mongodb::error::Result<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, command.into_future()).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(StoreError::Unavailable(format!("no answer in {} ms", limit.as_millis()))),
    }
}

/// Runs an insert that only this unique index can reject, because every other unique value is new.
///
/// # Errors
/// [`StoreError::Duplicate`] with that index, and those of [`within`].
pub async fn inserting<T>(
    limit: Duration,
    index: &'static str,
    insert: impl IntoFuture<Output = mongodb::error::Result<T>>,
) -> Result<T, StoreError> {
    within(limit, insert).await.map_err(|error| match error {
        StoreError::Duplicate(_) => StoreError::Duplicate(index),
        error => error,
    })
}

/// Retries while the database is unavailable, with pauses of half a minute in total. It is for the command line,
/// which keeps nobody waiting. `ask` must be safe to repeat.
///
/// # Errors
/// The last error, or the first one that does not pass by itself.
pub async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut tries = 0;
    loop {
        match ask().await {
            Err(StoreError::Unavailable(reason)) if tries < RETRIES => {
                tries += 1;
                tracing::warn!(%reason, "the database is unavailable; trying again");
                tokio::time::sleep(RETRY_DELAY).await;
            }
            result => return result,
        }
    }
}
