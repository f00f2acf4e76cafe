//! The steps of a sign-in: start, callback, exchange; and who cannot complete it.

use std::collections::HashMap;

use bson::{DateTime, Document, doc};
use movie_bag::{accounts::oidc::secret::random_text, config::Signup};
use serde_json::json;

use super::{
    app_set, app_with,
    browser::{Browser, outcome, sign_in},
    keys::Key,
    provider::{CLIENT_ID, Provider, set},
    settings_of,
};
use crate::support::{PASSWORD, TestApp, movie};

const EXCHANGE: &str = "/api/auth/exchange";

#[tokio::test]
async fn the_providers_are_listed_without_their_secrets() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let reply = app.anyone().get("/api/auth/providers").await.assert_status(200);
    assert_eq!(reply.json(), json!({ "items": [{ "id": "fake", "name": "The Fake" }] }));
    let none = TestApp::start().await;
    let reply = none.anyone().get("/api/auth/providers").await.assert_status(200);
    assert_eq!(reply.json(), json!({ "items": [] }));
    none.anyone().get("/api/auth/providers?x=1").await.assert_problem(400, "invalid-query");
    // The server did not ask the provider for that.
    assert_eq!(provider.conduct().requests, [""; 0]);
}

#[tokio::test]
async fn a_first_sign_in_creates_an_account_and_the_next_one_finds_it() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    for (number, key) in [Key::es256("a"), Key::eddsa("b"), Key::rs256("c")].into_iter().enumerate() {
        provider.conduct().key = key;
        provider.person(&format!("subject {number}"), &format!("Ann{number}@Example.com"));
        let ann = sign_in(&app).await;
        let me = ann.get("/api/users/me").await.assert_status(200).json();
        assert_eq!(me["email"], format!("ann{number}@example.com"));
        assert_eq!((&me["email_verified"], &me["has_password"]), (&json!(true), &json!(false)));
        assert_eq!(me["role"], "user");
        ann.add(&format!("Heat {number}")).await;
        let again = sign_in(&app).await;
        assert_eq!(again.id().await, me["id"]);
    }
    assert_eq!(app.count("users", doc! {}).await, 3);
    // The server reads the keys at the first use, and when it meets an unknown key.
    assert_eq!(provider.count("GET /keys"), 3);
}

#[tokio::test]
async fn the_exchange_answers_like_a_login() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("fake", "").await;
    let more = json!({ "name": " The phone ", "refresh": true });
    let reply = browser.exchange_with(&fragment, more).await.assert_status(200);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
    let answer = reply.json();
    let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(names, ["token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"]);
    assert_eq!(answer["expires_in"], 900);
    let ann = app.bearer(answer["token"].as_str().unwrap());
    let sessions = ann.get("/api/users/me/sessions").await.json();
    assert_eq!(sessions["items"][0]["name"], "The phone");
    let refresh = json!({ "refresh_token": answer["refresh_token"] });
    app.anyone().post("/api/auth/refresh", &refresh).await.assert_status(200);
    let fragment = browser.sign_in_with("fake", "").await;
    let answer = browser.exchange(&fragment).await.assert_status(200).json();
    assert_eq!((&answer["expires_in"], answer.get("refresh_token")), (&json!(604_800), None));
    ann.post("/api/auth/logout-all", &json!({})).await.assert_status(204);
    app.bearer(answer["token"].as_str().unwrap())
        .get("/api/users/me")
        .await
        .assert_problem(401, "revoked-token");
}

