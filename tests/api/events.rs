//! The stream of events: every change on every server, without a gap.

use std::{collections::HashSet, time::Duration};

use bson::doc;
use movie_bag::{
    config::SearchEngine,
    movies::finder::{Engine, EngineError},
};
use reqwest::RequestBuilder;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Caller, Reply, TestApp, contract::objection_to_event, eventually, mongod};

const EVENTS: &str = "/api/movies/events";
const LONG: Duration = Duration::from_mins(1);

/// A client that listens.
struct Listener {
    response: reqwest::Response,
    buffer: String,
    /// The last id that it has read.
    id: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Event {
    kind: String,
    data: Value,
}

impl Listener {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut listener = Self { response, buffer: String::new(), id: String::new() };
        // The first block says where the stream begins.
        assert_eq!(listener.block().await.unwrap(), None);
        listener
    }

    async fn start(caller: &Caller) -> Self {
        Self::of(caller.request("GET", EVENTS)).await
    }

    async fn resume(caller: &Caller, id: &str) -> Self {
        Self::of(caller.request("GET", EVENTS).header("Last-Event-ID", id)).await
    }

    /// The block up to the next blank line; the inner `None` if that is not an event.
    async fn block(&mut self) -> Option<Option<Event>> {
        let block = loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                break block;
            }
            let chunk = timeout(LONG, self.response.chunk()).await.expect("an event within a minute");
            self.buffer.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        };
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        if let Some(id) = field("id:") {
            self.id = id;
        }
        let event = field("event:").map(|kind| Event {
            kind,
            data: serde_json::from_str(&field("data:").unwrap_or_default()).unwrap(),
        });
        Some(event)
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.block().await? {
                return Some(event);
            }
        }
    }

    /// The next event, after comparing it with the OpenAPI document.
    async fn next_as_documented(&mut self) -> Event {
        let event = self.next().await.unwrap();
        let whole = json!({ "event": event.kind, "id": self.id, "data": event.data });
        assert_eq!(objection_to_event(&whole), None, "{whole}");
        event
    }

    async fn kinds(&mut self, count: usize) -> Vec<(String, String)> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            let event = self.next().await.unwrap();
            kinds.push((event.kind, event.data["id"].as_str().unwrap().to_owned()));
        }
        kinds
    }
}

fn id(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_change_reaches_a_listener_of_another_server() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let ann = app.user("ann").await;
    let mut listener = Listener::start(&twin.anyone()).await;
    let header = |name| listener.response.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(header("Content-Type"), "text/event-stream");
    assert_eq!((header("Cache-Control"), header("X-Accel-Buffering")), ("no-cache", "no"));
    assert_eq!(header("X-Request-Id").len(), 26);

    // The text contains characters that some programs treat as the end of a line.
    let movie = ann.add("Heat \u{2028} and Dust").await;
    let created = ann.get(&movie).await.json();
    let event = listener.next_as_documented().await;
    let data = json!({ "id": id(&movie), "version": 1, "movie": created });
    assert_eq!(event, Event { kind: "created".into(), data });
    let updated = ann.patch(&movie, &json!({ "year": 1995 })).await.assert_status(200).json();
    let event = listener.next_as_documented().await;
    let data = json!({ "id": id(&movie), "version": 2, "movie": updated });
    assert_eq!(event, Event { kind: "updated".into(), data });
    ann.delete(&movie).await.assert_status(204);
    let event = listener.next_as_documented().await;
    assert_eq!(event, Event { kind: "deleted".into(), data: json!({ "id": id(&movie) }) });
}

#[tokio::test]
async fn a_client_that_reconnects_with_the_last_id_misses_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut listener = Listener::start(&ann).await;
    // There is an id even before the first event.
    let beginning = listener.id.clone();
    let first = ann.add("First").await;
    listener.next().await.unwrap();
    let seen = listener.id.clone();
    drop(listener);
    let second = ann.add("Second").await;
    ann.delete(&first).await.assert_status(204);
    let mut missed = vec![("created".to_owned(), id(&second)), ("deleted".to_owned(), id(&first))];
    // Resume on this server, from memory, and on a new one, from the database.
    let twin = app.twin().await;
    // It begins to follow now, so the missed changes are older.
    let _other = Listener::start(&twin.anyone()).await;
    for server in [&app, &twin] {
        let mut back = Listener::resume(&server.anyone(), &seen).await;
        assert_eq!(back.kinds(missed.len()).await, missed);
        let next = ann.add(&format!("Next {}", missed.len())).await;
        missed.push(("created".to_owned(), id(&next)));
        assert_eq!(back.kinds(1).await, missed[missed.len() - 1..]);
        let mut whole = Listener::resume(&server.anyone(), &beginning).await;
        assert_eq!(whole.kinds(1).await, [("created".to_owned(), id(&first))]);
        assert_eq!(whole.kinds(missed.len()).await, missed);
    }
}

