//! What the server tells caches, and what it answers to clients that have an earlier answer.

use std::time::Duration;

use serde_json::json;

use crate::support::{Proxy, Reply, TestApp, eventually, mongod::OwnMongod};

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

/// An address for each kind of answer: from the database, from the search index, a next page, and a count.
async fn addresses(app: &TestApp) -> Vec<String> {
    let next = |page: &Reply| page.json()["next"].as_str().unwrap().to_owned();
    let (newest, found) = (
        next(&app.anyone().get("/api/movies?limit=1").await),
        next(&app.anyone().get("/api/movies?q=heat&limit=1").await),
    );
    let others = [
        "/api/movies".to_owned(),
        "/api/movies?q=heat".to_owned(),
        "/api/movies?genre=Drama&sort=name&count=true".to_owned(),
        format!("/api/movies?limit=1&after={newest}"),
        format!("/api/movies?q=heat&limit=1&after={found}"),
    ];
    LISTS.map(str::to_owned).into_iter().chain(others).collect()
}

#[tokio::test]
async fn an_answer_that_the_client_already_has_costs_the_database_nothing() {
    let app = app().await;
    let ann = app.user("ann").await;
    for name in ["Heat", "Heat 2", "Heat 3"] {
        ann.add(name).await;
    }
    for path in addresses(&app).await {
        eventually("nothing is read for what a client has", async || {
            let tag = app.anyone().get(&path).await.header("ETag").unwrap();
            let known = async {
                for method in ["GET", "HEAD", "GET"] {
                    asking(&app, method, &path, &tag).await.assert_status(304);
                }
            };
            let commands = app.profiled("movies", known).await;
            if commands.is_empty() { Ok(()) } else { Err((path.clone(), commands)) }
        })
        .await;
        // A client with another tag gets the answer.
        asking(&app, "GET", &path, "\"1\"").await.assert_status(200);
    }
}

#[tokio::test]
async fn a_304_never_hides_a_write_of_this_server() {
    let app = app().await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    for number in 0..40 {
        let mut had = Vec::new();
        for path in LISTS {
            let tag = app.anyone().get(path).await.assert_status(200).header("ETag").unwrap();
            asking(&app, "GET", path, &tag).await.assert_status(304);
            had.push((path, tag));
        }
        let movie = ann.add(&format!("Heat {number}")).await;
        for (path, tag) in &had {
            let now = asking(&app, "GET", path, tag).await.assert_status(200);
            asking(&app, "GET", path, &now.header("ETag").unwrap()).await.assert_status(304);
        }
        ann.delete(&movie).await.assert_status(204);
        // The catalogue is as it was at first.
        for (path, tag) in &had {
            asking(&app, "GET", path, tag).await.assert_status(304);
        }
    }
    let had = tags(&app).await;
    ann.delete("/api/users/me").await.assert_status(204);
    for (path, tag) in LISTS.into_iter().zip(had) {
        asking(&app, "GET", path, &tag).await.assert_status(200);
    }
}

#[tokio::test]
async fn a_304_does_not_hide_a_write_of_another_server_for_long() {
    let here = app().await;
    let there = here.twin().await;
    let ann = here.user("ann").await;
    for number in 0..5 {
        let had = tags(&there).await;
        ann.add(&format!("Heat {number}")).await;
        for (path, tag) in LISTS.into_iter().zip(had) {
            eventually("the other server's movie is seen", async || {
                let reply = asking(&there, "GET", path, &tag).await;
                if reply.status == 200 { Ok(()) } else { Err(reply.status) }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_server_that_hears_of_no_change_says_304_of_nothing() {
    let mongod = OwnMongod::start().await;
    let proxy = Proxy::before(&mongod.uri()).await;
    let behind = TestApp::with(&proxy.uri(), "movies", |_| {}).await;
    let beside = TestApp::with(&mongod.uri(), "movies", |_| {}).await;
    let ann = beside.user("ann").await;
    ann.add("Heat").await;
    let path = "/api/movies";
    for (number, cut) in [(2, true), (3, false)] {
        let tag = beside.anyone().get(path).await.assert_status(200).header("ETag").unwrap();
        eventually("both have the same", async || {
            let reply = asking(&behind, "GET", path, &tag).await;
            if reply.status == 304 { Ok(()) } else { Err(reply.status) }
        })
        .await;
        if cut {
            proxy.cut();
        } else {
            proxy.freeze();
        }
        ann.add(&format!("Heat {number}")).await;
        eventually("what cannot be known is not answered", async || {
            let reply = asking(&behind, "GET", path, &tag).await;
            if reply.status == 503 { Ok(()) } else { Err(reply.status) }
        })
        .await;
        proxy.heal();
        eventually("the database is back", async || {
            let reply = asking(&behind, "GET", path, &tag).await;
            if reply.status == 503 {
                return Err(reply.status);
            }
            assert_eq!(reply.status, 200);
            Ok(())
        })
        .await;
    }
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
