//! Traffic through all servers, and a ledger of what they acknowledged.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bson::doc;
use futures::TryStreamExt;
use serde_json::json;
use tokio::task::JoinHandle;

mod client;
mod ledger;
mod listener;
mod prober;
mod reader;
mod writer;

pub use client::{Client, Tally};
use ledger::Ledger;
use listener::Listener;
pub use prober::{Kind, Probes};

use crate::{
    cluster::{Cluster, SERVERS},
    process::PASSWORD,
};

/// Movies that exist throughout: a walk from page to page visits each of them once.
const STANDING: usize = 120;

/// How many clients work at once, and how fast.
#[derive(Clone, Copy)]
pub struct Rate {
    pub writers: usize,
    pub readers: usize,
    /// The pause between two requests of a client.
    pub pause: Duration,
}

pub const USUAL: Rate = Rate { writers: 4, readers: 2, pause: Duration::from_millis(20) };

/// Traffic that runs until [`Load::finish`].
pub struct Load {
    pub client: Arc<Client>,
    pub probes: Arc<Probes>,
    ledger: Arc<Ledger>,
    listeners: Vec<Arc<Listener>>,
    /// These end by themselves when they are told to stop.
    workers: Vec<JoinHandle<()>>,
    /// These run until the end.
    followers: Vec<JoinHandle<()>>,
    token: String,
}

/// The result of the load.
#[derive(Debug)]
pub struct Outcome {
    pub tally: Tally,
    pub movies: usize,
    pub changes: usize,
    pub walks: usize,
    pub visits_of_listeners: usize,
    pub resets: usize,
}

impl Load {
    /// Starts the traffic once every listener hears. Two servers may be killed at once only if `may_break` is set.
    pub fn start(cluster: &Cluster, rate: Rate, may_break: bool) -> Self {
        let client = Arc::new(Client::new(cluster.bases(), may_break, cluster.lag()));
        let ledger = Arc::new(Ledger::default());
        let token = cluster.server(0).sign_up("loader");
        let owner = cluster.server(0).get("/api/users/me", Some(&token)).1["id"].as_str().unwrap().to_owned();
        cluster.give_movies(&owner, "Standing", STANDING);
        // The movies were inserted elsewhere, so a server's search index has them a moment later.
        let all = format!("/api/movies?limit=1&count=true&sort=name&added_by={owner}");
        for server in 0..SERVERS {
            crate::process::eventually("a server has the movies in its index", || {
                cluster.server(server).get(&all, None).1["total"] == STANDING
            });
        }
        let probes = Arc::new(Probes::default());
        let runtime = &cluster.runtime;
        let listeners: Vec<_> = (0..SERVERS).map(|server| Arc::new(Listener::new(server))).collect();
        let followers = listeners.iter().map(|listener| {
            let (listener, client) = (Arc::clone(listener), Arc::clone(&client));
            runtime.spawn(async move { listener.follow(&client).await })
        });
        let mut followers: Vec<_> = followers.collect();
        for listener in &listeners {
            crate::process::eventually("a listener hears", || listener.hears());
        }
        let mut workers = Vec::new();
        for number in 0..rate.writers {
            let (client, ledger, token) = (Arc::clone(&client), Arc::clone(&ledger), token.clone());
            workers.push(runtime.spawn(async move {
                writer::Writer::new(&client, &ledger, &token, number, rate.pause).run().await;
            }));
        }
        for number in 0..rate.readers {
            let (client, owner) = (Arc::clone(&client), owner.clone());
            workers.push(
                runtime
                    .spawn(async move { reader::walk(&client, number, rate.pause, STANDING, &owner).await }),
            );
        }
        for server in 0..SERVERS {
            let movie = json!({ "name": format!("Probe {server}"), "casts": [], "genres": ["Probe"] });
            let (status, movie) =
                cluster.server(server).call("POST", "/api/movies", Some(&token), Some(movie));
            assert_eq!(status, 201);
            let path = format!("/api/movies/{}", movie["id"].as_str().unwrap());
            for kind in prober::KINDS {
                let (client, probes) = (Arc::clone(&client), Arc::clone(&probes));
                let (path, token) = (path.clone(), token.clone());
                followers.push(
                    runtime.spawn(async move { probes.probe(&client, server, kind, &path, &token).await }),
                );
            }
        }
        Self { client, probes, ledger, listeners, workers, followers, token }
    }

    /// Makes a change, and asserts that each listener hears it. Returns how long after its acknowledgement the last
    /// one heard it.
    pub fn assert_heard(&self, cluster: &Cluster, name: &str) -> Duration {
        let (client, ledger, token) = (&self.client, &self.ledger, &self.token);
        let id = cluster.runtime.block_on(async {
            let mut writer = writer::Writer::new(client, ledger, token, 0, Duration::ZERO);
            writer.create(name).await.expect("a movie")
        });
        let acknowledged = Instant::now();
        for listener in &self.listeners {
            let what = format!("server {} tells of a change", listener.server());
            crate::process::eventually(&what, || listener.has_heard_of(&id));
        }
        acknowledged.elapsed()
    }

