//! Several callers do the same at once: each rule has one winner, and holds.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Barrier;

use crate::support::{PASSWORD, Reply, TestApp};

/// Runs all tasks at once. Returns their answers.
pub async fn at_once<F>(tasks: Vec<F>) -> Vec<Reply>
where
    F: Future<Output = Reply> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(tasks.len()));
    let tasks: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                task.await
            })
        })
        .collect();
    let mut replies = Vec::new();
    for task in tasks {
        replies.push(task.await.unwrap());
    }
    replies
}

pub fn statuses(replies: &[Reply]) -> Vec<u16> {
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn of_16_signups_of_one_email_one_wins() {
    let app = TestApp::start().await;
    let tasks = (0..16).map(|number| {
        let anyone = app.anyone();
        let email = if number % 2 == 0 { "ann@example.com" } else { "Ann@Example.com" };
        async move { anyone.post("/api/auth/signup", &json!({ "email": email, "password": PASSWORD })).await }
    });
    let replies = at_once(tasks.collect()).await;
    assert_eq!(statuses(&replies), [vec![201], vec![409; 15]].concat());
    assert_eq!(app.count("users", bson::doc! {}).await, 1);
}

#[tokio::test]
async fn of_16_creates_of_one_name_one_wins() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let tasks = (0..16).map(|number| {
        let caller = if number % 2 == 0 { ann.clone() } else { bob.clone() };
        async move {
            caller.post("/api/movies", &json!({ "name": "Heat", "casts": [], "genres": ["Crime"] })).await
        }
    });
    let replies = at_once(tasks.collect()).await;
    assert_eq!(statuses(&replies), [vec![201], vec![409; 15]].concat());
    assert_eq!(app.count("movies", bson::doc! {}).await, 1);
}

#[tokio::test]
async fn of_16_writers_with_one_version_one_wins() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let tasks = (0..16).map(|number| {
        let request =
            ann.request("PATCH", &path).header("If-Match", "\"1\"").json(&json!({ "runtime": number + 1 }));
        Reply::of(request)
    });
    let replies = at_once(tasks.collect()).await;
    assert_eq!(statuses(&replies), [vec![200], vec![412; 15]].concat());
    let winner = replies.iter().find(|reply| reply.status == 200).unwrap().json();
    assert_eq!(app.anyone().get(&path).await.json(), winner);
}

#[tokio::test]
async fn no_update_is_lost_without_a_condition() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let fields = ["directors", "countries", "languages", "genres"];
    let tasks = (0..16).map(|number| {
        let (ann, path, field) = (ann.clone(), path.clone(), fields[number % 4]);
        async move { ann.patch(&path, &json!({ field: [number.to_string()] })).await }
    });
    let replies = at_once(tasks.collect()).await;
    assert_eq!(statuses(&replies), [200; 16]);
    let mut versions: Vec<i64> =
        replies.iter().map(|reply| reply.json()["version"].as_i64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=17).collect::<Vec<_>>());
    let movie = app.anyone().get(&path).await.json();
    for field in fields {
        assert_eq!(movie[field].as_array().unwrap().len(), 1, "{movie}");
    }
}

#[tokio::test]
async fn creates_during_the_deletion_of_their_account_leave_no_orphan() {
    let app = TestApp::start().await;
    for round in 0..12 {
        let ann = app.user(&format!("ann-{round}")).await;
        let mut tasks: Vec<std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>> = Vec::new();
        for number in 0..8 {
            let ann = ann.clone();
            let body = json!({ "name": format!("{round} {number}"), "casts": [], "genres": ["Drama"] });
            tasks.push(Box::pin(async move { ann.post("/api/movies", &body).await }));
        }
        let deleter = ann.clone();
        tasks.push(Box::pin(async move { deleter.delete("/api/users/me").await }));
        for reply in at_once(tasks).await {
            assert!([201, 204, 401].contains(&reply.status), "{}", reply.text());
        }
        assert_eq!(app.count("movies", bson::doc! {}).await, 0, "round {round}");
    }
}