#[tokio::test]
async fn the_start_sends_the_browser_to_the_provider_and_stores_nothing() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let before = app.snapshot().await;
    let mut browser = Browser::new(&app);
    let address = url::Url::parse(&browser.start("fake", "").await).unwrap();
    assert_eq!(
        format!("{}{}", address.origin().ascii_serialization(), address.path()),
        format!("{}/authorize", provider.issuer)
    );
    let parameters: HashMap<String, String> = address.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", &format!("{}/api/auth/oidc/fake/callback", app.base)),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameters[name], value, "{name}");
    }
    // The server's proof to the provider is not the client's proof to the server.
    assert_ne!(parameters["code_challenge"], browser.challenge());
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(parameters[name].len(), 43, "{name}");
    }
    let cookie = browser.cookies[&format!("oidc-{}", parameters["state"])].clone();
    let attributes = "; Path=/api/auth/oidc/fake; Max-Age=600; HttpOnly; SameSite=Lax";
    assert!(cookie.line.ends_with(attributes), "{}", cookie.line);
    assert!(!cookie.value.contains(&parameters["nonce"]) && !cookie.value.contains(&browser.challenge()));
    // Each start has its own cookie.
    browser.start("fake", "").await;
    assert_eq!(browser.cookies.len(), 2);
    assert_eq!(app.snapshot().await, before);
    assert_eq!(app.count("exchange_codes", doc! {}).await, 0);
    // Both sign-ins can be completed, in either order.
    let callback = browser.at_provider(address.as_str()).await;
    let fragment = browser.come_back(&callback).await;
    assert_eq!(browser.cookies.len(), 1);
    browser.exchange(&fragment).await.assert_status(200);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_secure_and_the_provider_returns_there() {
    let provider = Provider::start().await;
    let app =
        app_set(&provider, |settings| settings.public_url = Some("https://movies.example.com/".to_owned()))
            .await;
    let path = format!("/api/auth/oidc/fake/start?challenge={}", Browser::new(&app).challenge());
    let reply = app.anyone().get(&path).await.assert_status(302);
    assert!(reply.header("Set-Cookie").unwrap().ends_with("; HttpOnly; SameSite=Lax; Secure"));
    let to = "redirect_uri=https%3A%2F%2Fmovies.example.com%2Fapi%2Fauth%2Foidc%2Ffake%2Fcallback&";
    assert!(reply.header("Location").unwrap().contains(to), "{:?}", reply.header("Location"));
}

#[tokio::test]
async fn a_sign_in_returns_only_to_addresses_that_the_operator_allows() {
    let provider = Provider::start().await;
    let allowed = ["com.example.app:/sign-in", "https://app.example.com/in?a=b"];
    let app =
        app_set(&provider, |settings| settings.oidc_return_to = allowed.map(str::to_owned).to_vec()).await;
    let challenge = Browser::new(&app).challenge();
    let path = |return_to: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
        format!("/api/auth/oidc/fake/start?challenge={challenge}&return_to={encoded}")
    };
    for elsewhere in [
        "",
        "https://evil.example/",
        "https://app.example.com/in",
        "https://app.example.com/in?a=b&c=d",
        "https://app.example.com/in?a=b#x",
        "https://APP.example.com/in?a=b",
        " https://app.example.com/in?a=b",
        "com.example.app:/sign-in/",
        "//app.example.com/in?a=b",
    ] {
        let reply = app.anyone().get(&path(elsewhere)).await.assert_problem(400, "invalid-query");
        assert_eq!((reply.header("Location"), reply.header("Set-Cookie")), (None, None), "{elsewhere}");
    }
    for (more, expected) in [(path(allowed[1]), allowed[1]), (path(allowed[0]), allowed[0])] {
        let mut browser = Browser::new(&app);
        let to_provider = browser.get(&more).await.assert_status(302).header("Location").unwrap();
        let callback = browser.at_provider(&to_provider).await;
        let reply = browser.get(&callback).await.assert_status(302).header("Location").unwrap();
        assert!(reply.starts_with(&format!("{expected}#code=")), "{reply}");
    }
    // The first address is the default. The web client is not among them.
    let mut browser = Browser::new(&app);
    let to_provider = browser.start("fake", "").await;
    let callback = browser.at_provider(&to_provider).await;
    let reply = browser.get(&callback).await.header("Location").unwrap();
    assert!(reply.starts_with("com.example.app:/sign-in#code="), "{reply}");
    app.anyone().get(&path(&format!("{}/", app.base))).await.assert_problem(400, "invalid-query");
}

