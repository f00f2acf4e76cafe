//! `/api/auth`: signing up and logging in.

use movie_bag::config::{self, Settings};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{PASSWORD, Reply, TestApp, mongod};

#[tokio::test]
async fn a_new_user_reads_themselves() {
    let app = TestApp::start().await;
    let body = json!({ "email": "  Ann.Lee@Example.COM ", "password": PASSWORD });
    let reply = app.anyone().post("/api/auth/signup", &body).await.assert_status(201);
    assert_eq!(reply.header("Location").as_deref(), Some("/api/users/me"));
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    let user = reply.json();
    assert_eq!(user["email"], "ann.lee@example.com");
    assert_eq!((&user["role"], &user["movie_count"]), (&json!("user"), &json!(0)));
    assert_eq!(user["id"].as_str().unwrap().len(), 24);
    let created_at = user["created_at"].as_str().unwrap();
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");
    assert_eq!((&user["email_verified"], &user["has_password"]), (&json!(false), &json!(true)));
    assert_eq!(user.as_object().unwrap().len(), 7, "{user}");

    // It is the same account in any case.
    let body = json!({ "email": "ANN.LEE@example.com", "password": PASSWORD });
    let login = app.anyone().post("/api/auth/login", &body).await.assert_status(200).json();
    let me = app.bearer(login["token"].as_str().unwrap()).get("/api/users/me").await.assert_status(200);
    assert_eq!(me.json(), user);
    assert_eq!(me.header("Cache-Control").as_deref(), Some("no-store"));
}

#[tokio::test]
async fn an_email_is_taken_once_whatever_its_case() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let before = app.snapshot().await;
    let body = json!({ "email": "ANN@example.com", "password": "another good one" });
    app.anyone().post("/api/auth/signup", &body).await.assert_problem(409, "email-taken");
    assert_eq!(app.snapshot().await, before);
}

#[tokio::test]
async fn nobody_signs_up_if_sign_up_is_closed() {
    let app = TestApp::set(|settings| settings.accounts.signup = config::Signup::Closed).await;
    for body in [json!({ "email": "ann@example.com", "password": PASSWORD }), json!({}), json!(1)] {
        app.anyone().post("/api/auth/signup", &body).await.assert_problem(403, "signup-closed");
    }
    let text = app.anyone().with_bytes("POST", "/api/auth/signup", Some("text/plain"), b"{".to_vec()).await;
    text.assert_problem(403, "signup-closed");
    app.anyone().get("/api/auth/signup").await.assert_problem(405, "method-not-allowed");
    assert_eq!(app.count("users", bson::doc! {}).await, 0);
}

#[tokio::test]
async fn signup_names_every_broken_field() {
    let app = TestApp::start().await;
    let long = "y".repeat(73);
    let cases: &[(Value, &[(&str, &str)])] = &[
        (json!({}), &[("email", "required"), ("password", "required")]),
        (json!({ "email": null, "password": null }), &[("email", "required"), ("password", "required")]),
        (json!({ "email": " ", "password": "" }), &[("email", "blank"), ("password", "too-short")]),
        (json!({ "email": 1, "password": [] }), &[("email", "wrong-type"), ("password", "wrong-type")]),
        (
            json!({ "email": { "$ne": "" }, "password": { "$ne": "" } }),
            &[("email", "wrong-type"), ("password", "wrong-type")],
        ),
        (
            json!({ "email": "ann", "password": "password" }),
            &[("email", "invalid-email"), ("password", "too-common")],
        ),
        (
            json!({ "email": format!("{}@example.com", "a".repeat(250)), "password": long }),
            &[("email", "too-long"), ("password", "too-long")],
        ),
        (json!({ "email": "ann@example.com", "password": "seven-7" }), &[("password", "too-short")]),
        (
            json!({ "email": "ann@example.com", "password": "yak\u{0}gnu-emu" }),
            &[("password", "control-character")],
        ),
        (
            json!({ "email": "ann@example.com", "password": PASSWORD, "role": "admin" }),
            &[("role", "unknown")],
        ),
        (
            json!({ "email": "ann@example.com", "password": PASSWORD, "id": "x", "gen": 9 }),
            &[("id", "unknown"), ("gen", "unknown")],
        ),
        (json!([]), &[("", "wrong-type")]),
        (json!("ann@example.com"), &[("", "wrong-type")]),
    ];
    for (body, expected) in cases {
        app.anyone().post("/api/auth/signup", body).await.assert_fields(expected);
    }
    assert_eq!(app.count("users", bson::doc! {}).await, 0);
}

#[tokio::test]
async fn a_password_may_have_72_bytes_and_every_one_counts() {
    let app = TestApp::start().await;
    let longest = "é".repeat(36);
    let body = json!({ "email": "ann@example.com", "password": longest });
    app.anyone().post("/api/auth/signup", &body).await.assert_status(201);
    app.anyone().post("/api/auth/login", &body).await.assert_status(200);
    let longer = json!({ "email": "ann@example.com", "password": format!("{longest}x") });
    app.anyone().post("/api/auth/login", &longer).await.assert_problem(401, "bad-credentials");
    // A password is not trimmed.
    let spaced = json!({ "email": "bob@example.com", "password": " gnu yak " });
    app.anyone().post("/api/auth/signup", &spaced).await.assert_status(201);
    let trimmed = json!({ "email": "bob@example.com", "password": "gnu yak" });
    app.anyone().post("/api/auth/login", &trimmed).await.assert_problem(401, "bad-credentials");
}

