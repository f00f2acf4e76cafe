//! The database becomes unavailable in several ways, and comes back. Clients get 503 and no other error, and get it
//! quickly.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{Caller, PASSWORD, Proxy, TestApp, eventually, mongod::OwnMongod};

/// The contract's limit.
const SOON: Duration = Duration::from_secs(3);

/// Asserts that every kind of request, including those whose guard needs the database, is refused with 503. It must
/// be quick in at least one of three attempts, because other tests share the machine.
async fn assert_away(app: &TestApp, ann: &Caller, movie: &str) {
    let mut slowest = Vec::new();
    while slowest.last().is_none_or(|slowest| *slowest >= SOON) {
        assert!(slowest.len() < 3, "each try took longer than {SOON:?}: {slowest:?}");
        slowest.push(time_of_refusals(app, ann, movie).await);
    }
    let anyone = app.anyone();
    anyone.get("/health/live").await.assert_status(200);
    // Requests that need no database are answered as before.
    anyone.post("/api/auth/login", &json!({})).await.assert_problem(422, "validation-failed");
    app.bearer("nonsense").get("/api/users/me").await.assert_problem(401, "invalid-token");
}

/// How long the slowest of many kinds of request took to be refused with 503.
async fn time_of_refusals(app: &TestApp, ann: &Caller, movie: &str) -> Duration {
    let body = json!({ "name": "Away", "casts": [], "genres": ["Drama"] });
    let credentials = json!({ "email": "ann@example.com", "password": PASSWORD });
    let unknown = json!({ "email": "new@example.com", "password": PASSWORD });
    let anyone = app.anyone();
    let refused =
        async |reply: std::pin::Pin<Box<dyn Future<Output = crate::support::Reply> + Send + '_>>| {
            let text = reply.await.assert_problem(503, "database-unavailable").text();
            assert!(!text.contains("127.0.0.1") && !text.contains("mongo"), "{text}");
        };
    let started = Instant::now();
    tokio::join!(
        refused(Box::pin(anyone.get("/api/movies"))),
        refused(Box::pin(anyone.get(movie))),
        refused(Box::pin(ann.get("/api/users/me"))),
        refused(Box::pin(ann.get("/api/admin"))),
        refused(Box::pin(ann.post("/api/movies", &body))),
        refused(Box::pin(ann.put(movie, &body))),
        refused(Box::pin(ann.delete(movie))),
        refused(Box::pin(ann.delete("/api/users/me"))),
        refused(Box::pin(anyone.post("/api/auth/login", &credentials))),
        refused(Box::pin(anyone.post("/api/auth/signup", &unknown))),
        refused(Box::pin(anyone.get("/health/ready"))),
    );
    started.elapsed()
}

async fn assert_back(app: &TestApp, ann: &Caller, movie: &str) {
    let begun = Instant::now();
    // One request may still use a dead connection.
    for path in ["/health/ready", movie] {
        eventually("the server is back", async || match app.anyone().get(path).await.status {
            200 => Ok(()),
            other => Err(other),
        })
        .await;
    }
    println!("back after {:.1?}", begun.elapsed());
    app.anyone().get(movie).await.assert_status(200);
    ann.get("/api/users/me").await.assert_status(200);
    app.anyone().get("/api/movies").await.assert_status(200);
}

#[tokio::test]
async fn a_database_that_is_cut_off_is_503_until_it_is_back() {
    let mongod = OwnMongod::start().await;
    let proxy = Proxy::before(&mongod.uri()).await;
    let app = TestApp::on(&proxy.uri()).await;
    let ann = app.user("ann").await;
    let movie = ann.add("Heat").await;
    for _ in 0..2 {
        proxy.cut();
        assert_away(&app, &ann, &movie).await;
        proxy.heal();
        assert_back(&app, &ann, &movie).await;
    }
    assert_eq!(app.count("movies", bson::doc! {}).await, 1);
}

#[tokio::test]
async fn a_database_that_is_silent_is_503_until_it_answers() {
    let mongod = OwnMongod::start().await;
    let proxy = Proxy::before(&mongod.uri()).await;
    let app = TestApp::on(&proxy.uri()).await;
    let ann = app.user("ann").await;
    let movie = ann.add("Heat").await;
    proxy.freeze();
    assert_away(&app, &ann, &movie).await;
    proxy.heal();
    assert_back(&app, &ann, &movie).await;
}

#[tokio::test]
async fn a_killed_mongod_is_restarted_and_has_lost_nothing() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let mut movies = Vec::new();
    for number in 0..20 {
        movies.push(ann.add(&format!("Movie {number}")).await);
    }
    let pid = Pid::from_raw(mongod.pid().await).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let reply = app.anyone().get(&movies[0]).await;
    assert!([200, 503].contains(&reply.status), "{}", reply.text());
    assert_back(&app, &ann, &movies[0]).await;
    assert_ne!(Pid::from_raw(mongod.pid().await), Some(pid));
    for movie in &movies {
        app.anyone().get(movie).await.assert_status(200);
    }
}
