//! `GET /api/movies/changes`: a client that syncs misses nothing.

use std::{collections::BTreeMap, time::Duration};

use bson::doc;
use futures::StreamExt;
use proptest::{
    collection::vec,
    prelude::Strategy,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::support::{Caller, TestApp, eventually};

const CHANGES: &str = "/api/movies/changes";

async fn read(caller: &Caller, since: &str, limit: usize) -> Value {
    caller.get(&format!("{CHANGES}?since={since}&limit={limit}")).await.assert_status(200).json()
}

/// The current cursor.
async fn now(caller: &Caller) -> String {
    let page = caller.get(CHANGES).await.assert_status(200).json();
    assert_eq!((&page["items"], &page["more"]), (&json!([]), &json!(false)));
    page["next"].as_str().unwrap().to_owned()
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn each_change_comes_once_in_order_with_the_movie_as_it_is_now() {
    let app = TestApp::start().await;
    let (ann, anyone) = (app.user("ann").await, app.anyone());
    ann.add("Before").await;
    let since = now(&anyone).await;
    let heat = ann.add("Heat").await;
    let ronin = ann.add("Ronin").await;
    let patched = ann.patch(&heat, &json!({ "year": 1995 })).await.assert_status(200).json();
    ann.delete(&ronin).await.assert_status(204);

    let reply = anyone.get(&format!("{CHANGES}?since={since}")).await.assert_status(200);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-cache"));
    let mut page = reply.json();
    for item in page["items"].as_array_mut().unwrap() {
        let at = item.as_object_mut().unwrap().remove("at").unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(at.as_str().unwrap()).is_ok(), "{at}");
    }
    let expected = json!([
        { "type": "created", "id": id(&heat), "version": 1, "movie": patched },
        { "type": "created", "id": id(&ronin), "version": 1 },
        { "type": "updated", "id": id(&heat), "version": 2, "movie": patched },
        { "type": "deleted", "id": id(&ronin) },
    ]);
    assert_eq!((&page["items"], &page["more"]), (&expected, &json!(false)));

    // The same changes in small pages.
    let (mut since, mut all) = (since, Vec::new());
    for more in [true, true, true, false] {
        let page = read(&anyone, &since, 1).await;
        assert_eq!(page["more"], json!(more));
        all.extend(page["items"].as_array().unwrap().iter().map(|item| item["type"].clone()));
        page["next"].as_str().unwrap().clone_into(&mut since);
    }
    assert_eq!(all, ["created", "created", "updated", "deleted"]);
    let rest = read(&anyone, &since, 1).await;
    assert_eq!(rest, json!({ "items": [], "next": since, "more": false }));
    assert_eq!(since, now(&anyone).await);
}

#[tokio::test]
async fn an_invalid_cursor_or_limit_is_400() {
    let app = TestApp::start().await;
    let anyone = app.anyone();
    let since = now(&anyone).await;
    for wrong in ["", "x", "8", &since.to_lowercase(), &format!("{since}0"), &"8".repeat(2_000)] {
        anyone.get(&format!("{CHANGES}?since={wrong}")).await.assert_problem(400, "invalid-query");
    }
    for wrong in ["0", "1001", "-1", "x", "", "1&limit=2", "1&after=x"] {
        anyone
            .get(&format!("{CHANGES}?since={since}&limit={wrong}"))
            .await
            .assert_problem(400, "invalid-query");
    }
    anyone.get(&format!("{CHANGES}?limit=1000")).await.assert_status(200);
}

#[tokio::test]
async fn an_acknowledged_write_is_in_the_changes_at_once_whichever_server_writes_the_log() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let token = app.user("ann").await.token.unwrap();
    let mut writers = Vec::new();
    for (number, server) in [&app, &twin, &app, &twin].into_iter().enumerate() {
        let caller = server.bearer(&token);
        writers.push(tokio::spawn(async move {
            let movie = caller.add(&format!("Movie {number}")).await;
            let mut since = now(&caller).await;
            for round in 1..=50 {
                caller.patch(&movie, &json!({ "runtime": round })).await.assert_status(200);
                let mut seen = false;
                while !seen {
                    let page = read(&caller, &since, 1_000).await;
                    let items = page["items"].as_array().unwrap();
                    seen = items.iter().any(|item| item["id"] == id(&movie) && item["version"] == round + 1);
                    page["next"].as_str().unwrap().clone_into(&mut since);
                    assert!(seen || page["more"] == true, "round {round}: the change is missing");
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_cursor_older_than_the_log_is_410_and_a_newer_one_is_valid() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let old = now(&ann).await;
    let heat = ann.add("Heat").await;
    let second = |cursor: &str| u64::from_str_radix(&cursor[2..10], 16).unwrap();
    // The database's clock advances with writes.
    eventually("three seconds have passed", async || {
        ann.patch(&heat, &json!({ "year": 1995 })).await.assert_status(200);
        let passed = second(&now(&ann).await) - second(&old);
        if passed >= 3 { Ok(()) } else { Err(passed) }
    })
    .await;
    let new = now(&ann).await;
    let (uri, database) = (app.uri().to_owned(), app.database.name().to_owned());
    app.stop().await;
    // The next server keeps less.
    let keep_less =
        |settings: &mut movie_bag::config::Settings| settings.history.keep = Duration::from_secs(1);
    let next = TestApp::with(&uri, &database, keep_less).await;
    eventually("the old changes are gone", async || {
        let entries = next.count("changes", doc! { "kind": "created" }).await;
        if entries == 0 { Ok(()) } else { Err(entries) }
    })
    .await;
    let anyone = next.anyone();
    anyone.get(&format!("{CHANGES}?since={old}")).await.assert_problem(410, "changes-gone");
    read(&anyone, &new, 1).await;
}

#[tokio::test]
async fn a_page_ends_at_a_mebibyte_and_more_says_so() {
    let app = TestApp::start().await;
    let (ann, anyone) = (app.user("ann").await, app.anyone());
    let mut since = now(&anyone).await;
    let casts: Vec<String> = (0..100).map(|number| format!("{number:0100}")).collect();
    let movies = (0..200).map(|number| {
        let movie = json!({ "name": format!("Movie {number}"), "casts": casts, "genres": ["Drama"] });
        let ann = ann.clone();
        async move { ann.post("/api/movies", &movie).await.assert_status(201) }
    });
    futures::stream::iter(movies).buffer_unordered(8).collect::<Vec<_>>().await;
    let (mut seen, mut pages) = (0, 0);
    loop {
        let reply = anyone.get(&format!("{CHANGES}?since={since}&limit=1000")).await.assert_status(200);
        assert!(reply.body.len() <= 1 << 20, "{}", reply.body.len());
        let page = reply.json();
        seen += page["items"].as_array().unwrap().len();
        pages += 1;
        page["next"].as_str().unwrap().clone_into(&mut since);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(seen, 200);
    assert!(pages > 1, "all of it is over two megabytes");
}

#[tokio::test]
async fn a_page_reads_only_its_own_entries_however_many_there_are() {
    let app = TestApp::start().await;
    let (ann, anyone) = (app.user("ann").await, app.anyone());
    let since = now(&anyone).await;
    let heat = ann.add("Heat").await;
    for year in 1900..2000 {
        ann.patch(&heat, &json!({ "year": year })).await.assert_status(200);
    }
    let page = read(&anyone, &since, 50).await;
    let middle = page["next"].as_str().unwrap();
    let entries = app.profiled("changes", async { drop(read(&anyone, middle, 10).await) }).await;
    let reads = entries.iter().filter(|entry| entry.get_str("op").is_ok_and(|op| op == "query"));
    let examined: Vec<i32> = reads.map(|entry| entry.get_i32("docsExamined").unwrap()).collect();
    assert!(!examined.is_empty() && examined.iter().all(|examined| *examined <= 11), "{examined:?}");
}

/// A client that keeps a copy of the catalogue only by syncing.
#[derive(Clone)]
struct Copy {
    movies: BTreeMap<String, Value>,
    since: String,
}

impl Copy {
    /// Reads a cursor, and then the list: changes in the meantime come with the next sync.
    async fn of(caller: &Caller) -> Self {
        let mut copy = Self { movies: BTreeMap::new(), since: now(caller).await };
        let mut after = String::new();
        loop {
            let page = caller.get(&format!("/api/movies?limit=7{after}")).await.assert_status(200).json();
            for movie in page["items"].as_array().unwrap() {
                copy.movies.insert(movie["id"].as_str().unwrap().to_owned(), movie.clone());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return copy,
            }
        }
    }

    /// Applies one page. Returns whether there are more. A client that is cut off has not stored the cursor, and
    /// reads the page again.
    async fn sync(&mut self, caller: &Caller, limit: usize, is_cut_off: bool) -> bool {
        let page = read(caller, &self.since, limit).await;
        for item in page["items"].as_array().unwrap() {
            let id = item["id"].as_str().unwrap();
            match item.get("movie") {
                Some(movie) => drop(self.movies.insert(id.to_owned(), movie.clone())),
                None => drop(self.movies.remove(id)),
            }
        }
        if !is_cut_off {
            page["next"].as_str().unwrap().clone_into(&mut self.since);
        }
        page["more"] == true
    }
}

/// One step of a run. Everything is chosen beforehand, so that a failure shows it.
#[derive(Debug, Clone)]
struct Step {
    user: usize,
    /// Which of the two servers it uses.
    server: usize,
    write: Write,
    /// How many changes the client then reads, and whether it is cut off.
    sync: Option<(usize, bool)>,
    /// The client loses its copy.
    restart: bool,
}

#[derive(Debug, Clone, Copy)]
enum Write {
    Create,
    Update,
    Delete,
    /// The oldest version becomes the newest.
    RestoreVersion,
    /// A deleted movie comes back.
    RestoreMovie,
}

/// The paths of a user's movies.
#[derive(Clone, Default)]
struct Movies {
    live: Vec<String>,
    deleted: Vec<String>,
}

impl Movies {
    /// Does one write, or adds a movie if the user has none to do it with. `number`: which of the steps it is.
    async fn take(&mut self, write: Write, caller: &Caller, number: usize) {
        match write {
            Write::Update if !self.live.is_empty() => {
                let movie = &self.live[number % self.live.len()];
                caller.patch(movie, &json!({ "runtime": number + 1 })).await.assert_status(200);
            }
            Write::Delete if !self.live.is_empty() => {
                let movie = self.live.remove(number % self.live.len());
                caller.delete(&movie).await.assert_status(204);
                self.deleted.push(movie);
            }
            Write::RestoreVersion if !self.live.is_empty() => {
                let movie = &self.live[number % self.live.len()];
                let versions =
                    caller.get(&format!("{movie}/versions?limit=100")).await.assert_status(200).json();
                let oldest = &versions["items"].as_array().unwrap().last().unwrap()["version"];
                restore(caller, &format!("{movie}/versions/{oldest}/restore")).await;
            }
            Write::RestoreMovie if !self.deleted.is_empty() => {
                let movie = self.deleted.remove(number % self.deleted.len());
                restore(caller, &format!("/api/users/me/trash/{}/restore", id(&movie))).await;
                self.live.push(movie);
            }
            _ => self.live.push(caller.add(&format!("Movie {number}")).await),
        }
    }
}

/// Waits until this server knows of the change to undo, because another server may have made it.
async fn restore(caller: &Caller, path: &str) {
    eventually("it is restored", async || {
        let reply = caller.send("POST", path).await;
        if reply.status == 404 {
            return Err(reply.text());
        }
        reply.assert_status(200);
        Ok(())
    })
    .await;
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = proptest::prop_oneof![
        4 => proptest::strategy::Just(Write::Create),
        4 => proptest::strategy::Just(Write::Update),
        3 => proptest::strategy::Just(Write::Delete),
        2 => proptest::strategy::Just(Write::RestoreVersion),
        2 => proptest::strategy::Just(Write::RestoreMovie),
    ];
    let sync = proptest::option::weighted(0.3, (1_usize..=20, proptest::bool::weighted(0.2)));
    let step = (0_usize..3, 0_usize..2, write, sync, proptest::bool::weighted(0.02));
    let step =
        step.prop_map(|(user, server, write, sync, restart)| Step { user, server, write, sync, restart });
    vec(step, 150)
}

#[tokio::test]
async fn whatever_happens_a_syncing_client_ends_with_the_whole_catalogue() {
    let steps = steps().new_tree(&mut TestRunner::new(Config::default())).unwrap().current();
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let mut users = Vec::new();
    for name in ["ann", "bob", "cat"] {
        let token = app.user(name).await.token.unwrap();
        users.push([app.bearer(&token), twin.bearer(&token)]);
    }
    let readers = [app.anyone(), twin.anyone()];
    let mut movies: Vec<Movies> = vec![Movies::default(); users.len()];
    for number in 0..30 {
        movies[number % 3].live.push(users[number % 3][0].add(&format!("Old {number}")).await);
    }
    let mut copy = Copy::of(&readers[1]).await;
    for (number, step) in steps.iter().enumerate() {
        movies[step.user].take(step.write, &users[step.user][step.server], number).await;
        let reader = &readers[number % 2];
        if step.restart {
            copy = Copy::of(reader).await;
        }
        if let Some((limit, is_cut_off)) = step.sync {
            copy.sync(reader, limit, is_cut_off).await;
        }
    }
    // Writes that the other server has acknowledged arrive within a second.
    eventually("the copy is the catalogue", async || {
        let mut last = copy.clone();
        while last.sync(&readers[0], 50, false).await {}
        let catalogue = Copy::of(&readers[0]).await.movies;
        if last.movies == catalogue { Ok(()) } else { Err((steps.clone(), last.movies, catalogue)) }
    })
    .await;
}