#[tokio::test]
async fn an_invalid_id_is_400_and_one_that_is_too_old_is_a_reset() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let listener = Listener::start(&ann).await;
    let real = listener.id.clone();
    let with = |id: &str| Reply::of(app.anyone().request("GET", EVENTS).header("Last-Event-ID", id));
    for wrong in ["1", "not-a-token", &real.to_lowercase(), &format!("{real}0"), &"8".repeat(2_000)] {
        with(wrong).await.assert_problem(400, "bad-request");
    }
    with(&format!("82{}00000001{}", &real[2..10].replace(char::is_alphanumeric, "1"), "FF".repeat(8)))
        .await
        .assert_problem(400, "bad-request");
    app.anyone().get(&format!("{EVENTS}?x=1")).await.assert_problem(400, "invalid-query");
    app.anyone().send("HEAD", EVENTS).await.assert_status(200);
    app.anyone().post(EVENTS, &json!({})).await.assert_problem(405, "method-not-allowed");
}

/// Asserts that a listener that has missed too much first gets `reset`, and then new events.
async fn assert_reset(app: &TestApp, id_of_old: &str, ann: &Caller) {
    let request = app.anyone().request("GET", EVENTS).header("Last-Event-ID", id_of_old);
    let mut back =
        Listener { response: request.send().await.unwrap(), buffer: String::new(), id: String::new() };
    let reset = back.next_as_documented().await;
    assert_eq!((reset.kind.as_str(), reset.data), ("reset", json!({})));
    assert!(back.id.as_str() > id_of_old);
    let movie = ann.add("Heat").await;
    assert_eq!(back.kinds(1).await, [("created".to_owned(), id(&movie))]);
}

/// A movie as it is stored.
pub fn stored(name: &str, plot: &str) -> bson::Document {
    let (owner, now) = (bson::oid::ObjectId::new(), bson::DateTime::now());
    doc! {
        "name": name, "casts": [], "genres": ["Drama"], "directors": [], "countries": [], "languages": [],
        "plot": plot, "added_by": owner, "created_at": now, "updated_at": now, "version": 1_i64,
    }
}

#[tokio::test]
async fn a_document_that_is_not_a_movie_does_not_end_the_stream() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut listener = Listener::start(&ann).await;
    let inserted = app.database.collection("movies").insert_one(doc! { "name": "No movie" }).await.unwrap();
    let strange = inserted.inserted_id.as_object_id().unwrap().to_hex();
    assert_eq!(listener.next().await.unwrap().data, json!({ "id": strange }));
    let movie = ann.add("Heat").await;
    assert_eq!(listener.kinds(1).await, [("created".to_owned(), id(&movie))]);
}

