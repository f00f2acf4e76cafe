//! `/api/users/me/tokens`: tokens for scripts. `matrix.rs` tests what each may do.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bson::{DateTime, Document, doc, oid::ObjectId};
use serde_json::{Value, json};

use crate::{
    matrix::new_token,
    support::{Caller, PASSWORD, Reply, TestApp, eventually, mongod::OwnMongod, movie},
};

const TOKENS: &str = "/api/users/me/tokens";

async fn make(user: &Caller, scopes: &[&str]) -> Value {
    let reply = user.post(TOKENS, &new_token(scopes)).await.assert_status(201);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    reply.json()
}

/// A script of this user, with a token that has both scopes.
async fn script(app: &TestApp, user: &Caller) -> Caller {
    let made = make(user, &["movies:write", "account:read"]).await;
    app.bearer(made["token"].as_str().unwrap())
}

async fn list(user: &Caller) -> Vec<Value> {
    user.get(TOKENS).await.assert_status(200).json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_token_is_shown_once_and_listed_without_its_secret() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let body = json!({
        "current_password": PASSWORD, "name": " backup ", "scopes": ["account:read", " account:read "],
        "expires_in_days": 366,
    });
    let mut made = ann.post(TOKENS, &body).await.assert_status(201).json();
    let token = made.as_object_mut().unwrap().shift_remove("token").unwrap();
    let bits = token.as_str().unwrap().strip_prefix("mbp_").unwrap();
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(bits).unwrap().len() * 8, 256);
    assert_eq!((&made["name"], &made["scopes"]), (&json!("backup"), &json!(["account:read"])));
    assert_eq!(made["last_used_at"], Value::Null);
    let names: Vec<&String> = made.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "name", "scopes", "created_at", "last_used_at", "expires_at"]);
    let days = |token: &Value| {
        let time = |name: &str| DateTime::parse_rfc3339_str(token[name].as_str().unwrap()).unwrap();
        time("expires_at").saturating_duration_since(time("created_at")).as_secs() / 86_400
    };
    assert_eq!(days(&made), 366);
    let second = make(&ann, &["movies:write"]).await;
    assert_eq!(days(&second), 90);
    let listed = list(&ann).await;
    assert_eq!((listed.len(), &listed[0]["id"], &listed[1]), (2, &second["id"], &made));
    assert_eq!(list(&bob).await, [Value::Null; 0]);
    // The database stores only a digest.
    let kept = app.database.collection::<Document>("personal_tokens").find_one(doc! {}).await.unwrap();
    assert!(!format!("{kept:?}").contains(bits));
}

#[tokio::test]
async fn a_new_token_needs_the_password_and_names_every_broken_field() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let good = new_token(&["movies:write"]);
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, expected) in [
        (json!({}), vec![("current_password", "required"), ("name", "required"), ("scopes", "required")]),
        (with("name", json!(" ")), vec![("name", "blank")]),
        (with("name", json!("n".repeat(101))), vec![("name", "too-long")]),
        (with("scopes", json!([])), vec![("scopes", "too-few")]),
        (with("scopes", json!("movies:write")), vec![("scopes", "wrong-type")]),
        (
            with("scopes", json!(["movies:write", "movies:read", 1, "Movies:Write"])),
            vec![
                ("scopes[1]", "invalid-scope"),
                ("scopes[2]", "invalid-scope"),
                ("scopes[3]", "invalid-scope"),
            ],
        ),
        (with("expires_in_days", json!(0)), vec![("expires_in_days", "out-of-range")]),
        (with("expires_in_days", json!(367)), vec![("expires_in_days", "out-of-range")]),
        (with("expires_in_days", json!("90")), vec![("expires_in_days", "wrong-type")]),
        (with("token", json!("mbp_mine")), vec![("token", "unknown")]),
    ] {
        ann.post(TOKENS, &body).await.assert_fields(&expected);
    }
    let wrong = with("current_password", json!("not this"));
    ann.post(TOKENS, &wrong).await.assert_problem(403, "wrong-password");
    assert_eq!(list(&ann).await, [Value::Null; 0]);
    let mut guesses = 1;
    while ann.post(TOKENS, &wrong).await.status == 403 {
        guesses += 1;
        assert!(guesses < 40, "nobody is refused");
    }
    // These guesses count together with guesses at the login.
    ann.post(TOKENS, &good).await.assert_problem(429, "too-many-requests");
}

