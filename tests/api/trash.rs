//! Deleted movies, and restoring them.

use std::time::Duration;

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::{
    races::{at_once, statuses},
    support::{Caller, Reply, TestApp, eventually, mongod::OwnMongod, movie, object_id},
    versions::token,
};

const TRASH: &str = "/api/users/me/trash";

/// The ids on a page.
fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn id(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

async fn trash(caller: &Caller) -> Vec<String> {
    ids(&caller.get(TRASH).await.assert_status(200).json())
}

async fn restore(caller: &Caller, movie: &str) -> Reply {
    caller.send("POST", &format!("{TRASH}/{}/restore", id(movie))).await
}

/// Adds and deletes a movie with this name.
async fn deleted(caller: &Caller, name: &str) -> String {
    let path = caller.add(name).await;
    caller.delete(&path).await.assert_status(204);
    path
}

/// Inserts the log entry of a deletion by hand.
async fn bury(app: &TestApp, owner: &Caller, seconds_ago: i64, number: usize) -> Document {
    let (owner, movie, now) =
        (object_id(&owner.id().await), bson::oid::ObjectId::new(), bson::DateTime::now());
    doc! {
        "_id": token(seconds_ago, number), "kind": "deleted", "movie": movie, "owner": owner, "version": 1_i64,
        "by": owner, "at": now,
        "document": {
            "_id": movie, "name": format!("{} {number}", app.database.name()), "casts": [], "genres": ["Drama"],
            "directors": [], "countries": [], "languages": [], "added_by": owner, "created_at": now,
            "updated_at": now, "version": 1_i64,
        },
    }
}

#[tokio::test]
async fn deleted_movies_are_listed_at_once_newest_first() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let heat = ann.add("Heat").await;
    let was = ann.patch(&heat, &json!({ "year": 1995 })).await.assert_status(200).json();
    ann.delete(&heat).await.assert_status(204);
    let others = [deleted(&ann, "Ronin").await, deleted(&ann, "Alien").await];
    deleted(&bob, "His").await;
    ann.add("Kept").await;
    let page = ann.get(TRASH).await.assert_status(200);
    assert_eq!(page.header("Cache-Control").as_deref(), Some("no-store"));
    let page = page.json();
    assert_eq!(ids(&page), [id(&others[1]), id(&others[0]), id(&heat)]);
    assert_eq!(page["next"], Value::Null);
    let mut item = page["items"][2].clone();
    let deleted_at = item.as_object_mut().unwrap().remove("deleted_at").unwrap();
    assert_eq!(item, was);
    let age = bson::DateTime::now().timestamp_millis()
        - bson::DateTime::parse_rfc3339_str(deleted_at.as_str().unwrap()).unwrap().timestamp_millis();
    assert!(Duration::from_millis(age.unsigned_abs()) < Duration::from_mins(1), "{deleted_at}");

    let first = ann.get(&format!("{TRASH}?limit=2")).await.assert_status(200);
    assert_eq!(ids(&first.json()), [id(&others[1]), id(&others[0])]);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(first.header("Link").unwrap(), format!("<{TRASH}?limit=2&after={next}>; rel=\"next\""));
    // A deletion in the meantime does not shift the pages.
    deleted(&ann, "Later").await;
    let last = ann.get(&format!("{TRASH}?limit=2&after={next}")).await.assert_status(200).json();
    assert_eq!((ids(&last), &last["next"]), (vec![id(&heat)], &Value::Null));
    bob.get(&format!("{TRASH}?after={next}")).await.assert_problem(400, "invalid-query");
    for query in ["limit=0", "limit=101", "after=x", "sort=name", "limit=1&limit=1"] {
        ann.get(&format!("{TRASH}?{query}")).await.assert_problem(400, "invalid-query");
    }
}

