//! Transferring a movie, and what can interfere: deleting either account, other transfers, writes. Fail points hold
//! the commands.

use std::{pin::Pin, sync::Arc};

use bson::{Document, doc};
use movie_bag::{
    accounts::{Cascade, Users, grants::Grants, store::admin_list::Admins},
    movies::{Movies, store::invitations::Offer},
};
use serde_json::json;

use crate::{
    invitations::accept,
    races::{at_once, statuses},
    support::{Caller, Reply, TestApp, mongod::OwnMongod, object_id},
};

fn cascade(app: &TestApp) -> Cascade {
    let database = &app.database;
    let (users, admins) = (Users::new(database), Admins::new(database));
    Cascade::new(users, admins, Grants::new(database), Arc::new(Movies::new(database)))
}

async fn stored(app: &TestApp, path: &str) -> Option<Document> {
    let movies = app.database.collection::<Document>("movies");
    movies.find_one(doc! { "_id": object_id(path) }).await.unwrap()
}

async fn id_of(caller: &Caller) -> bson::oid::ObjectId {
    object_id(&caller.id().await)
}

/// A movie that `from` has transferred to `to`.
async fn handed_over(app: &TestApp, from: &Caller, to: &Caller, name: &str) -> String {
    let path = from.add(name).await;
    let token = app.invitation(&path, from, Offer::Owner).await;
    accept(to, &token).await.assert_status(200);
    path
}

#[tokio::test]
async fn the_new_owner_owns_the_movie_and_the_former_one_edits_it() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let path = ann.add("Heat").await;
    app.let_edit(&path, &bob).await;
    let open = app.invitation(&path, &ann, Offer::Editor).await;
    let token = app.invitation(&path, &ann, Offer::Owner).await;
    let since = ann.get("/api/movies/changes").await.json()["next"].as_str().unwrap().to_owned();
    let before = app.anyone().get(&path).await.json();
    let accepted = accept(&bob, &token).await.assert_status(200);
    assert_eq!(accepted.header("ETag").as_deref(), Some("\"2\""));
    let after = accepted.json();
    let mut expected = before.clone();
    expected["version"] = json!(2);
    expected["added_by"] = json!(bob.id().await);
    expected["updated_at"] = after["updated_at"].clone();
    assert_eq!(after, expected);
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str());
    assert_eq!(app.anyone().get(&path).await.json(), after);
    // The former owner is only an editor.
    ann.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    ann.delete(&path).await.assert_problem(403, "not-owner");
    let editors = bob.get(&format!("{path}/editors")).await.json();
    assert_eq!(editors["items"], json!([{ "id": ann.id().await, "email": "ann@example.com" }]));
    // Invitations from the former owner are void.
    for link in [&open, &token] {
        accept(&cid, link).await.assert_problem(422, "invalid-invitation");
    }
    // The log has the owner after the change, and the history the owner before it.
    let changes = bob.get(&format!("/api/movies/changes?since={since}")).await.json();
    assert_eq!(changes["items"].as_array().unwrap().len(), 2, "{changes}");
    let entries = app.database.collection::<Document>("changes");
    let entry =
        entries.find_one(doc! { "movie": object_id(&path), "version": 2_i64 }).await.unwrap().unwrap();
    assert_eq!(entry.get_object_id("owner").unwrap(), id_of(&bob).await);
    assert_eq!(entry.get_object_id("by").unwrap(), id_of(&bob).await);
    assert_eq!(entry.get_document("former").unwrap(), &doc! { "added_by": id_of(&ann).await });
    let first = ann.get(&format!("{path}/versions/1")).await.assert_status(200).json();
    assert_eq!(first["added_by"], json!(ann.id().await));
    // Lists use the current owner. A deleted movie is in the trash of its owner.
    for (caller, own, edited) in [(&ann, 0, 1), (&bob, 1, 0)] {
        let count = async |role: &str| {
            let list = caller.get(&format!("/api/users/me/movies?role={role}")).await.json();
            list["items"].as_array().unwrap().len()
        };
        assert_eq!((count("owner").await, count("editor").await), (own, edited));
    }
    bob.delete(&path).await.assert_status(204);
    assert_eq!(ann.get("/api/users/me/trash").await.json()["items"], json!([]));
    assert_eq!(bob.get("/api/users/me/trash").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_old_invitation_stays_void_when_its_sender_gets_the_movie_back() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let path = ann.add("Heat").await;
    let old = app.invitation(&path, &ann, Offer::Owner).await;
    let token = app.invitation(&path, &ann, Offer::Owner).await;
    accept(&bob, &token).await.assert_status(200);
    let back = app.invitation(&path, &bob, Offer::Owner).await;
    accept(&ann, &back).await.assert_status(200);
    accept(&cid, &old).await.assert_problem(422, "invalid-invitation");
    let movie = stored(&app, &path).await.unwrap();
    assert_eq!(movie.get_array("editors").unwrap(), &[id_of(&bob).await.into()]);
    assert_eq!(movie.get_i64("version").unwrap(), 3);
}

