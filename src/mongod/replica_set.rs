//! Turns mongod into a replica set of one. Transactions and change streams need a replica set.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{
    Client, Database,
    error::{Error, ErrorKind, Result},
    options::ClientOptions,
};
use tokio::time::{Instant, sleep, timeout};

use super::socket::ADDRESS;

/// The name of the replica set.
pub(super) const NAME: &str = "movie-bag";
const TICK: Duration = Duration::from_millis(20);
/// How long one command may take. A mongod that has just started answers some commands late.
const COMMAND: Duration = Duration::from_millis(2_500);
/// The server's error codes for a replica set that does not exist yet, or that exists already.
const NOT_YET_INITIALIZED: i32 = 94;
const ALREADY_INITIALIZED: i32 = 23;

/// Waits until mongod accepts writes.
///
/// # Errors
/// The reason, if mongod does not accept writes by the deadline.
pub(super) async fn ensure_primary(uri: &str, deadline: Instant) -> std::result::Result<(), String> {
    let client = connect(uri).await.map_err(|error| reason(&error))?;
    let admin = client.database("admin");
    loop {
        let why_not = match is_primary(&admin).await {
            Ok(true) => {
                client.shutdown().await;
                return Ok(());
            }
            Ok(false) => "it did not become primary".to_owned(),
            Err(error) => reason(&error),
        };
        if Instant::now() >= deadline {
            return Err(why_not);
        }
        sleep(TICK).await;
    }
}

async fn connect(uri: &str) -> Result<Client> {
    let mut options = ClientOptions::parse(uri).await?;
    options.server_selection_timeout = Some(COMMAND);
    Client::with_options(options)
}

/// Whether mongod is primary. Configures the replica set if necessary.
async fn is_primary(admin: &Database) -> Result<bool> {
    let hello = ask(admin, doc! { "hello": 1 }).await?;
    if hello.get_bool("isWritablePrimary").unwrap_or(false) {
        return Ok(true);
    }
    // Without this field, mongod has no configuration yet, or one that lacks its address.
    if !hello.contains_key("setName") {
        configure(admin).await?;
    }
    Ok(false)
}

async fn configure(admin: &Database) -> Result<()> {
    let members = vec![doc! { "_id": 0, "host": ADDRESS }];
    let command = match ask(admin, doc! { "replSetGetConfig": 1 }).await {
        Ok(answer) => {
            let Ok(mut config) = answer.get_document("config").cloned() else { return Ok(()) };
            let known = config.get_array("members").map(Vec::as_slice).unwrap_or_default();
            if known.iter().any(|member| {
                member.as_document().and_then(|member| member.get_str("host").ok()) == Some(ADDRESS)
            }) {
                return Ok(());
            }
            // Earlier releases listened on a TCP port.
            config.insert("members", members);
            config.insert("version", config.get_i32("version").unwrap_or(1) + 1);
            doc! { "replSetReconfig": config, "force": true }
        }
        Err(error) if code(&error) == Some(NOT_YET_INITIALIZED) => {
            doc! { "replSetInitiate": { "_id": NAME, "members": members } }
        }
        Err(error) => return Err(error),
    };
    match ask(admin, command).await {
        // Another process that attached was faster.
        Err(error) if code(&error) == Some(ALREADY_INITIALIZED) => Ok(()),
        result => result.map(drop),
    }
}

async fn ask(admin: &Database, command: Document) -> Result<Document> {
    match timeout(COMMAND, admin.run_command(command)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::custom(format!("no answer in {} ms", COMMAND.as_millis()))),
    }
}

fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        _ => None,
    }
}

/// The reason in one line: the driver's own text also contains labels, sources and topologies.
fn reason(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::ServerSelection { .. } => "it does not answer on its socket".to_owned(),
        kind => kind.to_string(),
    }
}
