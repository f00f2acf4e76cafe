//! The versions of a movie: who can see them, what they contain, and restoring one.

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::{
    races::{at_once, statuses},
    support::{Reply, TestApp, eventually, movie, object_id},
};

/// A movie as one of its versions shows it.
fn version_of(mut movie: Value) -> Value {
    let fields = movie.as_object_mut().unwrap();
    fields.remove("created_at");
    fields.remove("updated_at");
    movie
}

/// The numbers in a page.
fn numbers(page: &Value) -> Vec<i64> {
    page["items"].as_array().unwrap().iter().map(|item| item["version"].as_i64().unwrap()).collect()
}

/// The place in the log of an entry that was made by hand this many seconds ago.
pub fn token(seconds_ago: i64, number: usize) -> String {
    let second = bson::DateTime::now().timestamp_millis() / 1_000 - seconds_ago;
    format!("82{second:08X}{number:08X}2B042C0100296E5A1004")
}

#[tokio::test]
async fn every_version_is_listed_at_once_and_can_be_read_unchanged() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body = json!({ "name": "Heat", "casts": ["Al Pacino"], "genres": ["Crime"], "year": 1995, "plot": "Two men." });
    let path = ann.post("/api/movies", &body).await.assert_status(201).header("Location").unwrap();
    let mut was = vec![ann.get(&path).await.json()];
    for change in [
        json!({ "year": null, "casts": [] }),
        json!({ "plot": "Two men meet.", "casts": ["Val Kilmer"] }),
        json!({}),
        json!({ "name": "Heat, again", "year": 1996, "runtime": 170 }),
    ] {
        was.push(ann.patch(&path, &change).await.assert_status(200).json());
    }
    was.push(ann.put(&path, &movie("Heat")).await.assert_status(200).json());

    let list = ann.get(&format!("{path}/versions")).await.assert_status(200);
    assert_eq!(list.header("Cache-Control").as_deref(), Some("no-store"));
    let list = list.json();
    assert_eq!(numbers(&list), [6, 5, 4, 3, 2, 1]);
    assert_eq!(list["next"], Value::Null);
    let id = ann.id().await;
    for (item, was) in list["items"].as_array().unwrap().iter().rev().zip(&was) {
        let kind = if item["version"] == 1 { "created" } else { "updated" };
        assert_eq!((item["type"].as_str(), item["changed_by"].as_str()), (Some(kind), Some(id.as_str())));
        let time = |text: &Value| bson::DateTime::parse_rfc3339_str(text.as_str().unwrap()).unwrap();
        let apart =
            time(&item["changed_at"]).timestamp_millis() - time(&was["updated_at"]).timestamp_millis();
        // By the database's clock.
        assert!(apart.abs() < 60_000, "{item} {was}");
    }
    for was in was {
        let path = format!("{path}/versions/{}", was["version"]);
        let found = ann.get(&path).await.assert_status(200);
        assert_eq!(found.header("Cache-Control").as_deref(), Some("no-store"));
        assert_eq!(found.json(), version_of(was));
    }
}

#[tokio::test]
async fn a_version_that_is_unknown_or_malformed_is_not_found() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    for n in ["0", "2", "01", "+1", "-1", "1.0", "x", "%20", "9223372036854775807", "9223372036854775808"] {
        let path = format!("{path}/versions/{n}");
        ann.get(&path).await.assert_problem(404, "version-not-found");
        ann.send("POST", &format!("{path}/restore")).await.assert_problem(404, "version-not-found");
        // A stranger does not learn which versions exist.
        bob.get(&path).await.assert_problem(403, "not-owner");
    }
    for movie in ["0123456789abcdef01234567", "nothing", &path.rsplit('/').next().unwrap().to_uppercase()] {
        let path = format!("/api/movies/{movie}/versions");
        bob.get(&path).await.assert_problem(404, "movie-not-found");
        bob.get(&format!("{path}/x")).await.assert_problem(404, "movie-not-found");
        bob.send("POST", &format!("{path}/1/restore")).await.assert_problem(404, "movie-not-found");
    }
    ann.get(&format!("{path}/versions/1?x=1")).await.assert_problem(400, "invalid-query");
    ann.send("POST", &format!("{path}/versions/1/restore?x=1")).await.assert_problem(400, "invalid-query");
    ann.send("DELETE", &format!("{path}/versions/1")).await.assert_problem(405, "method-not-allowed");
    assert_eq!(ann.get(&path).await.json()["version"], 1);
}