#[tokio::test]
async fn a_gap_in_the_log_disconnects_listeners_and_then_resets_them() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut listener = Listener::start(&ann).await;
    let old = listener.id.clone();
    ann.add("Forgotten").await;
    listener.kinds(1).await;
    // No change stream reports what happens to a dropped collection.
    app.database.collection::<bson::Document>("movies").drop().await.unwrap();
    assert!(listener.next().await.is_none(), "expected the listener to be disconnected");
    eventually("the gap is in the log", async || {
        match app.anyone().get(&format!("/api/movies/changes?since={old}")).await.status {
            410 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    assert_reset(&app, &old, &ann).await;
}

#[tokio::test]
async fn a_client_that_missed_very_much_gets_all_of_it_from_a_new_server() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let old = Listener::start(&ann).await.id;
    let movies = app.database.collection("movies");
    for batch in 0..11 {
        movies
            .insert_many((0..1_000).map(|number| stored(&format!("{batch} {number}"), "short")))
            .await
            .unwrap();
    }
    let twin = app.twin().await;
    let last = id(&ann.add("Last").await);
    let mut back = Listener::resume(&twin.anyone(), &old).await;
    let (seen, visits) = read_to(&twin, &mut back, &last).await;
    assert_eq!((seen.len(), visits), (11_001, 1));
}

/// A server passes on a change before another server has written it. A listener that resumes then waits for the log.
#[tokio::test]
async fn listeners_that_wait_for_the_log_do_not_hold_up_others() {
    let mongod = mongod::OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let old = Listener::start(&ann).await.id;
    let short = (0..300).map(|number| stored(&format!("Noise {number}"), "short"));
    app.database.collection("movies").insert_many(short).await.unwrap();
    let written = async || app.count("changes", doc! {}).await;
    eventually("the log has them", async || match written().await {
        300 => Ok(()),
        other => Err(other),
    })
    .await;
    let twin = app.twin().await;
    // Within this time one of the two has learnt that the other one writes the log.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (mut of_app, mut of_twin) =
        (Listener::start(&app.anyone()).await, Listener::start(&twin.anyone()).await);
    let recent = of_app.id.clone();
    let hold = mongod.hold("insert", &format!("{}.changes", app.database.name()), 1, 4_000).await;
    ann.add("Last").await;
    hold.reached().await;
    let reader = tokio::select! {
        event = of_app.next() => event.map(|_| app.anyone()),
        event = of_twin.next() => event.map(|_| twin.anyone()),
    };
    let reader = reader.unwrap();
    // More than may read from the database at the same time.
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (reader, recent) = (reader.clone(), recent.clone());
        waiting.spawn(async move { Listener::resume(&reader, &recent).await.next().await });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut back = Listener::resume(&reader, &old).await;
    assert_eq!(back.next().await.unwrap().kind, "created");
    assert_eq!(written().await, 300, "expected an answer while the log is not written");
    hold.lift().await;
    for event in waiting.join_all().await {
        assert_eq!(event.unwrap().data["movie"]["name"], "Last");
    }
}

#[tokio::test]
async fn a_thousand_listeners_share_one_change_stream() {
    // Each uses two open files here: the listener's and the server's.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: files.maximum, maximum: files.maximum })
        .unwrap();
    let own = mongod::OwnMongod::start().await;
    let app = TestApp::on(&own.uri()).await;
    let ann = app.user("ann").await;
    let mut listeners = Vec::new();
    for _ in 0..1_000 {
        listeners.push(Listener::start(&app.anyone()).await);
    }
    let movie = ann.add("Heat").await;
    let expected = ("created".to_owned(), id(&movie));
    for listener in &mut listeners {
        assert_eq!(listener.kinds(1).await, std::slice::from_ref(&expected));
    }
    let operations = doc! { "aggregate": 1, "cursor": {}, "pipeline": [
        { "$currentOp": { "idleCursors": true } },
        { "$match": { "cursor.originatingCommand.pipeline.0.$changeStream": { "$exists": true } } },
    ] };
    let found = own.admin.run_command(operations).await.unwrap();
    assert_eq!(found.get_document("cursor").unwrap().get_array("firstBatch").unwrap().len(), 1);
    // Other requests are answered as before.
    app.anyone().get("/api/movies").await.assert_status(200);
}

#[tokio::test]
async fn a_listener_over_the_limit_is_refused_until_another_one_leaves() {
    let app = TestApp::set(|settings| settings.events.listeners = 2).await;
    let ann = app.user("ann").await;
    let first = Listener::start(&app.anyone()).await;
    let mut second = Listener::start(&app.anyone()).await;
    let refused =
        timeout(LONG, app.anyone().get(EVENTS)).await.expect("an answer, and not an endless stream");
    assert!(refused.header("Retry-After").is_some());
    refused.assert_problem(503, "overloaded");
    // This affects neither the other listeners nor anybody else.
    let movie = ann.add("Heat").await;
    assert_eq!(second.kinds(1).await, [("created".to_owned(), id(&movie))]);
    drop(first);
    // The server notices a disconnect when it sends the next line.
    eventually("a slot is free", async || {
        ann.patch(&movie, &json!({ "year": 1995 })).await.assert_status(200);
        match app.anyone().request("GET", EVENTS).send().await.unwrap().status().as_u16() {
            200 => Ok(()),
            status => Err(status),
        }
    })
    .await;
}

#[tokio::test]
async fn a_movie_over_16_kib_is_left_out_of_its_events() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut listener = Listener::start(&app.anyone()).await;
    let casts: Vec<String> = (0..100).map(|number| format!("{number:0100}")).collect();
    let movie = ann.add("Heat").await;
    let whole = ann.patch(&movie, &json!({ "casts": casts, "plot": "x" })).await.assert_status(200).json();
    // Fill it exactly: the plot already has one letter.
    let plot = "x".repeat((16 << 10) - whole.to_string().len() + 1);
    let whole = ann.patch(&movie, &json!({ "plot": plot })).await.assert_status(200).json();
    assert_eq!(whole.to_string().len(), 16 << 10);
    listener.kinds(2).await;
    let event = listener.next_as_documented().await;
    assert_eq!(event.data, json!({ "id": id(&movie), "version": 3, "movie": whole }));
    ann.patch(&movie, &json!({ "plot": format!("{plot}x") })).await.assert_status(200);
    let event = listener.next_as_documented().await;
    let data = json!({ "id": id(&movie), "version": 4 });
    assert_eq!(event, Event { kind: "updated".into(), data });
}

