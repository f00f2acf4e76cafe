//! The web client's files: all are served, with their types and caching, and what the page may do.

use std::{fs, path::Path};

use crate::support::{Reply, TestApp};

/// The files in `web`, apart from its documentation.
fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "README.md").collect()
}

#[tokio::test]
async fn every_file_of_the_client_is_served_with_its_type() {
    let app = TestApp::start().await;
    let files = files();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let reply = app.anyone().get(&format!("/assets/{file}")).await.assert_status(200);
        let kind = match file.rsplit('.').next().unwrap() {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript",
            "svg" => "image/svg+xml",
            other => panic!("{file}: no type is known for {other}"),
        };
        assert_eq!(reply.header("content-type").as_deref(), Some(kind), "{file}");
        assert_eq!(reply.header("x-content-type-options").as_deref(), Some("nosniff"), "{file}");
        assert_eq!(reply.header("cache-control").as_deref(), Some("no-cache"), "{file}");
    }
}

#[tokio::test]
async fn the_page_may_load_and_run_only_its_own_files() {
    let app = TestApp::start().await;
    let page = app.anyone().get("/?from=a%20link").await.assert_status(200);
    let policy = page.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("referrer-policy").as_deref(), Some("no-referrer"));
}

#[tokio::test]
async fn a_file_that_a_browser_already_has_is_not_sent_again() {
    let app = TestApp::start().await;
    for path in ["/", "/assets/style.css"] {
        let tag = app.anyone().get(path).await.assert_status(200).header("etag").unwrap();
        let asking = |tag: &str| Reply::of(app.anyone().request("GET", path).header("If-None-Match", tag));
        let again = asking(&tag).await.assert_status(304);
        assert_eq!(again.header("etag"), Some(tag));
        assert_eq!(again.body, b"");
        asking("\"1\"").await.assert_status(200);
    }
}

#[tokio::test]
async fn the_page_asks_for_every_script_at_once() {
    let app = TestApp::start().await;
    let page = app.anyone().get("/").await.assert_status(200);
    let page = String::from_utf8(page.body).unwrap();
    let named: Vec<&str> = page
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix(r#"<link rel="modulepreload" href="/assets/"#)?.strip_suffix(r#"">"#)
        })
        .collect();
    let mut scripts = files();
    scripts.retain(|file| Path::new(file).extension().is_some_and(|end| end == "js") && file != "app.js");
    scripts.sort();
    assert_eq!(named, scripts);
}

#[tokio::test]
async fn a_browser_gets_the_page_at_an_unknown_address() {
    let app = TestApp::start().await;
    let asking = |method: &str, path: &str, accept: &str| {
        Reply::of(app.anyone().request(method, path).header("Accept", accept))
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = app.anyone().get("/").await;
    for path in ["/nope", "/no/such/page?of=ours", "/assets/nope.js", "/problems/nope", "/apis"] {
        let lost = asking("GET", path, browser).await.assert_status(404);
        for name in ["content-type", "content-security-policy"] {
            assert_eq!(lost.header(name), page.header(name), "{path}: {name}");
        }
        assert_eq!(lost.header("cache-control").as_deref(), Some("no-store"), "{path}");
        assert!(lost.body == page.body, "{path}: {}", String::from_utf8_lossy(&lost.body));
        asking("HEAD", path, browser).await.assert_status(404);
        // A caller that does not ask for a page gets a problem, as everywhere.
        for accept in ["*/*", "application/json", "application/json, text/html;q=0.9"] {
            asking("GET", path, accept).await.assert_problem(404, "not-found");
        }
    }
    // So does every caller under /api, or with another method.
    for path in ["/api", "/api/", "/api/nope", "/api/movies/a/b/c", "//api/nope"] {
        asking("GET", path, browser).await.assert_problem(404, "not-found");
    }
    asking("POST", "/nope", browser).await.assert_problem(404, "not-found");
    asking("GET", "/api/movies/0", browser).await.assert_problem(404, "movie-not-found");
    asking("POST", "/", browser).await.assert_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn a_path_that_is_not_a_file_of_the_client_is_not_found() {
    let app = TestApp::start().await;
    for path in
        ["/assets/README.md", "/assets/", "/assets/..%2fweb.rs", "/assets/%2e%2e/web.rs", "/index.html"]
    {
        app.anyone().get(path).await.assert_problem(404, "not-found");
    }
    app.anyone().send("POST", "/").await.assert_problem(405, "method-not-allowed");
}
