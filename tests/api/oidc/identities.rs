//! `/api/users/me/identities`: linking a provider to your own account, and unlinking it.

use bson::{DateTime, Document, doc};
use serde_json::{Value, json};

use super::{
    app_set, app_with,
    browser::{Browser, link, sign_in},
    provider::Provider,
    settings_of,
};
use crate::{
    smtp::SmtpServer,
    support::{Caller, PASSWORD, TestApp},
};

const IDENTITIES: &str = "/api/users/me/identities";
const LINK_FAILED: &str = "error=link-failed";

fn password() -> Value {
    json!({ "current_password": PASSWORD })
}

async fn linked(caller: &Caller) -> Vec<String> {
    let items = caller.get(IDENTITIES).await.assert_status(200).json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["provider"].as_str().unwrap().to_owned()).collect()
}

async fn ticket(caller: &Caller) -> String {
    let made = caller.post(IDENTITIES, &password()).await.assert_status(201).json();
    format!("&link_ticket={}", made["link_ticket"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_linked_by_a_logged_in_user_who_is_notified_by_mail() {
    let smtp = SmtpServer::start(&[]);
    let provider = Provider::start().await;
    let app = app_set(&provider, |settings| {
        settings.mail.smtp_url = Some(format!("smtp://127.0.0.1:{}", smtp.port).into());
        settings.mail.from = Some("Movie Bag <noreply@example.com>".to_owned());
        settings.mail.link_base = Some("https://movies.example.com/".to_owned());
    })
    .await;
    let ann = app.user("ann").await;
    let reply = ann.get(IDENTITIES).await.assert_status(200);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    assert_eq!(reply.json(), json!({ "items": [] }));
    // The address that the provider reports does not matter.
    provider.person("ann there", "other@example.net");
    let answer = link(&app, &ann, &password()).await.assert_status(200).json();
    let here = app.bearer(answer["token"].as_str().unwrap());
    assert_eq!(here.id().await, ann.id().await);
    let item = ann.get(IDENTITIES).await.json()["items"][0].clone();
    assert_eq!(item["provider"], "fake");
    DateTime::parse_rfc3339_str(item["linked_at"].as_str().unwrap()).unwrap();
    assert_eq!(item.as_object().unwrap().len(), 2);
    let letter = smtp.letter();
    assert_eq!(letter["to"], json!(["ann@example.com"]));
    assert!(letter["text"].as_str().unwrap().contains("The Fake is now linked"), "{letter}");
    // From now on, the provider signs in to this account.
    assert_eq!(sign_in(&app).await.id().await, ann.id().await);
    let me = ann.get("/api/users/me").await.json();
    assert_eq!((&me["email"], &me["has_password"]), (&json!("ann@example.com"), &json!(true)));
    ann.delete(&format!("{IDENTITIES}/fake")).await.assert_status(204);
    let letter = smtp.letter();
    assert_eq!(letter["to"], json!(["ann@example.com"]));
    assert!(letter["text"].as_str().unwrap().contains("The Fake is no longer linked"), "{letter}");
    assert_eq!(linked(&ann).await, [""; 0]);
    // The next sign-in with the provider makes a new account.
    assert_ne!(sign_in(&app).await.id().await, ann.id().await);
    assert!(smtp.is_empty());
}

#[tokio::test]
async fn a_ticket_needs_the_password() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = app.user("ann").await;
    ann.post(IDENTITIES, &json!({})).await.assert_fields(&[("current_password", "required")]);
    let unknown = json!({ "current_password": PASSWORD, "provider": "fake" });
    ann.post(IDENTITIES, &unknown).await.assert_fields(&[("provider", "unknown")]);
    let wrong = json!({ "current_password": "not this" });
    ann.post(IDENTITIES, &wrong).await.assert_problem(403, "wrong-password");
    let mut guesses = 1;
    while ann.post(IDENTITIES, &wrong).await.status == 403 {
        guesses += 1;
        assert!(guesses < 40, "nobody is refused");
    }
    ann.post(IDENTITIES, &password()).await.assert_problem(429, "too-many-requests");
}

#[tokio::test]
async fn a_ticket_is_valid_once_for_a_minute_and_only_the_newest_counts() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = app.user("ann").await;
    let (first, second) = (ticket(&ann).await, ticket(&ann).await);
    let users = app.database.collection::<Document>("users");
    let kept = users.find_one(doc! {}).await.unwrap().unwrap();
    assert!(!format!("{kept}").contains(&second["&link_ticket=".len() + 24..]), "{kept}");
    assert_eq!(outcome_with(&app, &first).await, LINK_FAILED);
    assert!(outcome_with(&app, &second).await.starts_with("code="));
    assert_eq!(outcome_with(&app, &second).await, LINK_FAILED);
    let late = ticket(&ann).await;
    let a_minute_ago = DateTime::now().saturating_add_millis(-60_000);
    let age = doc! { "$set": { "link_ticket.issued_at": a_minute_ago } };
    assert_eq!(users.update_one(doc! {}, age).await.unwrap().modified_count, 1);
    assert_eq!(outcome_with(&app, &late).await, LINK_FAILED);
    for made_up in ["", "x", "6561f0c2a3b4d5e6f7081920", &"é".repeat(40)] {
        let encoded: String = url::form_urlencoded::byte_serialize(made_up.as_bytes()).collect();
        assert_eq!(outcome_with(&app, &format!("&link_ticket={encoded}")).await, LINK_FAILED, "{made_up}");
    }
    // None of these was treated as the sign-in of a stranger.
    assert_eq!((app.count("users", doc! {}).await, linked(&ann).await.len()), (1, 0));
}

async fn outcome_with(app: &TestApp, more: &str) -> String {
    Browser::new(app).sign_in_with("fake", more).await
}

/// The attacker begins to link, and lets the victim's browser complete it, so as to sign in to the attacker's account
/// with the victim's identity, or to watch the victim there.
#[tokio::test]
async fn a_link_that_somebody_else_began_does_nothing() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let mallory = app.user("mallory").await;
    let attacker = Browser::new(&app);
    let mut victim = Browser::new(&app);
    victim.verifier.clone_from(&attacker.verifier);
    let fragment = victim.sign_in_with("fake", &ticket(&mallory).await).await;
    // The victim's client has the code, but not the verifier.
    let client = Browser::new(&app);
    client.exchange(&fragment).await.assert_problem(422, "invalid-exchange-code");
    attacker.exchange(&fragment).await.assert_problem(422, "invalid-exchange-code");
    assert_eq!(linked(&mallory).await, [""; 0]);
    // The victim's own first sign-in makes the victim's own account.
    assert_ne!(sign_in(&app).await.id().await, mallory.id().await);
}

