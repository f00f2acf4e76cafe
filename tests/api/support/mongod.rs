//! The databases of the tests: a mongod that many tests share, or an own one for a test that breaks it.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use bson::{Document, doc};
use movie_bag::mongod::{Embedded, Options};
use tokio::sync::OnceCell;

/// A database has some sixty files, which mongod keeps open, and on some systems a process may open 20,000. So a
/// mongod serves this many tests, and then a new one starts.
const TESTS_EACH: usize = 150;
static SHARED: [OnceCell<Embedded>; 8] = [const { OnceCell::const_new() }; 8];
static TESTS: AtomicUsize = AtomicUsize::new(0);

/// The MongoDB of `MOVIE_BAG_TEST_MONGODB_URI`, else a mongod that this test process shares. It ends with the
/// process, and its folder is deleted.
pub async fn shared_uri() -> String {
    if let Some(uri) = given_uri() {
        return uri;
    }
    let number = (TESTS.fetch_add(1, Ordering::Relaxed) / TESTS_EACH).min(SHARED.len() - 1);
    SHARED[number].get_or_init(async || start(&format!("shared{number}"), &[]).await).await.uri()
}

/// A MongoDB that somebody provides for the tests.
pub fn given_uri() -> Option<String> {
    std::env::var("MOVIE_BAG_TEST_MONGODB_URI").ok().filter(|uri| !uri.is_empty())
}

/// A mongod for a single test, which may kill it and use fail points.
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

    /// Holds the next commands of this kind on this collection, before they run.
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

/// An active hold.
pub struct Hold<'a> {
    mongod: &'a OwnMongod,
    entered: i32,
}

impl Hold<'_> {
    /// Waits until a command is being held.
    pub async fn reached(&self) {
        self.reached_by(1).await;
    }

    /// Waits until this many commands are being held.
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
