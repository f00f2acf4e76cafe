//! A replica set, and two real servers that use it.

use std::{process::Command, time::Duration};

use bson::doc;
use mongodb::Database;
use rustix::process::Signal;
use tokio::runtime::Runtime;

use crate::{
    process::{Folder, Server},
    replica_set::{ReplicaSet, free_port},
};

pub const SECRET: &str = "the secret of the tests, 32 bytes and more";
pub const SERVERS: usize = 2;

/// Fields are dropped in this order: the servers first, the runtime of the proxies last.
pub struct Cluster {
    servers: Vec<Option<Server>>,
    ports: Vec<u16>,
    pub set: ReplicaSet,
    folder: Folder,
    /// Further settings of the servers.
    settings: Vec<(&'static str, String)>,
    /// The test's own connection to the database.
    pub database: Database,
    pub runtime: Runtime,
}

/// The setting that keeps movies in memory.
pub const CACHED: (&str, &str) = ("MOVIE_BAG_CACHE__MOVIES", "10000");

impl Cluster {
    pub fn start(members: usize) -> Self {
        Self::with(members, Vec::new())
    }

    pub fn with(members: usize, settings: Vec<(&'static str, String)>) -> Self {
        let runtime = Runtime::new().unwrap();
        let set = ReplicaSet::start(members, runtime.handle());
        let database = runtime.block_on(async {
            // The test waits longer than a server would.
            let uri = format!("{}&serverSelectionTimeoutMS=30000", set.uri());
            let options = movie_bag::mongo::parse(&uri).await.unwrap();
            mongodb::Client::with_options(options).unwrap().database("movie_bag")
        });
        let (folder, ports) = (Folder::new(), (0..SERVERS).map(|_| free_port()).collect());
        let servers = (0..SERVERS).map(|_| None).collect();
        let mut cluster = Self { servers, ports, set, folder, settings, database, runtime };
        for server in 0..SERVERS {
            cluster.start_server(server);
        }
        cluster
    }

    /// How long a server may return the old state after another one has written: with `cache.movies` three seconds
    /// (docs/evidence/reliability.md), and one more for a busy machine.
    pub fn lag(&self) -> Duration {
        let is_cached = self.settings.iter().any(|(name, _)| *name == CACHED.0);
        if is_cached { Duration::from_secs(4) } else { Duration::ZERO }
    }

    fn command(&self, server: usize) -> Command {
        let mut command = self.folder.command(&["serve"]);
        command
            .env("ROCKET_PORT", self.ports[server].to_string())
            .env("MOVIE_BAG_MONGODB__URI", self.set.uri())
            .env("MOVIE_BAG_JWT__SECRET", SECRET);
        for (name, value) in &self.settings {
            command.env(name, value);
        }
        command
    }

    /// Starts a server, at its former address if it had one.
    pub fn start_server(&mut self, server: usize) {
        self.servers[server] = Some(Server::start(self.command(server)));
    }

    pub fn server(&self, server: usize) -> &Server {
        self.servers[server].as_ref().expect("a server that runs")
    }

    pub fn bases(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect()
    }

    pub fn kill_server(&mut self, server: usize) {
        let server = self.servers[server].take().expect("a server that runs");
        server.signal(Signal::KILL);
        server.wait();
    }

    /// Restarts a server as an operator does. When it starts, it looks for unfinished deletions.
    pub fn restart_server(&mut self, server: usize) {
        self.servers[server].take().expect("a server that runs").stop();
        self.start_server(server);
    }

    pub fn count(&self, collection: &str, filter: bson::Document) -> u64 {
        let collection = self.database.collection::<bson::Document>(collection);
        self.runtime.block_on(async { collection.count_documents(filter).await }).unwrap()
    }

    /// Inserts movies of an account directly into the database.
    pub fn give_movies(&self, owner: &str, names: &str, count: usize) {
        let owner = bson::oid::ObjectId::parse_str(owner).unwrap();
        let now = bson::DateTime::now();
        let movies = (0..count).map(|number| {
            doc! {
                "name": format!("{names} {number}"), "casts": [], "genres": ["Drama"], "directors": [],
                "countries": [], "languages": [], "added_by": owner, "created_at": now, "updated_at": now,
                "version": 1_i64,
            }
        });
        let collection = self.database.collection("movies");
        self.runtime.block_on(async { collection.insert_many(movies).await }).unwrap();
    }
}
