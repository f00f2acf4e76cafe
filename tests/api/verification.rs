//! Confirming an address, with a real mail server. The tests use several threads, because waiting for a letter blocks
//! one.

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::{
    matrix::new_token,
    reset::{app_with, forget, log_in, reset},
    smtp::{SmtpServer, reset_token, verify_token},
    support::{Caller, PASSWORD, Reply, TestApp, eventually, movie},
};

async fn verify(app: &TestApp, token: &str) -> Reply {
    app.anyone().post("/api/auth/verify", &json!({ "verify_token": token })).await
}

async fn refused(app: &TestApp, token: &str) {
    verify(app, token).await.assert_problem(422, "invalid-verify-token");
}

async fn ask_again(user: &Caller) {
    let reply = user.send("POST", "/api/users/me/verification").await.assert_status(202);
    assert_eq!(reply.text(), "");
}

async fn is_verified(user: &Caller) -> bool {
    user.get("/api/users/me").await.assert_status(200).json()["email_verified"].as_bool().unwrap()
}

async fn set_user(app: &TestApp, update: Document) {
    let users = app.database.collection::<Document>("users");
    assert_eq!(users.update_one(doc! {}, update).await.unwrap().matched_count, 1);
}

async fn change_email(user: &Caller, email: &str) {
    let change = json!({ "current_password": PASSWORD, "email": email });
    user.patch("/api/users/me", &change).await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_mails_a_link_that_confirms_the_address_once() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let ann = app.user("ann").await;
    let letter = smtp.confirmation();
    assert_eq!(letter["to"], json!(["ann@example.com"]));
    assert_eq!(letter["headers"]["Subject"], "Confirm your address");
    let token = verify_token(&letter);
    let link = format!("https://movies.example.com/#/verify?token={token}");
    assert!(letter["text"].as_str().unwrap().contains(&link));
    assert!(letter["html"].as_str().unwrap().contains(&format!("href=\"{link}\"")));
    assert!(!format!("{:?}", app.snapshot().await).contains(&token));
    let me = ann.get("/api/users/me").await.json();
    assert_eq!((&me["email_verified"], &me["has_password"]), (&json!(false), &json!(true)));
    for made_up in ["none", &token[1..], &token.to_uppercase()] {
        refused(&app, made_up).await;
    }
    verify(&app, &token).await.assert_status(204);
    assert!(is_verified(&ann).await);
    refused(&app, &token).await;
    assert!(is_verified(&ann).await);
    // There is nothing left to confirm: the answer is the same, and no letter is sent.
    ask_again(&ann).await;
    app.user("bob").await;
    assert_eq!(smtp.confirmation()["to"], json!(["bob@example.com"]));
    for (body, code) in [(json!({}), "required"), (json!({ "verify_token": { "$ne": "" } }), "wrong-type")] {
        app.anyone().post("/api/auth/verify", &body).await.assert_fields(&[("verify_token", code)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_link_replaces_the_old_one_and_is_valid_for_three_days() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let ann = app.user("ann").await;
    let first = verify_token(&smtp.confirmation());
    ask_again(&ann).await;
    let second = verify_token(&smtp.confirmation());
    refused(&app, &first).await;
    let seconds = async |seconds: i64| {
        let issued_at =
            bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() - seconds * 1_000);
        set_user(&app, doc! { "$set": { "verification.issued_at": issued_at } }).await;
    };
    seconds(3 * 86_400).await;
    refused(&app, &second).await;
    seconds(3 * 86_400 - 60).await;
    verify(&app, &second).await.assert_status(204);
    assert!(is_verified(&ann).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_is_not_confirmed_and_gets_its_own_link() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let ann = app.user("ann").await;
    let first = verify_token(&smtp.confirmation());
    // The same address again changes nothing.
    change_email(&ann, "ANN@example.com").await;
    verify(&app, &first).await.assert_status(204);
    change_email(&ann, "ann@example.com").await;
    assert!(is_verified(&ann).await);
    // In an update with a pipeline, this would be the name of a field.
    change_email(&ann, "$email@example.com").await;
    let me = ann.get("/api/users/me").await.json();
    assert_eq!((&me["email"], &me["email_verified"]), (&json!("$email@example.com"), &json!(false)));
    let letter = smtp.confirmation();
    assert_eq!(letter["to"], json!(["$email@example.com"]));
    let second = verify_token(&letter);
    // After changing back and forth, the link for the former address is void.
    change_email(&ann, "ann@example.com").await;
    refused(&app, &second).await;
    let third = verify_token(&smtp.confirmation());
    // It would be void even if it were still stored.
    set_user(&app, doc! { "$set": { "verification.email": "other@example.com" } }).await;
    refused(&app, &third).await;
    assert!(!is_verified(&ann).await);
    set_user(&app, doc! { "$set": { "verification.email": "ann@example.com" } }).await;
    verify(&app, &third).await.assert_status(204);
    assert!(is_verified(&ann).await);
    // A new password proves nothing about the address.
    let password = json!({ "current_password": PASSWORD, "password": PASSWORD });
    let changed = ann.patch("/api/users/me", &password).await.assert_status(200).json();
    assert_eq!(changed["email_verified"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_confirms_the_address_that_it_was_mailed_to() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    app.user("ann").await;
    let unused = verify_token(&smtp.confirmation());
    forget(&app, "ann@example.com").await;
    let token = reset_token(&smtp.letter());
    reset(&app, &token, PASSWORD).await.assert_status(204);
    let login = log_in(&app, PASSWORD).await.assert_status(200).json();
    assert!(is_verified(&app.bearer(login["token"].as_str().unwrap())).await);
    refused(&app, &unused).await;
}

#[tokio::test]
async fn an_older_account_is_unconfirmed_and_works_as_before() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    set_user(&app, doc! { "$unset": { "email_verified": "", "verification": "" } }).await;
    assert!(!is_verified(&ann).await);
    ann.patch(&path, &json!({ "year": 1995 })).await.assert_status(200);
    let same = json!({ "current_password": PASSWORD, "email": "ann@example.com" });
    assert_eq!(ann.patch("/api/users/me", &same).await.assert_status(200).json()["email_verified"], false);
    app.log_in("ann").await.delete(&path).await.assert_status(204);
    ask_again(&ann).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_confirmed_users_write_movies_if_the_operator_requires_it() {
    let smtp = SmtpServer::start(&[]);
    let url = format!("smtp://127.0.0.1:{}", smtp.port);
    let app = TestApp::set(|settings| {
        settings.mail.smtp_url = Some(url.into());
        settings.mail.from = Some("Movie Bag <noreply@example.com>".to_owned());
        settings.mail.link_base = Some("https://movies.example.com/".to_owned());
        settings.accounts.require_verified_email = true;
    })
    .await;
    let ann = app.user("ann").await;
    let letter = smtp.confirmation();
    let script = ann.post("/api/users/me/tokens", &new_token(&["movies:write"])).await.assert_status(201);
    let script = app.bearer(script.json()["token"].as_str().unwrap());
    verify(&app, &verify_token(&letter)).await.assert_status(204);
    let path = ann.add("Heat").await;
    set_user(&app, doc! { "$set": { "email_verified": false } }).await;
    // Ignore the last use of the token.
    let stored = async || {
        let all = app.snapshot().await.into_iter();
        all.filter(|document| !document.contains_key("scopes")).collect::<Vec<_>>()
    };
    let before = stored().await;
    for user in [&ann, &script] {
        let refused = |reply: Reply| drop(reply.assert_problem(403, "email-not-verified"));
        refused(user.post("/api/movies", &movie("Ronin")).await);
        refused(user.put(&path, &movie("Heat")).await);
        refused(user.patch(&path, &json!({ "year": 1995 })).await);
        // This is checked before the body and the id, and after the token and the scope.
        refused(user.put("/api/movies/not-an-id", &json!(1)).await);
        refused(user.post("/api/movies?x=1", &json!(1)).await);
    }
    app.anyone().post("/api/movies", &movie("Ronin")).await.assert_problem(401, "missing-token");
    assert_eq!(stored().await, before);
    // Reading, deleting and managing the account need no confirmed address.
    ann.get("/api/users/me/movies").await.assert_status(200);
    ann.delete(&path).await.assert_status(204);
    set_user(&app, doc! { "$set": { "email_verified": true } }).await;
    script.post("/api/movies", &movie("Ronin")).await.assert_status(201);
}

#[tokio::test]
async fn asking_for_links_and_guessing_them_is_throttled() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut asked = 0;
    while ann.send("POST", "/api/users/me/verification").await.status == 202 {
        asked += 1;
        assert!(asked < 10, "nobody is refused");
    }
    let refused = ann.send("POST", "/api/users/me/verification").await;
    refused.assert_problem(429, "too-many-requests");
    let mut guessed = 0;
    while verify(&app, "none").await.status == 422 {
        guessed += 1;
        assert!(guessed < 60, "nobody is refused");
    }
    assert!((3..=4).contains(&asked) && guessed >= 30, "{asked} {guessed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_a_deleted_account_is_void() {
    let smtp = SmtpServer::start(&[]);
    let app = app_with(&smtp).await;
    let ann = app.user("ann").await;
    let token = verify_token(&smtp.confirmation());
    ann.delete("/api/users/me").await.assert_status(204);
    refused(&app, &token).await;
    let kept: Value = json!(app.count("users", doc! { "email_verified": true }).await);
    assert_eq!(kept, 0);
    eventually("nothing is left", async || {
        let left = app.count("users", doc! { "verification": { "$exists": true } }).await;
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
}
