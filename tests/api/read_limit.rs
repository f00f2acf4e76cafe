//! The limit on requests from an address, if the operator has set one.

use serde_json::json;

use crate::support::{Reply, TestApp};

const POLICY: &str = "\"default\";q=4;w=4";

/// A server behind a proxy that allows one request a second, and four at once.
async fn app() -> TestApp {
    TestApp::behind_a_proxy_with(|settings| {
        settings.throttle.reads_per_second = 1;
        settings.throttle.enabled = false;
        settings.cors.origins = vec!["https://app.example".to_owned()];
    })
    .await
}

async fn from(app: &TestApp, address: &str, method: &str, path: &str) -> Reply {
    Reply::of(app.anyone().request(method, path).header("X-Real-IP", address)).await
}

/// The remaining requests, from the answer.
fn left(reply: &Reply) -> u32 {
    assert_eq!(reply.header("RateLimit-Policy").as_deref(), Some(POLICY));
    let limit = reply.header("RateLimit").unwrap();
    let (left, whole_in) = limit.strip_prefix("\"default\";r=").unwrap().split_once(";t=").unwrap();
    assert!((1..=4).contains(&whole_in.parse::<u32>().unwrap()), "{limit}");
    left.parse().unwrap()
}

/// Sends requests until the address is refused. It gains a request each second, so a slow machine needs more of them.
async fn exhaust(app: &TestApp, address: &str) -> Reply {
    for _ in 0..200 {
        let reply = from(app, address, "GET", "/api/movies").await;
        if reply.status == 429 {
            return reply;
        }
        reply.assert_status(200);
    }
    panic!("{address} is never refused");
}

#[tokio::test]
async fn an_address_that_sends_too_many_requests_waits_and_others_do_not() {
    let app = app().await;
    let first = from(&app, "192.0.2.1", "GET", "/api/movies").await.assert_status(200);
    assert_eq!(left(&first), 3);
    let refused = exhaust(&app, "192.0.2.1").await.assert_problem(429, "too-many-requests");
    assert_eq!(left(&refused), 0);
    assert_eq!(refused.header("Retry-After").as_deref(), Some("1"));
    exhaust(&app, "2001:db8:1:2::1").await;
    for (address, others) in [("192.0.2.2", 3), ("2001:db8:1:3::1", 3)] {
        assert_eq!(left(&from(&app, address, "GET", "/api/movies").await.assert_status(200)), others);
    }
    // Another address of the same network counts as the same. A second may have passed.
    let neighbour = from(&app, "2001:db8:1:2:ffff::9", "GET", "/api/movies").await;
    assert!(left(&neighbour) <= 1);
}

#[tokio::test]
async fn a_refusal_comes_before_everything_else_and_changes_nothing() {
    let app = app().await;
    let before = app.snapshot().await;
    for (method, path) in [
        ("POST", "/api/auth/signup"),
        ("POST", "/api/movies"),
        ("GET", "/api/nothing"),
        ("PUT", "/api/movies"),
        ("GET", "/api/movies/events"),
        ("GET", "//api/movies"),
        ("GET", "/api/openapi.json"),
    ] {
        exhaust(&app, "192.0.2.3").await;
        let body = json!({ "email": "ann@example.com", "password": "gnu yak emu" });
        let mut request = app.anyone().request(method, path).header("X-Real-IP", "192.0.2.3");
        if method == "POST" {
            request = request.json(&body);
        }
        Reply::of(request).await.assert_problem(429, "too-many-requests");
    }
    assert_eq!(app.snapshot().await, before);
}

#[tokio::test]
async fn preflights_health_metrics_and_the_clients_files_do_not_count() {
    let app = app().await;
    exhaust(&app, "192.0.2.4").await;
    for _ in 0..20 {
        for path in ["/health/live", "/health/ready", "/", "/assets/app.js", "/problems/not-found"] {
            let reply = from(&app, "192.0.2.4", "GET", path).await.assert_status(200);
            assert_eq!((reply.header("RateLimit"), reply.header("RateLimit-Policy")), (None, None), "{path}");
        }
        let preflight = app
            .anyone()
            .request("OPTIONS", "/api/movies")
            .header("X-Real-IP", "192.0.2.4")
            .header("Origin", "https://app.example")
            .header("Access-Control-Request-Method", "GET");
        let preflight = Reply::of(preflight).await.assert_status(204);
        assert_eq!(preflight.header("RateLimit"), None);
    }
}

#[tokio::test]
async fn without_the_setting_there_is_no_limit() {
    let app = TestApp::start().await;
    for _ in 0..50 {
        let reply = app.anyone().get("/api/movies").await.assert_status(200);
        assert_eq!((reply.header("RateLimit"), reply.header("RateLimit-Policy")), (None, None));
    }
}
