//! `/api/users/me/sessions`: the session that a login creates, and how it ends.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bson::{DateTime, Document, doc, oid::ObjectId};
use serde_json::{Value, json};

use crate::{
    support::{Caller, PASSWORD, Reply, TestApp, eventually, mongod::OwnMongod},
    tokens::{Claims, sign},
};

const SESSIONS: &str = "/api/users/me/sessions";

/// The session of a caller's token, if the token names one.
pub fn session_of(caller: &Caller) -> Option<String> {
    let claims = caller.token.as_ref()?.split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?["sid"].as_str().map(str::to_owned)
}

fn own(caller: &Caller) -> String {
    session_of(caller).unwrap()
}

async fn list(caller: &Caller) -> Vec<Value> {
    let reply = caller.get(SESSIONS).await.assert_status(200);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    reply.json()["items"].as_array().unwrap().clone()
}

fn ids(sessions: &[Value]) -> BTreeSet<String> {
    sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

/// Logs in with further fields besides the credentials.
async fn log_in_with(app: &TestApp, more: Value, user_agent: Option<&str>) -> Reply {
    let mut body = json!({ "email": "ann@example.com", "password": PASSWORD });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = app.anyone().request("POST", "/api/auth/login").json(&body);
    Reply::of(match user_agent {
        Some(user_agent) => request.header("User-Agent", user_agent),
        None => request,
    })
    .await
}

fn bearer(app: &TestApp, login: &Reply) -> Caller {
    app.bearer(login.json()["token"].as_str().unwrap())
}

#[tokio::test]
async fn each_login_is_a_session_with_a_name_and_the_last_used_comes_first() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let phone = bearer(&app, &log_in_with(&app, json!({ "name": "  The phone " }), None).await);
    let laptop = bearer(&app, &log_in_with(&app, json!({ "name": null }), Some("Firefox/130.0")).await);
    let sessions = list(&laptop).await;
    let shown: Vec<_> = sessions.iter().map(|session| (&session["name"], &session["current"])).collect();
    assert_eq!(
        shown,
        [
            (&json!("Firefox/130.0"), &json!(true)),
            (&json!("The phone"), &json!(false)),
            // The test client sends no user agent.
            (&json!("unknown"), &json!(false)),
        ]
    );
    assert_eq!(sessions[0]["id"], own(&laptop));
    let names: BTreeSet<&str> = sessions[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "name", "created_at", "last_used_at", "expires_at", "current"].into());
    let time = |name: &str| DateTime::parse_rfc3339_str(sessions[0][name].as_str().unwrap()).unwrap();
    let life = time("expires_at").saturating_duration_since(time("created_at"));
    assert_eq!(life.as_secs(), 604_800);
    // The list does not contain another user's sessions.
    assert_eq!(list(&app.user("bob").await).await.len(), 1);
    assert_eq!(list(&phone).await.iter().filter(|session| session["current"] == true).count(), 1);
}

#[tokio::test]
async fn an_invalid_name_is_reported_and_creates_no_session() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (name, code) in [
        (json!(1), "wrong-type"),
        (json!("n".repeat(101)), "too-long"),
        (json!("a\u{7}"), "control-character"),
    ] {
        log_in_with(&app, json!({ "name": name }), None).await.assert_fields(&[("name", code)]);
    }
    assert_eq!(list(&ann).await.len(), 1);
    log_in_with(&app, json!({ "name": "n".repeat(100) }), None).await.assert_status(200);
}

#[tokio::test]
async fn a_session_is_ended_from_another_one_at_once_everywhere() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let (phone, laptop, bob) = (app.user("ann").await, app.log_in("ann").await, app.user("bob").await);
    let path = format!("{SESSIONS}/{}", own(&phone));
    bob.delete(&path).await.assert_problem(404, "session-not-found");
    for unknown in ["6561f0c2a3b4d5e6f7081920", "not-an-id"] {
        laptop.delete(&format!("{SESSIONS}/{unknown}")).await.assert_problem(404, "session-not-found");
    }
    phone.get("/api/users/me").await.assert_status(200);
    laptop.delete(&path).await.assert_status(204);
    phone.get("/api/users/me").await.assert_problem(401, "revoked-token");
    twin.bearer(phone.token.as_ref().unwrap()).get(SESSIONS).await.assert_problem(401, "revoked-token");
    laptop.delete(&path).await.assert_problem(404, "session-not-found");
    assert_eq!(ids(&list(&laptop).await), [own(&laptop)].into());
    // A session can also end itself.
    laptop.delete(&format!("{SESSIONS}/{}", own(&laptop))).await.assert_status(204);
    laptop.get(SESSIONS).await.assert_problem(401, "revoked-token");
}

