//! What is left of a deleted account when something interrupts the deletion. Fail points hold the commands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bson::doc;
use movie_bag::{
    accounts::{Cascade, Users, deletion::Removal, grants::Grants, store::admin_list::Admins},
    http::ids::UserId,
    movies::Movies,
};
use serde_json::json;

use crate::support::{TestApp, mongod::OwnMongod};

fn cascade(app: &TestApp) -> Cascade {
    let database = &app.database;
    let (users, admins) = (Users::new(database), Admins::new(database));
    Cascade::new(users, admins, Grants::new(database), Arc::new(Movies::new(database)))
}

/// Inserts movies directly into the database, many at a time.
async fn give_movies(app: &TestApp, owner: &str, count: usize) {
    let owner = bson::oid::ObjectId::parse_str(owner).unwrap();
    let now = bson::DateTime::now();
    let movies = (0..count).map(|number| {
        doc! {
            "name": format!("Movie {number} of {owner}"), "casts": [], "genres": ["Drama"], "directors": [], "countries": [],
            "languages": [], "added_by": owner, "created_at": now, "updated_at": now, "version": 1_i64,
        }
    });
    app.database.collection("movies").insert_many(movies).await.unwrap();
}

#[tokio::test]
async fn several_deletions_of_one_account_are_recorded_once() {
    let app = TestApp::start().await;
    let id = UserId::parse(&app.user("ann").await.id().await).unwrap();
    let recorded = Arc::new(AtomicU32::new(0));
    let deletions = (0..8).map(|_| {
        let (cascade, recorded) = (cascade(&app), Arc::clone(&recorded));
        let record = move || {
            recorded.fetch_add(1, Ordering::Relaxed);
        };
        tokio::spawn(async move { cascade.remove_account(id, record).await })
    });
    for deletion in deletions.collect::<Vec<_>>() {
        assert_eq!(deletion.await.unwrap().unwrap().unwrap(), Removal::Complete);
    }
    assert_eq!(recorded.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_insert_that_is_delayed_past_the_deletion_is_taken_back() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let adding = {
        let ann = ann.clone();
        let body = json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
        tokio::spawn(async move { ann.post("/api/movies", &body).await })
    };
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert!(!adding.is_finished(), "expected the insert to be held");
    adding.await.unwrap().assert_problem(401, "revoked-token");
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

#[tokio::test]
async fn an_insert_whose_owner_check_fails_is_swept_up() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let id = ann.id().await;
    ann.delete("/api/users/me").await.assert_status(204);
    // The state that an insert leaves if its server dies before the check of the owner.
    give_movies(&app, &id, 3).await;
    cascade(&app).sweep().await.unwrap();
    assert_eq!(app.count("movies", doc! {}).await, 0);
    assert_eq!(app.count("users", doc! {}).await, 1, "the tombstone stays for a day");
}

#[tokio::test]
async fn a_tombstone_is_deleted_after_a_day_and_what_it_left_with_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = ann.id().await;
    ann.delete("/api/users/me").await.assert_status(204);
    give_movies(&app, &id, 3).await;
    let age = async |hours: i64| {
        let time = bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() - hours * 3_600_000);
        let update = doc! { "$set": { "deleted_at": time } };
        app.database.collection::<bson::Document>("users").update_one(doc! {}, update).await.unwrap();
    };
    age(23).await;
    cascade(&app).sweep().await.unwrap();
    assert_eq!(app.count("users", doc! {}).await, 1);
    age(25).await;
    cascade(&app).sweep().await.unwrap();
    assert_eq!((app.count("users", doc! {}).await, app.count("movies", doc! {}).await), (0, 0));
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
}

