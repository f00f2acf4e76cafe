//! `POST /api/auth/refresh`: rotation, repeating a lost answer, and reuse.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bson::{DateTime, Document, doc};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::{
    sessions::session_of,
    support::{PASSWORD, Reply, TestApp},
};

const REFRESH: &str = "/api/auth/refresh";

/// Logs ann in with a session that can be refreshed. Returns the answer.
async fn log_in(app: &TestApp) -> Value {
    let body = json!({ "email": "ann@example.com", "password": PASSWORD, "refresh": true });
    app.anyone().post("/api/auth/login", &body).await.assert_status(200).json()
}

async fn refresh(app: &TestApp, token: &Value) -> Reply {
    app.anyone().post(REFRESH, &json!({ "refresh_token": token })).await
}

async fn refused(app: &TestApp, token: &Value) {
    let reply = refresh(app, token).await.assert_problem(401, "invalid-refresh-token");
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
}

/// Moves times of the only session back, as if this many seconds had passed.
async fn age(app: &TestApp, fields: &[&str], seconds: i64) {
    let back = |field: &&str| {
        let older = doc! { "$subtract": [format!("${field}"), seconds * 1_000] };
        ((*field).to_owned(), older.into())
    };
    let set: Document = fields.iter().map(back).collect();
    let sessions = app.database.collection::<Document>("sessions");
    let filter = doc! { "refreshable": true };
    assert_eq!(sessions.update_one(filter, vec![doc! { "$set": set }]).await.unwrap().modified_count, 1);
}

async fn session(app: &TestApp) -> Document {
    let sessions = app.database.collection::<Document>("sessions");
    sessions.find_one(doc! { "refreshable": true }).await.unwrap().unwrap()
}

fn claims(token: &Value) -> Value {
    let claims = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn a_refresh_returns_a_token_of_the_same_session_and_uses_up_the_refresh_token() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let first = log_in(&app).await;
    assert_eq!((&first["expires_in"], &first["refresh_expires_in"]), (&json!(900), &json!(2_592_000)));
    let reply = refresh(&app, &first["refresh_token"]).await.assert_status(200);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    let second = reply.json();
    let names: Vec<&String> = second.as_object().unwrap().keys().collect();
    assert_eq!(names, ["token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"]);
    assert_eq!((&second["token_type"], &second["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(second["refresh_expires_in"], 2_592_000);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let (old, new) = (claims(&first["token"]), claims(&second["token"]));
    assert_eq!(new["sid"], old["sid"]);
    assert_eq!(new["exp"].as_i64().unwrap() - new["iat"].as_i64().unwrap(), 900);
    assert_ne!(new["jti"], old["jti"]);
    // The earlier access token stays valid until it expires.
    for token in [&first["token"], &second["token"]] {
        app.bearer(token.as_str().unwrap()).get("/api/users/me").await.assert_status(200);
    }
    let third = refresh(&app, &second["refresh_token"]).await.assert_status(200).json();
    refresh(&app, &third["refresh_token"]).await.assert_status(200);
    // Without `refresh: true`, the session cannot be refreshed.
    let plain = json!({ "email": "ann@example.com", "password": PASSWORD, "refresh": false });
    let plain = app.anyone().post("/api/auth/login", &plain).await.assert_status(200).json();
    assert!(plain.get("refresh_token").is_none() && plain.get("refresh_expires_in").is_none(), "{plain}");
}

#[tokio::test]
async fn the_last_refresh_can_be_repeated_within_ten_seconds_even_on_another_server() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    app.user("ann").await;
    let first = log_in(&app).await;
    let second = refresh(&app, &first["refresh_token"]).await.assert_status(200).json();
    for server in [&twin, &app] {
        let again = refresh(server, &first["refresh_token"]).await.assert_status(200).json();
        assert_eq!(again["refresh_token"], second["refresh_token"]);
        server.bearer(again["token"].as_str().unwrap()).get("/api/users/me").await.assert_status(200);
    }
    age(&app, &["refresh.used_at"], 9).await;
    refresh(&app, &first["refresh_token"]).await.assert_status(200);
    // The other server uses the second token. After that, the first one is an old token.
    refresh(&twin, &second["refresh_token"]).await.assert_status(200);
    refused(&app, &first["refresh_token"]).await;
    app.bearer(second["token"].as_str().unwrap())
        .get("/api/users/me")
        .await
        .assert_problem(401, "revoked-token");
}

#[tokio::test]
async fn a_used_token_ends_its_session_and_no_other() {
    let app = TestApp::start().await;
    let other = app.user("ann").await;
    // Either it is too late for a repeat, or the token was used before the last one.
    for is_late in [true, false] {
        let first = log_in(&app).await;
        let second = refresh(&app, &first["refresh_token"]).await.assert_status(200).json();
        let last = if is_late {
            age(&app, &["refresh.used_at"], 11).await;
            second
        } else {
            refresh(&app, &second["refresh_token"]).await.assert_status(200).json()
        };
        refused(&app, &first["refresh_token"]).await;
        // The thief's next token is invalid too.
        refused(&app, &last["refresh_token"]).await;
        app.bearer(last["token"].as_str().unwrap())
            .get("/api/users/me")
            .await
            .assert_problem(401, "revoked-token");
        other.get("/api/users/me").await.assert_status(200);
    }
    assert_eq!(app.count("sessions", doc! {}).await, 1);
}

#[tokio::test]
async fn a_refresh_token_that_we_did_not_issue_ends_no_session() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let login = log_in(&app).await;
    let token = login["refresh_token"].as_str().unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap();
    bytes[20] ^= 1;
    for made_up in [
        json!("none"),
        json!("é"),
        json!(BASE64_URL_SAFE_NO_PAD.encode(&bytes)),
        json!(&token[1..]),
        json!(format!("{token}=")),
        json!("a".repeat(100_000)),
        login["token"].clone(),
        json!(ann.token),
    ] {
        refused(&app, &made_up).await;
    }
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "refresh_token": null }), "required"),
        (json!({ "refresh_token": { "$ne": "" } }), "wrong-type"),
    ] {
        app.anyone().post(REFRESH, &body).await.assert_fields(&[("refresh_token", code)]);
    }
    // It is not an access token either.
    app.bearer(token).get("/api/users/me").await.assert_problem(401, "invalid-token");
    refresh(&app, &login["refresh_token"]).await.assert_status(200);
}