#[tokio::test]
async fn an_incomplete_start_is_refused() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let good = Browser::new(&app).challenge();
    let get = async |query: &str| app.anyone().get(&format!("/api/auth/oidc/fake/start{query}")).await;
    for query in [
        String::new(),
        "?challenge=".to_owned(),
        format!("?challenge={}", &good[1..]),
        format!("?challenge={good}A"),
        format!("?challenge={}%3D", &good[1..]),
        format!("?challenge={}+", &good[1..]),
        format!("?challenge={good}&challenge={good}"),
        format!("?challenge={good}&return_to={0}/&return_to={0}/", app.base),
        format!("?challenge={good}&verifier=x"),
    ] {
        get(&query).await.assert_problem(400, "invalid-query");
    }
    for unknown in ["other", "FAKE", "fake%2F", "%24"] {
        let path = format!("/api/auth/oidc/{unknown}/start?challenge={good}");
        app.anyone().get(&path).await.assert_problem(404, "provider-not-found");
    }
    assert_eq!(provider.conduct().requests, [""; 0]);
}

#[tokio::test]
async fn a_head_request_uses_up_no_sign_in() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let mut browser = Browser::new(&app);
    let to_provider = browser.start("fake", "").await;
    let callback = browser.at_provider(&to_provider).await;
    let cookies: Vec<String> =
        browser.cookies.iter().map(|(name, cookie)| format!("{name}={}", cookie.value)).collect();
    let start = format!("/api/auth/oidc/fake/start?challenge={}", browser.challenge());
    for path in [callback.strip_prefix(&app.base).unwrap(), &start, "/api/auth/oidc/other/start"] {
        for method in ["HEAD", "POST", "PUT", "OPTIONS"] {
            let request = app.anyone().request(method, path).header("Cookie", cookies.join("; "));
            // The OpenAPI document covers HEAD by GET.
            let reply = request.send().await.unwrap();
            assert_eq!(reply.status(), 405, "{method} {path}");
            assert_eq!(reply.headers()["Allow"], "GET", "{method} {path}");
        }
    }
    assert_eq!(provider.count("POST /token"), 0);
    browser.come_back(&callback).await;
    // Everywhere else HEAD works.
    app.anyone().send("HEAD", "/api/auth/providers").await.assert_status(200);
}

#[tokio::test]
async fn a_callback_without_the_cookie_of_its_state_is_refused_without_a_redirect() {
    let provider = Provider::start().await;
    let other = Provider::start().await;
    let app = app_set(&provider, |settings| {
        settings.oidc.insert("other".to_owned(), settings_of(&other));
    })
    .await;
    let mut victim = Browser::new(&app);
    let mut attacker = Browser::new(&app);
    let to_provider = victim.start("fake", "").await;
    let callback = victim.at_provider(&to_provider).await;
    let refused = async |browser: &mut Browser<'_>, callback: &str| {
        let reply = browser.get(callback).await.assert_problem(400, "invalid-query");
        assert_eq!((reply.header("Location"), reply.header("Set-Cookie")), (None, None));
    };
    // The same for another browser, which has also begun a sign-in.
    attacker.start("fake", "").await;
    refused(&mut attacker, &callback).await;
    let attackers_state = attacker.cookies.keys().next().unwrap().strip_prefix("oidc-").unwrap().to_owned();
    let victims_state = victim.cookies.keys().next().unwrap().strip_prefix("oidc-").unwrap().to_owned();
    // The attacker's cookie with the victim's state.
    let mut renamed = Browser::new(&app);
    let cookie = attacker.cookies.values().next().unwrap().clone();
    renamed.cookies.insert(format!("oidc-{victims_state}"), cookie.clone());
    refused(&mut renamed, &callback).await;
    // The victim's callback with the attacker's state, in the victim's browser.
    refused(&mut victim, &callback.replace(&victims_state, &attackers_state)).await;
    // Without a state, with two states, and for another provider.
    refused(&mut victim, "/api/auth/oidc/fake/callback").await;
    refused(&mut victim, "/api/auth/oidc/fake/callback?code=x").await;
    refused(&mut victim, &format!("{callback}&state={victims_state}")).await;
    refused(&mut victim, &callback.replace("/fake/", "/other/")).await;
    let mut moved = Browser::new(&app);
    let mut cookie = victim.cookies.values().next().unwrap().clone();
    "/api/auth/oidc/other".clone_into(&mut cookie.path);
    moved.cookies.insert(format!("oidc-{victims_state}"), cookie);
    refused(&mut moved, &callback.replace("/fake/", "/other/")).await;
    assert_eq!((provider.count("POST /token"), other.count("POST /token")), (0, 0));
    // None of this has spoilt the victim's sign-in.
    let fragment = victim.come_back(&callback).await;
    victim.exchange(&fragment).await.assert_status(200);
}