#[tokio::test]
async fn every_wrong_login_gets_the_same_answer() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let long = "x".repeat(100);
    for (email, password) in [
        ("ann@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("no email at all", PASSWORD),
        ("", ""),
        ("ann@example.com", ""),
        ("ann@example.com", long.as_str()),
        ("ann@example.com", "gnu yak emu\u{0}"),
        ("ann@example.com\u{0}", PASSWORD),
        ("$ne", "$ne"),
    ] {
        let body = json!({ "email": email, "password": password });
        let reply = app.anyone().post("/api/auth/login", &body).await.assert_problem(401, "bad-credentials");
        assert_eq!(reply.json()["detail"], "Email or password invalid");
    }
}

#[tokio::test]
async fn login_checks_only_that_both_are_strings() {
    let app = TestApp::start().await;
    let cases: &[(Value, &[(&str, &str)])] = &[
        (json!({}), &[("email", "required"), ("password", "required")]),
        (
            json!({ "email": { "$gt": "" }, "password": 1 }),
            &[("email", "wrong-type"), ("password", "wrong-type")],
        ),
        (json!({ "email": "a", "password": "b", "remember": true }), &[("remember", "unknown")]),
    ];
    for (body, expected) in cases {
        app.anyone().post("/api/auth/login", body).await.assert_fields(expected);
    }
}

#[tokio::test]
async fn a_hash_of_a_lower_cost_is_renewed_at_the_next_login() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let name = app.database.name().to_owned();
    let dearer = TestApp::with(app.uri(), &name, |settings| {
        settings.password.bcrypt_cost = 5;
    })
    .await;
    let hash = async || {
        let users = app.database.collection::<bson::Document>("users");
        let ann = users.find_one(bson::doc! { "email": "ann@example.com" }).await.unwrap().unwrap();
        ann.get_str("password_hash").unwrap().to_owned()
    };
    assert!(hash().await.starts_with("$2b$04$"));
    dearer.log_in("ann").await.get("/api/users/me").await.assert_status(200);
    let renewed = hash().await;
    assert!(renewed.starts_with("$2b$05$"));
    // Another login does not renew the hash again, and the cheaper server does not lower its cost.
    dearer.log_in("ann").await;
    app.log_in("ann").await;
    assert_eq!(hash().await, renewed);
}

#[tokio::test]
async fn the_real_default_cost_is_12() {
    let name = format!("movie_bag_test_{}", bson::oid::ObjectId::new().to_hex());
    let cost = Settings::extract(&config::defaults()).unwrap().password.bcrypt_cost;
    let costly = |settings: &mut Settings| settings.password.bcrypt_cost = cost;
    let app = TestApp::with(&mongod::shared_uri().await, &name, costly).await;
    app.user("ann").await;
    let users = app.database.collection::<bson::Document>("users");
    let ann = users.find_one(bson::doc! {}).await.unwrap().unwrap();
    assert!(ann.get_str("password_hash").unwrap().starts_with("$2b$12$"));
}

/// The number of threads that hash.
fn threads() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// Logs in to many accounts at once, from the addresses that `address` makes.
fn storm(app: &TestApp, logins: usize, address: impl Fn(usize) -> String) -> Vec<JoinHandle<Reply>> {
    let log_in = |number: usize| {
        let body = json!({ "email": format!("{number}@example.com"), "password": PASSWORD });
        let request = app.anyone().request("POST", "/api/auth/login").header("X-Real-IP", address(number));
        tokio::spawn(Reply::of(request.json(&body)))
    };
    (0..logins).map(log_in).collect()
}

/// A server with the usual cost, where nothing protects the queue from a storm.
async fn open_to_storms() -> TestApp {
    TestApp::behind_a_proxy_with(|settings| {
        settings.password.bcrypt_cost = 12;
        settings.throttle.enabled = false;
    })
    .await
}

#[tokio::test]
async fn one_network_does_not_fill_the_hashing_queue_for_others() {
    let app = open_to_storms().await;
    // A quarter of the queue is five for each thread, if a hash takes a quarter of a second. All hosts of a network
    // count as one.
    let mut own = storm(&app, 16 * threads(), |number| format!("2001:db8::{number:x}"));
    let mut refused = 0;
    while refused == 0 {
        assert!(!own.is_empty(), "nobody was refused");
        let (reply, _, others) = futures::future::select_all(own).await;
        let reply = reply.unwrap();
        refused += usize::from(reply.status == 503 && reply.json()["code"] == "overloaded");
        own = others;
    }
    for login in storm(&app, 1, |_| "192.0.2.1".to_owned()) {
        login.await.unwrap().assert_problem(401, "bad-credentials");
    }
}

#[tokio::test]
async fn when_the_hashing_queue_is_full_logins_are_refused_and_reads_continue() {
    let app = open_to_storms().await;
    // Twice the five seconds of work that may wait. Each login comes from its own network.
    let all = 40 * threads();
    let logins = storm(&app, all, |number| format!("198.51.{}.{}", number / 200, number % 200));
    app.anyone().get("/api/movies").await.assert_status(200);
    let mut refused = 0;
    for login in logins {
        let reply = login.await.unwrap();
        if reply.status == 503 {
            reply.assert_problem(503, "overloaded");
            refused += 1;
        } else {
            reply.assert_problem(401, "bad-credentials");
        }
    }
    assert!((1..=all - 2 * threads()).contains(&refused), "{refused} of {all} refused");
}
