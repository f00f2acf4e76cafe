//! Providers that lie, hang or change, and people about whom two providers say different things.

use std::time::{Duration, Instant};

use bson::doc;
use serde_json::{Value, json};

use super::{
    app_set, app_with,
    browser::{Browser, outcome, sign_in},
    keys::Key,
    provider::{CLIENT_ID, Provider, Signature, nothing, remove, set},
    settings_of,
};
use crate::support::{Proxy, TestApp, eventually, mongod};

const FAILED: &str = "error=provider-failed";
const OVERLOADED: &str = "error=overloaded";

#[tokio::test]
async fn an_id_token_whose_claims_are_not_for_this_sign_in_is_refused() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let issuer = provider.issuer.clone();
    let now = chrono::Utc::now().timestamp();
    for change in [
        set("iss", json!("https://evil.example")),
        set("iss", json!(format!("{issuer}/"))),
        set("iss", Value::Null),
        remove("iss"),
        set("aud", json!("another client")),
        set("aud", json!([CLIENT_ID, "another client"])),
        set("aud", json!([])),
        remove("aud"),
        set("nonce", json!("of another sign-in")),
        remove("nonce"),
        set("exp", json!(now - 1)),
        set("exp", json!(now)),
        remove("exp"),
        remove("sub"),
        set("sub", json!("")),
        set("sub", json!("s".repeat(256))),
        set("sub", json!({ "$ne": null })),
    ] {
        provider.conduct().claims = change;
        assert_eq!(outcome(&app).await, FAILED);
    }
    assert_eq!((app.count("users", doc! {}).await, app.count("exchange_codes", doc! {}).await), (0, 0));
    provider.conduct().claims = set("aud", json!([CLIENT_ID]));
    sign_in(&app).await;
    assert_eq!(app.count("users", doc! {}).await, 1);
}

#[tokio::test]
async fn an_id_token_that_the_provider_has_not_signed_is_refused() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    // Whatever algorithms it announces.
    provider.conduct().metadata =
        set("id_token_signing_alg_values_supported", json!(["RS256", "HS256", "none"]));
    for key in [Key::es256("key"), Key::rs256("key"), Key::eddsa("key")] {
        provider.conduct().key = key;
        for signature in
            [Signature::None, Signature::PublicKeyAsSecret, Signature::ClientSecret, Signature::Foreign]
        {
            provider.conduct().signature = signature;
            assert_eq!(outcome(&app).await, FAILED);
        }
    }
    assert_eq!(app.count("users", doc! {}).await, 0);
    provider.conduct().signature = Signature::Own;
    sign_in(&app).await;
}

#[tokio::test]
async fn a_key_for_encryption_and_one_of_another_kind_verify_nothing() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let key = Key::es256("key");
    provider.conduct().key = key.clone();
    assert!(outcome(&app).await.starts_with("code="));
    // The signer's own key is published under another id, and another kind of key under this one.
    provider.conduct().key = Key::es256("hidden");
    let mut encrypting = provider.conduct().key.public();
    (encrypting["use"], encrypting["kid"]) = ("enc".into(), "new".into());
    provider.conduct().other_keys = vec![encrypting, json!({ "kty": "oct", "kid": "x", "k": "AAAA" })];
    let signer = provider.conduct().key.renamed("new");
    provider.conduct().key = signer;
    let hide = Key::es256("new");
    provider.conduct().published = Some(hide.public());
    assert_eq!(outcome(&app).await, FAILED);
}

#[tokio::test]
async fn rotated_keys_are_read_again_and_old_ones_no_longer_count() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = sign_in(&app).await.id().await;
    let old = provider.conduct().key.clone();
    for id in ["second", "third"] {
        provider.conduct().key = Key::es256(id);
        assert_eq!(sign_in(&app).await.id().await, ann);
    }
    // This works even if the new key has the id of the old one.
    provider.conduct().key = Key::es256("third");
    assert_eq!(sign_in(&app).await.id().await, ann);
    assert_eq!(provider.count("GET /keys"), 4);
    let new = provider.conduct().key.public();
    provider.conduct().key = old;
    provider.conduct().published = Some(new);
    assert_eq!(outcome(&app).await, FAILED);
}

