//! What the change log still contains after an account is deleted: that its movies changed, but not their content.

use std::sync::Arc;

use bson::{Document, doc};
use movie_bag::{
    accounts::{Cascade, Users, grants::Grants, store::admin_list::Admins},
    http::{fields::Fields, ids::UserId},
    movies::{Movies, model::MovieInput, store::insertion::OwnerGone},
};
use serde_json::json;

use crate::{
    support::{Caller, TestApp, eventually, mongod::OwnMongod, movie, object_id},
    versions::token,
};

/// Asserts that the log knows that each of these movies was deleted `deletions` times, and nothing of their content.
pub async fn assert_erased(app: &TestApp, paths: &[&str], deletions: u64) {
    let movies: Vec<_> = paths.iter().map(|path| object_id(path)).collect();
    let of_them = |condition: Document| {
        let mut filter = doc! { "movie": { "$in": &movies } };
        filter.extend(condition);
        filter
    };
    let deletions = deletions * paths.len() as u64;
    eventually("every deletion is in the log", async || {
        match app.count("changes", of_them(doc! { "kind": "deleted" })).await {
            found if found == deletions => Ok(()),
            found => Err(found),
        }
    })
    .await;
    for field in ["former", "document"] {
        assert_eq!(app.count("changes", of_them(doc! { field: { "$exists": true } })).await, 0, "{field}");
    }
}

/// One existing movie and one deleted movie, both changed before.
async fn with_history(caller: &Caller, name: &str) -> [String; 2] {
    let mut paths = Vec::new();
    for number in 0..2 {
        let path = caller.add(&format!("{name} {number}")).await;
        caller.patch(&path, &json!({ "plot": "a secret" })).await.assert_status(200);
        caller.patch(&path, &json!({ "plot": null })).await.assert_status(200);
        paths.push(path);
    }
    caller.delete(&paths[1]).await.assert_status(204);
    assert_eq!(caller.get("/api/users/me/trash").await.json()["items"].as_array().unwrap().len(), 1);
    paths.try_into().unwrap()
}

#[tokio::test]
async fn deleting_an_account_erases_the_history_of_its_movies() {
    let app = TestApp::start().await;
    let (ann, bob, cid, admin) =
        (app.user("ann").await, app.user("bob").await, app.user("cid").await, app.admin("admin").await);
    let (hers, his) = (with_history(&ann, "Ann's").await, with_history(&bob, "Bob's").await);
    let kept = with_history(&cid, "Cid's").await;
    let secret = doc! { "former.plot": "a secret" };
    assert_eq!(app.count("changes", secret.clone()).await, 6);
    ann.delete("/api/users/me").await.assert_status(204);
    admin.delete(&format!("/api/admin/users/{}", bob.id().await)).await.assert_status(204);
    for paths in [&hers, &his] {
        assert_erased(&app, &[&paths[0], &paths[1]], 1).await;
    }
    // Other users' history stays.
    assert_eq!(app.count("changes", secret).await, 2);
    let version = cid.get(&format!("{}/versions/2", kept[0])).await.assert_status(200);
    assert_eq!(version.json()["plot"], "a secret");
    assert_eq!(cid.get("/api/users/me/trash").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_history_of_a_movie_is_erased_with_its_owner_at_that_time() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    ann.patch(&path, &json!({ "plot": "a secret" })).await.assert_status(200);
    // Transfer a movie.
    let bob_id = object_id(&bob.id().await);
    let hand_over =
        doc! { "$set": { "added_by": bob_id, "updated_by": bob_id }, "$inc": { "version": 1_i64 } };
    app.database.collection::<Document>("movies").update_one(doc! {}, hand_over).await.unwrap();
    bob.patch(&path, &json!({ "plot": null })).await.assert_status(200);
    ann.delete("/api/users/me").await.assert_status(204);
    let then = bob.get(&format!("{path}/versions/2")).await.assert_status(200).json();
    assert_eq!(then["plot"], "a secret");
    assert_ne!(then["added_by"], bob.id().await);
    bob.delete("/api/users/me").await.assert_status(204);
    assert_erased(&app, &[&path], 1).await;
}

fn cascade(app: &TestApp) -> Cascade {
    let database = &app.database;
    let grants = Grants::new(database);
    Cascade::new(Users::new(database), Admins::new(database), grants, Arc::new(Movies::new(database)))
}

#[tokio::test]
async fn the_sweep_erases_entries_written_after_the_erasure() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let owner = object_id(&ann.id().await);
    ann.delete("/api/users/me").await.assert_status(204);
    // The state that a writer leaves that saw the account alive.
    let (id, now) = (bson::oid::ObjectId::new(), bson::DateTime::now());
    let changes = app.database.collection::<Document>("changes");
    changes
        .insert_many([
            doc! { "_id": token(60, 1), "kind": "updated", "movie": id, "owner": owner, "version": 2_i64, "at": now,
            "former": { "plot": "a secret" } },
            doc! { "_id": token(60, 2), "kind": "deleted", "movie": id, "owner": owner, "version": 2_i64, "at": now,
            "document": { "_id": id, "name": "Heat", "plot": "another" } },
        ])
        .await
        .unwrap();
    cascade(&app).sweep().await.unwrap();
    assert_erased(&app, &[&id.to_hex()], 1).await;
    assert_eq!(app.count("changes", doc! { "movie": id }).await, 2);
}

#[tokio::test]
async fn a_late_log_writes_nothing_that_was_erased() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let paths = [ann.add("Heat").await, ann.add("Ronin").await];
    ann.get("/api/movies/changes").await.assert_status(200);
    // Hold the log while its entries are prepared and the account is deleted.
    let hold = mongod.hold("insert", &format!("{}.changes", app.database.name()), 1, 1_500).await;
    for path in &paths {
        ann.patch(path, &json!({ "plot": "a secret" })).await.assert_status(200);
        ann.patch(path, &json!({ "plot": null })).await.assert_status(200);
    }
    hold.reached().await;
    ann.delete(&paths[1]).await.assert_status(204);
    ann.delete("/api/users/me").await.assert_status(204);
    assert_erased(&app, &[&paths[0], &paths[1]], 1).await;
}

#[tokio::test]
async fn an_import_that_is_taken_back_leaves_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let owner = UserId::parse(&ann.id().await).unwrap();
    ann.delete("/api/users/me").await.assert_status(204);
    let movies = Movies::new(&app.database);
    let input = |name: &str| Fields::read::<MovieInput>(movie(name)).unwrap();
    let inserted = movies.insert_batch(owner, vec![input("Heat"), input("Ronin")]).await.unwrap();
    let confirmed = movies.confirm_run(&Users::new(&app.database), inserted).await.unwrap();
    assert!(matches!(confirmed, Err(OwnerGone)));
    let created = app.database.collection::<Document>("changes");
    eventually("the import is in the log", async || {
        match app.count("changes", doc! { "kind": "deleted" }).await {
            2 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let ids = created.distinct("movie", doc! {}).await.unwrap();
    let ids: Vec<String> = ids.iter().map(|id| id.as_object_id().unwrap().to_hex()).collect();
    assert_erased(&app, &ids.iter().map(String::as_str).collect::<Vec<_>>(), 1).await;
}