#[tokio::test]
async fn of_two_transfers_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    for round in 0..8 {
        let path = ann.add(&format!("Movie {round}")).await;
        let mut tasks = Vec::new();
        for caller in [&bob, &cid] {
            let (caller, token) = (caller.clone(), app.invitation(&path, &ann, Offer::Owner).await);
            tasks.push(async move { accept(&caller, &token).await });
        }
        assert_eq!(statuses(&at_once(tasks).await), [200, 422]);
        let movie = stored(&app, &path).await.unwrap();
        assert_eq!(movie.get_i64("version").unwrap(), 2);
        assert_eq!(movie.get_array("editors").unwrap(), &[id_of(&ann).await.into()]);
        assert!([id_of(&bob).await, id_of(&cid).await].contains(&movie.get_object_id("added_by").unwrap()));
    }
}

#[tokio::test]
async fn an_if_match_from_before_the_transfer_does_not_match() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = handed_over(&app, &ann, &bob, "Heat").await;
    for caller in [&ann, &bob] {
        let stale = caller.request("PATCH", &path).header("If-Match", "\"1\"").json(&json!({ "year": 1995 }));
        Reply::of(stale).await.assert_problem(412, "precondition-failed");
    }
}

#[tokio::test]
async fn the_movie_is_deleted_with_its_new_owner_and_not_with_its_former_owner() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = handed_over(&app, &ann, &bob, "Heat").await;
    ann.delete("/api/users/me").await.assert_status(204);
    let movie = stored(&app, &path).await.expect("the movie is bob's");
    assert_eq!(movie.get_array("editors").unwrap().len(), 0);
    bob.delete("/api/users/me").await.assert_status(204);
    assert!(stored(&app, &path).await.is_none());
}

#[tokio::test]
async fn a_transfer_delayed_past_the_deletion_of_the_new_owner_leaves_no_orphan() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let token = app.invitation(&path, &ann, Offer::Owner).await;
    let hold = mongod.hold("findAndModify", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let accepting = {
        let bob = bob.clone();
        tokio::spawn(async move { accept(&bob, &token).await })
    };
    hold.reached().await;
    bob.delete("/api/users/me").await.assert_status(204);
    assert!(!accepting.is_finished(), "expected the transfer to be held");
    accepting.await.unwrap().assert_problem(401, "revoked-token");
    // It was transferred, and is deleted with its new owner.
    assert!(stored(&app, &path).await.is_none());
    assert_eq!(app.count("changes", doc! { "document": { "$exists": true } }).await, 0);
}

#[tokio::test]
async fn a_transfer_whose_owner_check_fails_is_swept_up() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = handed_over(&app, &ann, &bob, "Heat").await;
    let kept = ann.add("Ronin").await;
    bob.delete("/api/users/me").await.assert_status(204);
    ann.get(&path).await.assert_problem(404, "movie-not-found");
    // The state that a server leaves if it dies between the writes and the checks: one movie is transferred, one is
    // edited.
    let path = ann.add("Thief").await;
    let bob_id = object_id(
        &app.database
            .collection::<Document>("users")
            .distinct("_id", doc! { "deleted_at": { "$exists": true } })
            .await
            .unwrap()[0]
            .as_object_id()
            .unwrap()
            .to_hex(),
    );
    let movies = app.database.collection::<Document>("movies");
    let set = doc! { "$set": { "added_by": bob_id } };
    movies.update_one(doc! { "_id": object_id(&path) }, set).await.unwrap();
    let set = doc! { "$set": { "editors": [bob_id] } };
    movies.update_one(doc! { "_id": object_id(&kept) }, set).await.unwrap();
    cascade(&app).sweep().await.unwrap();
    assert!(stored(&app, &path).await.is_none());
    assert_eq!(stored(&app, &kept).await.unwrap().get_array("editors").unwrap().len(), 0);
}

/// The cascade has found the movie as the former owner's, and the transfer happens before it deletes the movie.
#[tokio::test]
async fn a_transfer_between_the_read_and_the_delete_of_a_cascade_keeps_the_movie() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let other = ann.add("Ronin").await;
    let token = app.invitation(&path, &ann, Offer::Owner).await;
    let hold = mongod.hold("delete", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let deleting = {
        let ann = ann.clone();
        tokio::spawn(async move { ann.delete("/api/users/me").await })
    };
    hold.reached().await;
    accept(&bob, &token).await.assert_status(200);
    assert!(!deleting.is_finished(), "expected the deletion to be held");
    deleting.await.unwrap().assert_status(204);
    let movie = stored(&app, &path).await.expect("the movie is bob's by now");
    assert_eq!(movie.get_object_id("added_by").unwrap(), id_of(&bob).await);
    assert_eq!(movie.get_array("editors").unwrap().len(), 0, "the former owner is gone");
    assert!(stored(&app, &other).await.is_none());
}