/// The ways in which `victim` may lose the admin role, through `actor`.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Demotion,
    OwnDeletion,
    DeletionByAdmin,
    Revoke,
}

#[tokio::test]
async fn there_is_always_an_admin_whatever_races() {
    use Loss::{DeletionByAdmin, Demotion, OwnDeletion, Revoke};
    let all = [Demotion, OwnDeletion, DeletionByAdmin, Revoke];
    let app = TestApp::start().await;
    for (number, (first, second)) in
        all.iter().flat_map(|first| all.iter().map(move |second| (*first, *second))).enumerate()
    {
        for round in 0..3 {
            let (ann, bob) = (format!("ann-{number}-{round}"), format!("bob-{number}-{round}"));
            let (a, b) = (app.admin(&ann).await, app.admin(&bob).await);
            let (a_id, b_id) = (a.id().await, b.id().await);
            // Each admin loses the role through the other, or through itself.
            let tasks = vec![loss(&app, first, &a, &a_id, &b), loss(&app, second, &b, &b_id, &a)];
            let replies = at_once(tasks).await;
            let admins =
                movie_bag::accounts::store::admin_list::Admins::new(&app.database).members().await.unwrap();
            assert_eq!(admins.len(), 1, "{first:?} against {second:?}: {:?}", statuses(&replies));
            let alive =
                app.count("users", bson::doc! { "_id": admins[0], "email": { "$exists": true } }).await;
            assert_eq!(alive, 1, "{first:?} against {second:?}: the admin is a ghost");
            // The next round begins without admins.
            app.database
                .collection::<bson::Document>("roles")
                .update_one(bson::doc! {}, bson::doc! { "$set": { "members": [] } })
                .await
                .unwrap();
        }
    }
}

fn loss(
    app: &TestApp,
    kind: Loss,
    victim: &crate::support::Caller,
    victim_id: &str,
    actor: &crate::support::Caller,
) -> std::pin::Pin<Box<dyn Future<Output = Reply> + Send>> {
    let path = format!("/api/admin/users/{victim_id}");
    let (victim, actor, database) = (victim.clone(), actor.clone(), app.database.clone());
    let id = movie_bag::http::ids::UserId::parse(victim_id).unwrap();
    Box::pin(async move {
        match kind {
            Loss::Demotion => actor.patch(&path, &json!({ "role": "user" })).await,
            Loss::OwnDeletion => victim.delete("/api/users/me").await,
            Loss::DeletionByAdmin => actor.delete(&path).await,
            Loss::Revoke => {
                // Do what the command line does.
                let _ =
                    movie_bag::accounts::store::admin_list::Admins::new(&database).revoke(id).await.unwrap();
                victim.get("/health/live").await
            }
        }
    })
}

#[tokio::test]
async fn a_grant_during_the_deletion_of_its_user_leaves_no_admin_without_an_account() {
    let app = TestApp::start().await;
    for round in 0..16 {
        let admin = app.admin(&format!("admin-{round}")).await;
        let user = app.user(&format!("user-{round}")).await;
        let path = format!("/api/admin/users/{}", user.id().await);
        let own = format!("/api/admin/users/{}", admin.id().await);
        let (granter, stepper) = (admin.clone(), admin.clone());
        let tasks: Vec<std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>> = vec![
            Box::pin(async move { granter.patch(&path, &json!({ "role": "admin" })).await }),
            Box::pin(async move { user.delete("/api/users/me").await }),
            Box::pin(async move { stepper.patch(&own, &json!({ "role": "user" })).await }),
        ];
        let replies = at_once(tasks).await;
        let admins =
            movie_bag::accounts::store::admin_list::Admins::new(&app.database).members().await.unwrap();
        assert!(!admins.is_empty(), "{:?}", statuses(&replies));
        for admin in &admins {
            let alive = app.count("users", bson::doc! { "_id": *admin, "email": { "$exists": true } }).await;
            assert_eq!(alive, 1, "round {round}: {:?}", statuses(&replies));
        }
    }
}
