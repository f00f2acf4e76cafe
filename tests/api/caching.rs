//! What the server tells caches, and clients that have an earlier answer.

use std::time::Duration;

use serde_json::json;

use crate::support::{Reply, TestApp, eventually};

/// Public answers with a weak tag.
const LISTS: [&str; 3] = ["/api/movies?genre=Drama", "/api/movies/facets", "/api/movies/suggest?prefix=hea"];
const CACHING: &str = "public, max-age=0, must-revalidate";

async fn asking(app: &TestApp, method: &str, path: &str, tag: &str) -> Reply {
    let request = app.anyone().request(method, path).header("If-None-Match", tag);
    Reply::of(request.header("Origin", "https://app.example")).await
}

async fn app() -> TestApp {
    TestApp::set(|settings| settings.cors.origins = vec!["https://app.example".to_owned()]).await
}

#[tokio::test]
async fn an_unchanged_list_is_304_and_a_changed_one_is_sent() {
    let app = app().await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    for path in LISTS {
        let first = app.anyone().get(path).await.assert_status(200);
        let tag = first.header("ETag").unwrap();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        let strong = tag.trim_start_matches("W/");
        for (method, sent) in [
            ("GET", tag.as_str()),
            ("HEAD", &tag),
            ("GET", strong),
            ("GET", "*"),
            ("GET", &format!("\"1\", {tag}")),
        ] {
            let known = asking(&app, method, path, sent).await.assert_status(304);
            assert_eq!(known.body, b"", "{method} {path} {sent}");
            assert_eq!(known.header("ETag"), Some(tag.clone()));
            assert_eq!(known.header("Cache-Control").as_deref(), Some(CACHING));
            assert!(known.header("Vary").unwrap().contains("Origin"));
            assert_eq!(known.header("Access-Control-Allow-Origin").as_deref(), Some("https://app.example"));
            assert_eq!((known.header("Content-Type"), known.header("Link")), (None, None));
        }
        for sent in ["\"1\"", "W/\"1\"", "nonsense", ""] {
            assert_eq!(asking(&app, "GET", path, sent).await.assert_status(200).body, first.body, "{sent}");
        }
        let head = asking(&app, "HEAD", path, "\"1\"").await.assert_status(200);
        assert_eq!(head.header("ETag"), Some(tag));
        assert_eq!(head.header("Content-Length"), Some(first.body.len().to_string()));
    }
    let tags: Vec<String> = tags(&app).await;
    ann.post("/api/movies", &json!({ "name": "Heat", "casts": [], "genres": ["Drama"], "year": 1995 })).await;
    for (path, tag) in LISTS.into_iter().zip(tags) {
        eventually("the change is seen", async || {
            let reply = asking(&app, "GET", path, &tag).await;
            if reply.status == 200 { Ok(()) } else { Err(reply.status) }
        })
        .await;
    }
}

async fn tags(app: &TestApp) -> Vec<String> {
    let mut tags = Vec::new();
    for path in LISTS {
        tags.push(app.anyone().get(path).await.header("ETag").unwrap());
    }
    tags
}

#[tokio::test]
async fn two_servers_give_the_same_answer_the_same_tag() {
    let app = app().await;
    app.user("ann").await.add("Heat").await;
    let twin = app.twin().await;
    assert_eq!(tags(&app).await, tags(&twin).await);
    // The answer includes the cursor of a next page.
    app.log_in("ann").await.add("Ronin").await;
    let page = async |app: &TestApp| app.anyone().get("/api/movies?limit=1").await.header("ETag");
    assert_eq!(page(&app).await, page(&twin).await);
}

#[tokio::test]
async fn only_public_answers_may_be_cached() {
    let app = app().await;
    let ann = app.user("ann").await;
    let heat = ann.add("Heat").await;
    for path in LISTS.into_iter().chain([heat.as_str()]) {
        let reply = app.anyone().get(path).await.assert_status(200);
        assert_eq!(reply.header("Cache-Control").as_deref(), Some(CACHING), "{path}");
    }
    let known = asking(&app, "GET", &heat, "\"1\"").await.assert_status(304);
    assert_eq!(known.header("Cache-Control").as_deref(), Some(CACHING));
    let changes = app.anyone().get("/api/movies/changes").await.assert_status(200);
    assert_eq!(changes.header("Cache-Control").as_deref(), Some("no-cache"));
    let events = app.anyone().request("GET", "/api/movies/events").send().await.unwrap();
    assert_eq!(events.headers()["Cache-Control"], "no-cache");
    drop(events);
    for path in ["/api/users/me/movies", "/api/users/me", &format!("{heat}/versions")] {
        let reply = ann.get(path).await.assert_status(200);
        assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"), "{path}");
        assert_eq!(reply.header("ETag"), None, "{path}");
    }
    for path in ["/api/movies?limit=x", "/api/movies/none", "/api/movies/facets?x=y"] {
        let reply = asking(&app, "GET", path, "*").await;
        assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"), "{path}");
    }
    let movie = json!({ "name": "Ronin", "casts": [], "genres": ["Drama"] });
    let added = ann.post("/api/movies", &movie).await.assert_status(201);
    let replaced = ann.put(&heat, &json!({ "name": "Heat 2", "casts": [], "genres": ["Drama"] })).await;
    for reply in [added, replaced.assert_status(200)] {
        assert_eq!(reply.header("Cache-Control"), None);
    }
}

#[tokio::test]
async fn shared_caches_may_keep_public_answers_as_long_as_the_operator_allows() {
    let app = TestApp::set(|settings| settings.http.public_max_age = Duration::from_secs(90)).await;
    let heat = app.user("ann").await.add("Heat").await;
    let expected = format!("{CACHING}, s-maxage=90");
    for path in LISTS.into_iter().chain([heat.as_str()]) {
        let reply = app.anyone().get(path).await.assert_status(200);
        assert_eq!(reply.header("Cache-Control"), Some(expected.clone()), "{path}");
        let known = asking(&app, "GET", path, "*").await.assert_status(304);
        assert_eq!(known.header("Cache-Control"), Some(expected.clone()), "{path}");
    }
    let changes = app.anyone().get("/api/movies/changes").await.assert_status(200);
    assert_eq!(changes.header("Cache-Control").as_deref(), Some("no-cache"));
}
