//! `movie-bag serve`: starts the database and the server, and ends both cleanly.
//!
//! Every step that may take a while first writes a line to the log. Once the server listens, a person can read the most
//! important facts on standard output, which has nothing else ([`welcome`](super::welcome)).

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use figment::Figment;
use rocket::{error::ErrorKind, fairing::AdHoc};
use rustix::process::{Resource, getrlimit, setrlimit};
use secrecy::SecretString;

use super::welcome::Welcome;
use crate::{
    accounts::store::admin_list::Admins,
    config::{Settings, secret},
    mail::Mailer,
    mongo::{ConnectError, Connection, versions},
    mongod,
    movies::{
        changes,
        finder::{Engine, EngineError},
    },
    server::stop::{self, Signals},
    telemetry::{log::Log, metrics},
};

/// The server locks this file in its data folder, so that no second server uses the folder.
const LOCK: &str = "serve.lock";

/// Why the server did not start, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A setting: exit code 2.
    #[error("{0}")]
    Setting(String),
    /// Anything else: exit code 1.
    #[error("{0}")]
    Failed(String),
}

/// Serves until a signal asks it to stop.
///
/// # Errors
/// See [`ServeError`].
pub async fn run(figment: &Figment, settings: &Settings, log: &Log) -> Result<(), ServeError> {
    if settings.mongodb.uri.is_some() && settings.jwt.secret.is_none() {
        return Err(secret_is_required());
    }
    raise_file_limit();
    // The lock is held until this function or the process ends.
    let _only_one = match settings.mongodb.uri {
        None => Some(lock(&settings.data_dir)?),
        Some(_) => None,
    };
    if settings.mongodb.uri.is_none() {
        secret::warn_of_loose(&settings.data_dir);
    }
    // Listen before the database is opened: the first process of a container gets only the signals that it asks for.
    let mut signals = Signals::listen().map_err(failed)?;
    let opened = tokio::select! {
        opened = Connection::open(settings) => opened,
        () = signals.next() => {
            tracing::info!("stopped before the server was ready");
            return Ok(());
        }
    };
    let connection = opened.map_err(|error| match error {
        ConnectError::Uri(_) => ServeError::Setting(error.to_string()),
        error => failed(error),
    })?;
    let result = launch(figment, settings, log, &connection, signals).await;
    // Close the connections only now: until here, requests were in flight.
    connection.close().await;
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

async fn launch(
    figment: &Figment,
    settings: &Settings,
    log: &Log,
    connection: &Connection,
    signals: Signals,
) -> Result<(), ServeError> {
    Admins::new(&connection.database).ensure().await.map_err(failed)?;
    changes::prepare(&connection.database).await.map_err(failed)?;
    let engine = Engine::choose(&connection.database, settings.search.engine).await;
    let engine = engine.map_err(|error| match error {
        EngineError::NoChangeStreams => ServeError::Setting(error.to_string()),
        EngineError::Store(error) => failed(error),
    })?;
    let secret = jwt_secret(settings, connection)?;
    warn_of_vulnerable_version(&connection.database).await?;
    let (database, public_url) = (connection.name().into_owned(), settings.public_url.clone());
    let rocket = crate::server::rocket(figment, settings, &secret, &connection.database, engine)
        .map_err(failed)?
        .attach(metrics::registering("log", log.collectors()))
        .attach(metrics::registering("driver pool", connection.pool.collectors()))
        .attach(AdHoc::on_liftoff("welcome", move |rocket| {
            let welcome = Welcome {
                listens: (rocket.config().address, rocket.config().port).into(),
                public_url,
                database,
                search: engine.to_string(),
                mail: rocket.state::<Mailer>().map_or("", Mailer::describe),
            };
            Box::pin(async move { welcome.print() })
        }));
    #[cfg(feature = "otlp")]
    let rocket = match crate::server::traces::Traces::start().map_err(ServeError::Setting)? {
        Some(traces) => rocket.attach(traces),
        None => rocket,
    };
    stop::serve(rocket, signals).await.map_err(|error| {
        ServeError::Failed(match error.kind() {
            ErrorKind::Bind(error) => {
                let config = figment.extract::<rocket::Config>().unwrap_or_default();
                format!("cannot listen on {}:{}: {error}", config.address, config.port)
            }
            kind => kind.to_string(),
        })
    })
}

/// This includes a MongoDB that the operator runs: people rarely check its version again once it is running.
async fn warn_of_vulnerable_version(database: &mongodb::Database) -> Result<(), ServeError> {
    if let Some(version) = versions::vulnerable(database).await.map_err(failed)? {
        tracing::warn!(version, "this MongoDB has known security holes: update it (see SECURITY.md)");
    }
    Ok(())
}

/// Each connection is an open file, and each listener to events has a connection. Raises the limit from the usual 1,024
/// to what the system allows.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "could not raise the limit of open files");
    }
}

fn lock(data_dir: &Path) -> Result<File, ServeError> {
    let unusable =
        |error| ServeError::Failed(format!("the data folder {} cannot be used: {error}", data_dir.display()));
    mongod::create_private(data_dir).map_err(unusable)?;
    let file = File::create(data_dir.join(LOCK)).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::Failed(format!(
            "another server runs on the data folder {}: stop it, or set data_dir (MOVIE_BAG_DATA_DIR)",
            data_dir.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

fn jwt_secret(settings: &Settings, connection: &Connection) -> Result<SecretString, ServeError> {
    match (&settings.jwt.secret, connection.data_dir()) {
        (Some(secret), _) => Ok(secret.clone()),
        (None, Some(data_dir)) => {
            secret::kept_in(data_dir).map_err(|error| ServeError::Failed(format!("the JWT secret: {error}")))
        }
        (None, None) => Err(secret_is_required()),
    }
}

fn secret_is_required() -> ServeError {
    let text =
        "jwt.secret: is required with mongodb.uri; it needs at least 32 bytes (try: openssl rand -base64 48)";
    ServeError::Setting(text.to_owned())
}

fn failed(error: impl std::fmt::Display) -> ServeError {
    ServeError::Failed(error.to_string())
}
