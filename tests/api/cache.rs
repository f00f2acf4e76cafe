//! `cache.movies`: a movie from memory is never older than an earlier answer.

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Proxy, TestApp, eventually, mongod::OwnMongod};

async fn cached(uri: &str, database: &str) -> TestApp {
    TestApp::with(uri, database, |settings| settings.cache.movies = 100).await
}

/// How many movies the database reads for some requests, without the reads of the change stream.
async fn reads(app: &TestApp, requests: impl Future<Output = ()>) -> usize {
    let entries = app.profiled("movies", requests).await;
    entries.iter().filter(|entry| entry.get_str("op").is_ok_and(|op| op == "query")).count()
}

/// Waits until the server answers a movie without the database.
async fn in_use(app: &TestApp, path: &str) {
    eventually("the cache is in use", async || {
        match reads(app, async { drop(app.anyone().get(path).await.assert_status(200)) }).await {
            0 => Ok(()),
            reads => Err(reads),
        }
    })
    .await;
}

#[tokio::test]
async fn a_write_through_the_same_server_is_visible_at_once() {
    let mongod = OwnMongod::start().await;
    let app = cached(&mongod.uri(), "movies").await;
    let ann = app.user("ann").await;
    let mut owners = JoinSet::new();
    for number in 0..6 {
        let (ann, anyone) = (ann.clone(), app.anyone());
        let path = ann.add(&format!("Film {number}")).await;
        in_use(&app, &path).await;
        // Others keep reading it, so that somebody is always about to keep an old state.
        let (other, read) = (app.anyone(), path.clone());
        let noise = tokio::spawn(async move {
            loop {
                other.get(&read).await.assert_status(200);
            }
        });
        owners.spawn(async move {
            for version in 2..32 {
                let tag = ann.patch(&path, &json!({ "plot": format!("{version}") })).await.header("ETag");
                assert_eq!(anyone.get(&path).await.assert_status(200).header("ETag"), tag);
            }
            noise.abort();
            ann.delete(&path).await.assert_status(204);
            anyone.get(&path).await.assert_problem(404, "movie-not-found");
        });
    }
    owners.join_all().await;
}

#[tokio::test]
async fn a_write_through_another_server_is_visible_soon() {
    let mongod = OwnMongod::start().await;
    let here = cached(&mongod.uri(), "movies").await;
    let there = cached(&mongod.uri(), "movies").await;
    let ann = here.user("ann").await;
    let path = ann.add("Heat").await;
    in_use(&there, &path).await;
    for version in 2..8 {
        ann.patch(&path, &json!({ "plot": format!("{version}") })).await.assert_status(200);
        eventually("the other server has heard", async || {
            let seen = there.anyone().get(&path).await.json()["version"].clone();
            if seen == version { Ok(()) } else { Err(seen) }
        })
        .await;
    }
    ann.delete("/api/users/me").await.assert_status(204);
    eventually("the other server has heard of the end", async || {
        match there.anyone().get(&path).await.status {
            404 => Ok(()),
            status => Err(status),
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_cut_off_or_silent_closes_the_cache() {
    let mongod = OwnMongod::start().await;
    let proxy = Proxy::before(&mongod.uri()).await;
    let behind = cached(&proxy.uri(), "movies").await;
    let beside = TestApp::with(&mongod.uri(), "movies", |_| {}).await;
    let ann = beside.user("ann").await;
    let path = ann.add("Heat").await;
    for (version, cut) in [(2, true), (3, false)] {
        in_use(&behind, &path).await;
        if cut {
            proxy.cut();
        } else {
            proxy.freeze();
        }
        ann.patch(&path, &json!({ "plot": format!("{version}") })).await.assert_status(200);
        eventually("the cache no longer answers", async || {
            let reply = behind.anyone().get(&path).await;
            if reply.status == 503 { Ok(()) } else { Err(reply.status) }
        })
        .await;
        // The cache stays closed until the database is back. From then on, every answer has the new version.
        proxy.heal();
        eventually("the database is back", async || {
            let reply = behind.anyone().get(&path).await;
            if reply.status == 503 {
                return Err(reply.status);
            }
            assert_eq!(reply.json()["version"], version);
            Ok(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_cache_keeps_no_more_movies_than_the_setting_allows() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::with(&mongod.uri(), "movies", |settings| settings.cache.movies = 2).await;
    let ann = app.user("ann").await;
    let mut paths = Vec::new();
    for name in ["Heat", "Ronin", "Thief"] {
        paths.push(ann.add(name).await);
    }
    in_use(&app, &paths[0]).await;
    let reads = reads(&app, async {
        // The third movie replaces the one that was read longest ago.
        for path in [&paths[0], &paths[1], &paths[2], &paths[1], &paths[0]] {
            app.anyone().get(path).await.assert_status(200);
        }
    });
    assert_eq!(
        reads.await,
        3,
        "only the first read and the second read of the second movie come from memory"
    );
}