#[tokio::test]
async fn only_an_address_confirmed_by_the_provider_creates_an_account() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    for email_in_token in [true, false] {
        provider.conduct().email_in_token = email_in_token;
        for verified in [json!(false), Value::Null, json!("false")] {
            provider.conduct().email_verified = verified.clone();
            let came = outcome(&app).await;
            assert_eq!(came, "error=email-not-verified", "{verified}");
        }
        provider.conduct().email_verified = true.into();
        provider.conduct().email = Value::Null;
        assert_eq!(outcome(&app).await, "error=email-not-verified");
        for email in ["ann", "ann@localhost", "\"a b\"@example.com", "ann@example.com\nx"] {
            provider.conduct().email = email.into();
            assert_eq!(outcome(&app).await, FAILED, "{email}");
        }
        provider.conduct().email = "ann@example.com".into();
    }
    assert_eq!(app.count("users", doc! {}).await, 0);
    // In Apple's format.
    provider.conduct().email_in_token = true;
    provider.conduct().email_verified = "true".into();
    let ann = sign_in(&app).await.id().await;
    // A user who has an account no longer needs an address.
    provider.conduct().email_verified = false.into();
    assert_eq!(sign_in(&app).await.id().await, ann);
}

#[tokio::test]
async fn the_address_may_come_from_the_userinfo_endpoint_but_only_for_the_same_subject() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    provider.conduct().email_in_token = false;
    for change in [set("sub", json!("somebody else")), remove("sub")] {
        provider.conduct().userinfo = change;
        assert_eq!(outcome(&app).await, FAILED);
    }
    provider.conduct().userinfo = nothing();
    let me = sign_in(&app).await.get("/api/users/me").await.json();
    assert_eq!(me["email"], "ann@example.com");
    let silent = Provider::start().await;
    let app = app_with(&silent).await;
    silent.conduct().metadata = remove("userinfo_endpoint");
    silent.conduct().email_in_token = false;
    assert_eq!(outcome(&app).await, "error=email-not-verified");
}

#[tokio::test]
async fn a_sign_in_never_joins_an_existing_account_by_its_address() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    // An account made by somebody who does not own the address.
    let squatter = app.user("ann").await;
    assert_eq!(outcome(&app).await, "error=email-taken");
    provider.conduct().email = " ANN@example.com".into();
    assert_eq!(outcome(&app).await, "error=email-taken");
    assert_eq!(squatter.get("/api/users/me/identities").await.json(), json!({ "items": [] }));
    assert_eq!(app.count("users", doc! {}).await, 1);
}

/// Somebody else takes the address between the callback and the exchange.
#[tokio::test]
async fn an_address_that_is_taken_in_the_meantime_is_not_joined_either() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("fake", "").await;
    let ann = app.user("ann").await;
    let before = app.snapshot().await;
    browser.exchange(&fragment).await.assert_problem(409, "email-taken");
    assert_eq!(app.snapshot().await, before);
    browser.exchange(&fragment).await.assert_problem(422, "invalid-exchange-code");
    // Once the address is free again, the account can be created.
    ann.delete("/api/users/me").await.assert_status(204);
    sign_in(&app).await;
}

#[tokio::test]
async fn a_changed_address_at_the_provider_changes_neither_the_account_nor_its_address() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = sign_in(&app).await;
    let id = ann.id().await;
    let bob = app.user("bob").await;
    for (email, verified) in
        [("new@example.com", true), ("bob@example.com", true), ("ann@example.com", false)]
    {
        provider.conduct().email = email.into();
        provider.conduct().email_verified = verified.into();
        let me = sign_in(&app).await.get("/api/users/me").await.json();
        assert_eq!((&me["id"], &me["email"]), (&json!(id), &json!("ann@example.com")));
        assert_eq!(me["email_verified"], true);
    }
    // Another person at the provider who has her former address is another person here.
    provider.person("somebody else", "ann@example.com");
    provider.conduct().email_verified = true.into();
    assert_eq!(outcome(&app).await, "error=email-taken");
    assert_ne!(bob.id().await, id);
    assert_eq!(app.count("users", doc! {}).await, 2);
}

