//! Accounts without a password: what replaces the password, and how they get one.

use bson::{DateTime, Document, doc};
use serde_json::{Value, json};

use super::{
    app_set, app_with,
    browser::{outcome, sign_in},
    provider::Provider,
};
use crate::{
    smtp::{SmtpServer, reset_token},
    support::{Caller, PASSWORD, Reply, TestApp},
};

/// The requests that ask for the current password.
async fn ask(caller: &Caller, more: Value) -> [Reply; 3] {
    let with = |mut body: Value| {
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let token = with(json!({ "name": "script", "scopes": ["account:read"] }));
    [
        caller.post("/api/users/me/tokens", &token).await,
        caller.post("/api/users/me/identities", &with(json!({}))).await,
        caller.patch("/api/users/me", &with(json!({ "email": "ann2@example.com" }))).await,
    ]
}

/// Makes every session this many seconds older.
async fn age_sessions(app: &TestApp, seconds: i64) {
    let began = DateTime::now().saturating_add_millis(-1000 * seconds);
    let sessions = app.database.collection::<Document>("sessions");
    sessions.update_many(doc! {}, doc! { "$set": { "created_at": began } }).await.unwrap();
}

#[tokio::test]
async fn a_recent_sign_in_replaces_the_password() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = sign_in(&app).await;
    age_sessions(&app, 595).await;
    let replies = ask(&ann, json!({})).await;
    assert_eq!(replies.map(|reply| reply.status), [201, 201, 200]);
    let before = app.snapshot().await;
    age_sessions(&app, 601).await;
    for reply in ask(&ann, json!({})).await {
        let problem = reply.assert_problem(403, "wrong-password").json();
        assert!(problem["detail"].as_str().unwrap().contains("Sign in again"), "{problem}");
    }
    age_sessions(&app, 0).await;
    // The account has no password that could match.
    for reply in ask(&ann, json!({ "current_password": PASSWORD })).await {
        reply.assert_problem(403, "wrong-password");
    }
    for reply in ask(&ann, json!({ "current_password": null })).await {
        reply.assert_fields(&[("current_password", "required")]);
    }
    let users = |documents: Vec<Document>| -> Vec<Document> {
        documents.into_iter().filter(|document| document.contains_key("email")).collect()
    };
    assert_eq!(users(app.snapshot().await), users(before));
}

#[tokio::test]
async fn for_an_account_with_a_password_a_recent_sign_in_does_not_replace_it() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = app.user("ann").await;
    for reply in ask(&ann, json!({})).await {
        reply.assert_fields(&[("current_password", "required")]);
    }
    let everything = json!({ "name": " ", "scopes": [] });
    ann.post("/api/users/me/tokens", &everything).await.assert_fields(&[
        ("current_password", "required"),
        ("name", "blank"),
        ("scopes", "too-few"),
    ]);
}

#[tokio::test]
async fn a_first_password_ends_every_session_and_is_required_from_then_on() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let (ann, phone) = (sign_in(&app).await, sign_in(&app).await);
    let change = json!({ "password": PASSWORD });
    let me = ann.patch("/api/users/me", &change).await.assert_status(200).json();
    assert_eq!(me["has_password"], true);
    phone.get("/api/users/me").await.assert_problem(401, "revoked-token");
    let ann = app.log_in("ann").await;
    ann.patch("/api/users/me", &json!({ "email": "x@example.com" }))
        .await
        .assert_fields(&[("current_password", "required")]);
    // The user can still sign in with the provider.
    assert_eq!(sign_in(&app).await.id().await, ann.id().await);
}

#[tokio::test]
async fn a_taken_email_is_reported_and_counted_here_too() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    app.user("bob").await;
    let ann = sign_in(&app).await;
    let change = json!({ "email": "bob@example.com" });
    ann.patch("/api/users/me", &change).await.assert_problem(409, "email-taken");
    let mut asked = 1;
    while ann.patch("/api/users/me", &change).await.status == 409 {
        asked += 1;
        assert!(asked < 60, "nobody is refused");
    }
    ann.patch("/api/users/me", &change).await.assert_problem(429, "too-many-requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_gives_an_account_without_one_its_first() {
    let smtp = SmtpServer::start(&[]);
    let provider = Provider::start().await;
    let app = app_set(&provider, |settings| {
        settings.mail.smtp_url = Some(format!("smtp://127.0.0.1:{}", smtp.port).into());
        settings.mail.from = Some("Movie Bag <noreply@example.com>".to_owned());
        settings.mail.link_base = Some("https://movies.example.com/".to_owned());
    })
    .await;
    let ann = sign_in(&app).await;
    let id = ann.id().await;
    app.anyone().post("/api/auth/forgot", &json!({ "email": "ann@example.com" })).await.assert_status(202);
    let body = json!({ "reset_token": reset_token(&smtp.letter()), "password": PASSWORD });
    app.anyone().post("/api/auth/reset", &body).await.assert_status(204);
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    let ann = app.log_in("ann").await;
    assert_eq!(ann.id().await, id);
    assert_eq!(ann.get("/api/users/me").await.json()["has_password"], true);
    assert!(outcome(&app).await.starts_with("code="));
}
