//! `/metrics`: what changes each metric, who may read them, and that no client can add series.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bson::doc;
use futures::future::join_all;
use movie_bag::{
    accounts::{Cascade, Users, grants::Grants, store::admin_list::Admins},
    http::ids::UserId,
    movies::Movies,
};
use serde_json::json;

use crate::support::{Caller, Proxy, Reply, TestApp, eventually, mongod::OwnMongod};

/// The samples of a scrape, by name and labels.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    async fn of(app: &TestApp) -> Self {
        let reply = app.anyone().get("/metrics").await.assert_status(200);
        let samples = reply.text();
        let samples = samples.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        Self(samples.collect())
    }

    fn get(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// How many requests were answered with this status.
    fn requests(&self, method: &str, route: &str, status: u16) -> f64 {
        let labels = format!(
            r#"http_request_method="{method}",http_response_status_code="{status}",http_route="{route}""#
        );
        let name = format!("http_server_request_duration_seconds_count{{{labels}}}");
        self.0.get(&name).copied().unwrap_or_default()
    }
}

/// Scrapes until a sample has this value, because it may change a moment after the answer.
async fn becomes(app: &TestApp, name: &str, value: f64) {
    eventually(name, async || {
        let found = Scrape::of(app).await.get(name);
        #[expect(clippy::float_cmp, reason = "whole numbers")]
        if found == value { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_status() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let movie = ann.add("Heat").await;
    let anyone = app.anyone();
    for _ in 0..3 {
        anyone.get(&movie).await.assert_status(200);
    }
    anyone.send("HEAD", &movie).await.assert_status(200);
    anyone.get("/api/movies/6561f0000000000000000000").await.assert_status(404);
    anyone.delete(&movie).await.assert_status(401);
    anyone.send("PUT", "/health/live").await.assert_status(405);
    let scrape = Scrape::of(&app).await;
    for (method, route, status, times) in [
        ("GET", "/api/movies/<id>", 200, 3.0),
        ("HEAD", "/api/movies/<id>", 200, 1.0),
        ("GET", "/api/movies/<id>", 404, 1.0),
        ("DELETE", "/api/movies/<id>", 401, 1.0),
        ("PUT", "/health/live", 405, 1.0),
        ("POST", "/api/auth/signup", 201, 1.0),
    ] {
        let found = scrape.requests(method, route, status);
        assert!((found - times).abs() < 0.1, "{method} {route} {status}: {found}");
    }
    let buckets = scrape.0.keys().filter(|name| {
        name.contains("_bucket") && name.contains(r#""DELETE""#) && name.contains(r#"le="0.0005""#)
    });
    assert_eq!(buckets.count(), 1);
}

#[tokio::test]
async fn no_request_can_add_series_for_unknown_routes_or_methods() {
    let app = TestApp::start().await;
    let anyone = app.anyone();
    let ask = async |number: u32| {
        let method = ["GET", "POST", "PROPFIND", "X-MADE-UP"][number as usize % 4];
        let method = if number % 8 > 3 { format!("{method}{number}") } else { method.to_owned() };
        // Ignore the result: Rocket refuses an unknown method before routing.
        let _ = anyone.request(&method, &format!("/api/{number}/{}", UserId::new())).send().await;
        anyone.get(&format!("/api/movies/{}", UserId::new())).await.assert_status(404);
    };
    for number in 0..8 {
        ask(number).await;
    }
    let before: BTreeSet<String> = Scrape::of(&app).await.0.into_keys().collect();
    let started = Scrape::of(&app).await;
    for numbers in (8..1_008).collect::<Vec<_>>().chunks(20) {
        join_all(numbers.iter().map(|number| ask(*number))).await;
    }
    let scrape = Scrape::of(&app).await;
    let more = |labels: (&str, &str, u16)| {
        scrape.requests(labels.0, labels.1, labels.2) - started.requests(labels.0, labels.1, labels.2)
    };
    assert!(more(("GET", "/api/movies/<id>", 404)) >= 1_000.0);
    assert!(more(("GET", "unmatched", 404)) >= 100.0);
    assert!(more(("_OTHER", "unmatched", 400)) >= 700.0);
    let after: BTreeSet<String> = scrape.0.into_keys().collect();
    // Only the scrapes themselves have added series.
    let new: Vec<&String> = after.difference(&before).filter(|name| !name.contains("/metrics")).collect();
    assert!(new.is_empty(), "{new:?}");
}

#[tokio::test]
async fn a_stream_of_events_counts_as_a_listener_and_not_as_a_request_in_progress() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    becomes(&app, "http_server_active_requests", 1.0).await;
    let streams = join_all((0..3).map(|_| app.anyone().request("GET", "/api/movies/events").send())).await;
    becomes(&app, "movie_bag_events_listeners", 3.0).await;
    becomes(&app, "movie_bag_changes_stream_live", 1.0).await;
    // The scrape itself is in progress.
    becomes(&app, "http_server_active_requests", 1.0).await;
    ann.add("Heat").await;
    becomes(&app, "movie_bag_events_changes_total", 1.0).await;
    // They disconnect silently. The server notices when it sends the next line.
    drop(streams);
    ann.add("Ronin").await;
    becomes(&app, "movie_bag_events_changes_total", 2.0).await;
    becomes(&app, "movie_bag_events_listeners", 0.0).await;
}

/// Waits until only the change stream uses a connection, which it does nearly always.
async fn only_the_stream_is_in_use(app: &TestApp) {
    eventually("only the change stream uses a connection", async || {
        let in_use = Scrape::of(app).await.get("movie_bag_mongodb_connections_in_use");
        if in_use <= 1.0 { Ok(()) } else { Err(in_use) }
    })
    .await;
}

/// Rocket runs each request in its own task, so closing a connection ends none.
#[tokio::test]
async fn a_request_whose_client_disconnects_runs_to_its_end_and_then_stops_counting() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    // The guard waits for the user. The movie would be read after that.
    let hold = mongod.hold("find", &format!("{}.users", app.database.name()), 1, 1_500).await;
    let movie = json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
    let asked = tokio::spawn(ann.request("POST", "/api/movies").json(&movie).send());
    hold.reached().await;
    becomes(&app, "http_server_active_requests", 2.0).await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled(), "it was answered before its client could disconnect");
    assert_eq!(app.count("movies", doc! {}).await, 0);
    eventually("the movie", async || {
        if app.count("movies", doc! {}).await == 1 { Ok(()) } else { Err("it is not there") }
    })
    .await;
    // The scrape itself is in progress.
    becomes(&app, "http_server_active_requests", 1.0).await;
    only_the_stream_is_in_use(&app).await;
}

#[tokio::test]
async fn after_the_cost_is_lowered_the_highest_cost_in_use_is_still_known_at_the_start() {
    let costly = TestApp::set(|settings| settings.password.bcrypt_cost = 6).await;
    costly.user("ann").await;
    // This server's own cost is 4.
    let cheap = costly.twin().await;
    becomes(&cheap, "movie_bag_password_highest_cost", 6.0).await;
    cheap.user("bob").await;
    becomes(&cheap, "movie_bag_password_highest_cost", 6.0).await;
    becomes(&TestApp::start().await, "movie_bag_password_highest_cost", 4.0).await;
}

#[tokio::test]
async fn hashing_letters_and_refusals_are_counted() {
    let app = TestApp::start().await;
    app.user("ann").await;
    becomes(&app, r#"movie_bag_password_jobs_total{result="done"}"#, 2.0).await;
    let wrong = json!({ "email": "ann@example.com", "password": "not this one" });
    for _ in 0..6 {
        app.anyone().post("/api/auth/login", &wrong).await.assert_status(401);
    }
    app.anyone().post("/api/auth/login", &wrong).await.assert_status(429);
    becomes(&app, r#"movie_bag_throttle_refusals_total{attempted="password"}"#, 1.0).await;
    becomes(&app, r#"movie_bag_password_jobs_total{result="done"}"#, 8.0).await;
    app.anyone().post("/api/auth/forgot", &json!({ "email": "ann@example.com" })).await.assert_status(202);
    becomes(&app, r#"movie_bag_mail_letters_total{result="unsent"}"#, 2.0).await;
    for gauge in
        ["movie_bag_password_jobs_waiting", "movie_bag_password_jobs_running", "movie_bag_mail_sending"]
    {
        becomes(&app, gauge, 0.0).await;
    }
}

#[tokio::test]
async fn a_deletion_counts_its_movies_and_leaves_no_backlog() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for number in 0..3 {
        ann.add(&format!("Movie {number}")).await;
    }
    ann.delete("/api/users/me").await.assert_status(204);
    becomes(&app, "movie_bag_cascade_movies_removed_total", 3.0).await;
    becomes(&app, "movie_bag_cascade_backlog", 0.0).await;
    // A sweep runs when the server starts.
    eventually("a sweep", async || {
        let swept = Scrape::of(&app).await.get("movie_bag_cascade_last_sweep_timestamp_seconds");
        if swept > 1e9 { Ok(()) } else { Err(swept) }
    })
    .await;
}

#[tokio::test]
async fn a_deletion_that_cannot_continue_is_a_backlog_until_a_sweep_finishes_it() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    let id = UserId::parse(&ann.id().await).unwrap();
    let users = Users::new(&app.database);
    let cascade = Cascade::new(
        users.clone(),
        Admins::new(&app.database),
        Grants::new(&app.database),
        Arc::new(Movies::new(&app.database)),
    );
    let backlog = || {
        let families =
            cascade.collectors().iter().flat_map(|collector| collector.collect()).collect::<Vec<_>>();
        let family = families.iter().find(|family| family.name() == "movie_bag_cascade_backlog").unwrap();
        family.get_metric()[0].get_gauge().get_value()
    };
    // A timeout is an error after which the driver keeps using the same connection.
    let refuse = |mode: bson::Bson| {
        let data = doc! { "failCommands": ["delete"], "errorCode": 50 };
        doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data }
    };
    mongod.admin.run_command(refuse("alwaysOn".into())).await.unwrap();
    let _ = cascade.remove_account(id, || ()).await.unwrap().unwrap();
    assert!((backlog() - 1.0).abs() < 0.1, "{}", backlog());
    assert!(cascade.sweep().await.is_err());
    assert!((backlog() - 1.0).abs() < 0.1, "{}", backlog());
    mongod.admin.run_command(refuse("off".into())).await.unwrap();
    cascade.sweep().await.unwrap();
    assert!(backlog() < 0.1, "{}", backlog());
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

#[tokio::test]
async fn the_pool_shows_an_unavailable_database_and_metrics_are_still_answered() {
    let mongod = OwnMongod::start().await;
    let proxy = Proxy::before(&mongod.uri()).await;
    let app = TestApp::on(&proxy.uri()).await;
    app.anyone().get("/api/movies").await.assert_status(200);
    assert!(Scrape::of(&app).await.get("movie_bag_mongodb_connections_open") >= 1.0);
    let before = Scrape::of(&app).await;
    proxy.freeze();
    join_all((0..5).map(|_| async { app.anyone().get("/health/ready").await.assert_status(503) })).await;
    // Nothing uses the connections of the cancelled requests.
    only_the_stream_is_in_use(&app).await;
    proxy.cut();
    join_all((0..5).map(|_| async { app.anyone().get("/api/movies").await.assert_status(503) })).await;
    becomes(&app, "movie_bag_mongodb_connections_open", 0.0).await;
    let after = Scrape::of(&app).await;
    for name in ["movie_bag_mongodb_pool_clears_total", "movie_bag_mongodb_checkouts_begun_total"] {
        assert!(after.get(name) > before.get(name), "{name}");
    }
    proxy.heal();
    eventually("the server is back", async || match app.anyone().get("/health/ready").await.status {
        200 => Ok(()),
        other => Err(other),
    })
    .await;
    let back = Scrape::of(&app).await;
    let answered = "movie_bag_mongodb_checkout_duration_seconds_count";
    assert!(back.get(answered) > after.get(answered));
    assert!((1.0..=32.0).contains(&back.get("movie_bag_mongodb_connections_open")));
}

/// A stranger gets the same answer as for an unknown path.
fn assert_hidden(reply: Reply) {
    let reply = reply.assert_problem(404, "not-found");
    assert!(!reply.text().contains("movie_bag_"), "{}", reply.text());
}

async fn with(caller: &Caller, method: &str, name: &str, value: &str) -> Reply {
    Reply::of(caller.request(method, "/metrics").header(name, value)).await
}

#[tokio::test]
async fn only_this_machine_can_read_the_metrics_and_not_through_a_proxy() {
    let app = TestApp::start().await;
    let anyone = app.anyone();
    let scrape = anyone.get("/metrics").await.assert_status(200);
    assert_eq!(scrape.header("Content-Type").unwrap(), "text/plain; version=0.0.4; charset=utf-8");
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("Forwarded", "for=127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("Via", "1.1 proxy"),
        ("Host", "movies.example.com"),
        ("Host", "127.0.0.1.example.com"),
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            assert_hidden(with(&anyone, method, name, value).await);
        }
    }
    with(&anyone, "GET", "Host", "localhost:8000").await.assert_status(200);
    with(&anyone, "GET", "Host", "[::1]:8000").await.assert_status(200);
    anyone.send("POST", "/metrics").await.assert_problem(405, "method-not-allowed");
    // The same as for an unknown path, apart from the request id.
    let hidden = with(&anyone, "GET", "Via", "1.1 proxy").await.text();
    let nothing = anyone.get("/metricz").await.text();
    let same = |text: &str| text.split("\"instance\"").next().unwrap().to_owned();
    assert_eq!(same(&hidden), same(&nothing));
}

#[tokio::test]
async fn the_address_that_a_trusted_proxy_reports_counts() {
    let app = TestApp::behind_a_proxy().await;
    // Whatever address it reports, it is a proxy.
    for told in ["192.0.2.1", "127.0.0.1"] {
        assert_hidden(with(&app.anyone(), "GET", "X-Real-IP", told).await);
    }
}

#[tokio::test]
async fn with_public_metrics_everybody_can_read_them() {
    let app = TestApp::set(|settings| settings.metrics.public = true).await;
    for (name, value) in [("X-Forwarded-For", "192.0.2.1"), ("Host", "movies.example.com")] {
        with(&app.anyone(), "GET", name, value).await.assert_status(200);
    }
    app.anyone().get("/metrics?x=1").await.assert_problem(400, "invalid-query");
}

#[tokio::test]
async fn the_page_of_metrics_lists_every_metric() {
    let app = TestApp::set(|settings| settings.cache.movies = 1).await;
    app.user("ann").await;
    let text = app.anyone().get("/metrics").await.assert_status(200).text();
    let mut given: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    // The metric of the log exists only in a server that runs as a process, because only that has a log.
    given.insert("movie_bag_log_lines_dropped_total");
    let page = include_str!("../../docs/reference/metrics.md");
    let listed: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(['`', '{']).next())
        .filter(|name| ["http_", "movie_bag_", "process_"].iter().any(|start| name.starts_with(start)))
        .collect();
    assert_eq!(listed, given);
}