#[tokio::test]
async fn a_page_of_versions_continues_where_the_previous_one_ended() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (path, other) = (ann.add("Heat").await, ann.add("Ronin").await);
    for year in 1991..1995 {
        ann.patch(&path, &json!({ "year": year })).await.assert_status(200);
    }
    let list = format!("{path}/versions");
    let first = ann.get(&format!("{list}?limit=2")).await.assert_status(200);
    assert_eq!(numbers(&first.json()), [5, 4]);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(first.header("Link").unwrap(), format!("<{list}?limit=2&after={next}>; rel=\"next\""));
    // A new version does not shift the pages.
    ann.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    let second = ann.get(&format!("{list}?limit=2&after={next}")).await.assert_status(200).json();
    assert_eq!(numbers(&second), [3, 2]);
    let next = second["next"].as_str().unwrap();
    let third = ann.get(&format!("{list}?limit=2&after={next}")).await.assert_status(200).json();
    assert_eq!((numbers(&third), &third["next"]), (vec![1], &Value::Null));

    let cursor = format!("?after={next}");
    ann.get(&format!("{other}/versions{cursor}")).await.assert_problem(400, "invalid-query");
    ann.get(&format!("/api/movies/nothing/versions{cursor}")).await.assert_problem(400, "invalid-query");
    for query in ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "after=x", "sort=name"] {
        ann.get(&format!("{list}?{query}")).await.assert_problem(400, "invalid-query");
    }
}

#[tokio::test]
async fn only_the_owner_and_editors_see_and_restore_versions() {
    let app = TestApp::start().await;
    let (ann, editor, bob) = (app.user("ann").await, app.user("editor").await, app.user("bob").await);
    let admin = app.admin("admin").await;
    let path = ann.add("Heat").await;
    let first = ann.get(&path).await.json();
    app.let_edit(&path, &editor).await;
    editor.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    let list = editor.get(&format!("{path}/versions")).await.assert_status(200).json();
    assert_eq!(numbers(&list), [2, 1]);
    let by = |at: usize| list["items"][at]["changed_by"].as_str().unwrap().to_owned();
    assert_eq!((by(0), by(1)), (editor.id().await, ann.id().await));
    assert_eq!(editor.get(&format!("{path}/versions/1")).await.assert_status(200).json(), version_of(first));

    let before = app.snapshot().await;
    for caller in [&bob, &admin] {
        caller.get(&format!("{path}/versions")).await.assert_problem(403, "not-owner");
        caller.get(&format!("{path}/versions/1")).await.assert_problem(403, "not-owner");
        let restore = caller.send("POST", &format!("{path}/versions/1/restore")).await;
        restore.assert_problem(403, "not-owner");
    }
    assert_eq!(app.snapshot().await, before);

    let restored = editor.send("POST", &format!("{path}/versions/1/restore")).await.assert_status(200);
    assert_eq!((restored.json()["version"].as_i64(), restored.json().get("year")), (Some(3), None));
    let newest = ann.get(&format!("{path}/versions?limit=1")).await.json()["items"][0].clone();
    assert_eq!((&newest["version"], &newest["changed_by"]), (&json!(3), &json!(editor.id().await)));
    // The server reads rights from the database, even if it has the movie in memory.
    let movies = app.database.collection::<Document>("movies");
    movies.update_one(doc! {}, doc! { "$set": { "editors": [] } }).await.unwrap();
    editor.get(&format!("{path}/versions")).await.assert_problem(403, "not-owner");
}