#[tokio::test]
async fn a_deletion_that_has_begun_is_finished_by_another_server() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let movie = ann.add("Heat").await;
    let id = UserId::parse(&ann.id().await).unwrap();
    // The server died after the first step.
    Admins::new(&app.database).begin_leaving(id).await.unwrap().unwrap();
    ann.get("/api/users/me").await.assert_status(200);
    cascade(&app).sweep().await.unwrap();
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    app.anyone().get(&movie).await.assert_problem(404, "movie-not-found");
    assert!(Admins::new(&app.database).leaving().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_user_who_is_leaving_is_not_made_admin() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    let ann = app.user("ann").await;
    let id = ann.id().await;
    Admins::new(&app.database).begin_leaving(UserId::parse(&id).unwrap()).await.unwrap().unwrap();
    let path = format!("/api/admin/users/{id}");
    admin.patch(&path, &json!({ "role": "admin" })).await.assert_problem(404, "user-not-found");
    assert_eq!(Admins::new(&app.database).members().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_grant_that_read_the_user_before_the_deletion_has_no_effect() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let admin = app.admin("admin").await;
    let ann = app.user("ann").await;
    let path = format!("/api/admin/users/{}", ann.id().await);
    // Hold the write of the grant, which has read the list and seen the user.
    let hold = mongod.hold("update", &format!("{}.roles", app.database.name()), 1, 1_500).await;
    let granting = tokio::spawn(async move { admin.patch(&path, &json!({ "role": "admin" })).await });
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert!(!granting.is_finished(), "expected the grant to be held");
    granting.await.unwrap().assert_problem(404, "user-not-found");
    assert_eq!(Admins::new(&app.database).members().await.unwrap().len(), 1);
}

/// Makes a command fail from now on; `"off"` ends it.
async fn fail(mongod: &OwnMongod, command: &str, namespace: String, mode: impl Into<bson::Bson>) {
    // BadValue does not pass by itself, so the driver does not retry.
    let data = doc! { "failCommands": [command], "namespace": namespace, "errorCode": 2 };
    let set = doc! { "configureFailPoint": "failCommand", "mode": mode.into(), "data": data };
    mongod.admin.run_command(set).await.unwrap();
}

#[tokio::test]
async fn after_the_tombstone_nothing_is_an_error_and_the_deletion_is_recorded() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let movie = ann.add("Heat").await;
    let bob_id = UserId::parse(&bob.id().await).unwrap();
    let roles = format!("{}.roles", app.database.name());
    // The first step succeeds, and the one after the tombstone fails.
    fail(&mongod, "update", roles.clone(), doc! { "skip": 1 }).await;
    ann.delete("/api/users/me").await.assert_status(202);
    fail(&mongod, "update", roles.clone(), doc! { "skip": 1 }).await;
    let (recorded, was_recorded) = std::sync::mpsc::channel();
    let removal = cascade(&app).remove_account(bob_id, move || recorded.send(()).unwrap()).await;
    assert_eq!(removal.unwrap().unwrap(), Removal::GoesOn);
    was_recorded.try_recv().expect("it is recorded");
    fail(&mongod, "update", roles, "off").await;
    for gone in [&ann, &bob] {
        gone.get("/api/users/me").await.assert_problem(401, "revoked-token");
    }
    app.anyone().get(&movie).await.assert_problem(404, "movie-not-found");
    assert_eq!(Admins::new(&app.database).leaving().await.unwrap().len(), 2);
    cascade(&app).sweep().await.unwrap();
    assert!(Admins::new(&app.database).leaving().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_account_that_fails_does_not_hold_up_the_sweep() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let mut ids = Vec::new();
    for name in ["ann", "bob", "cid"] {
        let user = app.user(name).await;
        let id = user.id().await;
        user.delete("/api/users/me").await.assert_status(204);
        give_movies(&app, &id, 1).await;
        ids.push(id);
    }
    // First the three together fail, then the first of them alone.
    let movies = format!("{}.movies", app.database.name());
    fail(&mongod, "delete", movies.clone(), doc! { "times": 2 }).await;
    cascade(&app).sweep().await.unwrap_err();
    assert_eq!(app.count("movies", doc! {}).await, 1);
    fail(&mongod, "delete", movies, "off").await;
    // An account whose deletion has begun, and that cannot become a tombstone, does not hold up the sweep either.
    for name in ["dan", "eve"] {
        let id = UserId::parse(&app.user(name).await.id().await).unwrap();
        Admins::new(&app.database).begin_leaving(id).await.unwrap().unwrap();
    }
    fail(&mongod, "update", format!("{}.users", app.database.name()), doc! { "times": 1 }).await;
    cascade(&app).sweep().await.unwrap_err();
    assert_eq!(Admins::new(&app.database).leaving().await.unwrap().len(), 1);
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

#[tokio::test]
async fn a_sweep_of_many_accounts_asks_for_many_at_a_time() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let now = bson::DateTime::now();
    let tombstones = (0..1_200).map(|_| doc! { "_id": bson::oid::ObjectId::new(), "deleted_at": now });
    app.database.collection("users").insert_many(tombstones).await.unwrap();
    let asked = async || {
        let status = mongod.admin.run_command(doc! { "serverStatus": 1 }).await.unwrap();
        let commands = status.get_document("metrics").unwrap().get_document("commands").unwrap();
        let total = |name| commands.get_document(name).unwrap().get_i64("total").unwrap();
        total("find") + total("delete")
    };
    let before = asked().await;
    cascade(&app).sweep().await.unwrap();
    let asked = asked().await - before;
    // Three chunks, each read and then deleted, and the two lists. mongod itself also runs a few commands.
    assert!((6..100).contains(&asked), "{asked}");
    assert_eq!(app.count("users", doc! {}).await, 1_200);
}

#[tokio::test]
async fn movies_are_deleted_in_batches() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let his = bob.add("Ronin").await;
    give_movies(&app, &ann.id().await, 3_500).await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert_eq!(app.count("movies", doc! {}).await, 1);
    app.anyone().get(&his).await.assert_status(200);
}

#[tokio::test]
async fn a_long_deletion_is_202_and_continues() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    let hold = mongod.hold("delete", &format!("{}.movies", app.database.name()), 1, 23_000).await;
    let started = Instant::now();
    ann.delete("/api/users/me").await.assert_status(202);
    assert!(started.elapsed() >= Duration::from_secs(20));
    // The account is deleted nevertheless.
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    app.user("ann").await;
    hold.lift().await;
    crate::support::eventually("the movies are gone", async || match app.count("movies", doc! {}).await {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
}

#[tokio::test]
async fn a_session_of_a_login_that_raced_the_deletion_is_invalid_and_swept_away() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("insert", &format!("{}.sessions", app.database.name()), 1, 1_500).await;
    let slow = {
        let anyone = app.anyone();
        let body = json!({ "email": "ann@example.com", "password": crate::support::PASSWORD });
        tokio::spawn(async move { anyone.post("/api/auth/login", &body).await })
    };
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert!(!slow.is_finished(), "expected the command to be held");
    let late = slow.await.unwrap().assert_status(200).json();
    let late = app.bearer(late["token"].as_str().unwrap());
    late.get("/api/users/me").await.assert_problem(401, "revoked-token");
    assert_eq!(app.count("sessions", doc! {}).await, 1);
    cascade(&app).sweep().await.unwrap();
    assert_eq!(app.count("sessions", doc! {}).await, 0);
}
