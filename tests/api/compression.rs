//! Which answers are compressed, and which are not.

use std::io::Read;

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Caller, TestApp};

/// Sends the request directly: the other tests compare their replies with the OpenAPI document, but these replies are
/// not JSON.
async fn get(caller: &Caller, method: &str, path: &str, accept: Option<&str>) -> Response {
    let request = caller.request(method, path);
    let request = match accept {
        Some(accept) => request.header("Accept-Encoding", accept),
        None => request,
    };
    request.send().await.unwrap()
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

fn decoded(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match encoding {
        "br" => brotli::BrotliDecompress(&mut &*bytes, &mut decoded).unwrap(),
        "gzip" => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut decoded).unwrap()),
        other => panic!("{other}"),
    }
    decoded
}

/// A server with lists of more than a KiB.
async fn full() -> (TestApp, Caller) {
    let app = TestApp::set(|settings| settings.cors.origins = vec!["https://app.example".to_owned()]).await;
    let ann = app.user("ann").await;
    for number in 0..20 {
        let genres: Vec<String> = (0..3).map(|genre| format!("Genre {}", number * 3 + genre)).collect();
        let name = format!("Heat and something long {number}");
        let movie = json!({ "name": name, "casts": ["Al Pacino"], "genres": genres });
        ann.post("/api/movies", &movie).await.assert_status(201);
    }
    (app, ann)
}

#[tokio::test]
async fn public_answers_are_compressed_in_the_encoding_that_the_client_accepts() {
    let (app, _) = full().await;
    let anyone = app.anyone();
    let since: Value = anyone.get("/api/movies/changes").await.json();
    let since = since["next"].as_str().unwrap().to_owned();
    app.log_in("ann").await.add(&"Long ".repeat(50)).await;
    let lists = [
        "/api/movies".to_owned(),
        "/api/movies/facets".to_owned(),
        "/api/movies/suggest?prefix=heat&limit=20".to_owned(),
        "/api/openapi.json".to_owned(),
        "/api/docs/swagger-ui.css".to_owned(),
        "/api/docs/swagger-ui-bundle.js".to_owned(),
        "/".to_owned(),
        "/assets/app.js".to_owned(),
    ];
    assert!(anyone.get(&format!("/api/movies/changes?since={since}")).await.body.len() < 1_024);
    for path in lists {
        let plain = get(&anyone, "GET", &path, None).await;
        assert_eq!(header(&plain, "Content-Encoding"), None, "{path}");
        assert_eq!(header(&plain, "Vary").as_deref(), Some("Origin, Accept-Encoding"), "{path}");
        let tag = header(&plain, "ETag").unwrap();
        assert!(tag.starts_with("W/"), "{path}: {tag}");
        let kind = header(&plain, "Content-Type");
        let body = plain.bytes().await.unwrap();
        assert!(body.len() >= 1_024, "{path}: {}", body.len());
        for (accept, encoding) in [
            ("gzip, deflate, br", "br"),
            ("gzip", "gzip"),
            ("br;q=0.5, gzip;q=0.8", "gzip"),
            ("*;q=0.1, br;q=0", "gzip"),
            ("gzip", "gzip"),
        ] {
            let sent = get(&anyone, "GET", &path, Some(accept)).await;
            assert_eq!(sent.status(), 200, "{path} {accept}");
            assert_eq!(header(&sent, "Content-Encoding").as_deref(), Some(encoding), "{path} {accept}");
            assert_eq!(header(&sent, "Vary").as_deref(), Some("Origin, Accept-Encoding"));
            assert_eq!(
                (header(&sent, "ETag"), header(&sent, "Content-Type")),
                (Some(tag.clone()), kind.clone())
            );
            let length = header(&sent, "Content-Length");
            let bytes = sent.bytes().await.unwrap();
            assert_eq!(length, Some(bytes.len().to_string()));
            assert!(bytes.len() < body.len() * 2 / 3, "{path}: {} of {}", bytes.len(), body.len());
            assert!(decoded(encoding, &bytes) == body, "{path} {accept}");
            let head = get(&anyone, "HEAD", &path, Some(accept)).await;
            assert_eq!(header(&head, "Content-Encoding").as_deref(), Some(encoding));
            assert_eq!(header(&head, "Content-Length"), length, "HEAD {path}");
        }
        for accept in ["identity", "", "deflate", "gzip;q=0", "identity, gzip;q=0.5", "*;q=0"] {
            let sent = get(&anyone, "GET", &path, Some(accept)).await;
            assert_eq!(header(&sent, "Content-Encoding"), None, "{path} {accept}");
            assert!(sent.bytes().await.unwrap() == body, "{path} {accept}");
        }
        let request = anyone.request("GET", &path).header("Accept-Encoding", "br");
        let known = request.header("If-None-Match", tag).send().await.unwrap();
        assert_eq!((known.status().as_u16(), header(&known, "Content-Encoding")), (304, None), "{path}");
        assert_eq!(header(&known, "Vary").as_deref(), Some("Origin, Accept-Encoding"), "{path}");
    }
}

