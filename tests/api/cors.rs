//! Pages of other origins, in a browser: what they may call and read.

use crate::support::{Reply, TestApp};

const PAGE: &str = "https://app.example";
/// The `Vary` of a list, which may be compressed.
const LIST: &str = "Origin, Accept-Encoding";

async fn app(origins: &[&str]) -> TestApp {
    TestApp::set(|settings| settings.cors.origins = origins.iter().map(ToString::to_string).collect()).await
}

async fn from(app: &TestApp, origin: &str, method: &str, path: &str) -> Reply {
    Reply::of(app.anyone().request(method, path).header("Origin", origin)).await
}

async fn preflight(app: &TestApp, origin: &str, path: &str) -> Reply {
    let request = app
        .anyone()
        .request("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "PATCH")
        .header("Access-Control-Request-Headers", "authorization,content-type,if-match");
    Reply::of(request).await
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_call_and_read_errors_too() {
    let app = app(&[PAGE]).await;
    for (method, path, status) in [
        ("GET", "/api/movies", 200),
        ("HEAD", "/api/movies", 200),
        ("GET", "/api/movies/none", 404),
        ("GET", "/api/nothing", 404),
        ("POST", "/api/movies", 401),
        ("PUT", "/api/movies", 405),
        ("GET", "/api/movies?limit=x", 400),
    ] {
        let reply = from(&app, PAGE, method, path).await.assert_status(status);
        assert_eq!(reply.header("Access-Control-Allow-Origin").as_deref(), Some(PAGE), "{method} {path}");
        assert_eq!(reply.header("Vary").as_deref(), Some(if status == 200 { LIST } else { "Origin" }));
        let exposed = reply.header("Access-Control-Expose-Headers").unwrap();
        for name in [
            "ETag",
            "Idempotency-Replayed",
            "Link",
            "Location",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "X-Request-Id",
        ] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}: {exposed}");
        }
        assert_eq!(reply.header("Access-Control-Allow-Credentials"), None);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_token() {
    let app = app(&[PAGE]).await;
    for path in ["/api/movies", "/api/users/me", "/api/movies/65a000000000000000000000", "/api/auth/login"] {
        let reply = preflight(&app, PAGE, path).await.assert_status(204);
        assert_eq!(reply.header("Access-Control-Allow-Origin").as_deref(), Some(PAGE));
        let methods = reply.header("Access-Control-Allow-Methods").unwrap();
        assert!(["PUT", "PATCH", "DELETE"].iter().all(|method| methods.contains(method)), "{methods}");
        let headers = reply.header("Access-Control-Allow-Headers").unwrap();
        let needed = ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"];
        assert!(needed.iter().all(|name| headers.contains(name)), "{headers}");
        assert_eq!((reply.text().as_str(), reply.header("Allow")), ("", None));
        assert_eq!(reply.header("Vary").as_deref(), Some("Origin"));
    }
    // Without the headers of a preflight, OPTIONS is a method like any other.
    from(&app, PAGE, "OPTIONS", "/api/movies").await.assert_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn another_origin_gets_no_headers() {
    let app = app(&[PAGE, "http://localhost:*"]).await;
    for origin in ["https://evil.example", "null", "https://app.example.evil.test", "http://app.example", ""]
    {
        let reply = from(&app, origin, "GET", "/api/movies").await.assert_status(200);
        assert_eq!(reply.header("Access-Control-Allow-Origin"), None, "{origin}");
        assert_eq!(reply.header("Vary").as_deref(), Some(LIST));
        let reply = preflight(&app, origin, "/api/movies").await.assert_problem(405, "method-not-allowed");
        assert_eq!(reply.header("Access-Control-Allow-Origin"), None, "{origin}");
    }
    let reply = app.anyone().get("/api/movies").await;
    assert_eq!(
        (reply.header("Access-Control-Allow-Origin"), reply.header("Vary").as_deref()),
        (None, Some(LIST))
    );
    for origin in ["http://localhost", "http://localhost:5173"] {
        let reply = from(&app, origin, "GET", "/api/movies").await;
        assert_eq!(reply.header("Access-Control-Allow-Origin").as_deref(), Some(origin));
    }
}

#[tokio::test]
async fn any_origin_or_no_origin_can_be_allowed() {
    let any = app(&["*"]).await;
    let reply = from(&any, "https://anything.example", "GET", "/api/movies").await;
    assert_eq!(reply.header("Access-Control-Allow-Origin").as_deref(), Some("*"));
    let none = app(&[]).await;
    let reply = from(&none, PAGE, "GET", "/api/movies").await;
    assert_eq!(
        (reply.header("Access-Control-Allow-Origin"), reply.header("Vary").as_deref()),
        (None, Some("Accept-Encoding"))
    );
    preflight(&none, PAGE, "/api/movies").await.assert_problem(405, "method-not-allowed");
}
