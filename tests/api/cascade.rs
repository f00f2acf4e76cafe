//! What is left of an account that goes, when something comes between: held by fail points.

use std::time::{Duration, Instant};

use bson::doc;
use movie_bag::{
    ids::UserId,
    movies::Movies,
    users::{Cascade, Users, admins::Admins},
};
use serde_json::json;

use crate::support::{TestApp, mongod::OwnMongod};

fn cascade(app: &TestApp) -> Cascade {
    Cascade::new(Users::new(&app.database), Admins::new(&app.database), Movies::new(&app.database))
}

/// Movies put there directly, many at a time.
async fn give_movies(app: &TestApp, owner: &str, count: usize) {
    let owner = bson::oid::ObjectId::parse_str(owner).unwrap();
    let now = bson::DateTime::now();
    let movies = (0..count).map(|number| {
        doc! {
            "name": format!("Movie {number}"), "casts": [], "genres": ["Drama"], "directors": [], "countries": [],
            "languages": [], "added_by": owner, "created_at": now, "updated_at": now, "version": 1_i64,
        }
    });
    app.database.collection("movies").insert_many(movies).await.unwrap();
}

#[tokio::test]
async fn an_insert_that_is_stalled_over_the_deletion_is_taken_back() {
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
    assert!(!adding.is_finished(), "the insert was to be held");
    adding.await.unwrap().assert_problem(401, "revoked-token");
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

#[tokio::test]
async fn an_insert_whose_look_fails_is_swept_up() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let id = ann.id().await;
    ann.delete("/api/users/me").await.assert_status(204);
    // As an insert leaves it whose server died before the look.
    give_movies(&app, &id, 3).await;
    cascade(&app).sweep().await.unwrap();
    assert_eq!(app.count("movies", doc! {}).await, 0);
    assert_eq!(app.count("users", doc! {}).await, 1, "the mark stays for a day");
}

#[tokio::test]
async fn a_mark_goes_after_a_day_and_what_it_left_goes_with_it() {
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
async fn a_deletion_that_was_begun_is_finished_by_another() {
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
async fn a_grant_that_looked_before_the_deletion_does_not_count() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let admin = app.admin("admin").await;
    let ann = app.user("ann").await;
    let path = format!("/api/admin/users/{}", ann.id().await);
    // The grant's write is held: it has read the list and seen the user.
    let hold = mongod.hold("update", &format!("{}.roles", app.database.name()), 1, 1_500).await;
    let granting = tokio::spawn(async move { admin.patch(&path, &json!({ "role": "admin" })).await });
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert!(!granting.is_finished(), "the grant was to be held");
    granting.await.unwrap().assert_problem(404, "user-not-found");
    assert_eq!(Admins::new(&app.database).members().await.unwrap().len(), 1);
}

#[tokio::test]
async fn movies_go_in_batches() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let his = bob.add("Ronin").await;
    give_movies(&app, &ann.id().await, 3_500).await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert_eq!(app.count("movies", doc! {}).await, 1);
    app.anyone().get(&his).await.assert_status(200);
}

#[tokio::test]
async fn a_deletion_that_takes_long_is_202_and_goes_on() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    let hold = mongod.hold("delete", &format!("{}.movies", app.database.name()), 1, 23_000).await;
    let started = Instant::now();
    ann.delete("/api/users/me").await.assert_status(202);
    assert!(started.elapsed() >= Duration::from_secs(20));
    // The account is gone all the same.
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    app.user("ann").await;
    hold.lift().await;
    crate::support::eventually("the movies are gone", async || match app.count("movies", doc! {}).await {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
}