#[tokio::test]
async fn a_script_adds_movies_and_reads_its_users_account() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let script = script(&app, &ann).await;
    let path = script.add("Heat").await;
    script.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    let mine = script.get("/api/users/me/movies").await.assert_status(200).json();
    assert_eq!(mine["items"][0]["added_by"], ann.id().await);
    assert_eq!(script.get("/api/users/me").await.json(), ann.get("/api/users/me").await.json());
    script.delete(&path).await.assert_status(204);
    // The scheme is case-insensitive here too.
    let token = script.token.as_ref().unwrap();
    let request =
        app.anyone().request("GET", "/api/users/me").header("Authorization", format!("bearer  {token}"));
    Reply::of(request).await.assert_status(200);
}

#[tokio::test]
async fn a_token_that_we_did_not_issue_is_invalid() {
    let app = TestApp::start().await;
    let token = script(&app, &app.user("ann").await).await.token.unwrap();
    for made_up in [
        "mbp_".to_owned(),
        "mbp_none".to_owned(),
        format!("mbp_{}", BASE64_URL_SAFE_NO_PAD.encode([7; 32])),
        token.to_uppercase(),
        token[4..].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        token[..token.len() - 1].to_owned(),
        format!("mbp_{}", "a".repeat(5_000)),
    ] {
        app.bearer(&made_up).get("/api/users/me").await.assert_problem(401, "invalid-token");
    }
}

#[tokio::test]
async fn a_token_is_deleted_at_once_everywhere_and_only_by_its_user() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let made = make(&ann, &["account:read"]).await;
    let script = twin.bearer(made["token"].as_str().unwrap());
    let path = format!("{TOKENS}/{}", made["id"].as_str().unwrap());
    bob.delete(&path).await.assert_problem(404, "token-not-found");
    for unknown in ["6561f0c2a3b4d5e6f7081920", "not-an-id"] {
        ann.delete(&format!("{TOKENS}/{unknown}")).await.assert_problem(404, "token-not-found");
    }
    script.get("/api/users/me").await.assert_status(200);
    ann.delete(&path).await.assert_status(204);
    script.get("/api/users/me").await.assert_problem(401, "invalid-token");
    ann.delete(&path).await.assert_problem(404, "token-not-found");
}

#[tokio::test]
async fn a_token_expires_without_leeway_and_is_no_longer_listed() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let script = script(&app, &ann).await;
    let tokens = app.database.collection::<Document>("personal_tokens");
    let now = doc! { "$set": { "expires_at": DateTime::now() } };
    tokens.update_one(doc! {}, now).await.unwrap();
    script.get("/api/users/me").await.assert_problem(401, "expired-token");
    // An expired token without the scope is reported as expired.
    script.get(TOKENS).await.assert_problem(401, "expired-token");
    assert_eq!(list(&ann).await, [Value::Null; 0]);
}

