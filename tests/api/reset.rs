//! A forgotten password, with a real mail server. The tests use several threads, because waiting for a letter blocks
//! one.

use std::time::{Duration, Instant};

use bson::doc;
use serde_json::{Value, json};

use crate::{
    smtp::{SmtpServer, reset_token},
    support::{PASSWORD, Reply, TestApp, eventually, mongod},
};

const NEW_PASSWORD: &str = "emu yak gnu";

/// A server that sends its mail through `smtp`.
pub async fn app_with(smtp: &SmtpServer) -> TestApp {
    let url = format!("smtp://127.0.0.1:{}", smtp.port);
    TestApp::set(|settings| {
        settings.mail.smtp_url = Some(url.into());
        settings.mail.from = Some("Movie Bag <noreply@example.com>".to_owned());
        settings.mail.link_base = Some("https://movies.example.com/".to_owned());
        // These tests are about the mail.
        settings.throttle.enabled = false;
    })
    .await
}

pub async fn forget(app: &TestApp, email: &str) -> Reply {
    app.anyone().post("/api/auth/forgot", &json!({ "email": email })).await.assert_status(202)
}

pub async fn reset(app: &TestApp, token: &str, password: &str) -> Reply {
    app.anyone().post("/api/auth/reset", &json!({ "reset_token": token, "password": password })).await
}

pub async fn log_in(app: &TestApp, password: &str) -> Reply {
    let body = json!({ "email": "ann@example.com", "password": password });
    app.anyone().post("/api/auth/login", &body).await
}