#[tokio::test]
async fn a_restored_movie_is_unchanged_and_its_history_continues() {
    let app = TestApp::start().await;
    let (ann, editor) = (app.user("ann").await, app.user("editor").await);
    let path = ann.add("Quiet").await;
    app.let_edit(&path, &editor).await;
    let was = editor.patch(&path, &json!({ "year": 1995 })).await.assert_status(200).json();
    ann.delete(&path).await.assert_status(204);
    let cursor = ann.get("/api/movies/changes").await.json()["next"].as_str().unwrap().to_owned();
    // Somebody asks for it in the meantime.
    app.anyone().get(&path).await.assert_problem(404, "movie-not-found");

    let back = restore(&ann, &path).await.assert_status(200);
    assert_eq!(back.header("ETag").as_deref(), Some("\"3\""));
    assert_eq!(back.header("Cache-Control").as_deref(), Some("no-store"));
    let back = back.json();
    let mut expected = was.clone();
    expected["version"] = 3.into();
    expected["updated_at"] = back["updated_at"].clone();
    assert_eq!(back, expected);
    assert!(back["updated_at"].as_str() > was["updated_at"].as_str());
    assert_eq!(app.anyone().get(&path).await.assert_status(200).json(), back);
    let stored = app.database.collection::<Document>("movies").find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(stored.get_array("editors").unwrap(), &[object_id(&editor.id().await).into()]);
    assert_eq!(stored.get_object_id("updated_by").unwrap(), object_id(&ann.id().await));
    let suggested = app.anyone().get("/api/movies/suggest?prefix=qui").await.json();
    assert_eq!(suggested.as_array().unwrap().len(), 1, "{suggested}");
    let changes = app.anyone().get(&format!("/api/movies/changes?since={cursor}")).await.json();
    assert_eq!(changes["items"].as_array().unwrap().len(), 1, "{changes}");
    assert_eq!(
        (&changes["items"][0]["type"], &changes["items"][0]["version"]),
        (&json!("created"), &json!(3))
    );

    // It is no longer in the trash, and can be restored only once.
    assert!(trash(&ann).await.is_empty());
    restore(&ann, &path).await.assert_problem(404, "movie-not-found");
    assert_eq!(app.anyone().get(&path).await.json(), back);
    // Its history continues.
    let list = editor.get(&format!("{path}/versions")).await.assert_status(200).json();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "updated", "created"]);
    let first = ann.get(&format!("{path}/versions/1")).await.assert_status(200).json();
    assert_eq!((&first["name"], first.get("year")), (&json!("Quiet"), None));
    assert_eq!(ann.get(&format!("{path}/versions/2")).await.assert_status(200).json()["year"], 1995);
    // It can be deleted and restored again.
    ann.patch(&path, &json!({ "year": 1996 })).await.assert_status(200);
    ann.delete(&path).await.assert_status(204);
    assert_eq!(trash(&ann).await, [id(&path)]);
    let again = restore(&ann, &path).await.assert_status(200).json();
    assert_eq!((&again["version"], &again["year"]), (&json!(5), &json!(1996)));
}

async fn editors(app: &TestApp, path: &str) -> bson::Array {
    let movies = app.database.collection::<Document>("movies");
    let movie = movies.find_one(doc! { "_id": object_id(path) }).await.unwrap().unwrap();
    movie.get_array("editors").unwrap().clone()
}

#[tokio::test]
async fn editors_whose_accounts_are_deleted_are_not_restored() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob, cid, dan) =
        (app.user("ann").await, app.user("bob").await, app.user("cid").await, app.user("dan").await);
    let path = ann.add("Heat").await;
    let mut all = Vec::new();
    for editor in [&bob, &cid, &dan] {
        all.push(object_id(&editor.id().await));
    }
    let movies = app.database.collection::<Document>("movies");
    movies.update_one(doc! {}, doc! { "$set": { "editors": &all } }).await.unwrap();
    ann.delete(&path).await.assert_status(204);
    assert_eq!(trash(&ann).await, [id(&path)]);
    // The movie does not exist now, so the deletion cannot remove the editor from it.
    bob.delete("/api/users/me").await.assert_status(204);
    // This account is deleted after the restore saw it alive, and its cascade does not find the movie yet.
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let restoring = {
        let (ann, path) = (ann.clone(), path.clone());
        tokio::spawn(async move { restore(&ann, &path).await })
    };
    hold.reached().await;
    cid.delete("/api/users/me").await.assert_status(204);
    assert!(!restoring.is_finished(), "expected the restore to be held");
    restoring.await.unwrap().assert_status(200);
    assert_eq!(editors(&app, &path).await, [all[2].into()]);
}

