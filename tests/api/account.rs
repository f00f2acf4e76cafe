//! `PATCH /api/users/me`: a new email or a new password, for a caller that knows the password.

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

const NEW_PASSWORD: &str = "emu yak gnu";

#[tokio::test]
async fn a_new_email_takes_effect_at_once_and_frees_the_old_one() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    let body = json!({ "current_password": PASSWORD, "email": " New@Example.com " });
    let user = ann.patch("/api/users/me", &body).await.assert_status(200);
    assert_eq!(user.header("Cache-Control").as_deref(), Some("no-store"));
    let user = user.json();
    assert_eq!((&user["email"], &user["movie_count"]), (&json!("new@example.com"), &json!(1)));
    // A token does not contain the email.
    assert_eq!(ann.get("/api/users/me").await.assert_status(200).json(), user);
    app.log_in("new").await;
    let old = json!({ "email": "ann@example.com", "password": PASSWORD });
    app.anyone().post("/api/auth/login", &old).await.assert_problem(401, "bad-credentials");
    app.anyone().post("/api/auth/signup", &old).await.assert_status(201);
}

#[tokio::test]
async fn a_new_password_ends_every_token() {
    let app = TestApp::start().await;
    let (phone, laptop) = (app.user("ann").await, app.log_in("ann").await);
    let body = json!({ "current_password": PASSWORD, "password": NEW_PASSWORD, "email": "both@example.com" });
    let user = phone.patch("/api/users/me", &body).await.assert_status(200).json();
    assert_eq!(user["email"], "both@example.com");
    for caller in [phone, laptop] {
        caller.get("/api/users/me").await.assert_problem(401, "revoked-token");
    }
    let login = json!({ "email": "both@example.com", "password": NEW_PASSWORD });
    app.anyone().post("/api/auth/login", &login).await.assert_status(200);
}

#[tokio::test]
async fn an_invalid_change_changes_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.user("bob").await;
    let before = app.snapshot().await;
    let with = |change: Value| {
        let mut body = json!({ "current_password": PASSWORD });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    let patch = async |body: Value| ann.patch("/api/users/me", &body).await;
    for wrong in ["gnu yak em", "", PASSWORD.to_uppercase().as_str(), &"x".repeat(200)] {
        let body = json!({ "current_password": wrong, "email": "new@example.com" });
        patch(body).await.assert_problem(403, "wrong-password");
    }
    patch(with(json!({ "email": "BOB@example.com" }))).await.assert_problem(409, "email-taken");
    for (body, expected) in [
        (json!({}), vec![("", "required"), ("current_password", "required")]),
        (with(json!({})), vec![("", "required")]),
        (json!({ "email": "new@example.com" }), vec![("current_password", "required")]),
        (with(json!({ "email": null })), vec![("email", "required")]),
        (
            with(json!({ "email": "no email", "password": "short" })),
            vec![("email", "invalid-email"), ("password", "too-short")],
        ),
        (with(json!({ "password": "password" })), vec![("password", "too-common")]),
        (with(json!({ "email": "new@example.com", "role": "admin" })), vec![("role", "unknown")]),
        (
            with(json!({ "email": "new@example.com", "gen": 0, "_id": "x" })),
            vec![("gen", "unknown"), ("_id", "unknown")],
        ),
        (
            json!({ "current_password": { "$ne": "" }, "password": NEW_PASSWORD }),
            vec![("current_password", "wrong-type")],
        ),
        (json!([]), vec![("", "wrong-type")]),
    ] {
        patch(body).await.assert_fields(&expected);
    }
    assert_eq!(app.snapshot().await, before);
}

#[tokio::test]
async fn the_current_email_and_a_merge_patch_are_accepted() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body = json!({ "current_password": PASSWORD, "email": "ann@example.com" }).to_string();
    let patch = Some("application/merge-patch+json");
    ann.with_bytes("PATCH", "/api/users/me", patch, body.into_bytes()).await.assert_status(200);
    ann.get("/api/users/me").await.assert_status(200);
}