#[tokio::test]
async fn the_same_subject_at_two_providers_is_two_people() {
    let (one, other) = (Provider::start().await, Provider::start().await);
    let app =
        app_set(&one, |settings| drop(settings.oidc.insert("other".to_owned(), settings_of(&other)))).await;
    let first = sign_in(&app).await;
    other.person("ann at the provider", "second@example.com");
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("other", "").await;
    let answer = browser.exchange(&fragment).await.assert_status(200).json();
    let second = app.bearer(answer["token"].as_str().unwrap());
    assert_ne!(first.id().await, second.id().await);
}

#[tokio::test]
async fn two_first_sign_ins_at_the_same_moment_create_one_account() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    for round in 0..4 {
        provider.person(&format!("subject {round}"), &format!("ann{round}@example.com"));
        let mut bodies = Vec::new();
        for _ in 0..4 {
            let mut browser = Browser::new(&app);
            let fragment = browser.sign_in_with("fake", "").await;
            let code = fragment.strip_prefix("code=").unwrap();
            bodies.push(json!({ "code": code, "verifier": browser.verifier }));
        }
        let tasks: Vec<_> = bodies
            .into_iter()
            .map(|body| {
                let anyone = app.anyone();
                tokio::spawn(async move { anyone.post("/api/auth/exchange", &body).await.assert_status(200) })
            })
            .collect();
        let mut ids = std::collections::BTreeSet::new();
        for task in tasks {
            let token = task.await.unwrap().json()["token"].as_str().unwrap().to_owned();
            ids.insert(app.bearer(&token).id().await);
        }
        assert_eq!(ids.len(), 1);
    }
    assert_eq!(app.count("users", doc! {}).await, 4);
}

#[tokio::test]
async fn a_hanging_provider_affects_only_its_own_sign_ins() {
    let (hanging, healthy) = (Provider::start().await, Provider::start().await);
    let app =
        app_set(&hanging, |settings| drop(settings.oidc.insert("other".to_owned(), settings_of(&healthy))))
            .await;
    let ann = app.user("carl").await;
    hanging.conduct().hangs = true;
    let challenge = Browser::new(&app).challenge();
    let path = format!("/api/auth/oidc/fake/start?challenge={challenge}");
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let (anyone, path) = (app.anyone(), path.clone());
            tokio::spawn(async move { anyone.get(&path).await })
        })
        .collect();
    eventually("the provider is asked", async || {
        match hanging.count("GET /.well-known/openid-configuration") {
            0 => Err("not yet"),
            _ => Ok(()),
        }
    })
    .await;
    // Everything else continues to work.
    let since = Instant::now();
    ann.add("Heat").await;
    assert!(Browser::new(&app).sign_in_with("other", "").await.starts_with("code="));
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    assert!(waiting.iter().all(|task| !task.is_finished()));
    for task in waiting {
        let reply = task.await.unwrap().assert_status(302);
        assert_eq!(reply.header("Location"), Some(format!("{}/#{FAILED}", app.base)));
        assert_eq!(reply.header("Set-Cookie"), None);
    }
    // All sign-ins together sent only a few requests.
    assert!(hanging.count("GET /.well-known/openid-configuration") <= 3);
    hanging.release();
    eventually("it is back", async || {
        let came = outcome(&app).await;
        if came.starts_with("code=") { Ok(()) } else { Err(came) }
    })
    .await;
    // If the provider hangs later, the callback ends too.
    let mut browser = Browser::new(&app);
    let to_provider = browser.start("fake", "").await;
    let callback = browser.at_provider(&to_provider).await;
    hanging.conduct().hangs = true;
    assert_eq!(browser.come_back(&callback).await, FAILED);
}

#[tokio::test]
async fn a_provider_that_is_unavailable_at_the_start_is_asked_again() {
    let provider = Provider::start().await;
    let mut fake = settings_of(&provider);
    fake.issuer = Some("http://127.0.0.1:1".to_owned());
    let app = TestApp::set(|settings| drop(settings.oidc.insert("fake".to_owned(), fake))).await;
    assert_eq!(outcome(&app).await, FAILED);
    app.user("ann").await.add("Heat").await;
}