#[tokio::test]
async fn only_the_owner_can_restore_a_movie() {
    let app = TestApp::start().await;
    let (ann, editor, admin) = (app.user("ann").await, app.user("editor").await, app.admin("admin").await);
    let path = ann.add("Heat").await;
    app.let_edit(&path, &editor).await;
    let there = ann.add("Ronin").await;
    ann.delete(&path).await.assert_status(204);
    for caller in [&editor, &admin] {
        assert!(trash(caller).await.is_empty());
        restore(caller, &path).await.assert_problem(404, "movie-not-found");
    }
    for unknown in [there.as_str(), "0123456789abcdef01234567", "nothing"] {
        restore(&ann, unknown).await.assert_problem(404, "movie-not-found");
    }
    ann.send("POST", &format!("{TRASH}/{}/restore?x=1", id(&path)))
        .await
        .assert_problem(400, "invalid-query");
    app.anyone().get(&path).await.assert_problem(404, "movie-not-found");
    assert_eq!(ann.get(&there).await.json()["version"], 1);
    assert_eq!(trash(&ann).await, [id(&path)]);
    restore(&ann, &path).await.assert_status(200);
}

#[tokio::test]
async fn a_name_that_is_taken_keeps_a_movie_in_the_trash() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = deleted(&ann, "Heat").await;
    let taking = bob.add("Heat").await;
    let before = app.snapshot().await;
    for _ in 0..2 {
        let refused = restore(&ann, &path).await.assert_problem(409, "duplicate-movie");
        assert_eq!(refused.json()["existing"], taking);
    }
    assert_eq!(app.snapshot().await, before);
    assert_eq!(trash(&ann).await, [id(&path)]);
    bob.patch(&taking, &json!({ "year": 1995 })).await.assert_status(200);
    restore(&ann, &path).await.assert_status(200);
    app.anyone().get(&path).await.assert_status(200);
}

#[tokio::test]
async fn a_taken_id_is_not_reported_as_a_taken_name() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let movies = app.database.collection::<Document>("movies");
    let path = ann.add("Heat").await;
    let mut copy = movies.find_one(doc! {}).await.unwrap().unwrap();
    ann.delete(&path).await.assert_status(204);
    assert_eq!(trash(&ann).await, [id(&path)]);
    copy.insert("name", "Put back by hand");
    movies.insert_one(&copy).await.unwrap();
    restore(&ann, &path).await.assert_problem(404, "movie-not-found");
    assert_eq!(movies.find_one(doc! {}).await.unwrap().unwrap(), copy);
}

#[tokio::test]
async fn of_16_restores_one_succeeds() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let ann = app.user("ann").await;
    let beside = twin.bearer(ann.token.as_ref().unwrap());
    let path = deleted(&ann, "Heat").await;
    // The other server may learn of the deletion a little later.
    eventually("the deletion is known", async || match trash(&beside).await.len() {
        1 => Ok(()),
        other => Err(other),
    })
    .await;
    let tasks = (0..16).map(|number| {
        let (caller, path) = (if number % 2 == 0 { ann.clone() } else { beside.clone() }, path.clone());
        async move { restore(&caller, &path).await }
    });
    let replies = at_once(tasks.collect()).await;
    assert_eq!(statuses(&replies), [vec![200], vec![404; 15]].concat());
    for reply in replies.into_iter().filter(|reply| reply.status == 404) {
        reply.assert_problem(404, "movie-not-found");
    }
    assert_eq!(app.anyone().get(&path).await.json()["version"], 2);
    assert_eq!(app.count("movies", doc! {}).await, 1);
}

#[tokio::test]
async fn restores_and_deletions_at_once_never_take_a_version_twice() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    for round in 0..6 {
        let mut tasks: Vec<std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>> = Vec::new();
        for number in 0..6 {
            let (deleter, restorer, patcher) = (ann.clone(), ann.clone(), ann.clone());
            let [one, two, three] = [(); 3].map(|()| path.clone());
            tasks.push(Box::pin(async move { deleter.delete(&one).await }));
            tasks.push(Box::pin(async move { restore(&restorer, &two).await }));
            tasks.push(Box::pin(
                async move { patcher.patch(&three, &json!({ "runtime": number + 1 })).await },
            ));
        }
        let replies = at_once(tasks).await;
        assert!(
            replies.iter().all(|reply| [200, 204, 404].contains(&reply.status)),
            "{:?}",
            statuses(&replies)
        );
        // Whichever came last, the movie is in exactly one place.
        let is_there = app.anyone().get(&path).await.status == 200;
        assert_eq!(trash(&ann).await.len(), usize::from(!is_there), "round {round}");
    }
    if app.anyone().get(&path).await.status == 404 {
        restore(&ann, &path).await.assert_status(200);
    }
    let version = app.anyone().get(&path).await.json()["version"].as_u64().unwrap();
    ann.get(TRASH).await.assert_status(200);
    let makers = doc! { "movie": object_id(&path), "kind": { "$ne": "deleted" } };
    let versions =
        app.database.collection::<Document>("changes").distinct("version", makers.clone()).await.unwrap();
    assert_eq!((versions.len() as u64, app.count("changes", makers).await), (version, version));
}