#[tokio::test]
async fn a_refresh_token_lives_for_30_days_and_its_session_for_a_year() {
    const DAY: i64 = 86_400;
    let app = TestApp::start().await;
    app.user("ann").await;
    let first = log_in(&app).await;
    // Almost 30 days later, a refresh extends it.
    age(&app, &["created_at", "expires_at"], 30 * DAY - 60).await;
    let second = refresh(&app, &first["refresh_token"]).await.assert_status(200).json();
    assert_eq!(second["refresh_expires_in"], 30 * DAY);
    let kept = session(&app).await;
    let life = |from: &str, to: &str| {
        let time = |field: &str| *kept.get_datetime(field).unwrap();
        time(to).saturating_duration_since(time(from)).as_secs()
    };
    assert_eq!(life("expires_at", "forgotten_at"), 86_400);
    // When the year is almost over, neither token lasts longer than the rest of it.
    age(&app, &["created_at"], 335 * DAY - 600 + 60).await;
    let third = refresh(&app, &second["refresh_token"]).await.assert_status(200).json();
    let left = third["refresh_expires_in"].as_i64().unwrap();
    assert!((1..=600).contains(&left), "{left}");
    assert_eq!(third["expires_in"], left);
    // Too late: it is refused, but this is not a reuse.
    age(&app, &["created_at", "expires_at"], 600).await;
    refused(&app, &third["refresh_token"]).await;
    assert_eq!(app.count("sessions", doc! { "refreshable": true }).await, 1);
}