fn subject(letter: &Value) -> &str {
    letter["headers"]["Subject"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_by_the_link_in_the_mail() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let ann = app.user("ann").await;
    // A stranger can forge the address of the request, so the link comes from the settings.
    let asked = app
        .anyone()
        .request("POST", "/api/auth/forgot")
        .header("Host", "evil.example")
        .header("X-Forwarded-Host", "evil.example")
        .json(&json!({ "email": " Ann@Example.com " }));
    let accepted = Reply::of(asked).await.assert_status(202);
    assert_eq!(
        (accepted.text().as_str(), accepted.header("Cache-Control").as_deref()),
        ("", Some("no-store"))
    );
    let letter = smtp.letter();
    assert_eq!(letter["to"], json!(["ann@example.com"]));
    assert_eq!(letter["from"], "noreply@example.com");
    assert_eq!(letter["headers"]["From"], "Movie Bag <noreply@example.com>");
    assert_eq!(letter["headers"]["Auto-Submitted"], "auto-generated");
    assert!(letter["headers"]["Message-ID"].is_string() && letter["headers"]["Date"].is_string());
    let token = reset_token(&letter);
    let link = format!("https://movies.example.com/#/reset?token={token}");
    assert!(letter["text"].as_str().unwrap().contains(&link));
    assert!(letter["html"].as_str().unwrap().contains(&format!("href=\"{link}\"")));
    assert!(!letter.to_string().contains("evil"));
    // The database does not contain it.
    assert!(!format!("{:?}", app.snapshot().await).contains(&token));

    reset(&app, &token, "short").await.assert_fields(&[("password", "too-short")]);
    reset(&app, &token, NEW_PASSWORD).await.assert_status(204);
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    log_in(&app, PASSWORD).await.assert_problem(401, "bad-credentials");
    log_in(&app, NEW_PASSWORD).await.assert_status(200);
    let letter = smtp.letter();
    assert_eq!((&letter["to"], subject(&letter)), (&json!(["ann@example.com"]), "Your password was changed"));
    // The link works once.
    reset(&app, &token, PASSWORD).await.assert_problem(422, "invalid-reset-token");
    log_in(&app, NEW_PASSWORD).await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_without_an_account_gets_the_same_answer_and_no_mail() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    app.user("ann").await;
    let known = forget(&app, "ann@example.com").await;
    smtp.letter();
    let before = app.snapshot().await;
    for email in ["nobody@example.com", "no email at all", "", "$ne"] {
        let unknown = forget(&app, email).await;
        assert_eq!((unknown.status, unknown.body), (known.status, known.body.clone()));
    }
    let forgot = async |body: Value| app.anyone().post("/api/auth/forgot", &body).await;
    forgot(json!({})).await.assert_fields(&[("email", "required")]);
    forgot(json!({ "email": { "$ne": "" } })).await.assert_fields(&[("email", "wrong-type")]);
    // The mail for a known address is sent last, so the others would have arrived by then.
    forget(&app, "ann@example.com").await;
    smtp.letter();
    assert!(smtp.is_empty());
    let users = app.database.collection::<bson::Document>("users");
    users.update_many(doc! {}, doc! { "$pop": { "resets": 1 } }).await.unwrap();
    assert_eq!(app.snapshot().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_a_new_email_or_an_hour_invalidates_a_link() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let users = app.database.collection::<bson::Document>("users");
    let token = async || {
        forget(&app, "ann@example.com").await;
        loop {
            let letter = smtp.letter();
            if subject(&letter) == "Choose a new password" {
                return reset_token(&letter);
            }
        }
    };
    let dead = async |token: &str| {
        reset(&app, token, NEW_PASSWORD).await.assert_problem(422, "invalid-reset-token");
    };
    let mut ann = app.user("ann").await;

    let by_password = token().await;
    let same = json!({ "current_password": PASSWORD, "password": PASSWORD });
    ann.patch("/api/users/me", &same).await.assert_status(200);
    dead(&by_password).await;

    let by_email = token().await;
    ann = app.log_in("ann").await;
    let other = json!({ "current_password": PASSWORD, "email": "other@example.com" });
    ann.patch("/api/users/me", &other).await.assert_status(200);
    let back = json!({ "current_password": PASSWORD, "email": "ann@example.com" });
    ann.patch("/api/users/me", &back).await.assert_status(200);
    dead(&by_email).await;

    // The email that the account has already is not a new one.
    let kept = token().await;
    ann.patch("/api/users/me", &back).await.assert_status(200);
    reset(&app, &format!(" {kept}\n"), PASSWORD).await.assert_status(204);

    let by_age = token().await;
    let hour_ago = vec![doc! { "$set": { "resets": { "$map": { "input": "$resets", "in": {
        "digest": "$$this.digest", "issued_at": { "$subtract": ["$$NOW", 3_600_000] },
    } } } } }];
    users.update_many(doc! { "resets": { "$exists": true } }, hour_ago).await.unwrap();
    dead(&by_age).await;

    // A stranger who asks repeatedly does not invalidate the link that the owner has just received.
    let first = token().await;
    for _ in 0..4 {
        token().await;
    }
    // The limit is reached: no further link is mailed, and every mailed link is valid.
    for _ in 0..5 {
        forget(&app, "ann@example.com").await;
    }
    eventually("each request was handled", async || {
        match app.count("users", doc! { "resets": { "$size": 5 } }).await {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    reset(&app, &first, PASSWORD).await.assert_status(204);

    let by_deletion = token().await;
    app.log_in("ann").await.delete("/api/users/me").await.assert_status(204);
    dead(&by_deletion).await;
    for nonsense in ["x", "$ne", &"x".repeat(10_000)] {
        dead(nonsense).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_resets_with_one_link_one_succeeds() {
    let smtp = SmtpServer::start(&[]);
    let app = std::sync::Arc::new(app_with(&smtp).await);
    app.user("ann").await;
    forget(&app, "ann@example.com").await;
    let token = reset_token(&smtp.letter());
    let resets: Vec<_> = (0..8)
        .map(|number| {
            let (app, token) = (std::sync::Arc::clone(&app), token.clone());
            tokio::spawn(async move { reset(&app, &token, &format!("emu yak gnu {number}")).await })
        })
        .collect();
    let mut winners = Vec::new();
    for (number, reset) in resets.into_iter().enumerate() {
        let reply = reset.await.unwrap();
        match reply.status {
            204 => winners.push(number),
            _ => drop(reply.assert_problem(422, "invalid-reset-token")),
        }
    }
    assert_eq!(winners.len(), 1);
    log_in(&app, &format!("emu yak gnu {}", winners[0])).await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_address_is_notified_of_a_change() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let ann = app.user("ann").await;
    let wrong = json!({ "current_password": "no", "email": "new@example.com" });
    ann.patch("/api/users/me", &wrong).await.assert_problem(403, "wrong-password");
    let both = json!({ "current_password": PASSWORD, "email": "new@example.com", "password": NEW_PASSWORD });
    ann.patch("/api/users/me", &both).await.assert_status(200);
    let letters = [smtp.letter(), smtp.letter()];
    let mut subjects: Vec<&str> = letters.iter().map(subject).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["Your email address was changed", "Your password was changed"]);
    assert!(letters.iter().all(|letter| letter["to"] == json!(["ann@example.com"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_refuses_temporarily_is_asked_again() {
    let smtp = SmtpServer::start(&["--refuse", "1"]);
    let app = app_with(&smtp).await;
    app.user("ann").await;
    // The server refuses one of the two at first.
    forget(&app, "ann@example.com").await;
    smtp.confirmation();
    reset(&app, &reset_token(&smtp.letter()), NEW_PASSWORD).await.assert_status(204);
}

/// The time of the fastest of several requests, so that other tests do not affect it.
async fn quickest(app: &TestApp, email: &str) -> Duration {
    let mut quickest = Duration::MAX;
    for _ in 0..20 {
        let started = Instant::now();
        forget(app, email).await;
        quickest = quickest.min(started.elapsed());
    }
    quickest
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_waits_for_a_slow_or_unavailable_mail_server() {
    let slow = SmtpServer::start(&["--slow", "3"]);
    let app = app_with(&slow).await;
    app.user("ann").await;
    let known = quickest(&app, "ann@example.com").await;
    assert!(known < Duration::from_secs(1), "{known:?}");
    drop(slow);
    let known = quickest(&app, "ann@example.com").await;
    assert!(known < Duration::from_secs(1), "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_a_link_is_503_only_if_the_database_is_unavailable() {
    let own = mongod::OwnMongod::start().await;
    let proxy = crate::support::Proxy::before(&own.uri()).await;
    let app = TestApp::with(&proxy.uri(), "away", |settings| settings.throttle.enabled = false).await;
    app.user("ann").await;
    proxy.cut();
    for email in ["ann@example.com", "nobody@example.com"] {
        let body = json!({ "email": email });
        app.anyone().post("/api/auth/forgot", &body).await.assert_problem(503, "database-unavailable");
    }
    proxy.heal();
    eventually("it is back", async || match app.anyone().get("/health/ready").await.status {
        200 => Ok(()),
        other => Err(other),
    })
    .await;
    forget(&app, "nobody@example.com").await;
}
