//! Every error that several routes share: its form, its code, its headers, and the order of the checks.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    matrix::ROUTES,
    support::{Reply, TestApp},
};

/// Sends raw bytes. Returns the whole answer.
async fn raw(app: &TestApp, request: &str) -> String {
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn an_unknown_address_is_404() {
    let app = TestApp::start().await;
    for path in ["/api", "/api/nope", "/api/movies/x/y", "/api/users", "/nope", "/%00", "/api/admin/nope"] {
        app.anyone().get(path).await.assert_problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_allowed_ones() {
    let app = TestApp::start().await;
    for (method, path, allow) in [
        ("GET", "/api/auth/login", "POST"),
        ("HEAD", "/api/auth/login", "POST"),
        ("POST", "/api/users/me", "DELETE, GET, PATCH, HEAD"),
        ("OPTIONS", "/api/users/me", "DELETE, GET, PATCH, HEAD"),
        ("GET", "/api/auth/logout", "POST"),
        ("DELETE", "/api/movies", "GET, POST, HEAD"),
        ("POST", "/api/movies/65a000000000000000000000", "DELETE, GET, PATCH, PUT, HEAD"),
        ("TRACE", "/api/movies", "GET, POST, HEAD"),
        ("PUT", "/health/live", "GET, HEAD"),
        ("PUT", "/api/movies/suggest", "GET, HEAD"),
        ("DELETE", "/api/movies/facets", "GET, HEAD"),
        ("POST", "/api/movies/events", "GET, HEAD"),
    ] {
        let reply = app.anyone().send(method, path).await;
        if method == "HEAD" {
            assert_eq!((reply.status, reply.header("Allow").as_deref()), (405, Some(allow)));
        } else {
            assert_eq!(
                reply.assert_problem(405, "method-not-allowed").header("Allow").as_deref(),
                Some(allow)
            );
        }
    }
    // The method is checked before the token and everything else.
    let bytes = app.anyone().with_bytes("PUT", "/api/movies", Some("text/plain"), vec![b'x'; 300_000]).await;
    bytes.assert_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn a_form_does_not_choose_the_method() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let movie = ann.add("Heat").await;
    let form = async |path: &str, body: &str| {
        let body = body.as_bytes().to_vec();
        ann.with_bytes("POST", path, Some("application/x-www-form-urlencoded"), body).await
    };
    for body in ["_method=DELETE", "&_method=PUT", "_method=PATCH&x=1", "_method=get&xxxxxxx"] {
        form(&movie, body).await.assert_problem(405, "method-not-allowed");
        form("/api/users/me", body).await.assert_problem(405, "method-not-allowed");
        // A route that accepts POST does not accept a form.
        form("/api/movies", body).await.assert_problem(415, "unsupported-media-type");
    }
    ann.get(&movie).await.assert_status(200);
}

#[tokio::test]
async fn requests_that_rocket_refuses_before_routing_get_the_same_form() {
    let app = TestApp::start().await;
    let answer = raw(&app, "PROPFIND /api/movies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    for part in ["application/problem+json", "x-request-id: ", r#""code":"bad-request""#] {
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
}

#[tokio::test]
async fn http_2_is_not_supported() {
    let app = TestApp::start().await;
    // The preface of a client with prior knowledge, and its empty settings (RFC 9113, section 3.4).
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut settings = [0; 9];
    // The server does not understand it, and closes the connection; an HTTP/2 server would send its settings.
    let read = stream.read(&mut settings).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}: {settings:?}");
}

#[tokio::test]
async fn a_body_is_checked_in_order() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let json = Some("application/json");
    let send = async |content_type: Option<&str>, body: &[u8]| {
        ann.with_bytes("POST", "/api/movies", content_type, body.to_vec()).await
    };
    let large = [b"\"".as_slice(), &vec![b'x'; 256 * 1024], b"\""].concat();
    send(Some("text/plain"), &large).await.assert_problem(413, "payload-too-large");
    send(Some("text/plain"), b"{}").await.assert_problem(415, "unsupported-media-type");
    send(None, b"{}").await.assert_problem(415, "unsupported-media-type");
    send(Some("application/merge-patch+json"), b"{}").await.assert_problem(415, "unsupported-media-type");
    send(Some("application/json; charset=latin1"), b"{}").await.assert_problem(415, "unsupported-media-type");
    for broken in [&b""[..], b"{", b"{}{}", b"\xff", b"{\"name\": 01}", br#"{"name":"\ud800"}"#, b"NaN"] {
        send(json, broken).await.assert_problem(400, "invalid-json");
    }
    send(json, "[".repeat(200).as_bytes()).await.assert_problem(400, "invalid-json");
    for shape in [&b"null"[..], b"[]", b"1", b"\"x\""] {
        send(json, shape).await.assert_fields(&[("", "wrong-type")]);
    }
    send(Some("application/json; charset=UTF-8"), b"[]").await.assert_problem(422, "validation-failed");
    assert_eq!(app.count("movies", bson::doc! {}).await, 0);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_accepted() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body = |bytes: usize| {
        let mut body = br#"{"name":"Heat","casts":[],"genres":["Crime"]}"#.to_vec();
        body.resize(bytes, b' ');
        body
    };
    let send =
        async |bytes| ann.with_bytes("POST", "/api/movies", Some("application/json"), body(bytes)).await;
    send(256 * 1024 + 1).await.assert_problem(413, "payload-too-large");
    send(256 * 1024).await.assert_status(201);
    // For a chunked body without Content-Length, the limit is the same.
    let token = ann.token.clone().unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
    let head = format!(
        "POST /api/movies HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let answer = raw(&app, &format!("{head}{}0\r\n\r\n", chunk.repeat(5))).await;
    assert!(answer.contains("payload-too-large"), "{answer}");
}

#[tokio::test]
async fn a_refused_body_is_read_to_its_end_and_the_connection_stays() {
    let app = TestApp::start().await;
    let token = app.user("ann").await.token.clone().unwrap();
    let token = format!("Authorization: Bearer {token}\r\n");
    let body = "x".repeat(250_000);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (request, header, status) in [
        ("POST /api/movies", "", 401),
        ("PUT /api/movies/65a000000000000000000000", "", 401),
        ("DELETE /api/users/me", "Authorization: Bearer nonsense\r\n", 401),
        ("PATCH /api/admin/users/65a000000000000000000000", &*token, 403),
        ("POST /api/movies?nonsense=1", &*token, 400),
        ("POST /api/movies", &*format!("{token}Host: y\r\n"), 400),
        ("POST /api/movies", &*token, 415),
        ("GET /api/movies?limit=none", "", 400),
        ("GET /api/movies/events?nonsense=1", "", 400),
        ("POST /api/nothing", "", 404),
        ("DELETE /nothing/at/all", "", 404),
        ("GET /api/nothing", "", 404),
        ("POST /problems", "", 405),
        ("PUT /api/movies", &*token, 405),
    ] {
        let head = format!("{request} HTTP/1.1\r\nHost: x\r\n{header}");
        let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        for sent in [length, format!("Transfer-Encoding: chunked\r\n\r\n{chunked}")] {
            let answers = raw(&app, &format!("{head}{sent}{NEXT}")).await;
            let starts = answers.starts_with(&format!("HTTP/1.1 {status} "));
            assert!(starts && answers.contains("HTTP/1.1 200 "), "{request}, {status}: {answers}");
        }
    }
    assert_eq!(app.count("movies", bson::doc! {}).await, 0);
}

/// A second request on the same connection, which shows that the connection is still open.
const NEXT: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn the_body_of_a_throttled_write_is_read_to_its_end_too() {
    let app = TestApp::set(|settings| settings.throttle.writes_per_minute = 1).await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    let (token, body) = (ann.token.clone().unwrap(), "x".repeat(250_000));
    let head = format!("POST /api/movies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n");
    let sent = format!("{head}Content-Length: {}\r\n\r\n{body}{NEXT}", body.len());
    let answers = raw(&app, &sent).await;
    assert!(answers.starts_with("HTTP/1.1 429 ") && answers.contains("HTTP/1.1 200 "), "{answers}");
}

#[tokio::test]
async fn two_host_lines_are_400_on_every_route_and_on_unknown_paths() {
    let app = TestApp::start().await;
    let filled =
        |segment: &'static str| if segment.starts_with('<') { "65a000000000000000000000" } else { segment };
    let mut asked: Vec<(&str, String)> = ROUTES
        .iter()
        .map(|(method, path, ..)| (*method, path.split('/').map(filled).collect::<Vec<_>>().join("/")))
        .collect();
    asked.extend([
        ("GET", "/nothing".to_owned()),
        ("PUT", "/api/movies".to_owned()),
        ("HEAD", "/api/movies".to_owned()),
    ]);
    for (method, path) in asked {
        for hosts in ["Host: x\r\nHost: y", "Host: x\r\nhost: x"] {
            let answer =
                raw(&app, &format!("{method} {path} HTTP/1.1\r\n{hosts}\r\nConnection: close\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{method} {path}: {answer}");
            assert!(
                method == "HEAD" || answer.contains(r#""code":"bad-request""#),
                "{method} {path}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408() {
    let app = TestApp::start().await;
    // Rocket itself waits without a limit for the first 14 bytes. The limit for the rest is ours.
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"email\":\"ann@example";
    let answer = raw(&app, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");
}

#[tokio::test]
async fn the_request_id_is_accepted_or_generated() {
    let app = TestApp::start().await;
    let send = async |id: &str| {
        Reply::of(app.anyone().request("GET", "/api/movies").header("X-Request-Id", id))
            .await
            .header("X-Request-Id")
            .unwrap()
    };
    let longest = "x".repeat(64);
    for usable in ["a", "A.b_c-9", &longest] {
        assert_eq!(send(usable).await, *usable);
    }
    let too_long = "x".repeat(65);
    for unusable in ["", "a b", "a;b", "<x>", &too_long] {
        let made = send(unusable).await;
        assert_ne!(made, *unusable);
        assert_eq!(made.len(), 26);
    }
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let app = TestApp::start().await;
    let movie = app.user("ann").await.add("Heat").await;
    for path in ["/api/movies", &movie, "/health/live"] {
        let (get, head) =
            (app.anyone().get(path).await, app.anyone().send("HEAD", path).await.assert_status(200));
        assert!(head.body.is_empty());
        for header in ["Content-Type", "Content-Length", "ETag"] {
            assert_eq!(head.header(header), get.header(header), "{header} of {path}");
        }
    }
    assert_eq!(app.anyone().send("HEAD", "/api/movies/nonsense").await.status, 404);
}

#[tokio::test]
async fn a_query_that_a_route_does_not_know_is_400_and_named() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    let movie = admin.add("Heat").await;
    let subject = app.user("subject").await.id().await;
    let credentials = json!({ "email": "x@example.com", "password": "gnu yak emu" });
    let changes = json!({ "name": "X", "casts": [], "genres": ["Drama"] });
    for (method, path, body) in [
        ("GET", "/api/movies".to_owned(), None),
        ("POST", "/api/movies".to_owned(), Some(&changes)),
        ("GET", movie.clone(), None),
        ("PUT", movie.clone(), Some(&changes)),
        ("PATCH", movie.clone(), Some(&changes)),
        ("DELETE", movie.clone(), None),
        ("GET", "/api/users/me".to_owned(), None),
        ("DELETE", "/api/users/me".to_owned(), None),
        ("GET", "/api/users/me/movies".to_owned(), None),
        ("POST", "/api/auth/signup".to_owned(), Some(&credentials)),
        ("POST", "/api/auth/login".to_owned(), Some(&credentials)),
        ("POST", "/api/auth/logout".to_owned(), None),
        ("POST", "/api/auth/logout-all".to_owned(), None),
        ("POST", "/api/auth/forgot".to_owned(), Some(&credentials)),
        ("POST", "/api/auth/reset".to_owned(), Some(&credentials)),
        ("PATCH", "/api/users/me".to_owned(), Some(&credentials)),
        ("PATCH", format!("/api/admin/users/{subject}"), Some(&credentials)),
        ("GET", "/api/admin".to_owned(), None),
        ("GET", "/api/admin/users".to_owned(), None),
        ("GET", format!("/api/admin/users/{subject}"), None),
        ("DELETE", format!("/api/admin/users/{subject}"), None),
        ("GET", "/health/live".to_owned(), None),
        ("GET", "/health/ready".to_owned(), None),
        ("GET", "/api/docs".to_owned(), None),
        ("GET", "/problems".to_owned(), None),
        ("GET", "/problems/not-owner".to_owned(), None),
    ] {
        let path = format!("{path}?Limits=1");
        let reply = match body {
            Some(body) => admin.with_json(method, &path, body).await,
            None => admin.send(method, &path).await,
        };
        let detail = reply.assert_problem(400, "invalid-query").json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("'Limits'"), "{method} {path}: {detail}");
    }
    admin.get(&movie).await.assert_status(200);
    admin.get(&format!("/api/admin/users/{subject}")).await.assert_status(200);
}

#[tokio::test]
async fn a_blank_token_is_a_missing_one() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (path, field, others) in [
        ("/api/auth/reset", "reset_token", json!({ "password": "emu yak gnu" })),
        ("/api/auth/verify", "verify_token", json!({})),
        ("/api/auth/refresh", "refresh_token", json!({})),
        ("/api/auth/exchange", "code", json!({ "verifier": "x" })),
        ("/api/auth/exchange", "verifier", json!({ "code": "x" })),
        ("/api/invitations/accept", "invitation_token", json!({})),
    ] {
        for blank in ["", " \n", "\u{200b}"] {
            let mut body = others.clone();
            body[field] = json!(blank);
            let refused = ann.post(path, &body).await.assert_problem(422, "validation-failed").json();
            let error = &refused["errors"][0];
            assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!("blank")), "{path}");
            assert_eq!(refused["errors"].as_array().unwrap().len(), 1, "{path}");
        }
    }
}

#[tokio::test]
async fn a_query_parameter_that_is_malformed_or_repeated_is_400_and_named() {
    let app = TestApp::start().await;
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=1.0", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=abc", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=1&limit=1", "limit"),
        ("after=", "after"),
        ("after=nonsense", "after"),
        ("after=a&after=b", "after"),
        ("added_by=nonsense", "added_by"),
        ("added_by=65A000000000000000000000", "added_by"),
        ("added_by[$ne]=x", "added_by[$ne]"),
        ("LIMIT=1", "LIMIT"),
        ("=1", ""),
    ] {
        let reply =
            app.anyone().get(&format!("/api/movies?{query}")).await.assert_problem(400, "invalid-query");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("'{name}'")), "{query}: {detail}");
    }
}