#[tokio::test]
async fn a_restore_sets_only_the_fields_that_clients_set() {
    let app = TestApp::start().await;
    let (ann, editor) = (app.user("ann").await, app.user("editor").await);
    let path = ann.add("Quiet").await;
    app.let_edit(&path, &editor).await;
    let first = ann.get(&path).await.json();
    let other = json!({ "name": "Loud", "casts": ["A"], "genres": ["Crime"], "year": 1995, "runtime": 90, "plot": "x",
        "directors": ["B"], "countries": ["C"], "languages": ["D"], "poster_url": "https://example.com/a.jpg" });
    ann.put(&path, &other).await.assert_status(200);
    let restored = editor.send("POST", &format!("{path}/versions/1/restore")).await.assert_status(200);
    assert_eq!(restored.header("ETag").as_deref(), Some("\"3\""));
    let movie = restored.json();
    assert_eq!(ann.get(&path).await.json(), movie);
    let mut expected = first.clone();
    expected["version"] = 3.into();
    expected["updated_at"] = movie["updated_at"].clone();
    assert_eq!(movie, expected);
    let stored = app.database.collection::<Document>("movies").find_one(doc! {}).await.unwrap().unwrap();
    let editor_id = object_id(&editor.id().await);
    assert_eq!(stored.get_array("editors").unwrap(), &[editor_id.into()]);
    assert_eq!(stored.get_object_id("updated_by").unwrap(), editor_id);
    assert_eq!(stored.get_object_id("added_by").unwrap(), object_id(&ann.id().await));
    // Values derived from the name are derived again.
    let suggested = app.anyone().get("/api/movies/suggest?prefix=qui").await.json();
    assert_eq!(suggested.as_array().unwrap().len(), 1, "{suggested}");
    // The current version can be restored too. The result is a new version.
    let again = ann.send("POST", &format!("{path}/versions/3/restore")).await.assert_status(200).json();
    assert_eq!(again["version"], 4);
    let second = ann.send("POST", &format!("{path}/versions/2/restore")).await.assert_status(200).json();
    assert_eq!(
        (&second["name"], &second["version"], &second["runtime"]),
        (&json!("Loud"), &json!(5), &json!(90))
    );
}

#[tokio::test]
async fn a_refused_restore_changes_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    ann.patch(&path, &json!({ "name": "Ronin" })).await.assert_status(200);
    let restore = |tag: &str| {
        Reply::of(ann.request("POST", &format!("{path}/versions/1/restore")).header("If-Match", tag))
    };
    let before = app.snapshot().await;
    for tag in ["\"1\"", "W/\"2\"", "\"3\"", "2"] {
        restore(tag).await.assert_problem(412, "precondition-failed");
    }
    assert_eq!(app.snapshot().await, before);
    let taking = app.user("bob").await.add("Heat").await;
    let before = app.snapshot().await;
    let refused = restore("\"2\"").await.assert_problem(409, "duplicate-movie");
    assert_eq!(refused.json()["existing"], taking);
    assert_eq!(app.snapshot().await, before);
    assert_eq!(numbers(&ann.get(&format!("{path}/versions")).await.json()), [2, 1]);
    app.log_in("bob").await.delete(&taking).await.assert_status(204);
    assert_eq!(restore("\"1\", \"2\"").await.assert_status(200).json()["name"], "Heat");
}

#[tokio::test]
async fn of_16_restores_with_one_version_one_wins() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    ann.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    let tasks = (0..16).map(|_| {
        let request = ann.request("POST", &format!("{path}/versions/1/restore")).header("If-Match", "\"2\"");
        Reply::of(request)
    });
    let replies = at_once(tasks.collect()).await;
    assert_eq!(statuses(&replies), [vec![200], vec![412; 15]].concat());
    assert_eq!(ann.get(&path).await.json()["version"], 3);
}

#[tokio::test]
async fn restores_changes_and_readers_at_once_lose_no_version() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let beside = twin.bearer(ann.token.as_ref().unwrap());
    let mut tasks: Vec<std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>> = Vec::new();
    for number in 0..8 {
        let callers = if number % 2 == 0 { [&ann, &beside] } else { [&beside, &ann] };
        let [patcher, restorer] = callers.map(Clone::clone);
        let (movie, version) = (path.clone(), format!("{path}/versions/1/restore"));
        tasks.push(Box::pin(async move { patcher.patch(&movie, &json!({ "runtime": number + 1 })).await }));
        tasks.push(Box::pin(async move { restorer.send("POST", &version).await }));
        let (reader, list) = (ann.clone(), format!("{path}/versions?limit=100"));
        tasks.push(Box::pin(async move {
            let list = reader.get(&list).await.assert_status(200);
            // The list is complete down to the first version, whatever is being written.
            let numbers = numbers(&list.json());
            assert_eq!(numbers, (1..=numbers[0]).rev().collect::<Vec<_>>());
            list
        }));
    }
    let replies = at_once(tasks).await;
    assert_eq!(statuses(&replies), [200; 24]);
    let list = ann.get(&format!("{path}/versions")).await.json();
    assert_eq!(numbers(&list), (1..=17).rev().collect::<Vec<_>>());
    let first = ann.get(&format!("{path}/versions/1")).await.assert_status(200).json();
    assert_eq!((&first["name"], first.get("runtime")), (&json!("Heat"), None));
}

