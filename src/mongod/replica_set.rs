//! Makes a mongod a replica set of one: only then it has transactions and change streams.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{
    Client, Database,
    error::{Error, ErrorKind, Result},
    options::ClientOptions,
};
use tokio::time::{Instant, sleep, timeout};

use super::socket::ADDRESS;

/// Its name.
pub(super) const NAME: &str = "movie-bag";
const TICK: Duration = Duration::from_millis(20);
/// How long one command may take: a mongod that has just started answers some late.
const COMMAND: Duration = Duration::from_millis(2_500);
/// The server's replies to a replica set that is not there, or is there already.
const NOT_YET_INITIALIZED: i32 = 94;
const ALREADY_INITIALIZED: i32 = 23;

/// Waits until mongod takes writes.
///
/// # Errors
/// Why it does not, at the deadline.
pub(super) async fn ensure_primary(uri: &str, deadline: Instant) -> std::result::Result<(), String> {
    let client = connect(uri).await.map_err(|error| reason(&error))?;
    let admin = client.database("admin");
    loop {
        let why_not = match is_primary(&admin).await {
            Ok(true) => {
                client.shutdown().await;
                return Ok(());
            }
            Ok(false) => "it does not become primary".to_owned(),
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

/// Configures the replica set where that is needed.
async fn is_primary(admin: &Database) -> Result<bool> {
    let hello = ask(admin, doc! { "hello": 1 }).await?;
    if hello.get_bool("isWritablePrimary").unwrap_or(false) {
        return Ok(true);
    }
    // Without it, mongod has no configuration yet, or one without its address.
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
            // Releases before this one listened on a TCP port.
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

/// In one line: the driver's own text goes on with labels, sources and topologies.
fn reason(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::ServerSelection { .. } => "it does not answer on its socket".to_owned(),
        kind => kind.to_string(),
    }
}
