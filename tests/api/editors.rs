//! The editors of a movie: listing them, leaving, the caller's own list, and that nobody else learns of them.

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp, movie, object_id};

fn ids(reply: &Reply) -> Vec<String> {
    let json = reply.json();
    json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn set_editors(app: &TestApp, path: &str, editors: &[&Caller]) {
    let mut ids = Vec::new();
    for editor in editors {
        ids.push(object_id(&editor.id().await));
    }
    let movies = app.database.collection::<Document>("movies");
    let set = doc! { "$set": { "editors": ids } };
    movies.update_one(doc! { "_id": object_id(path) }, set).await.unwrap();
}

#[tokio::test]
async fn only_the_owner_reads_the_addresses_of_the_editors() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let path = ann.add("Heat").await;
    let editors = format!("{path}/editors");
    assert_eq!(ann.get(&editors).await.assert_status(200).json(), json!({ "items": [] }));
    set_editors(&app, &path, &[&cid, &bob]).await;
    let (bob_id, cid_id) = (bob.id().await, cid.id().await);
    let list = ann.get(&editors).await.assert_status(200);
    assert_eq!(list.header("Cache-Control").as_deref(), Some("no-store"));
    let owners = json!({ "items": [
        { "id": cid_id, "email": "cid@example.com" }, { "id": bob_id, "email": "bob@example.com" },
    ] });
    assert_eq!(list.json(), owners);
    let theirs = json!({ "items": [{ "id": cid_id }, { "id": bob_id }] });
    assert_eq!(bob.get(&editors).await.assert_status(200).json(), theirs);
    let stranger = app.user("stranger").await;
    let refused = stranger.get(&editors).await.assert_problem(403, "not-owner");
    assert_eq!(refused.json()["detail"], "Only this movie's owner or an editor may change it.");
    for unknown in ["/api/movies/6561f0c2a3b4d5e6f7081920/editors", "/api/movies/x/editors"] {
        ann.get(unknown).await.assert_problem(404, "movie-not-found");
    }
    ann.get(&format!("{editors}?x=1")).await.assert_problem(400, "invalid-query");
    ann.send("HEAD", &editors).await.assert_status(200);
}

#[tokio::test]
async fn an_editor_changes_a_movie_and_does_not_delete_or_share_it() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    app.let_edit(&path, &bob).await;
    bob.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    bob.put(&path, &movie("Heat 2")).await.assert_status(200);
    let refused = bob.delete(&path).await.assert_problem(403, "not-owner");
    assert_eq!(refused.json()["detail"], "Only this movie's owner may delete it.");
    let body = json!({ "email": "cid@example.com", "role": "editor" });
    let refused = bob.post(&format!("{path}/invitations"), &body).await.assert_problem(403, "not-owner");
    assert_eq!(refused.json()["detail"], "Only this movie's owner may invite others to it.");
    assert_eq!(app.anyone().get(&path).await.json()["added_by"], ann.id().await);
}

#[tokio::test]
async fn nothing_in_a_body_makes_an_editor() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let bob_id = bob.id().await;
    for field in ["editors", "invitations", "updated_by"] {
        let mut body = movie("Heat 2");
        body[field] = json!([bob_id]);
        ann.post("/api/movies", &body).await.assert_fields(&[(field, "unknown")]);
        ann.put(&path, &body).await.assert_fields(&[(field, "unknown")]);
        ann.patch(&path, &json!({ field: [bob_id] })).await.assert_fields(&[(field, "unknown")]);
    }
    let mut body = movie("Heat");
    body["added_by"] = json!(bob_id);
    ann.put(&path, &body).await.assert_status(200);
    bob.patch(&path, &json!({ "year": 1995 })).await.assert_problem(403, "not-owner");
    assert_eq!(app.count("movies", doc! { "editors": [] }).await, 1);
}

#[tokio::test]
async fn editors_appear_in_no_movie_no_event_and_no_change() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let since = ann.get("/api/movies/changes").await.json()["next"].as_str().unwrap().to_owned();
    let token = app.invitation(&path, &ann, movie_bag::movies::store::invitations::Offer::Editor).await;
    let accepted = bob.post("/api/invitations/accept", &json!({ "invitation_token": token })).await;
    let before = app.anyone().get(&path).await.assert_status(200);
    assert_eq!(accepted.assert_status(200).json(), before.json());
    bob.delete(&format!("{path}/editors/{}", bob.id().await)).await.assert_status(204);
    // As far as the log knows, nothing has happened.
    let changes = app.anyone().get(&format!("/api/movies/changes?since={since}")).await.json();
    assert_eq!(changes["items"], json!([]), "{changes}");
    assert_eq!(before.json()["version"], 1);
    let bob_id = bob.id().await;
    for public in [path.clone(), "/api/movies".to_owned(), "/api/movies?fields=id,added_by".to_owned()] {
        assert!(!app.anyone().get(&public).await.text().contains(&bob_id), "{public}");
    }
    app.anyone().get("/api/movies?fields=editors").await.assert_problem(400, "invalid-query");
    app.anyone().get("/api/movies?role=editor").await.assert_problem(400, "invalid-query");
    // A deletion does not keep the invitations either.
    app.invitation(&path, &ann, movie_bag::movies::store::invitations::Offer::Editor).await;
    ann.delete(&path).await.assert_status(204);
    ann.get("/api/users/me/trash").await.assert_status(200);
    assert_eq!(app.count("changes", doc! { "document.name": "Heat" }).await, 1);
    assert_eq!(app.count("changes", doc! { "document.invitations": { "$exists": true } }).await, 0);
}

