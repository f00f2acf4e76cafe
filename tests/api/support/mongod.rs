//! The databases of the tests: a mongod that many share, or one of its own for a test that hurts it.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use bson::{Document, doc};
use movie_bag::mongod::{Embedded, Options};
use tokio::sync::OnceCell;

/// A database is some sixty files, which mongod keeps open, and a process may have 20,000 in some places: so a mongod
/// serves this many tests, and then comes the next one.
const TESTS_EACH: usize = 150;
static SHARED: [OnceCell<Embedded>; 8] = [const { OnceCell::const_new() }; 8];
static TESTS: AtomicUsize = AtomicUsize::new(0);

/// The MongoDB of `MOVIE_BAG_TEST_MONGODB_URI`, else a mongod that this test process shares. It ends,
/// and its folder goes, with the process.
pub async fn shared_uri() -> String {
    if let Some(uri) = given_uri() {
        return uri;
    }
    let number = (TESTS.fetch_add(1, Ordering::Relaxed) / TESTS_EACH).min(SHARED.len() - 1);
    SHARED[number].get_or_init(async || start(&format!("shared{number}"), &[]).await).await.uri()
}

/// The MongoDB that somebody keeps for the tests.
pub fn given_uri() -> Option<String> {
    std::env::var("MOVIE_BAG_TEST_MONGODB_URI").ok().filter(|uri| !uri.is_empty())
}

/// A mongod of one's own, which may be killed, and which has fail points.
pub struct OwnMongod {
    embedded: Embedded,
    pub admin: mongodb::Database,
}

impl OwnMongod {
    pub async fn start() -> Self {
        let name = bson::oid::ObjectId::new().to_hex();
        let embedded = start(&name, &["--setParameter", "enableTestCommands=1"]).await;
        let admin = mongodb::Client::with_uri_str(embedded.uri()).await.unwrap().database("admin");
        Self { embedded, admin }
    }

    pub fn uri(&self) -> String {
        self.embedded.uri()
    }

    pub async fn pid(&self) -> i32 {
        let status = self.admin.run_command(doc! { "serverStatus": 1 }).await.unwrap();
        i32::try_from(status.get_i64("pid").unwrap()).unwrap()
    }

    /// Holds the next command of this kind, on this collection, before it is done.
    pub async fn hold(&self, command: &str, namespace: &str, times: i32, milliseconds: i32) -> Hold<'_> {
        let data = doc! {
            "failCommands": [command],
            "namespace": namespace,
            "blockConnection": true,
            "blockTimeMS": milliseconds,
        };
        let mode = doc! { "times": times };
        let set = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
        let before = self.admin.run_command(set).await.unwrap().get_i32("count").unwrap();
        Hold { mongod: self, entered: before }
    }
}

/// A hold that was set.
pub struct Hold<'a> {
    mongod: &'a OwnMongod,
    entered: i32,
}

impl Hold<'_> {
    /// Waits until a command is being held.
    pub async fn reached(&self) {
        self.reached_by(1).await;
    }

    /// Waits until so many commands are being held.
    pub async fn reached_by(&self, commands: i32) {
        let wait = doc! {
            "waitForFailPoint": "failCommand",
            "timesEntered": self.entered + commands,
            "maxTimeMS": 20_000,
        };
        self.mongod.admin.run_command(wait).await.unwrap();
    }

    /// Holds no further command.
    pub async fn lift(&self) {
        let off: Document = doc! { "configureFailPoint": "failCommand", "mode": "off" };
        self.mongod.admin.run_command(off).await.unwrap();
    }
}

async fn start(name: &str, arguments: &[&str]) -> Embedded {
    let data_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    Embedded::attach(Options {
        supervisor: PathBuf::from(env!("CARGO_BIN_EXE_movie-bag")),
        data_dir,
        mongod: None,
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        ephemeral: true,
    })
    .await
    .unwrap()
}