#[tokio::test]
async fn ending_every_session_ends_every_token() {
    let app = TestApp::start().await;
    let new_password = "emu yak gnu";
    let ann = app.user("ann").await;
    let script_of_phone = script(&app, &ann).await;
    // Ending one session does not end a script.
    ann.post("/api/auth/logout", &json!({})).await.assert_status(204);
    script_of_phone.get("/api/users/me").await.assert_status(200);
    let ann = app.log_in("ann").await;
    ann.post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    script_of_phone.get("/api/users/me").await.assert_problem(401, "invalid-token");
    let ann = app.log_in("ann").await;
    let second = script(&app, &ann).await;
    // A new email ends no token; a new password ends all.
    let email = json!({ "current_password": PASSWORD, "email": "ann2@example.com" });
    ann.patch("/api/users/me", &email).await.assert_status(200);
    second.get("/api/users/me").await.assert_status(200);
    let password = json!({ "current_password": PASSWORD, "password": new_password });
    ann.patch("/api/users/me", &password).await.assert_status(200);
    second.get("/api/users/me").await.assert_problem(401, "invalid-token");
    assert_eq!(app.count("personal_tokens", doc! {}).await, 0);
    let bob = app.user("bob").await;
    let third = script(&app, &bob).await;
    bob.delete("/api/users/me").await.assert_status(204);
    third.post("/api/movies", &movie("Heat")).await.assert_problem(401, "invalid-token");
    assert_eq!(app.count("personal_tokens", doc! {}).await, 0);
}

/// The answer is late: the password has changed since it was verified.
#[tokio::test]
async fn a_token_created_while_the_password_changed_is_invalid() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("insert", &format!("{}.personal_tokens", app.database.name()), 1, 1_500).await;
    let slow = tokio::spawn({
        let ann = ann.clone();
        async move { ann.post(TOKENS, &new_token(&["account:read"])).await }
    });
    hold.reached().await;
    let change = json!({ "current_password": PASSWORD, "password": "emu yak gnu" });
    ann.patch("/api/users/me", &change).await.assert_status(200);
    assert!(!slow.is_finished(), "expected the command to be held");
    let made = slow.await.unwrap().assert_status(201).json();
    let script = app.bearer(made["token"].as_str().unwrap());
    script.get("/api/users/me").await.assert_problem(401, "invalid-token");
}

#[tokio::test]
async fn a_user_has_at_most_50_tokens_even_if_many_are_created_at_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let user = ObjectId::parse_str(ann.id().await).unwrap();
    let now = DateTime::now();
    let token = |number: i64, left: i64| {
        doc! {
            "_id": format!("digest {number}"), "id": ObjectId::new(), "user": user, "gen": 0_i64, "name": "old",
            "scopes": ["account:read"], "created_at": now, "expires_at": now.saturating_add_millis(left),
            "forgotten_at": now.saturating_add_millis(86_400_000),
        }
    };
    let tokens = app.database.collection::<Document>("personal_tokens");
    tokens.insert_many((0..44).map(|number| token(number, 3_600_000))).await.unwrap();
    // An expired token no longer counts.
    tokens.insert_one(token(-1, -1)).await.unwrap();
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let ann = ann.clone();
            tokio::spawn(async move { ann.post(TOKENS, &new_token(&["account:read"])).await })
        })
        .collect();
    for task in tasks {
        let reply = task.await.unwrap();
        match reply.status {
            201 => drop(reply),
            _ => drop(reply.assert_problem(409, "too-many-tokens")),
        }
    }
    // At the limit, two concurrent requests may refuse each other, but one after the other, none is refused without
    // reason.
    while list(&ann).await.len() < 50 {
        ann.post(TOKENS, &new_token(&["account:read"])).await.assert_status(201);
    }
    assert_eq!(list(&ann).await.len(), 50);
    ann.post(TOKENS, &new_token(&["account:read"])).await.assert_problem(409, "too-many-tokens");
    assert_eq!(list(&ann).await.len(), 50);
}

#[tokio::test]
async fn the_last_use_of_a_token_is_shown_without_a_write_for_each_request() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let script = script(&app, &ann).await;
    let commands = app
        .profiled("personal_tokens", async {
            script.get("/api/users/me").await.assert_status(200);
            eventually("the use is shown", async || {
                let shown = list(&ann).await[0]["last_used_at"].clone();
                if shown.is_string() { Ok(()) } else { Err(shown) }
            })
            .await;
            for _ in 0..20 {
                script.get("/api/users/me").await.assert_status(200);
            }
        })
        .await;
    let is_write = |command: &&Document| command.get_str("op").is_ok_and(|op| op == "update");
    assert_eq!(commands.iter().filter(is_write).count(), 1, "{commands:?}");
}