/// Reads until a movie is created, and reconnects whenever the server disconnects it. Returns the created movies, and
/// the number of connections.
async fn read_to(app: &TestApp, listener: &mut Listener, last: &str) -> (HashSet<String>, usize) {
    let (mut seen, mut visits) = (HashSet::new(), 1);
    loop {
        let Some(event) = listener.next().await else {
            visits += 1;
            *listener = Listener::resume(&app.anyone(), &listener.id.clone()).await;
            continue;
        };
        assert_eq!(event.kind, "created");
        let id = event.data["id"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "twice: {id}");
        if id == last {
            return (seen, visits);
        }
    }
}

#[tokio::test]
async fn a_slow_listener_reads_the_missed_changes_from_the_log() {
    let app = TestApp::start().await;
    let mut slow = Listener::start(&app.anyone()).await;
    let movies = (0..4_000).map(|number| stored(&number.to_string(), &"x".repeat(4_000)));
    app.database.collection("movies").insert_many(movies).await.unwrap();
    let last = id(&app.user("ann").await.add("Last").await);
    // The stream advances, whether anybody reads or not.
    let mut quick = Listener::start(&app.anyone()).await;
    read_to(&app, &mut quick, &last).await;
    let (seen, visits) = read_to(&app, &mut slow, &last).await;
    assert_eq!((seen.len(), visits), (4_001, 1));
}

#[tokio::test]
async fn a_database_that_is_not_a_replica_set_has_no_events() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut standalone = movie_bag::mongod::program(&movie_bag::mongod::find().unwrap())
        .args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--dbpath"])
        .arg(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let uri = format!("mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=30000");
    mongodb::Client::with_uri_str(&uri).await.unwrap().list_database_names().await.unwrap();
    let app = TestApp::on(&uri).await;
    let ann = app.user("ann").await;
    for _ in 0..2 {
        ann.get(EVENTS).await.assert_problem(501, "no-events");
        ann.get("/api/movies/changes").await.assert_problem(501, "no-events");
    }
    let movie = ann.add("Heat").await;
    for (method, path) in [
        ("GET", format!("{movie}/versions")),
        ("GET", format!("{movie}/versions/1")),
        ("POST", format!("{movie}/versions/1/restore")),
        ("GET", "/api/users/me/trash".to_owned()),
        ("POST", format!("/api/users/me/trash/{}/restore", id(&movie))),
    ] {
        app.anyone().send(method, &path).await.assert_problem(401, "missing-token");
        ann.send(method, &path).await.assert_problem(501, "no-events");
    }
    assert_eq!(ann.get(&movie).await.assert_status(200).json()["version"], 1);
    app.anyone().get("/api/movies").await.assert_status(200);
    // The database's own text index answers, and the search index cannot be selected.
    let found = app.anyone().get("/api/movies?q=heat").await.assert_status(200).json();
    assert_eq!(found["items"][0]["name"], "Heat");
    let chosen = Engine::choose(&app.database, SearchEngine::Index).await;
    assert!(matches!(chosen, Err(EngineError::NoChangeStreams)), "{chosen:?}");
    standalone.kill().unwrap();
    standalone.wait().unwrap();
}

#[tokio::test]
async fn events_survive_an_outage_of_the_database() {
    let own = mongod::OwnMongod::start().await;
    let proxy = crate::support::Proxy::before(&own.uri()).await;
    let app = TestApp::on(&proxy.uri()).await;
    let beside = TestApp::with(&own.uri(), app.database.name(), |_| {}).await;
    let ann = beside.user("ann").await;
    let mut listener = Listener::start(&app.anyone()).await;
    proxy.cut();
    let movie = ann.add("Heat").await;
    proxy.heal();
    assert_eq!(listener.kinds(1).await, [("created".to_owned(), id(&movie))]);
}