#[tokio::test]
async fn a_provider_with_impossible_metadata_is_not_used() {
    for metadata in [
        set("issuer", json!("https://evil.example")),
        set("token_endpoint", json!("http://example.com/token")),
        set("authorization_endpoint", json!("http://example.com/authorize")),
        set("authorization_endpoint", json!("javascript:alert(1)")),
        set("jwks_uri", json!("http://example.com/keys")),
        set("userinfo_endpoint", json!("ftp://127.0.0.1/userinfo")),
        set("jwks_uri", json!("http://127.0.0.1:1/keys")),
        remove("token_endpoint"),
        remove("jwks_uri"),
    ] {
        let provider = Provider::start().await;
        let app = app_with(&provider).await;
        provider.conduct().metadata = metadata;
        assert_eq!(outcome(&app).await, FAILED);
    }
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    provider.conduct().padding = 300_000;
    assert_eq!(outcome(&app).await, FAILED);
}

#[tokio::test]
async fn the_secret_is_sent_in_the_form_if_the_provider_wants_that_and_a_refused_client_is_reported() {
    let provider = Provider::start().await;
    let mut wrong = settings_of(&provider);
    wrong.client_secret = Some("not the secret".into());
    let app = TestApp::set(|settings| drop(settings.oidc.insert("fake".to_owned(), wrong))).await;
    assert_eq!(outcome(&app).await, FAILED);
    for methods in [json!(["client_secret_post"]), json!(["client_secret_post", "client_secret_basic"])] {
        let app = app_with(&provider).await;
        provider.conduct().metadata = set("token_endpoint_auth_methods_supported", methods);
        assert!(outcome(&app).await.starts_with("code="));
    }
}

#[tokio::test]
async fn without_the_database_a_sign_in_blames_this_server() {
    let provider = Provider::start().await;
    let proxy = Proxy::before(&mongod::shared_uri().await).await;
    let name = format!("movie_bag_test_{}", bson::oid::ObjectId::new().to_hex());
    let fake = settings_of(&provider);
    let app =
        TestApp::with(&proxy.uri(), &name, |settings| drop(settings.oidc.insert("fake".to_owned(), fake)))
            .await;
    let mut browser = Browser::new(&app);
    let to_provider = browser.start("fake", "").await;
    let callback = browser.at_provider(&to_provider).await;
    proxy.cut();
    assert_eq!(browser.come_back(&callback).await, OVERLOADED);
    // A stranger's start does not query the database, but a start with a ticket does.
    assert!(browser.start("fake", "").await.starts_with(&provider.issuer));
    let ticket = format!("&link_ticket=6561f0c2a3b4d5e6f7081920{}", browser.challenge());
    assert_eq!(browser.sign_in_with("fake", &ticket).await, OVERLOADED);
    browser.exchange("code=none").await.assert_problem(503, "database-unavailable");
    proxy.heal();
    eventually("it is back", async || {
        let came = outcome(&app).await;
        if came.starts_with("code=") { Ok(()) } else { Err(came) }
    })
    .await;
}

/// Anyone may send made-up codes to the callback. A limit protects the provider from them.
#[tokio::test]
async fn only_so_many_sign_ins_wait_for_one_provider() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let mut browsers = Vec::new();
    for _ in 0..70 {
        let mut browser = Browser::new(&app);
        let to_provider = browser.start("fake", "").await;
        let callback = browser.at_provider(&to_provider).await;
        browsers.push((browser, callback));
    }
    provider.conduct().hangs = true;
    let coming = browsers.iter_mut().map(|(browser, callback)| browser.come_back(callback));
    let came = futures::future::join_all(coming).await;
    let count = |expected: &str| came.iter().filter(|came| *came == expected).count();
    assert_eq!((count(OVERLOADED), count(FAILED)), (6, 64));
    assert_eq!(provider.count("POST /token"), 64);
    // Their slots are free again.
    provider.release();
    assert!(outcome(&app).await.starts_with("code="));
}