    /// Ends the traffic once each request is answered, and compares the database, the servers and the heard events
    /// with the ledger.
    pub fn finish(mut self, cluster: &Cluster) -> Outcome {
        self.client.stop.store(true, Ordering::SeqCst);
        cluster.runtime.block_on(async {
            for worker in std::mem::take(&mut self.workers) {
                tokio::time::timeout(Duration::from_mins(2), worker).await.expect("an end").unwrap();
            }
        });
        self.assert_heard(cluster, "The last");
        for follower in &self.followers {
            follower.abort();
        }
        self.assert_kept(cluster);
        assert_log_is_whole(cluster);
        for listener in &self.listeners {
            listener.assert_complete(&self.ledger, &self.client);
        }
        let tally = self.client.tally();
        assert!(tally.violations.is_empty(), "{:#?}", tally.violations);
        Outcome {
            movies: self.ledger.len(),
            changes: self.ledger.changes(),
            walks: self.client.walks.load(Ordering::SeqCst),
            visits_of_listeners: self.listeners.iter().map(|listener| listener.visits()).sum(),
            resets: self.listeners.iter().map(|listener| listener.resets()).sum(),
            tally,
        }
    }

    /// Asserts that exactly the acknowledged movies exist: no more, no fewer, and none twice.
    fn assert_kept(&self, cluster: &Cluster) {
        let filter =
            doc! { "genres": { "$ne": "Probe" }, "name": { "$not": { "$regex": "^(Standing|Leaving) " } } };
        let movies = cluster.database.collection::<bson::Document>("movies");
        let found: Vec<bson::Document> =
            cluster.runtime.block_on(async { movies.find(filter).await?.try_collect().await }).unwrap();
        self.ledger.assert_equals(&found);
        assert_eq!(cluster.count("movies", doc! { "name": { "$regex": "^Standing " } }), STANDING as u64);
        // The servers must agree with that.
        for server in 0..SERVERS {
            for (id, version) in self.ledger.standing().into_iter().take(100) {
                crate::process::eventually_within(cluster.lag(), &id, || {
                    let (status, movie) = cluster.server(server).get(&format!("/api/movies/{id}"), None);
                    (status, movie["version"].as_i64()) == (200, Some(version))
                });
            }
        }
    }
}

/// Asserts that every change is in the log once, whatever has failed.
fn assert_log_is_whole(cluster: &Cluster) {
    let flaw = std::cell::RefCell::new(None);
    crate::process::eventually_within(Duration::from_mins(1), "the change log is complete", || {
        let found = cluster.runtime.block_on(crate::change_log::flaw(&cluster.database));
        let is_whole = found.is_none();
        if flaw.replace(found.clone()) != found {
            println!("    the change log: {found:?}");
        }
        is_whole
    });
}

/// An account with many movies that is deleted while something fails.
pub struct Leaver {
    pub id: String,
    token: String,
    movies: usize,
}

impl Leaver {
    /// Creates the account and its movies.
    pub fn arrive(cluster: &Cluster, name: &str, movies: usize) -> Self {
        let server = cluster.server(0);
        let token = server.sign_up(name);
        let id = server.get("/api/users/me", Some(&token)).1["id"].as_str().unwrap().to_owned();
        cluster.give_movies(&id, &format!("Leaving {name}"), movies);
        Self { id, token, movies }
    }

    /// Asks a server to delete the account, and returns once some of the movies are deleted. It does not wait for the
    /// answer.
    pub fn leave(&self, cluster: &Cluster, load: &Client, server: usize) -> JoinHandle<u16> {
        let client = load.clone();
        let token = self.token.clone();
        let asked = cluster.runtime.spawn(async move { client.leave(server, &token).await });
        crate::process::eventually("the movies are being deleted", || {
            self.left(cluster) < self.movies as u64
        });
        asked
    }

    pub fn left(&self, cluster: &Cluster) -> u64 {
        let owner = bson::oid::ObjectId::parse_str(&self.id).unwrap();
        cluster.count("movies", doc! { "added_by": owner })
    }

    /// Asserts that its tokens and its login do not work, and that nothing of it is left.
    pub fn assert_gone(&self, cluster: &Cluster, name: &str) {
        crate::process::eventually_within(Duration::from_mins(2), "no movie is left", || {
            self.left(cluster) == 0
        });
        for server in 0..SERVERS {
            assert_eq!(cluster.server(server).get("/api/users/me", Some(&self.token)).0, 401);
        }
        let credentials = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let (status, _) = cluster.server(1).call("POST", "/api/auth/login", None, Some(credentials));
        assert_eq!(status, 401);
    }
}