#[tokio::test]
async fn ending_a_session_ends_its_refresh_token() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let bearer = |login: &Value| app.bearer(login["token"].as_str().unwrap());
    let login = log_in(&app).await;
    bearer(&login).post("/api/auth/logout", &json!({})).await.assert_status(204);
    refused(&app, &login["refresh_token"]).await;
    let login = log_in(&app).await;
    bearer(&login).post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    refused(&app, &login["refresh_token"]).await;
    let (login, other) = (log_in(&app).await, app.log_in("ann").await);
    let own = session_of(&bearer(&login)).unwrap();
    other.delete(&format!("/api/users/me/sessions/{own}")).await.assert_status(204);
    refused(&app, &login["refresh_token"]).await;
    let login = log_in(&app).await;
    other.delete("/api/users/me").await.assert_status(204);
    refused(&app, &login["refresh_token"]).await;
    assert_eq!(app.count("sessions", doc! {}).await, 0);
}

#[tokio::test]
async fn a_session_of_an_earlier_generation_is_not_refreshed() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let login = log_in(&app).await;
    // The state that a login leaves that raced a new password.
    let sessions = app.database.collection::<Document>("sessions");
    let earlier = doc! { "$set": { "gen": -1_i64 } };
    sessions.update_one(doc! { "refreshable": true }, earlier).await.unwrap();
    refused(&app, &login["refresh_token"]).await;
}

#[tokio::test]
async fn of_16_refreshes_at_once_on_two_servers_all_get_the_same_refresh_token() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    app.user("ann").await;
    let mut token = log_in(&app).await["refresh_token"].clone();
    for _ in 0..4 {
        let barrier = Arc::new(Barrier::new(16));
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let anyone = if number % 2 == 0 { app.anyone() } else { twin.anyone() };
                let (barrier, body) = (Arc::clone(&barrier), json!({ "refresh_token": token }));
                tokio::spawn(async move {
                    barrier.wait().await;
                    anyone.post(REFRESH, &body).await
                })
            })
            .collect();
        let mut next = Vec::new();
        for task in tasks {
            let answer = task.await.unwrap().assert_status(200).json();
            app.bearer(answer["token"].as_str().unwrap()).get("/api/users/me").await.assert_status(200);
            next.push(answer["refresh_token"].clone());
        }
        assert!(next.iter().all(|each| *each == next[0] && *each != token), "{next:?}");
        token = next[0].clone();
    }
}

#[tokio::test]
async fn the_database_keeps_no_refresh_token() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let first = log_in(&app).await;
    let second = refresh(&app, &first["refresh_token"]).await.assert_status(200).json();
    let kept = format!("{:?}", session(&app).await);
    for token in [&first["refresh_token"], &second["refresh_token"]] {
        let token = token.as_str().unwrap();
        // The token begins with the session's id and the seed. Nobody can make the rest without the key.
        let secret = &token[token.len() - 40..];
        assert!(!kept.contains(token) && !kept.contains(secret), "{kept}");
    }
}

#[tokio::test]
async fn beyond_a_thousand_sessions_those_that_can_be_refreshed_end_last() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let login = log_in(&app).await;
    let ann = app.bearer(login["token"].as_str().unwrap());
    let user = bson::oid::ObjectId::parse_str(ann.id().await).unwrap();
    age(&app, &["last_used_at"], 3_600).await;
    let now = DateTime::now();
    let later = now.saturating_add_millis(3_600_000);
    let sessions = app.database.collection::<Document>("sessions");
    let others = (0..998).map(|number| {
        doc! {
            "_id": bson::oid::ObjectId::new(), "user": user, "gen": 0_i64, "name": number.to_string(),
            "created_at": now, "last_used_at": now, "expires_at": later, "forgotten_at": later,
        }
    });
    sessions.insert_many(others).await.unwrap();
    app.log_in("ann").await;
    assert_eq!(app.count("sessions", doc! {}).await, 1_000);
    refresh(&app, &login["refresh_token"]).await.assert_status(200);
}

#[tokio::test]
async fn made_up_tokens_are_throttled_and_valid_ones_are_not() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let mut token = log_in(&app).await["refresh_token"].clone();
    let mut made_up = 0;
    while refresh(&app, &json!("made up")).await.status == 401 {
        made_up += 1;
        assert!(made_up < 60, "nobody is refused");
    }
    refresh(&app, &json!("made up")).await.assert_problem(429, "too-many-requests");
    for _ in 0..60 {
        token = refresh(&app, &token).await.assert_status(200).json()["refresh_token"].clone();
    }
}
