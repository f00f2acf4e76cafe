//! The server under test: the whole server, in this process, behind a real socket.

use std::{sync::Arc, time::Duration};

use figment::Figment;
use mongodb::{Client, Database};
use movie_bag::{
    accounts::{
        mail_token::MailToken,
        store::admin_list::Admins,
        throttle::{Clock, Throttle},
    },
    config::{self, Settings},
    http::ids::{MovieId, UserId},
    mongo::{self, index_builds, pool::PoolMetrics},
    movies::{
        Movies,
        finder::{Engine, Finder},
        store::invitations::Offer,
    },
    telemetry::metrics,
};
use rocket::{Shutdown, fairing::AdHoc};
use secrecy::SecretString;
use serde_json::json;
use tokio::{
    sync::{Mutex, oneshot},
    time::timeout,
};

use super::{Caller, mongod};

pub const SECRET: &str = "the secret of the tests, 32 bytes and more";
pub const PASSWORD: &str = "gnu yak emu";
/// Only for tests: the settings do not accept it.
const BCRYPT_COST: u32 = 4;

/// A server with its own database.
pub struct TestApp {
    pub base: String,
    pub database: Database,
    pub http: reqwest::Client,
    /// The server's own `Movies`: the server knows of writes through it at once.
    pub movies: Movies,
    pub finder: Finder,
    /// The clock that the throttle uses.
    pub clock: Clock,
    shutdown: Shutdown,
    uri: String,
    /// Whether the database outlives this value: a test will start another server on it.
    keeps_database: bool,
    /// The folder of the search index, unless the test has chosen another.
    _data: tempfile::TempDir,
}

impl TestApp {
    /// Starts a server on the shared mongod.
    pub async fn start() -> Self {
        Self::on(&mongod::shared_uri().await).await
    }

    /// Starts a server on this MongoDB.
    pub async fn on(uri: &str) -> Self {
        Self::with(uri, &new_database(), |_| {}).await
    }

    /// Starts a server on the shared mongod, with changed settings.
    pub async fn set(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with(&mongod::shared_uri().await, &new_database(), change).await
    }

    /// Starts a server with changed settings, on a database that another server may use too.
    pub async fn with(uri: &str, database: &str, change: impl FnOnce(&mut Settings)) -> Self {
        Self::launch(config::defaults(), uri, database, change, true).await
    }

    /// A second server on the same database with this data folder. Its search index need not be ready.
    pub async fn twin_in(&self, data: &std::path::Path) -> Self {
        let in_there = |settings: &mut Settings| data.clone_into(&mut settings.data_dir);
        Self::launch(config::defaults(), &self.uri, self.database.name(), in_there, false).await
    }

    /// Stops the server, and leaves its database unchanged. Nothing of the server is left here: its index could not be
    /// opened again.
    pub async fn stop(mut self) {
        self.keeps_database = true;
        self.shutdown.clone().notify();
        super::eventually("the server has stopped", async || {
            match self.http.get(format!("{}/health/live", self.base)).send().await {
                Ok(reply) => Err(reply.status()),
                Err(_) => Ok(()),
            }
        })
        .await;
    }

    /// The URI of the database.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// A second server on the same database.
    pub async fn twin(&self) -> Self {
        Self::with(&self.uri, self.database.name(), |_| {}).await
    }

    /// Starts a server behind a proxy that sends the client's address in `X-Real-IP`.
    pub async fn behind_a_proxy() -> Self {
        Self::behind_a_proxy_with(|_| {}).await
    }

    /// The same, with changed settings.
    pub async fn behind_a_proxy_with(change: impl FnOnce(&mut Settings)) -> Self {
        let figment = config::defaults().merge(("ip_header", "X-Real-IP"));
        Self::launch(figment, &mongod::shared_uri().await, &new_database(), change, true).await
    }

    async fn launch(
        figment: Figment,
        uri: &str,
        database: &str,
        change: impl FnOnce(&mut Settings),
        awaits_the_index: bool,
    ) -> Self {
        let figment = figment
            .merge(("port", 0))
            .merge(("shutdown.ctrlc", false))
            .merge(("shutdown.grace", 0))
            .merge(("shutdown.mercy", 0));
        let mut settings = Settings::extract(&figment).unwrap();
        settings.password.bcrypt_cost = BCRYPT_COST;
        let data = tempfile::tempdir().unwrap();
        data.path().clone_into(&mut settings.data_dir);
        change(&mut settings);
        let mut options = mongo::parse(uri).await.unwrap();
        let pool = PoolMetrics::watching(&mut options);
        let client = Client::with_options(options).unwrap();
        let database = client.database(database);
        index_builds::ensure(&database).await.unwrap();
        Admins::new(&database).ensure().await.unwrap();
        movie_bag::movies::changes::prepare(&database).await.unwrap();
        let engine = Engine::choose(&database, settings.search.engine).await.unwrap();
        let (tell, listening) = oneshot::channel();
        let tell = Arc::new(Mutex::new(Some(tell)));
        let liftoff = AdHoc::on_liftoff("the test learns the port", move |rocket| {
            let (port, tell) = (rocket.config().port, Arc::clone(&tell));
            Box::pin(async move { tell.lock().await.take().unwrap().send(port).unwrap() })
        });
        let secret = SecretString::from(SECRET);
        let rocket = movie_bag::server::rocket(&figment, &settings, &secret, &database, engine).unwrap();
        let rocket = rocket.attach(metrics::registering("driver pool", pool.collectors()));
        let rocket = rocket.attach(liftoff).ignite().await.unwrap();
        let shutdown = rocket.shutdown();
        let clock = rocket.state::<Throttle>().unwrap().clock().clone();
        let movies = rocket.state::<Movies>().unwrap().clone();
        let finder = rocket.state::<Finder>().unwrap().clone();
        tokio::spawn(rocket.launch());
        let base = format!("http://127.0.0.1:{}", listening.await.unwrap());
        if awaits_the_index {
            timeout(Duration::from_mins(1), finder.ready()).await.expect("the search index answers");
        }
        // Without the certificates of the system, whose reading would take most of the time of making a client.
        let http = reqwest::Client::builder().tls_built_in_root_certs(false);
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (uri, keeps_database) = (uri.to_owned(), false);
        Self { base, database, http, movies, finder, clock, shutdown, uri, keeps_database, _data: data }
    }