#[tokio::test]
async fn a_callback_is_valid_once() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let mut browser = Browser::new(&app);
    let to_provider = browser.start("fake", "").await;
    let callback = browser.at_provider(&to_provider).await;
    let cookies = browser.cookies.clone();
    browser.come_back(&callback).await;
    // The cookie is deleted. A client that kept it has a code that the provider has already redeemed.
    browser.get(&callback).await.assert_problem(400, "invalid-query");
    browser.cookies = cookies;
    assert_eq!(browser.come_back(&callback).await, "error=provider-failed");
}

#[tokio::test]
async fn a_refusal_at_the_provider_reaches_the_client() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    provider.conduct().error = Some("access_denied");
    assert_eq!(outcome(&app).await, "error=access-denied");
    for error in ["server_error", "login_required", "<script>"] {
        provider.conduct().error = Some(error);
        assert_eq!(outcome(&app).await, "error=provider-failed");
    }
    assert_eq!(provider.count("POST /token"), 0);
}

/// RFC 9207: the answer comes from another provider, to which the browser was sent instead.
#[tokio::test]
async fn the_issuer_in_the_answer_is_checked_and_required_if_it_is_announced() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let issuer = provider.issuer.clone();
    provider.conduct().issuer_in_answer = Some(issuer.clone());
    assert!(outcome(&app).await.starts_with("code="));
    for wrong in ["https://evil.example", "", &format!("{issuer}/")] {
        provider.conduct().issuer_in_answer = Some(wrong.to_owned());
        assert_eq!(outcome(&app).await, "error=provider-failed", "{wrong}");
    }
    // A refusal by another issuer does not count either.
    provider.conduct().error = Some("access_denied");
    assert_eq!(outcome(&app).await, "error=provider-failed");
    let announcing = Provider::start().await;
    let app = app_with(&announcing).await;
    announcing.conduct().metadata = set("authorization_response_iss_parameter_supported", json!(true));
    assert_eq!(outcome(&app).await, "error=provider-failed");
    announcing.conduct().issuer_in_answer = Some(announcing.issuer.clone());
    assert!(outcome(&app).await.starts_with("code="));
}

#[tokio::test]
async fn a_code_is_valid_for_one_attempt_by_the_client_that_began() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let refused = async |browser: &Browser<'_>, fragment: &str| {
        browser.exchange(fragment).await.assert_problem(422, "invalid-exchange-code");
    };
    // A used code.
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("fake", "").await;
    assert_eq!(fragment.len(), "code=".len() + 43);
    browser.exchange(&fragment).await.assert_status(200);
    refused(&browser, &fragment).await;
    // A code of another client. This uses up its only attempt.
    let stolen = browser.sign_in_with("fake", "").await;
    let thief = Browser::new(&app);
    refused(&thief, &stolen).await;
    refused(&browser, &stolen).await;
    // The challenge is not the verifier.
    let fragment = browser.sign_in_with("fake", "").await;
    let more = json!({ "verifier": browser.challenge() });
    browser.exchange_with(&fragment, more).await.assert_problem(422, "invalid-exchange-code");
    // An expired code.
    let fragment = browser.sign_in_with("fake", "").await;
    let codes = app.database.collection::<Document>("exchange_codes");
    let kept = codes.find_one(doc! {}).await.unwrap().unwrap();
    let left = kept.get_datetime("expires_at").unwrap().saturating_duration_since(DateTime::now());
    assert!((50..=60).contains(&left.as_secs()), "{left:?}");
    let code = fragment.strip_prefix("code=").unwrap();
    assert!(!format!("{kept}").contains(code), "{kept}");
    let now = doc! { "$set": { "expires_at": DateTime::now() } };
    assert_eq!(codes.update_one(doc! {}, now).await.unwrap().matched_count, 1);
    refused(&browser, &fragment).await;
    // Made-up codes.
    for made_up in [&random_text().unwrap(), "é", "none"] {
        refused(&browser, &format!("code={made_up}")).await;
    }
    assert_eq!(app.count("exchange_codes", doc! {}).await, 0);
}