#[tokio::test]
async fn the_files_of_the_web_client_have_the_highest_brotli_compression() {
    let app = TestApp::start().await;
    for file in std::fs::read_dir("web").unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        let plain = std::fs::read(&file).unwrap();
        if plain.len() < 1_024 || name == "README.md" {
            continue;
        }
        let path = if name == "index.html" { "/".to_owned() } else { format!("/assets/{name}") };
        let sent = get(&app.anyone(), "GET", &path, Some("br")).await;
        let mut furthest = Vec::new();
        brotli::BrotliCompress(&mut &*plain, &mut furthest, &brotli::enc::BrotliEncoderParams::default())
            .unwrap();
        assert!(sent.bytes().await.unwrap() == furthest, "{name}");
    }
}

#[tokio::test]
async fn changes_of_at_least_a_kibibyte_are_compressed() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let since = app.anyone().get("/api/movies/changes").await.json()["next"].as_str().unwrap().to_owned();
    let path = format!("/api/movies/changes?since={since}");
    ann.add("Heat").await;
    let small = get(&app.anyone(), "GET", &path, Some("br")).await;
    assert_eq!(header(&small, "Content-Encoding"), None);
    assert_eq!(header(&small, "Vary").as_deref(), Some("Origin, Accept-Encoding"));
    for number in 0..5 {
        ann.add(&format!("{number} {}", "Long ".repeat(50))).await;
    }
    let plain = app.anyone().get(&path).await.assert_status(200);
    let sent = get(&app.anyone(), "GET", &path, Some("br")).await;
    assert_eq!(header(&sent, "Content-Encoding").as_deref(), Some("br"));
    assert_eq!(header(&sent, "Cache-Control").as_deref(), Some("no-cache"));
    assert!(decoded("br", &sent.bytes().await.unwrap()) == plain.body);
}

#[tokio::test]
async fn personal_and_strongly_tagged_answers_and_streams_are_not_compressed() {
    let (app, ann) = full().await;
    let long = json!({ "name": "Long", "casts": [], "genres": ["Drama"], "plot": "word ".repeat(1_000) });
    let movie = ann.post("/api/movies", &long).await.assert_status(201).header("Location").unwrap();
    for (caller, path) in [
        (&ann, "/api/users/me/movies"),
        (&ann, "/api/users/me"),
        (&ann, &format!("{movie}/versions/1")),
        (&app.anyone(), movie.as_str()),
        (&app.anyone(), "/api/movies/events"),
        (&app.anyone(), "/health/ready"),
        (&app.anyone(), "/metrics"),
    ] {
        let sent = get(caller, "GET", path, Some("gzip, br")).await;
        assert_eq!(sent.status(), 200, "{path}");
        assert_eq!(header(&sent, "Content-Encoding"), None, "{path}");
        assert_eq!(header(&sent, "Vary").as_deref(), Some("Origin"), "{path}");
    }
    let query = "x".repeat(2_000);
    for path in
        [format!("/api/movies?{query}=1"), format!("/api/movies/facets?{query}=1"), "/assets/none".into()]
    {
        let refused = get(&app.anyone(), "GET", &path, Some("gzip, br")).await;
        assert!(refused.status().is_client_error());
        assert_eq!(header(&refused, "Content-Encoding"), None);
        assert_eq!(header(&refused, "Cache-Control").as_deref(), Some("no-store"));
    }
    let added = ann.request("POST", "/api/movies").header("Accept-Encoding", "br");
    let mut again = long.clone();
    again["name"] = json!("Longer");
    let added = added.json(&again).send().await.unwrap();
    assert_eq!((added.status().as_u16(), header(&added, "Content-Encoding")), (201, None));
}
