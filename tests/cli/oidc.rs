//! Signing in with another provider: wrong settings, and what the log contains and does not contain.

use movie_bag::accounts::oidc::secret::{random_text, s256};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    audit::events,
    provider::{CLIENT_ID, CLIENT_SECRET, Provider},
    support::{Folder, PASSWORD, Server, end, eventually},
};

#[test]
fn an_unusable_provider_stops_the_start() {
    let folder = Folder::new();
    let settings = [
        ("MOVIE_BAG_OIDC__ACME__ISSUER", "https://id.example.com"),
        ("MOVIE_BAG_OIDC__ACME__CLIENT_ID", "movie-bag"),
        ("MOVIE_BAG_OIDC__ACME__CLIENT_SECRET", "topsecret"),
        ("MOVIE_BAG_OIDC__ACME__NAME", "Acme"),
    ];
    for (name, value, says) in [
        ("MOVIE_BAG_OIDC__ACME__ISSUER", "http://id.example.com", "oidc.acme.issuer: "),
        ("MOVIE_BAG_OIDC__ACME__CLIENT_SECRET", "", "oidc.acme.client_secret: is required"),
        ("MOVIE_BAG_OIDC__ACME_ME__NAME", "Acme", "oidc.acme_me: "),
        ("MOVIE_BAG_OIDC__ACME__SCOPES", "all", "MOVIE_BAG_OIDC__ACME__SCOPES: "),
        ("MOVIE_BAG_PUBLIC_URL", "https://movies.example.com/bag", "public_url: "),
        ("MOVIE_BAG_OIDC_RETURN_TO", "[\"javascript:alert(1)\"]", "oidc_return_to: "),
        ("ROCKET_ADDRESS", "0.0.0.0", "public_url: is required"),
    ] {
        let mut command = folder.command(&["serve"]);
        command.envs(settings).env(name, value);
        let ended = end(command);
        ended.assert_failed(2, says);
        assert!(!ended.err.contains("topsecret"), "{ended:?}");
    }
}

/// Goes through a sign-in. Returns what the client finds after `#`, and every secret on the way.
fn sign_in(server: &Server, verifier: &str, more: &str) -> (String, Vec<String>) {
    let http =
        reqwest::blocking::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let start = format!("{}/api/auth/oidc/fake/start?challenge={}{more}", server.base, s256(verifier));
    let answer = http.get(start).send().unwrap();
    assert_eq!(answer.status(), 302);
    let location =
        |answer: &reqwest::blocking::Response| answer.headers()["Location"].to_str().unwrap().to_owned();
    let cookie = answer.headers()["Set-Cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let callback = location(&http.get(location(&answer)).send().unwrap());
    let answer = http.get(&callback).header("Cookie", &cookie).send().unwrap();
    let back = location(&answer);
    let (_, fragment) = back.split_once('#').unwrap();
    let (_, query) = callback.split_once('?').unwrap();
    (fragment.to_owned(), vec![cookie.split_once('=').unwrap().1.to_owned(), query.to_owned()])
}

#[test]
fn the_audit_log_has_every_sign_in_and_none_of_its_secrets() {
    let runtime = Runtime::new().unwrap();
    let provider = runtime.block_on(Provider::start());
    let folder = Folder::new();
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_LOG__FORMAT", "json");
    for (name, value) in [
        ("ISSUER", provider.issuer.as_str()),
        ("CLIENT_ID", CLIENT_ID),
        ("CLIENT_SECRET", CLIENT_SECRET),
        ("NAME", "Fake"),
    ] {
        command.env(format!("MOVIE_BAG_OIDC__FAKE__{name}"), value);
    }
    let server = Server::start(command);
    let mut secrets = vec![CLIENT_SECRET.to_owned(), "the access token".to_owned()];
    let mut go = |more: &str| -> (u16, Value) {
        let verifier = random_text().unwrap();
        let (fragment, on_the_way) = sign_in(&server, &verifier, more);
        secrets.extend(on_the_way);
        let Some(code) = fragment.strip_prefix("code=") else { return (0, fragment.into()) };
        secrets.extend([code.to_owned(), verifier.clone()]);
        server.call("POST", "/api/auth/exchange", None, Some(json!({ "code": code, "verifier": verifier })))
    };
    let first = go("").1["token"].as_str().unwrap().to_owned();
    let ann_id = server.get("/api/users/me", Some(&first)).1["id"].clone();
    assert_eq!(go("").0, 200);
    assert_eq!(server.call("DELETE", "/api/users/me/identities/fake", Some(&first), None).0, 409);
    let made_up = json!({ "code": "made up", "verifier": "made up" });
    assert_eq!(server.call("POST", "/api/auth/exchange", None, Some(made_up)).0, 422);
    provider.conduct().error = Some("access_denied");
    assert_eq!(go("").1, "error=access-denied");
    provider.conduct().error = None;
    let bob = server.sign_up("bob");
    provider.person("bob there", "bob@example.net");
    let ticket = server.call(
        "POST",
        "/api/users/me/identities",
        Some(&bob),
        Some(json!({ "current_password": PASSWORD })),
    );
    let ticket = ticket.1["link_ticket"].as_str().unwrap().to_owned();
    assert_eq!(go(&format!("&link_ticket={ticket}")).0, 200);
    assert_eq!(server.call("DELETE", "/api/users/me/identities/fake", Some(&bob), None).0, 204);
    eventually("everything is logged", || {
        events(&server).iter().any(|line| line["event"] == "identity-unlinked")
    });
    let events = events(&server);
    let found: Vec<String> = events
        .iter()
        .map(|line| {
            format!("{} {}", line["event"].as_str().unwrap(), line["code"].as_str().unwrap_or_default())
        })
        .map(|line| line.trim_end().to_owned())
        .collect();
    assert_eq!(
        found,
        [
            "signup",
            "login",
            "login",
            "refused no-other-sign-in",
            "refused invalid-exchange-code",
            "login-failed access-denied",
            "signup",
            "login",
            "identity-linked",
            "login",
            "identity-unlinked",
        ]
    );
    assert_eq!((&events[0]["user"], &events[3]["user"]), (&ann_id, &ann_id));
    assert_eq!(events[5]["provider"], "fake");
    secrets.push(ticket);
    let log = server.log();
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret}");
    }
}