#[tokio::test]
async fn of_many_attempts_at_once_one_gets_the_code() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let twin = app_with(&provider).await;
    drop(twin);
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("fake", "").await;
    let body = json!({ "code": fragment.strip_prefix("code=").unwrap(), "verifier": browser.verifier });
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (anyone, body) = (app.anyone(), body.clone());
            tokio::spawn(async move { anyone.post(EXCHANGE, &body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (200, [422; 15].as_slice()));
}

#[tokio::test]
async fn an_exchange_names_every_broken_field_and_spends_no_code_on_them() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let mut browser = Browser::new(&app);
    let fragment = browser.sign_in_with("fake", "").await;
    let anyone = app.anyone();
    let required = [("code", "required"), ("verifier", "required")];
    anyone.post(EXCHANGE, &json!({})).await.assert_fields(&required);
    for (more, expected) in [
        (json!({ "verifier": 1 }), ("verifier", "wrong-type")),
        (json!({ "name": "n".repeat(101) }), ("name", "too-long")),
        (json!({ "refresh": "yes" }), ("refresh", "wrong-type")),
        (json!({ "link_ticket": "x" }), ("link_ticket", "unknown")),
    ] {
        browser.exchange_with(&fragment, more).await.assert_fields(&[expected]);
    }
    browser.exchange(&fragment).await.assert_status(200);
}

#[tokio::test]
async fn attempts_to_guess_a_code_are_throttled() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let guess = || json!({ "code": random_text().unwrap(), "verifier": random_text().unwrap() });
    let mut guesses = 0;
    while app.anyone().post(EXCHANGE, &guess()).await.status == 422 {
        guesses += 1;
        assert!(guesses < 200, "nobody is refused");
    }
    app.anyone().post(EXCHANGE, &guess()).await.assert_problem(429, "too-many-requests");
}

#[tokio::test]
async fn nothing_is_created_before_the_exchange() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let before = app.snapshot().await;
    let fragment = outcome(&app).await;
    assert!(fragment.starts_with("code="));
    assert_eq!(app.snapshot().await, before);
}

#[tokio::test]
async fn if_sign_up_is_closed_only_existing_accounts_sign_in() {
    let provider = Provider::start().await;
    let open = app_with(&provider).await;
    let ann = sign_in(&open).await.id().await;
    let closed = {
        let fake = settings_of(&provider);
        TestApp::with(open.uri(), open.database.name(), |settings| {
            settings.oidc.insert("fake".to_owned(), fake);
            settings.accounts.signup = Signup::Closed;
        })
        .await
    };
    // A server can also open the cookie of another server.
    assert_eq!(sign_in(&closed).await.id().await, ann);
    provider.person("bob", "bob@example.com");
    assert_eq!(outcome(&closed).await, "error=access-denied");
    assert_eq!(closed.count("users", doc! {}).await, 1);
}

#[tokio::test]
async fn a_confirmed_address_of_a_provider_is_confirmed_here() {
    let provider = Provider::start().await;
    let app = app_set(&provider, |settings| settings.accounts.require_verified_email = true).await;
    sign_in(&app).await.add("Heat").await;
    let bob = app.user("bob").await;
    bob.post("/api/movies", &movie("Ronin")).await.assert_problem(403, "email-not-verified");
}

#[tokio::test]
async fn an_account_from_a_provider_has_no_password_to_log_in_with() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    sign_in(&app).await;
    for password in ["", PASSWORD, "null"] {
        let body = json!({ "email": "ann@example.com", "password": password });
        app.anyone().post("/api/auth/login", &body).await.assert_problem(401, "bad-credentials");
    }
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    app.anyone().post("/api/auth/signup", &body).await.assert_problem(409, "email-taken");
}

#[tokio::test]
async fn a_deleted_account_loses_its_identities() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let ann = sign_in(&app).await;
    let id = ann.id().await;
    let mut browser = Browser::new(&app);
    let late = browser.sign_in_with("fake", "").await;
    ann.delete("/api/users/me").await.assert_status(204);
    assert_eq!(app.count("users", doc! { "identities": { "$exists": true } }).await, 0);
    // A sign-in that was in progress does not bring the account back.
    browser.exchange(&late).await.assert_problem(422, "invalid-exchange-code");
    assert_ne!(sign_in(&app).await.id().await, id);
}
