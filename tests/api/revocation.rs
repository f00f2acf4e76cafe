//! A token is revoked with its cause, at the next request, on every server, even if things happen at once.

use bson::doc;
use serde_json::json;

use crate::support::{Caller, PASSWORD, Reply, TestApp, mongod::OwnMongod};

const NEW_PASSWORD: &str = "emu yak gnu";

async fn assert_revoked(caller: &Caller) {
    caller.get("/api/users/me").await.assert_problem(401, "revoked-token");
}

async fn change_password(caller: &Caller, to: &str) -> Reply {
    caller.patch("/api/users/me", &json!({ "current_password": PASSWORD, "password": to })).await
}

async fn log_in(app: &TestApp, password: &str) -> Reply {
    let body = json!({ "email": "ann@example.com", "password": password });
    app.anyone().post("/api/auth/login", &body).await
}

/// Runs in the background while the test continues.
fn spawn(task: impl Future<Output = Reply> + Send + 'static) -> tokio::task::JoinHandle<Reply> {
    tokio::spawn(task)
}

#[tokio::test]
async fn logging_out_ends_this_token_at_once_everywhere_and_no_other() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let (phone, laptop) = (app.user("ann").await, app.log_in("ann").await);
    phone.post("/api/auth/logout", &json!({})).await.assert_status(204);
    assert_revoked(&phone).await;
    assert_revoked(&twin.bearer(phone.token.as_ref().unwrap())).await;
    phone.post("/api/auth/logout", &json!({})).await.assert_problem(401, "revoked-token");
    laptop.get("/api/users/me").await.assert_status(200);
    assert_eq!(app.count("sessions", doc! {}).await, 1);
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_token_and_a_login_right_after_works() {
    let app = TestApp::start().await;
    let (phone, laptop) = (app.user("ann").await, app.log_in("ann").await);
    let bob = app.user("bob").await;
    phone.post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    let again = app.log_in("ann").await;
    assert_revoked(&phone).await;
    assert_revoked(&laptop).await;
    again.get("/api/users/me").await.assert_status(200);
    bob.get("/api/users/me").await.assert_status(200);
}

#[tokio::test]
async fn a_second_logout_everywhere_in_progress_spares_a_token_issued_since() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("update", &format!("{}.users", app.database.name()), 1, 1_500).await;
    let slow = {
        let ann = ann.clone();
        spawn(async move { ann.post("/api/auth/logout-all", &json!({})).await })
    };
    hold.reached().await;
    ann.post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    let again = log_in(&app, PASSWORD).await.assert_status(200).json();
    assert!(!slow.is_finished(), "expected the command to be held");
    slow.await.unwrap().assert_status(204);
    app.bearer(again["token"].as_str().unwrap()).get("/api/users/me").await.assert_status(200);
}

#[tokio::test]
async fn a_login_that_read_the_old_password_returns_a_revoked_token() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    // Hold the last step of a login: the password was verified, and the answer was not sent yet.
    let hold = mongod.hold("delete", &format!("{}.throttle", app.database.name()), 1, 1_500).await;
    let slow = {
        let anyone = app.anyone();
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        spawn(async move { anyone.post("/api/auth/login", &body).await })
    };
    hold.reached().await;
    change_password(&ann, NEW_PASSWORD).await.assert_status(200);
    assert!(!slow.is_finished(), "expected the command to be held");
    let late = slow.await.unwrap().assert_status(200).json();
    assert_revoked(&app.bearer(late["token"].as_str().unwrap())).await;
    log_in(&app, NEW_PASSWORD).await.assert_status(200);
}

#[tokio::test]
async fn a_renewed_hash_does_not_overwrite_a_newer_password() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let dearer =
        TestApp::with(&mongod.uri(), app.database.name(), |settings| settings.password.bcrypt_cost = 5).await;
    // Hold the step before that, which stores the address.
    let hold = mongod.hold("update", &format!("{}.users", app.database.name()), 1, 1_500).await;
    let renewing = {
        let anyone = dearer.anyone();
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        spawn(async move { anyone.post("/api/auth/login", &body).await })
    };
    hold.reached().await;
    change_password(&ann, NEW_PASSWORD).await.assert_status(200);
    assert!(!renewing.is_finished(), "expected the command to be held");
    // The token was issued for the old password.
    let late = renewing.await.unwrap().assert_status(200).json();
    assert_revoked(&app.bearer(late["token"].as_str().unwrap())).await;
    log_in(&app, PASSWORD).await.assert_problem(401, "bad-credentials");
    log_in(&app, NEW_PASSWORD).await.assert_status(200);
}

#[tokio::test]
async fn a_change_in_progress_does_not_overwrite_a_newer_password() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    for (number, late) in [
        json!({ "current_password": PASSWORD, "password": "yak gnu emu" }),
        json!({ "current_password": PASSWORD, "email": "late@example.com" }),
    ]
    .into_iter()
    .enumerate()
    {
        let ann = if number == 0 { ann.clone() } else { app.log_in("ann").await };
        let hold = mongod.hold("findAndModify", &format!("{}.users", app.database.name()), 1, 1_500).await;
        let slow = {
            let ann = ann.clone();
            spawn(async move { ann.patch("/api/users/me", &late).await })
        };
        hold.reached().await;
        change_password(&ann, NEW_PASSWORD).await.assert_status(200);
        assert!(!slow.is_finished(), "expected the command to be held");
        slow.await.unwrap().assert_problem(401, "revoked-token");
        let newest = log_in(&app, NEW_PASSWORD).await.assert_status(200).json();
        // Restore the password for the next round.
        let ann = app.bearer(newest["token"].as_str().unwrap());
        let back = json!({ "current_password": NEW_PASSWORD, "password": PASSWORD });
        ann.patch("/api/users/me", &back).await.assert_status(200);
    }
    assert_eq!(app.count("users", doc! { "email": "late@example.com" }).await, 0);
}

#[tokio::test]
async fn a_change_in_progress_does_not_revive_a_deleted_account() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("findAndModify", &format!("{}.users", app.database.name()), 1, 1_500).await;
    let slow = {
        let ann = ann.clone();
        let body = json!({ "current_password": PASSWORD, "email": "new@example.com" });
        spawn(async move { ann.patch("/api/users/me", &body).await })
    };
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert!(!slow.is_finished(), "expected the command to be held");
    slow.await.unwrap().assert_problem(401, "revoked-token");
    assert_eq!(app.count("users", doc! { "email": { "$exists": true } }).await, 0);
    let tombstone =
        app.database.collection::<bson::Document>("users").find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(tombstone.keys().collect::<Vec<_>>(), ["_id", "deleted_at"]);
}

#[tokio::test]
async fn of_several_password_changes_at_once_one_wins() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let changes: Vec<_> = (0..8)
        .map(|number| {
            let ann = ann.clone();
            spawn(async move { change_password(&ann, &format!("emu yak gnu {number}")).await })
        })
        .collect();
    let mut winners = Vec::new();
    for (number, change) in changes.into_iter().enumerate() {
        let reply = change.await.unwrap();
        match reply.status {
            200 => winners.push(number),
            _ => drop(reply.assert_problem(401, "revoked-token")),
        }
    }
    assert_eq!(winners.len(), 1);
    log_in(&app, &format!("emu yak gnu {}", winners[0])).await.assert_status(200);
}