#[tokio::test]
async fn an_editor_is_removed_by_the_owner_or_leaves() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let stranger = app.user("stranger").await;
    let path = ann.add("Heat").await;
    set_editors(&app, &path, &[&bob, &cid]).await;
    let (bob_id, cid_id) = (bob.id().await, cid.id().await);
    let editor = |id: &str| format!("{path}/editors/{id}");
    for caller in [&stranger, &cid] {
        let refused = caller.delete(&editor(&bob_id)).await.assert_problem(403, "not-owner");
        assert_eq!(refused.json()["detail"], "Only this movie's owner may remove another editor.");
        for nobody in [ann.id().await, "x".to_owned()] {
            caller.delete(&editor(&nobody)).await.assert_problem(403, "not-owner");
        }
    }
    stranger.delete(&editor(&stranger.id().await)).await.assert_problem(403, "not-owner");
    for nobody in [stranger.id().await, ann.id().await, "6561f0c2a3b4d5e6f7081920".to_owned(), "x".to_owned()]
    {
        ann.delete(&editor(&nobody)).await.assert_problem(404, "user-not-found");
    }
    assert_eq!(ids(&ann.get(&format!("{path}/editors")).await), [bob_id.clone(), cid_id.clone()]);
    let before = app.anyone().get(&path).await.json();
    cid.delete(&editor(&cid_id)).await.assert_status(204);
    cid.delete(&editor(&cid_id)).await.assert_problem(403, "not-owner");
    ann.delete(&editor(&bob_id)).await.assert_status(204);
    ann.delete(&editor(&bob_id)).await.assert_problem(404, "user-not-found");
    bob.patch(&path, &json!({ "year": 1995 })).await.assert_problem(403, "not-owner");
    bob.get(&format!("{path}/versions")).await.assert_problem(403, "not-owner");
    assert_eq!(app.anyone().get(&path).await.json(), before);
    for gone in ["/api/movies/6561f0c2a3b4d5e6f7081920/editors/x", "/api/movies/x/editors/x"] {
        ann.delete(gone).await.assert_problem(404, "movie-not-found");
    }
}

#[tokio::test]
async fn the_movies_that_a_user_edits_have_their_own_list() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut shared = Vec::new();
    for name in ["Heat", "Ronin", "Thief"] {
        let path = ann.add(name).await;
        app.let_edit(&path, &bob).await;
        shared.push(path.rsplit('/').next().unwrap().to_owned());
    }
    ann.add("Hers").await;
    bob.add("His").await;
    shared.reverse();
    let list = "/api/users/me/movies?role=editor";
    let all = bob.get(list).await.assert_status(200);
    assert_eq!(ids(&all), shared);
    assert!(ids(&ann.get(list).await).is_empty());
    let own = bob.get("/api/users/me/movies?role=owner").await;
    assert_eq!(ids(&own), ids(&bob.get("/api/users/me/movies").await));
    assert_eq!(ids(&own).len(), 1);
    let first = bob.get(&format!("{list}&limit=2")).await;
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let link = format!("<{list}&limit=2&after={next}>; rel=\"next\"");
    assert_eq!(first.header("Link").unwrap(), link);
    assert_eq!(ids(&bob.get(&format!("{list}&limit=2&after={next}")).await), shared[2..]);
    // A cursor of one list is not valid for the other.
    bob.get(&format!("/api/users/me/movies?limit=2&after={next}")).await.assert_problem(400, "invalid-query");
    let page: Value = bob.get(&format!("{list}&sort=name&genre=Drama&count=true")).await.json();
    let names: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!((names, &page["total"]), (vec![json!("Heat"), json!("Ronin"), json!("Thief")], &json!(3)));
    for query in ["role=admin", "role=", "role=editor&role=editor"] {
        bob.get(&format!("/api/users/me/movies?{query}")).await.assert_problem(400, "invalid-query");
    }
}

#[tokio::test]
async fn a_deleted_account_leaves_every_movie_that_it_edited() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let (ann_id, bob_id, cid_id) =
        (object_id(&ann.id().await), object_id(&bob.id().await), object_id(&cid.id().await));
    let now = bson::DateTime::now();
    // More than one batch of movies.
    let movies = (0..2_500).map(|number| {
        doc! {
            "name": format!("Movie {number}"), "casts": [], "genres": ["Drama"], "directors": [], "countries": [],
            "languages": [], "added_by": ann_id, "created_at": now, "updated_at": now, "version": 1_i64,
            "editors": [bob_id, cid_id],
        }
    });
    app.database.collection("movies").insert_many(movies).await.unwrap();
    bob.add("His").await;
    bob.delete("/api/users/me").await.assert_status(204);
    assert_eq!(app.count("movies", doc! { "editors": bob_id }).await, 0);
    assert_eq!(
        app.count("movies", doc! { "editors": [cid_id], "added_by": ann_id, "version": 1_i64 }).await,
        2_500
    );
    assert_eq!(app.count("movies", doc! {}).await, 2_500);
}