#[tokio::test]
async fn the_history_ends_at_a_change_made_by_hand_or_older_than_the_log() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    for year in 1991..1995 {
        ann.patch(&path, &json!({ "year": year })).await.assert_status(200);
    }
    let list = format!("{path}/versions");
    assert_eq!(numbers(&ann.get(&list).await.json()), [5, 4, 3, 2, 1]);
    let changes = app.database.collection::<Document>("changes");
    // The state after the log has deleted old entries.
    changes.delete_many(doc! { "version": { "$lte": 2 } }).await.unwrap();
    assert_eq!(numbers(&ann.get(&list).await.json()), [5, 4, 3]);
    ann.get(&format!("{list}/3")).await.assert_status(200);
    ann.get(&format!("{list}/2")).await.assert_problem(404, "version-not-found");
    // The state if the database kept no image of the former movie.
    changes.update_one(doc! { "version": 5 }, doc! { "$unset": { "former": true } }).await.unwrap();
    assert_eq!(numbers(&ann.get(&list).await.json()), [5]);
    ann.get(&format!("{list}/4")).await.assert_problem(404, "version-not-found");
    ann.send("POST", &format!("{list}/4/restore")).await.assert_problem(404, "version-not-found");
    // The state after an upgrade from a release that kept no log.
    changes.delete_many(doc! {}).await.unwrap();
    let only = ann.get(&list).await.assert_status(200).json();
    let current = ann.get(&path).await.json();
    let expected = json!([{ "version": 5, "type": "updated", "changed_by": ann.id().await, "changed_at": current["updated_at"] }]);
    assert_eq!(only["items"], expected);
    assert_eq!(ann.get(&format!("{list}/5")).await.assert_status(200).json(), version_of(current));
    ann.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    assert_eq!(numbers(&ann.get(&list).await.json()), [6]);
}

#[tokio::test]
async fn the_newest_200_versions_are_kept() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let id = object_id(&path);
    let changes = app.database.collection::<Document>("changes");
    let movies = app.database.collection::<Document>("movies");
    movies.update_one(doc! { "_id": id }, doc! { "$set": { "version": 448_i64 } }).await.unwrap();
    let entries = (2..448_i64).map(|version| {
        let former = doc! { "runtime": i32::try_from(version).unwrap() };
        doc! { "_id": token(60, usize::try_from(version).unwrap()), "kind": "updated", "movie": id, "version": version,
            "at": bson::DateTime::now(), "former": former }
    });
    changes.insert_many(entries).await.unwrap();
    ann.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    let list = format!("{path}/versions?limit=100");
    let first = ann.get(&list).await.assert_status(200).json();
    let next = first["next"].as_str().unwrap();
    let second = ann.get(&format!("{list}&after={next}")).await.assert_status(200).json();
    let all = [numbers(&first), numbers(&second)].concat();
    assert_eq!((all, &second["next"]), ((250..=449).rev().collect(), &Value::Null));
    let at = async |version: i64| ann.get(&format!("{path}/versions/{version}")).await;
    at(249).await.assert_problem(404, "version-not-found");
    // The next change replaced the value of this version.
    assert_eq!(at(250).await.assert_status(200).json()["runtime"], 251);
    let held = doc! { "movie": id, "version": { "$lte": 251 }, "former": { "$exists": true } };
    assert_eq!(app.count("changes", held.clone()).await, 250);
    // From time to time, the log erases versions beyond the limit.
    ann.patch(&path, &json!({ "year": 1996 })).await.assert_status(200);
    eventually("the old versions are forgotten", async || match app.count("changes", held.clone()).await {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    at(250).await.assert_problem(404, "version-not-found");
    assert_eq!(at(251).await.assert_status(200).json()["runtime"], 252);
}

#[tokio::test]
async fn a_restore_counts_as_a_write() {
    let app = TestApp::set(|settings| settings.throttle.writes_per_minute = 3).await;
    let ann = app.user("ann").await;
    let (path, deleted) = (ann.add("Heat").await, ann.add("Ronin").await);
    ann.delete(&deleted).await.assert_status(204);
    let restore = format!("{path}/versions/1/restore");
    ann.send("POST", &restore).await.assert_status(200);
    ann.send("POST", &restore).await.assert_problem(429, "too-many-requests");
    let back = deleted.replace("/api/movies", "/api/users/me/trash") + "/restore";
    ann.send("POST", &back).await.assert_problem(429, "too-many-requests");
    assert_eq!(ann.get(&path).await.json()["version"], 2);
    ann.get(&deleted).await.assert_problem(404, "movie-not-found");
}