#[tokio::test]
async fn deletions_older_than_the_limits_cannot_be_restored() {
    const DAY: i64 = 24 * 3_600;
    for (keep, days) in [(90, 30), (7, 7)] {
        let app = TestApp::set(|settings| settings.history.keep = Duration::from_hours(24 * keep)).await;
        let ann = app.user("ann").await;
        let recent = bury(&app, &ann, days * DAY - 600, 1).await;
        let old = bury(&app, &ann, days * DAY + 600, 2).await;
        let path = |entry: &Document| format!("/{}", entry.get_object_id("movie").unwrap());
        // Wait until the log has begun, because it deletes entries that are older than its limit.
        ann.get(TRASH).await.assert_status(200);
        app.database.collection::<Document>("changes").insert_many([&recent, &old]).await.unwrap();
        assert_eq!(trash(&ann).await, [id(&path(&recent))], "{keep} days");
        restore(&ann, &path(&old)).await.assert_problem(404, "movie-not-found");
        let back = restore(&ann, &path(&recent)).await.assert_status(200).json();
        assert_eq!(back["version"], 2);
        assert_eq!(app.count("movies", doc! {}).await, 1);
    }
}

#[tokio::test]
async fn the_newest_1000_deletions_of_an_account_are_kept() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let changes = app.database.collection::<Document>("changes");
    let mut entries = Vec::new();
    for number in 0..1_002 {
        let mut entry = bury(&app, &ann, 60, number).await;
        let movie = entry.get_object_id("movie").unwrap();
        entry.insert("version", 2_i64);
        entries.push(doc! { "_id": token(120, number), "kind": "updated", "movie": movie, "version": 2_i64,
        "at": bson::DateTime::now(), "former": { "year": 1995 } });
        entries.push(entry);
    }
    changes.insert_many(&entries).await.unwrap();
    let last = deleted(&ann, "Last").await;
    let owner = object_id(&ann.id().await);
    eventually("the oldest are forgotten", async || {
        match app.count("changes", doc! { "owner": owner, "document": { "$exists": true } }).await {
            1_000 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(ids(&ann.get(&format!("{TRASH}?limit=1")).await.json()), [id(&last)]);
    // Three are over the limit. Their earlier versions are erased too.
    for (number, is_kept) in [(2, 0), (3, 1)] {
        let movie = entries[2 * number + 1].get_object_id("movie").unwrap();
        let held = doc! { "movie": movie, "former": { "$exists": true } };
        assert_eq!(app.count("changes", held).await, is_kept, "{number}");
        let expected = if is_kept == 1 { 200 } else { 404 };
        assert_eq!(restore(&ann, &format!("/{movie}")).await.status, expected);
    }
}

#[tokio::test]
async fn a_document_that_was_not_a_movie_is_not_in_the_trash() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let movies = app.database.collection::<Document>("movies");
    let owner = object_id(&ann.id().await);
    movies.insert_one(doc! { "name": "By hand", "added_by": owner }).await.unwrap();
    movies.delete_one(doc! {}).await.unwrap();
    let path = deleted(&ann, "Heat").await;
    assert_eq!(trash(&ann).await, [id(&path)]);
}

#[tokio::test]
async fn a_restore_delayed_past_the_deletion_of_its_account_is_taken_back() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    ann.put(&path, &movie("Heat, again")).await.assert_status(200);
    ann.delete(&path).await.assert_status(204);
    assert_eq!(trash(&ann).await, [id(&path)]);
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 1, 1_000).await;
    let restoring = {
        let (ann, path) = (ann.clone(), path.clone());
        tokio::spawn(async move { restore(&ann, &path).await })
    };
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    restoring.await.unwrap().assert_problem(401, "revoked-token");
    assert_eq!(app.count("movies", doc! {}).await, 0);
    crate::erasure::assert_erased(&app, &[&path], 2).await;
}