#[tokio::test]
async fn a_token_with_a_session_of_another_user_or_of_no_user_is_revoked() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut claims = serde_json::to_value(Claims::of(&ann.id().await)).unwrap();
    for (sid, code) in [
        (json!(own(&bob)), Some("revoked-token")),
        (json!("6561f0c2a3b4d5e6f7081920"), Some("revoked-token")),
        (json!("not-an-id"), Some("invalid-token")),
        (json!(own(&ann)), None),
    ] {
        claims["sid"] = sid;
        let reply = app.bearer(&sign(&claims, crate::support::SECRET)).get("/api/users/me").await;
        match code {
            Some(code) => reply.assert_problem(401, code),
            None => reply.assert_status(200),
        };
    }
}

#[tokio::test]
async fn a_token_older_than_sessions_is_valid_until_it_is_logged_out() {
    let app = TestApp::start().await;
    let id = app.user("ann").await.id().await;
    let old = |jti: &str| {
        let mut claims = Claims::of(&id);
        claims.jti = jti.to_owned();
        app.bearer(&sign(&claims, crate::support::SECRET))
    };
    let (phone, laptop) = (old("phone"), old("laptop"));
    assert!(list(&phone).await.iter().all(|session| session["current"] == false));
    phone.post("/api/auth/logout", &json!({})).await.assert_status(204);
    phone.get("/api/users/me").await.assert_problem(401, "revoked-token");
    laptop.get("/api/users/me").await.assert_status(200);
    // The database deletes it a day after the token would have expired.
    let tokens = app.database.collection::<Document>("revoked_tokens");
    let kept = tokens.find_one(doc! {}).await.unwrap().unwrap();
    let left = kept.get_datetime("forgotten_at").unwrap().saturating_duration_since(DateTime::now());
    assert_eq!(left.as_secs() / 3_600, 24, "{left:?}");
    laptop.post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    laptop.get("/api/users/me").await.assert_problem(401, "revoked-token");
}

#[tokio::test]
async fn a_session_is_deleted_a_day_after_it_has_expired() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let kept = app.database.collection::<Document>("sessions").find_one(doc! {}).await.unwrap().unwrap();
    let (expires_at, forgotten_at) =
        (kept.get_datetime("expires_at").unwrap(), kept.get_datetime("forgotten_at").unwrap());
    assert_eq!(forgotten_at.saturating_duration_since(*expires_at).as_secs(), 86_400);
}

#[tokio::test]
async fn ending_every_session_leaves_none_behind() {
    let app = TestApp::start().await;
    let new_password = "emu yak gnu";
    let (phone, bob) = (app.user("ann").await, app.user("bob").await);
    phone.post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    assert_eq!(app.count("sessions", doc! {}).await, 1, "bob's");
    let (phone, _laptop) = (app.log_in("ann").await, app.log_in("ann").await);
    let change = json!({ "current_password": PASSWORD, "password": new_password });
    phone.patch("/api/users/me", &change).await.assert_status(200);
    assert_eq!(app.count("sessions", doc! {}).await, 1);
    let login = json!({ "email": "ann@example.com", "password": new_password });
    let reply = app.anyone().post("/api/auth/login", &login).await.assert_status(200);
    assert_eq!(app.count("sessions", doc! {}).await, 2);
    bearer(&app, &reply).delete("/api/users/me").await.assert_status(204);
    assert_eq!(app.count("sessions", doc! {}).await, 1);
    bob.get("/api/users/me").await.assert_status(200);
}