    /// A caller without a token.
    pub fn anyone(&self) -> Caller {
        Caller::new(self, None)
    }

    /// A caller with this token.
    pub fn bearer(&self, token: &str) -> Caller {
        Caller::new(self, Some(token.to_owned()))
    }

    /// A new user `{name}@example.com`, signed in.
    pub async fn user(&self, name: &str) -> Caller {
        let credentials = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        self.anyone().post("/api/auth/signup", &credentials).await.assert_status(201);
        self.log_in(name).await
    }

    pub async fn log_in(&self, name: &str) -> Caller {
        let credentials = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let reply = self.anyone().post("/api/auth/login", &credentials).await.assert_status(200);
        self.bearer(reply.json()["token"].as_str().unwrap())
    }

    /// A new user with the role `admin`.
    pub async fn admin(&self, name: &str) -> Caller {
        let admin = self.user(name).await;
        self.grant(&admin.id().await).await;
        admin
    }

    /// Makes a user admin, as the command line does.
    pub async fn grant(&self, id: &str) {
        let users = movie_bag::accounts::Users::new(&self.database);
        let id = movie_bag::http::ids::UserId::parse(id).unwrap();
        Admins::new(&self.database).grant(&users, id).await.unwrap().unwrap();
    }

    /// Makes a user an editor of a movie.
    pub async fn let_edit(&self, movie: &str, editor: &Caller) {
        let editors = bson::doc! { "$set": { "editors": [object_id(&editor.id().await)] } };
        let movies = self.database.collection::<bson::Document>("movies");
        let changed = movies.update_one(bson::doc! { "_id": object_id(movie) }, editors).await.unwrap();
        assert_eq!(changed.matched_count, 1);
    }

    /// The token of an invitation, without its mail.
    pub async fn invitation(&self, movie: &str, owner: &Caller, offer: Offer) -> String {
        let (id, owner) = (MovieId(object_id(movie)), UserId(object_id(&owner.id().await)));
        let token = MailToken::random().unwrap();
        let invited = Movies::new(&self.database).invite(id, owner, offer, &token.digest()).await;
        invited.unwrap().unwrap();
        token.expose().to_owned()
    }

    /// Everything that is stored, in a fixed order, for asserting that nothing changed.
    pub async fn snapshot(&self) -> Vec<bson::Document> {
        use futures::TryStreamExt;
        let mut all = Vec::new();
        for name in ["users", "movies", "roles", "sessions", "personal_tokens", "idempotency_keys"] {
            let documents = self.database.collection::<bson::Document>(name);
            let found = documents.find(bson::doc! {}).sort(bson::doc! { "_id": 1 }).await.unwrap();
            all.extend(found.try_collect::<Vec<_>>().await.unwrap());
        }
        all
    }

    /// What the database did on a collection for some requests: the entries of its profiler, without those of the
    /// change stream and the search index, which belong to no request.
    pub async fn profiled(
        &self,
        collection: &str,
        requests: impl Future<Output = ()>,
    ) -> Vec<bson::Document> {
        use futures::TryStreamExt;
        let profile = self.database.collection::<bson::Document>("system.profile");
        self.database.run_command(bson::doc! { "profile": 2 }).await.unwrap();
        requests.await;
        self.database.run_command(bson::doc! { "profile": 0 }).await.unwrap();
        let namespace = format!("{}.{collection}", self.database.name());
        let of_requests = bson::doc! {
            "ns": namespace,
            "originatingCommand.pipeline.0.$changeStream": { "$exists": false },
            "command.comment": { "$ne": "search index" },
        };
        let entries = profile.find(of_requests).sort(bson::doc! { "ts": 1 }).await.unwrap();
        let entries = entries.try_collect().await.unwrap();
        profile.drop().await.unwrap();
        entries
    }

    /// How many documents of a collection match.
    pub async fn count(&self, collection: &str, filter: bson::Document) -> u64 {
        self.database.collection::<bson::Document>(collection).count_documents(filter).await.unwrap()
    }
}

/// The id at the end of a path.
pub fn object_id(path: &str) -> bson::oid::ObjectId {
    bson::oid::ObjectId::parse_str(path.rsplit('/').next().unwrap()).unwrap()
}

fn new_database() -> String {
    format!("movie_bag_test_{}", bson::oid::ObjectId::new().to_hex())
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
        // The tests' own mongod is deleted as a whole. A given one is left as it was.
        if !self.keeps_database && mongod::given_uri().as_ref() == Some(&self.uri) {
            let (uri, name) = (self.uri.clone(), self.database.name().to_owned());
            let drop_database = async move {
                let client = Client::with_uri_str(uri).await?;
                client.database(&name).drop().await
            };
            let thread = std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(drop_database)
            });
            let _ = thread.join();
        }
    }
}