#[tokio::test]
async fn an_identity_belongs_to_one_account_and_an_account_has_one_per_provider() {
    let (provider, other) = (Provider::start().await, Provider::start().await);
    let app =
        app_set(&provider, |settings| drop(settings.oidc.insert("other".to_owned(), settings_of(&other))))
            .await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    provider.person("ann there", "x@example.net");
    link(&app, &ann, &password()).await.assert_status(200);
    // An identity of another account, and of the same account.
    assert_eq!(outcome_with(&app, &ticket(&bob).await).await, LINK_FAILED);
    assert_eq!(outcome_with(&app, &ticket(&ann).await).await, LINK_FAILED);
    provider.person("another", "y@example.net");
    assert_eq!(outcome_with(&app, &ticket(&ann).await).await, LINK_FAILED);
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("other", &ticket(&ann).await).await;
    browser.exchange(&fragment).await.assert_status(200);
    assert_eq!(
        (linked(&ann).await, linked(&bob).await.len()),
        (vec!["fake".to_owned(), "other".to_owned()], 0)
    );
}

#[tokio::test]
async fn of_two_accounts_that_link_one_identity_at_once_one_gets_it() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let users = [app.user("ann").await, app.user("bob").await];
    let mut bodies = Vec::new();
    for user in &users {
        for _ in 0..2 {
            let mut browser = Browser::new(&app);
            let fragment = browser.sign_in_with("fake", &ticket(user).await).await;
            let code = fragment.strip_prefix("code=").unwrap();
            bodies.push(json!({ "code": code, "verifier": browser.verifier }));
        }
    }
    let tasks: Vec<_> = bodies
        .into_iter()
        .map(|body| {
            let anyone = app.anyone();
            tokio::spawn(async move { anyone.post("/api/auth/exchange", &body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422]);
    assert_eq!(app.count("users", doc! { "identities.1": { "$exists": true } }).await, 0);
    assert_eq!(app.count("users", doc! { "identities.0": { "$exists": true } }).await, 1);
}

#[tokio::test]
async fn ending_every_session_ends_a_link_in_progress() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = app.user("ann").await;
    let before_start = ticket(&ann).await;
    let mut before_callback = Browser::new(&app);
    let to_provider = before_callback.start("fake", &before_start).await;
    let unused = ticket(&ann).await;
    let mut before_exchange = Browser::new(&app);
    let fragment = {
        let to_provider = before_exchange.start("fake", &unused).await;
        let callback = before_exchange.at_provider(&to_provider).await;
        before_exchange.come_back(&callback).await
    };
    let late = ticket(&ann).await;
    ann.post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    before_exchange.exchange(&fragment).await.assert_problem(422, "invalid-exchange-code");
    let callback = before_callback.at_provider(&to_provider).await;
    assert_eq!(before_callback.come_back(&callback).await, LINK_FAILED);
    assert_eq!(outcome_with(&app, &late).await, LINK_FAILED);
    let ann = app.log_in("ann").await;
    assert_eq!(linked(&ann).await, [""; 0]);
    // It does not link to a deleted account either.
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("fake", &ticket(&ann).await).await;
    ann.delete("/api/users/me").await.assert_status(204);
    browser.exchange(&fragment).await.assert_problem(422, "invalid-exchange-code");
    assert_eq!(app.count("users", doc! { "identities": { "$exists": true } }).await, 0);
}

#[tokio::test]
async fn the_last_way_to_sign_in_cannot_be_unlinked() {
    let (provider, other) = (Provider::start().await, Provider::start().await);
    let app =
        app_set(&provider, |settings| drop(settings.oidc.insert("other".to_owned(), settings_of(&other))))
            .await;
    let ann = sign_in(&app).await;
    let (fake, second) = (format!("{IDENTITIES}/fake"), format!("{IDENTITIES}/other"));
    ann.delete(&second).await.assert_problem(404, "provider-not-found");
    ann.delete(&format!("{IDENTITIES}/nope")).await.assert_problem(404, "provider-not-found");
    ann.delete(&fake).await.assert_problem(409, "no-other-sign-in");
    assert_eq!(linked(&ann).await, ["fake"]);
    // Another provider suffices, but not one that is no longer configured.
    let made = ann.post(IDENTITIES, &json!({})).await.assert_status(201).json();
    let mut browser = Browser::new(&app);
    let more = format!("&link_ticket={}", made["link_ticket"].as_str().unwrap());
    let fragment = browser.sign_in_with("other", &more).await;
    browser.exchange(&fragment).await.assert_status(200);
    let without_other = {
        let fake = settings_of(&provider);
        TestApp::with(app.uri(), app.database.name(), |settings| {
            drop(settings.oidc.insert("fake".to_owned(), fake));
        })
        .await
    };
    let there = without_other.bearer(ann.token.as_ref().unwrap());
    there.delete(&fake).await.assert_problem(409, "no-other-sign-in");
    // Of two removals at once, one fails.
    let (one, another) = tokio::join!(ann.delete(&fake), ann.delete(&second));
    let mut statuses = [one.status, another.status];
    statuses.sort_unstable();
    assert_eq!((statuses, linked(&ann).await.len()), ([204, 409], 1));
    // A password suffices too.
    let left = format!("{IDENTITIES}/{}", linked(&ann).await[0]);
    ann.patch("/api/users/me", &json!({ "password": PASSWORD })).await.assert_status(200);
    let ann = app.log_in("ann").await;
    ann.delete(&left).await.assert_status(204);
    assert_eq!(linked(&ann).await, [""; 0]);
}
