//! The options of every client that we make: time limits, durable writes, and reads from the primary.

use std::time::Duration;

use mongodb::{
    error::ErrorKind,
    options::{Acknowledgment, ClientOptions, ReadConcern, ReadPreference, WriteConcern},
};

use super::{connection::ConnectError, error};

/// How long the driver looks for a server that can take the command.
const SERVER_SELECTION: Duration = Duration::from_secs(2);
/// How long a command of a request may take. This is longer than [`SERVER_SELECTION`], so that the driver's own error
/// is reported first. A database that hangs counts as unavailable, like one that is down.
pub const COMMAND: Duration = Duration::from_millis(2_500);
/// How long a command on a batch of documents may take (import, deleting an account).
pub const BATCH: Duration = Duration::from_mins(1);
/// How long the server waits for a configured database when it starts.
pub(super) const STARTUP: Duration = Duration::from_secs(30);

/// Parses the URI. Our defaults fill in what it leaves out, and our durability and read settings always apply.
///
/// # Errors
/// The driver's error, for a URI that it cannot parse or resolve.
pub async fn parse(uri: &str) -> Result<ClientOptions, mongodb::error::Error> {
    let mut options = ClientOptions::parse(uri).await?;
    options.app_name.get_or_insert_with(|| "movie-bag".to_owned());
    options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
    options.connect_timeout.get_or_insert(SERVER_SELECTION);
    options.max_pool_size.get_or_insert(32);
    // Override the URI: a guard and the check after an insert must see the latest writes.
    options.selection_criteria = Some(ReadPreference::Primary.into());
    // After an election, `majority` would hide acknowledged writes for a moment. Only change streams use it, because
    // they know nothing else.
    options.read_concern = Some(ReadConcern::local());
    // Acknowledged writes must survive: they are on a majority, and in the journal.
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    Ok(options)
}

/// Parses the URI, and retries while its name cannot be resolved. On a machine that has just started, a name may not
/// be known yet (`mongodb+srv` looks it up at once).
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
        tracing::warn!(reason, "waiting until the host name in mongodb.uri resolves");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn our_read_and_write_settings_override_the_uri() {
        let uri = "mongodb://127.0.0.1/?readConcernLevel=majority&readPreference=secondary&w=1&journal=false";
        let options = parse(uri).await.unwrap();
        assert_eq!(options.read_concern, Some(ReadConcern::local()));
        assert_eq!(options.selection_criteria, Some(ReadPreference::Primary.into()));
        let durable = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
        assert_eq!(options.write_concern, Some(durable));
    }
}
