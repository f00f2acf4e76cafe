//! HTTP libraries send things that this API does not ask for. Every route answers them sensibly.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    matrix::ROUTES,
    support::{Caller, Reply, TestApp, movie},
};

/// Each answer has one form, so the server ignores what a client would prefer (RFC 9110, section 12.1).
const ACCEPTED: [&str; 6] = [
    "text/html",
    "application/xml",
    "*/*;q=0",
    "application/json;q=0, text/html",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "nonsense, ;;",
];

/// The path of every route that answers GET, with parameters that lead to an answer.
async fn readable(app: &TestApp) -> (Caller, Vec<String>) {
    let admin = app.admin("admin").await;
    let movie = admin.add("Heat").await;
    let user = admin.id().await;
    let paths = ROUTES.iter().filter(|(method, path, ..)| {
        // A HEAD must not use up a sign-in; a stream of events has no end.
        *method == "GET" && !path.starts_with("/api/auth/oidc/") && *path != "/api/movies/events"
    });
    let concrete = |path: &str| match path {
        "/api/movies/suggest" => "/api/movies/suggest?prefix=h".to_owned(),
        path => path
            .replace("/api/movies/<id>", &movie)
            .replace("<id>", &user)
            .replace("<n>", "1")
            .replace("<name>", "swagger-ui.css")
            .replace("<code>", "not-owner")
            .replace("<file>", "app.js"),
    };
    let paths =
        paths.map(|(_, path, ..)| concrete(path)).chain(["/api/nothing".into(), "/api/movies/none".into()]);
    (admin, paths.collect())
}

/// The headers that caches and clients depend on.
const HEADERS: [&str; 8] = [
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "ETag",
    "Cache-Control",
    "Vary",
    "Link",
    "Location",
];

fn headers(reply: &Reply) -> Vec<Option<String>> {
    HEADERS.into_iter().map(|name| reply.header(name)).collect()
}

#[tokio::test]
async fn every_route_answers_head_like_get_whatever_form_is_asked_for() {
    let app = TestApp::start().await;
    let (admin, paths) = readable(&app).await;
    for path in &paths {
        let get = admin.get(path).await;
        let of_get = (get.status, headers(&get));
        assert_eq!(get.header("Content-Length"), Some(get.body.len().to_string()), "{path}");
        for accept in ACCEPTED {
            let asked = Reply::of(admin.request("GET", path).header("Accept", accept)).await;
            // The metrics count this request too.
            if path != "/metrics" {
                assert_eq!((asked.status, headers(&asked)), of_get, "{path} as {accept}");
            }
        }
        let head = admin.send("HEAD", path).await;
        assert!(head.body.is_empty(), "{path}");
        if path != "/metrics" {
            assert_eq!((head.status, headers(&head)), of_get, "HEAD {path}");
        }
        let Some(tag) = get.header("ETag") else { continue };
        for method in ["GET", "HEAD"] {
            let known = Reply::of(admin.request(method, path).header("If-None-Match", &tag)).await;
            assert_eq!((known.status, known.header("ETag")), (304, Some(tag.clone())), "{method} {path}");
            assert!(known.body.is_empty(), "{method} {path}");
        }
        let newer = Reply::of(admin.request("HEAD", path).header("If-None-Match", "\"none\"")).await;
        assert_eq!((newer.status, headers(&newer)), of_get, "HEAD {path}");
    }
    assert!(paths.len() > 25, "{}", paths.len());
}

/// More header lines, and the body.
type Rest = (String, String);
/// The head's first lines, what follows them, the answer's first line, and what its head contains.
type Case<'a> = (String, Rest, &'a str, &'a [&'a str]);

