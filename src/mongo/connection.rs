//! How a connection is opened, and closed; what every client of ours asks for.

use std::{borrow::Cow, path::Path, time::Duration};

use bson::doc;
use mongodb::{
    Client,
    error::ErrorKind,
    options::{Acknowledgment, ClientOptions, ReadConcern, ReadPreference, WriteConcern},
};
use secrecy::ExposeSecret;

use super::{
    error::{self, StoreError, within},
    indexes, pool, schema,
    sightings::Sightings,
};
use crate::{
    config::Settings,
    mongod::{self, Embedded, EmbeddedError},
};

/// How long the driver looks for a server that can take the command before it gives up.
const SERVER_SELECTION: Duration = Duration::from_secs(2);
/// How long a command of a request may take. It is longer than [`SERVER_SELECTION`], so that the
/// driver's own error is seen first; a database that hangs is "away" like one that is gone.
pub const COMMAND: Duration = Duration::from_millis(2_500);
/// How long a command on a batch of documents may take (import, cascade).
pub const BATCH: Duration = Duration::from_mins(1);
/// How long the start waits for a configured database.
const STARTUP: Duration = Duration::from_secs(30);
/// How long the driver may take to close its connections.
const FAREWELL: Duration = Duration::from_secs(5);

/// A database that answers and has its indexes.
pub struct Connection {
    pub client: Client,
    pub database: mongodb::Database,
    pub pool: pool::PoolMetrics,
    embedded: Option<Embedded>,
    /// Where it is: said to the operator at the start.
    name: String,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// A wrong setting.
    #[error("mongodb.uri: {}", error::reason(.0))]
    Uri(mongodb::error::Error),
    #[error("MongoDB at {hosts} does not let us in: {source}")]
    Refused { hosts: String, source: StoreError },
    #[error("MongoDB at {hosts} cannot be used, tried for {} s: {reason}", STARTUP.as_secs())]
    Away { hosts: String, reason: String },
    #[error(transparent)]
    Schema(#[from] schema::SchemaError),
    #[error("the indexes cannot be made: {0}")]
    Indexes(StoreError),
}

impl Connection {
    /// Connects to the configured MongoDB or to the embedded one, and makes sure of its schema and of the
    /// indexes.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let (mut options, embedded) = if let Some(uri) = &settings.mongodb.uri {
            (resolved(uri.expose_secret()).await?, None)
        } else {
            let supervisor = std::env::current_exe().map_err(EmbeddedError::Supervisor)?;
            let embedded = Embedded::attach(mongod::Options {
                supervisor,
                data_dir: settings.data_dir.clone(),
                mongod: settings.mongodb.mongod.clone(),
                arguments: Vec::new(),
                ephemeral: false,
            })
            .await?;
            let options = parse(&embedded.uri()).await.map_err(ConnectError::Uri)?;
            (options, Some(embedded))
        };
        let hosts = options.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let name = match &embedded {
            Some(embedded) => {
                format!("the embedded mongod, data in {}", embedded.data_dir().display())
            }
            None => format!("MongoDB at {hosts}"),
        };
        let pool = pool::PoolMetrics::watching(&mut options);
        let sightings = Sightings::default();
        options.sdam_event_handler = Some(sightings.handler());
        let client = Client::with_options(options).map_err(ConnectError::Uri)?;
        let database = client.database(&settings.mongodb.database);
        wait(&database, &hosts, &sightings).await?;
        // Before anything is changed.
        schema::ensure(&database).await?;
        indexes::ensure(&database).await.map_err(ConnectError::Indexes)?;
        Ok(Self { client, database, pool, embedded, name })
    }

    /// Which database this is, for a person; without credentials.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        format!("{}, database {}", self.name, self.database.name()).into()
    }

    /// The folder of the embedded database, if it is that.
    #[must_use]
    pub fn data_dir(&self) -> Option<&Path> {
        self.embedded.as_ref().map(Embedded::data_dir)
    }

    /// Closes the connections; the embedded mongod ends with its last user.
    pub async fn close(self) {
        // It waits for what is still open, a cursor of something that was given up for one.
        let _ = tokio::time::timeout(FAREWELL, self.client.shutdown()).await;
        if let Some(embedded) = self.embedded {
            embedded.release().await;
        }
    }
}

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
async fn resolved(uri: &str) -> Result<ClientOptions, ConnectError> {
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

async fn wait(database: &mongodb::Database, hosts: &str, sightings: &Sightings) -> Result<(), ConnectError> {
    let deadline = tokio::time::Instant::now() + STARTUP;
    loop {
        let reason = match ping(database, COMMAND).await {
            Ok(()) => return Ok(()),
            // A wrong password stays wrong.
            Err(source @ StoreError::Other(_)) => {
                return Err(ConnectError::Refused { hosts: hosts.to_owned(), source });
            }
            Err(error) => sightings.describe().unwrap_or_else(|| error.to_string()),
        };
        if tokio::time::Instant::now() >= deadline {
            return Err(ConnectError::Away { hosts: hosts.to_owned(), reason });
        }
        tracing::warn!(hosts, reason, "waiting for MongoDB");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Asks the database whether it answers.
///
/// # Errors
/// Any failure to answer within `limit`.
pub async fn ping(database: &mongodb::Database, limit: Duration) -> Result<(), StoreError> {
    within(limit, database.run_command(doc! { "ping": 1 })).await.map(drop)
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