/// The session of a login that read the old password has an earlier generation, wherever it appears.
#[tokio::test]
async fn a_session_of_a_login_that_raced_a_new_password_is_not_listed() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("insert", &format!("{}.sessions", app.database.name()), 1, 1_500).await;
    let slow = {
        let anyone = app.anyone();
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        tokio::spawn(async move { anyone.post("/api/auth/login", &body).await })
    };
    hold.reached().await;
    let change = json!({ "current_password": PASSWORD, "password": "emu yak gnu" });
    ann.patch("/api/users/me", &change).await.assert_status(200);
    assert!(!slow.is_finished(), "expected the command to be held");
    let late = slow.await.unwrap().assert_status(200);
    bearer(&app, &late).get(SESSIONS).await.assert_problem(401, "revoked-token");
    let login = json!({ "email": "ann@example.com", "password": "emu yak gnu" });
    let ann = bearer(&app, &app.anyone().post("/api/auth/login", &login).await.assert_status(200));
    assert_eq!(ids(&list(&ann).await), [own(&ann)].into());
    assert_eq!(
        app.count("sessions", doc! {}).await,
        2,
        "expected the late session to be stored after the deletion"
    );
}

#[tokio::test]
async fn the_last_use_is_recorded_from_time_to_time_and_not_with_each_request() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let id = ObjectId::parse_str(own(&ann)).unwrap();
    let sessions = app.database.collection::<Document>("sessions");
    let long_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 600_000);
    let update = doc! { "$set": { "last_used_at": long_ago } };
    sessions.update_one(doc! { "_id": id }, update).await.unwrap();
    let used_at = || async { sessions.find_one(doc! { "_id": id }).await.unwrap().unwrap() };
    let commands = app
        .profiled("sessions", async {
            ann.get("/api/users/me").await.assert_status(200);
            eventually("the use is noted", async || {
                let session = used_at().await;
                let noted = session.get_datetime("last_used_at").unwrap();
                if *noted > long_ago { Ok(()) } else { Err(session) }
            })
            .await;
            for _ in 0..20 {
                ann.get("/api/users/me").await.assert_status(200);
            }
        })
        .await;
    let writes =
        commands.iter().filter(|command| command.get_str("op").is_ok_and(|op| op == "update")).count();
    assert_eq!(writes, 1, "{commands:?}");
    let shown = list(&ann).await[0]["last_used_at"].as_str().unwrap().to_owned();
    let age = DateTime::now().saturating_duration_since(DateTime::parse_rfc3339_str(&shown).unwrap());
    assert!(age.as_secs() < 300, "{shown}");
}

#[tokio::test]
async fn beyond_a_thousand_the_longest_unused_session_ends() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let user = ObjectId::parse_str(ann.id().await).unwrap();
    let now = DateTime::now().timestamp_millis();
    let session = |number: i64, left: i64| {
        let last_used_at = DateTime::from_millis(now - 60_000 * number);
        let expires_at = DateTime::from_millis(now + left);
        doc! {
            "_id": ObjectId::new(), "user": user, "gen": 0_i64, "name": number.to_string(),
            "created_at": last_used_at, "last_used_at": last_used_at, "expires_at": expires_at,
            "forgotten_at": DateTime::from_millis(now + 86_400_000),
        }
    };
    let sessions = app.database.collection::<Document>("sessions");
    // Including the session of the sign-up, there are a thousand. An expired one no longer counts.
    sessions.insert_many((1..1_000).map(|number| session(number, 3_600_000))).await.unwrap();
    sessions.insert_one(session(0, -1)).await.unwrap();
    assert_eq!(list(&ann).await.len(), 1_000);
    let newest = app.log_in("ann").await;
    let listed = list(&newest).await;
    assert_eq!(listed.len(), 1_000);
    assert_eq!(listed[0]["id"], own(&newest));
    let names: BTreeSet<&str> = listed.iter().map(|session| session["name"].as_str().unwrap()).collect();
    assert!(names.contains("998") && !names.contains("999"));
}

/// The number of callers for which a shared command was sent.
async fn callers(app: &TestApp, command: &str) -> u32 {
    let metrics = app.anyone().get("/metrics").await.text();
    let line = format!("movie_bag_batch_callers_total{{command=\"{command}\"}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn session_and_user_are_read_at_the_same_time() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    for (held, other) in [("users", "find_sessions"), ("sessions", "find_users")] {
        let before = callers(&app, other).await;
        let hold = mongod.hold("find", &format!("{}.{held}", app.database.name()), 1, 2_000).await;
        let asking = tokio::spawn({
            let ann = ann.clone();
            async move { ann.get("/api/users/me").await }
        });
        hold.reached().await;
        assert_eq!(callers(&app, other).await, before + 1, "{other}");
        assert!(!asking.is_finished(), "expected the command to be held");
        asking.await.unwrap().assert_status(200);
    }
}
