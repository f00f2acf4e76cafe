//! What every client of ours asks of the driver: limits of time, durable writes, and reads from the primary.

use std::time::Duration;

use mongodb::{
    error::ErrorKind,
    options::{Acknowledgment, ClientOptions, ReadConcern, ReadPreference, WriteConcern},
};

use super::{connection::ConnectError, error};

/// How long the driver looks for a server that can take the command before it gives up.
const SERVER_SELECTION: Duration = Duration::from_secs(2);
/// How long a command of a request may take. It is longer than [`SERVER_SELECTION`], so that the
/// driver's own error is seen first; a database that hangs is "away" like one that is gone.
pub const COMMAND: Duration = Duration::from_millis(2_500);
/// How long a command on a batch of documents may take (import, cascade).
pub const BATCH: Duration = Duration::from_mins(1);
/// How long the start waits for a configured database.
pub(super) const STARTUP: Duration = Duration::from_secs(30);

/// What the URI says, with our defaults where it is silent; our durability and our reads in any case.
///
/// # Errors
/// The driver's, for a URI that it cannot read or resolve.
pub async fn parse(uri: &str) -> Result<ClientOptions, mongodb::error::Error> {
    let mut options = ClientOptions::parse(uri).await?;
    options.app_name.get_or_insert_with(|| "movie-bag".to_owned());
    options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
    options.connect_timeout.get_or_insert(SERVER_SELECTION);
    options.max_pool_size.get_or_insert(32);
    // Whatever the URI says: a guard and the look after an insert must see what was written last.
    options.selection_criteria = Some(ReadPreference::Primary.into());
    // `majority` would hide for a moment, after an election, what was acknowledged before it. Only change
    // streams ask for it, since they know nothing else.
    options.read_concern = Some(ReadConcern::local());
    // Acknowledged means kept: on a majority, and in the journal.
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    Ok(options)
}

/// A name may not be known yet when a machine has just started (`mongodb+srv` asks for it at once).
pub(super) async fn resolved(uri: &str) -> Result<ClientOptions, ConnectError> {
    let deadline = tokio::time::Instant::now() + STARTUP;
    loop {
        let error = match parse(uri).await {
            Ok(options) => return Ok(options),
            Err(error) => error,
        };
        if !matches!(*error.kind, ErrorKind::DnsResolve { .. }) {
            return Err(ConnectError::Uri(error));
        }
        let reason = error::reason(&error);
        if tokio::time::Instant::now() >= deadline {
            return Err(ConnectError::Away { hosts: "the address in mongodb.uri".to_owned(), reason });
        }
        tracing::warn!(reason, "waiting for the name in mongodb.uri");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_and_writes_are_ours_whatever_the_uri_says() {
        let uri = "mongodb://127.0.0.1/?readConcernLevel=majority&readPreference=secondary&w=1&journal=false";
        let options = parse(uri).await.unwrap();
        assert_eq!(options.read_concern, Some(ReadConcern::local()));
        assert_eq!(options.selection_criteria, Some(ReadPreference::Primary.into()));
        let durable = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
        assert_eq!(options.write_concern, Some(durable));
    }
}