/// Sends the head of a request, and its body: at once, or when the server asks for it if it has to. Returns the whole
/// answer. The server must close the connection after it.
async fn raw(app: &TestApp, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    if head.contains("Expect:") {
        let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        let mut asked = vec![0; go_on.len()];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(String::from_utf8(asked).unwrap(), go_on, "{head}");
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_a_library_sends_of_its_own_accord_is_answered() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let path = ann.add("Heat").await;
    let post = |name: &str| {
        let body = movie(name).to_string();
        let token = ann.token.as_deref().unwrap();
        let head = format!(
            "Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}",
            body.len()
        );
        (head, body)
    };
    let (expecting, expected) = post("Expected");
    let (slashed, with_slash) = post("With a slash");
    let (old, from_old) = post("From an old client");
    let (upgrading, from_java) = post("From Java");
    let nothing = (String::new(), String::new());
    let upgrade =
        "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n";
    let cases: Vec<Case> = vec![
        // A client announces its body, and sends it when the server asks for it.
        (
            "POST /api/movies HTTP/1.1\r\nExpect: 100-continue".into(),
            (expecting, expected),
            "201",
            &["location:"],
        ),
        (
            "POST /api/movies HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2".into(),
            (String::new(), "{}".into()),
            "401",
            &["missing-token"],
        ),
        // One slash more or less.
        ("POST /api/movies/ HTTP/1.1".into(), (slashed, with_slash), "201", &["location: /api/movies/"]),
        ("GET /api/movies/ HTTP/1.1".into(), nothing.clone(), "200", &["\"items\""]),
        (format!("GET {path}/ HTTP/1.1"), nothing.clone(), "200", &["etag: \"1\""]),
        ("GET //api//movies HTTP/1.1".into(), nothing.clone(), "200", &["\"items\"", "max-age=0"]),
        ("GET /health/live/ HTTP/1.1".into(), nothing.clone(), "200", &["live"]),
        ("GET // HTTP/1.1".into(), nothing.clone(), "200", &["<!doctype html>"]),
        // An absolute address, as a client sends it to a proxy.
        ("GET http://movies.example/api/movies HTTP/1.1".into(), nothing.clone(), "200", &["\"items\""]),
        // A client asks which methods there are: for an address, and for the server.
        ("OPTIONS /api/movies HTTP/1.1".into(), nothing.clone(), "405", &["allow: GET, POST, HEAD"]),
        ("OPTIONS / HTTP/1.1".into(), nothing.clone(), "405", &["allow: GET, HEAD"]),
        ("OPTIONS /nothing HTTP/1.1".into(), nothing.clone(), "404", &["not-found"]),
        (
            "OPTIONS * HTTP/1.1".into(),
            nothing.clone(),
            "204",
            &["allow: DELETE, GET, PATCH, POST, PUT, HEAD", "x-request-id: "],
        ),
        ("GET * HTTP/1.1".into(), nothing.clone(), "404", &["not-found"]),
        // The server ignores the offer of another protocol.
        (
            format!("POST /api/movies HTTP/1.1\r\n{upgrade}").trim_end().into(),
            (upgrading, from_java),
            "201",
            &[],
        ),
        // HTTP/1.0.
        ("GET /api/movies HTTP/1.0".into(), nothing.clone(), "200", &["content-length: "]),
        ("HEAD /api/movies HTTP/1.0".into(), nothing.clone(), "200", &["content-length: "]),
        ("POST /api/movies HTTP/1.0".into(), (old, from_old), "201", &["location:"]),
        ("HEAD /api/movies/events HTTP/1.0".into(), nothing.clone(), "200", &["text/event-stream"]),
        // A client asks for a part, or only for what is newer than a time. It gets the whole answer.
        ("GET /api/movies HTTP/1.1\r\nRange: bytes=0-9".into(), nothing.clone(), "200", &["\"items\""]),
        (
            format!("GET {path} HTTP/1.1\r\nIf-Modified-Since: Wed, 21 Oct 2099 07:28:00 GMT"),
            nothing.clone(),
            "200",
            &["\"Heat\""],
        ),
        // There is no body, and the client says so in another way.
        ("GET /api/movies HTTP/1.1\r\nContent-Length: 0".into(), nothing.clone(), "200", &["\"items\""]),
        (
            "GET /api/movies HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2".into(),
            (String::new(), "{}".into()),
            "200",
            &["\"items\""],
        ),
        // A HEAD of the events has an end.
        ("HEAD /api/movies/events HTTP/1.1".into(), nothing, "200", &["text/event-stream"]),
    ];
    for (line, (rest, body), status, texts) in cases {
        let close = if line.contains("Connection:") { "" } else { "\r\nConnection: close" };
        let rest = if rest.is_empty() { rest } else { format!("\r\n{rest}") };
        let answer = raw(&app, &format!("{line}\r\nHost: x{close}{rest}"), &body).await;
        assert_eq!(answer.get(9..12), Some(status), "{line}: {answer}");
        for text in texts {
            assert!(answer.contains(text), "{line}: no {text} in {answer}");
        }
        if line.starts_with("HEAD") {
            assert!(answer.ends_with("\r\n\r\n"), "{line}: {answer}");
        }
    }
}
