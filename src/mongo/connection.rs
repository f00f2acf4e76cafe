//! How a connection is opened and closed.

use std::{borrow::Cow, path::Path, time::Duration};

use bson::doc;
use mongodb::Client;
use secrecy::ExposeSecret;

use super::{
    client::{COMMAND, STARTUP, parse, resolved},
    error::{self, StoreError, within},
    index_builds, pool, schema,
    sightings::Sightings,
};
use crate::{
    config::Settings,
    mongod::{self, Embedded, EmbeddedError},
};

/// How long the driver may take to close its connections.
const FAREWELL: Duration = Duration::from_secs(5);

/// One hour. A change log that lags behind for longer lacks the former states, and reports that.
const IMAGES_KEPT_SECONDS: i64 = 3_600;

/// A database that is reachable and has its indexes.
pub struct Connection {
    pub client: Client,
    pub database: mongodb::Database,
    pub pool: pool::PoolMetrics,
    embedded: Option<Embedded>,
    /// The name of the database for the operator, printed when the server starts.
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
    #[error("MongoDB at {hosts} denied access: {source}")]
    Refused { hosts: String, source: StoreError },
    #[error("MongoDB at {hosts} was not usable within {} s: {reason}", STARTUP.as_secs())]
    Away { hosts: String, reason: String },
    #[error(transparent)]
    Schema(#[from] schema::SchemaError),
    #[error("the indexes cannot be built: {0}")]
    Indexes(StoreError),
}

impl Connection {
    /// Connects to the configured MongoDB or to the embedded one, and ensures its schema version and its indexes.
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
        let connection = Self { client, database, pool, embedded, name };
        match connection.prepare(&hosts, &sightings).await {
            Ok(()) => Ok(connection),
            Err(error) => {
                // A driver that is dropped with unfinished work may panic.
                connection.close().await;
                Err(error)
            }
        }
    }

    async fn prepare(&self, hosts: &str, sightings: &Sightings) -> Result<(), ConnectError> {
        wait(&self.database, hosts, sightings).await?;
        // Check this before changing anything.
        schema::ensure(&self.database).await?;
        if self.embedded.is_some() {
            limit_images(&self.client).await;
        }
        index_builds::ensure(&self.database).await.map_err(ConnectError::Indexes)
    }

    /// The name of the database for a person, without credentials.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        format!("{}, database {}", self.name, self.database.name()).into()
    }

    /// The data folder, if the database is the embedded one.
    #[must_use]
    pub fn data_dir(&self) -> Option<&Path> {
        self.embedded.as_ref().map(Embedded::data_dir)
    }

    /// Closes the connections. The embedded mongod ends with its last user.
    pub async fn close(self) {
        // This waits for everything that is still open, for example the cursor of a cancelled request.
        let _ = tokio::time::timeout(FAREWELL, self.client.shutdown()).await;
        if let Some(embedded) = self.embedded {
            embedded.release().await;
        }
    }
}

/// Limits how long the embedded mongod keeps the former states of movies: as long as the change log may take to read
/// them. On any other MongoDB, that is for its operator to decide.
async fn limit_images(client: &Client) {
    let images = doc! { "preAndPostImages": { "expireAfterSeconds": IMAGES_KEPT_SECONDS } };
    let command = doc! { "setClusterParameter": { "changeStreamOptions": images } };
    if let Err(error) = within(COMMAND, client.database("admin").run_command(command)).await {
        tracing::warn!(%error, "the embedded mongod keeps former states of movies until its oplog rolls over");
    }
}

async fn wait(database: &mongodb::Database, hosts: &str, sightings: &Sightings) -> Result<(), ConnectError> {
    let deadline = tokio::time::Instant::now() + STARTUP;
    loop {
        let reason = match ping(database, COMMAND).await {
            Ok(()) => return Ok(()),
            // Retrying does not help, for example with a wrong password.
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

/// Checks that the database answers.
///
/// # Errors
/// Any failure to answer within `limit`.
pub async fn ping(database: &mongodb::Database, limit: Duration) -> Result<(), StoreError> {
    within(limit, database.run_command(doc! { "ping": 1 })).await.map(drop)
}
