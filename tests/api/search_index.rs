//! The files of the search index: how a server resumes with them, and what it does without them.

use std::path::Path;

use bson::{Document, doc};
use movie_bag::config::Settings;
use serde_json::json;

use crate::{
    events::stored,
    search::names,
    support::{TestApp, eventually},
};

/// Waits until this server's index answers.
async fn answers(app: &TestApp) {
    eventually("the index answers", async || {
        let reply = app.anyone().get("/api/movies?q=heat").await;
        if reply.status == 200 { Ok(()) } else { Err(reply.status) }
    })
    .await;
}

/// The data folder of another server, which has built its index and was stopped.
async fn kept_index(app: &TestApp) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let twin = app.twin_in(data.path()).await;
    answers(&twin).await;
    twin.stop().await;
    data
}

#[tokio::test]
async fn changes_made_while_a_server_was_down_are_found_after_its_start() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (heat, ronin) = (ann.add("Heat").await, ann.add("Ronin").await);
    let data = kept_index(&app).await;
    ann.delete(&heat).await.assert_status(204);
    ann.patch(&ronin, &json!({ "plot": "Somebody feels the heat." })).await.assert_status(200);
    ann.add("Thief of heat").await;
    let before = index_folders(data.path());
    let twin = app.twin_in(data.path()).await;
    answers(&twin).await;
    assert_eq!(names(&twin, "q=heat").await, ["Thief of heat", "Ronin"]);
    assert_eq!(index_folders(data.path()), before, "expected the server to resume with its index");
}

/// The folders of the indexes in a data folder.
fn index_folders(data: &Path) -> Vec<String> {
    let names = std::fs::read_dir(data.join("search/0")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn an_unusable_index_is_rebuilt() {
    let app = TestApp::start().await;
    app.user("ann").await.add("Heat").await;
    let data = kept_index(&app).await;
    let former = index_folders(data.path());
    let torn = data.path().join("search/0").join(&former[0]).join("meta.json");
    std::fs::write(&torn, "{").unwrap();
    let twin = app.twin_in(data.path()).await;
    answers(&twin).await;
    assert_eq!(names(&twin, "q=heat").await, ["Heat"]);
    assert_ne!(index_folders(data.path()), former);
    twin.stop().await;
    // An index of another database.
    let other = TestApp::start().await;
    other.user("bob").await.add("Heat and Dust").await;
    let twin = other.twin_in(data.path()).await;
    answers(&twin).await;
    assert_eq!(names(&twin, "q=heat").await, ["Heat and Dust"]);
}

#[tokio::test]
async fn without_a_folder_only_requests_that_need_the_index_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let heat = ann.add("Heat").await;
    let data = tempfile::tempdir().unwrap();
    let in_the_way = data.path().join("search");
    std::fs::write(&in_the_way, "a file").unwrap();
    let twin = app.twin_in(data.path()).await;
    for needs in
        ["?q=heat", "/facets", "/suggest?prefix=he", "?genre=Drama&sort=name", "?genre=Drama&count=true"]
    {
        let refused = twin.anyone().get(&format!("/api/movies{needs}")).await;
        let refused = refused.assert_problem(503, "search-building");
        assert!(refused.header("Retry-After").is_some());
    }
    for path in ["/api/movies", "/api/movies?sort=name", "/api/movies?genre=Drama", heat.as_str()] {
        twin.anyone().get(path).await.assert_status(200);
    }
    std::fs::remove_file(&in_the_way).unwrap();
    answers(&twin).await;
    // The folder is deleted while the server runs. Sooner or later the server cannot write, and builds another index.
    std::fs::remove_dir_all(&in_the_way).unwrap();
    ann.add("Heat and Dust").await;
    eventually("it is found", async || {
        let reply = twin.anyone().get("/api/movies?q=dust").await;
        if reply.status == 200 && reply.json()["items"].as_array().unwrap().len() == 1 {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await;
}

/// Nothing has written these changes to the log when the server starts.
#[tokio::test]
async fn changes_that_no_server_saw_are_found_as_soon_as_the_index_answers() {
    let app = TestApp::start().await;
    app.user("ann").await.add("Heat").await;
    let data = kept_index(&app).await;
    let (uri, database) = (app.uri().to_owned(), app.database.clone());
    app.stop().await;
    let mut unseen: Vec<Document> =
        (0..2_000).map(|number| stored(&format!("Noise {number}"), "Nothing happens.")).collect();
    unseen.push(stored("Heat and Dust", "It is hot."));
    database.collection("movies").insert_many(unseen).await.unwrap();
    let in_there = |settings: &mut Settings| data.path().clone_into(&mut settings.data_dir);
    let app = TestApp::with(&uri, database.name(), in_there).await;
    assert_eq!(names(&app, "q=heat").await, ["Heat", "Heat and Dust"]);
}

/// A server may learn of changes before the server that writes the log has written them. If both are killed then, the
/// index is ahead of the log.
#[tokio::test]
async fn an_index_ahead_of_the_log_is_used_again() {
    let app = TestApp::start().await;
    app.user("ann").await.add("Heat").await;
    let noise: Vec<Document> =
        (0..2_000).map(|number| stored(&format!("Noise {number}"), "Nothing happens.")).collect();
    app.database.collection("movies").insert_many(noise).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let twin = app.twin_in(data.path()).await;
    eventually("the index has every movie", async || {
        let reply = twin.anyone().get("/api/movies?genre=Drama&sort=name&limit=1&count=true").await;
        if reply.json()["total"] == 2_001 { Ok(()) } else { Err(reply.text()) }
    })
    .await;
    twin.stop().await;
    let before = index_folders(data.path());
    let (uri, database) = (app.uri().to_owned(), app.database.clone());
    app.stop().await;
    let entries = database.collection::<Document>("changes");
    let first = entries.find_one(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().unwrap();
    let later = doc! { "_id": { "$gt": first.get_str("_id").unwrap() } };
    assert_eq!(entries.delete_many(later.clone()).await.unwrap().deleted_count, 2_000);
    // The log continues after the first entry.
    let checkpoint = doc! { "$set": { "checkpoint": first.get_str("_id").unwrap() } };
    let log = database.collection::<Document>("change_log");
    assert_eq!(log.update_one(doc! { "_id": "log" }, checkpoint).await.unwrap().matched_count, 1);
    let in_there = |settings: &mut Settings| data.path().clone_into(&mut settings.data_dir);
    let app = TestApp::with(&uri, database.name(), in_there).await;
    assert_eq!(names(&app, "q=heat").await, ["Heat"]);
    assert_eq!(index_folders(data.path()), before, "expected the server to resume with its index");
    assert_eq!(entries.count_documents(later).await.unwrap(), 2_000);
}