/// The former owner is deleted between the transfer's write and its check.
#[tokio::test]
async fn a_former_owner_who_is_deleted_in_the_meantime_does_not_become_an_editor() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let token = app.invitation(&path, &ann, Offer::Owner).await;
    let ann_id = id_of(&ann).await;
    let users = app.database.collection::<Document>("users");
    let hold = mongod.hold("findAndModify", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let accepting = {
        let bob = bob.clone();
        tokio::spawn(async move { accept(&bob, &token).await })
    };
    hold.reached().await;
    // A tombstone whose cascade is already over.
    let tombstone = doc! { "_id": ann_id, "deleted_at": bson::DateTime::now() };
    users.replace_one(doc! { "_id": ann_id }, tombstone).await.unwrap();
    accepting.await.unwrap().assert_status(200);
    let movie = stored(&app, &path).await.unwrap();
    assert_eq!(movie.get_object_id("added_by").unwrap(), id_of(&bob).await);
    assert_eq!(movie.get_array("editors").unwrap().len(), 0);
}

#[tokio::test]
async fn a_user_who_is_deleted_while_accepting_does_not_become_an_editor() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = ann.add("Heat").await;
    let token = app.invitation(&path, &ann, Offer::Editor).await;
    let hold = mongod.hold("findAndModify", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let accepting = {
        let bob = bob.clone();
        tokio::spawn(async move { accept(&bob, &token).await })
    };
    hold.reached().await;
    bob.delete("/api/users/me").await.assert_status(204);
    accepting.await.unwrap().assert_problem(401, "revoked-token");
    assert_eq!(stored(&app, &path).await.unwrap().get_array("editors").unwrap().len(), 0);
}

/// Whatever happens first: afterwards no movie has a deleted owner or editor, and no movie of an existing owner is
/// deleted.
#[tokio::test]
async fn transfers_during_both_deletions_keep_the_invariants() {
    let app = TestApp::start().await;
    for round in 0..16 {
        let (ann, bob) = (app.user(&format!("ann-{round}")).await, app.user(&format!("bob-{round}")).await);
        let (ann_id, bob_id) = (id_of(&ann).await, id_of(&bob).await);
        let path = ann.add(&format!("Movie {round}")).await;
        let token = app.invitation(&path, &ann, Offer::Owner).await;
        let mut tasks: Vec<Pin<Box<dyn Future<Output = Reply> + Send>>> = Vec::new();
        let accepting = bob.clone();
        tasks.push(Box::pin(async move { accept(&accepting, &token).await }));
        // Delete one of the accounts, or both.
        if round % 3 != 1 {
            let ann = ann.clone();
            tasks.push(Box::pin(async move { ann.delete("/api/users/me").await }));
        }
        if round % 3 != 0 {
            let bob = bob.clone();
            tasks.push(Box::pin(async move { bob.delete("/api/users/me").await }));
        }
        let replies = at_once(tasks).await;
        let accepted = replies[0].status;
        assert!([200, 401, 422].contains(&accepted), "{}", replies[0].text());
        let movie = stored(&app, &path).await;
        let deleted: Vec<_> = [(round % 3 != 1, ann_id), (round % 3 != 0, bob_id)]
            .into_iter()
            .filter(|(gone, _)| *gone)
            .collect();
        if let Some(movie) = &movie {
            for (_, gone) in deleted {
                assert_ne!(movie.get_object_id("added_by").unwrap(), gone, "round {round}");
                assert!(!movie.get_array("editors").unwrap().contains(&gone.into()), "round {round}");
            }
        } else {
            // The last owner was deleted.
            let is_bobs = accepted == 200;
            assert!(if is_bobs { round % 3 != 0 } else { true }, "round {round}: bob lives");
        }
        // Bob exists and has accepted, so the movie exists.
        assert!(!(round % 3 == 0 && accepted == 200) || movie.is_some(), "round {round}");
    }
}

#[tokio::test]
async fn accepting_during_the_deletion_of_the_movie_has_one_outcome() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for (round, offer) in [Offer::Editor, Offer::Owner].into_iter().cycle().take(12).enumerate() {
        let path = ann.add(&format!("Movie {round}")).await;
        let token = app.invitation(&path, &ann, offer).await;
        let (bob, deleter, gone) = (bob.clone(), ann.clone(), path.clone());
        let tasks: Vec<Pin<Box<dyn Future<Output = Reply> + Send>>> = vec![
            Box::pin(async move { accept(&bob, &token).await }),
            Box::pin(async move { deleter.delete(&gone).await }),
        ];
        let replies = at_once(tasks).await;
        let expected: &[(u16, u16)] = match offer {
            Offer::Editor => &[(200, 204), (422, 204)],
            // Once it is bob's, ann cannot delete it.
            Offer::Owner => &[(200, 403), (422, 204)],
        };
        let found = (replies[0].status, replies[1].status);
        assert!(expected.contains(&found), "{offer:?}: {found:?}");
        assert_eq!(stored(&app, &path).await.is_some(), found.1 == 403);
    }
}
