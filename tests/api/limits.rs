//! Limits that protect everybody else from an expensive request: concurrent counts, the bytes of a shared insert, the
//! writes of an account.

use bson::{Bson, Document, doc};
use movie_bag::config::SearchEngine;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{TestApp, mongod::OwnMongod};

#[tokio::test]
async fn more_than_eight_facets_and_counts_at_once_are_refused_and_pages_are_not() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::with(&mongod.uri(), "movies_by_the_database", |settings| {
        settings.search.engine = SearchEngine::Text;
    })
    .await;
    app.user("ann").await.add("Heat").await;
    let counts = ["facets", "facets?genre=Drama", "?count=true", "?count=true&genre=Drama"];
    let hold = mongod.hold("aggregate", &format!("{}.movies", app.database.name()), 8, 5_000).await;
    let mut counting = JoinSet::new();
    for number in 0..8 {
        let anyone = app.anyone();
        counting.spawn(async move { anyone.get(&format!("/api/movies/facets?genre={number}")).await });
    }
    hold.reached_by(8).await;
    for count in counts {
        let path = format!("/api/movies/{count}").replace("/?", "?");
        app.anyone().get(&path).await.assert_problem(503, "overloaded");
    }
    app.anyone().get("/api/movies?genre=Drama").await.assert_status(200);
    for reply in counting.join_all().await {
        reply.assert_status(200);
    }
    for count in counts {
        let path = format!("/api/movies/{count}").replace("/?", "?");
        app.anyone().get(&path).await.assert_status(200);
    }
}

#[tokio::test]
async fn bounds_that_include_every_year_are_one_filter() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (name, year) in [("Heat", json!(1995)), ("Ronin", json!(2100)), ("Undated", Value::Null)] {
        let movie = json!({ "name": name, "casts": [], "genres": ["Crime"], "year": year });
        ann.post("/api/movies", &movie).await.assert_status(201);
    }
    for years in
        ["year_min=-99999", "year_max=99999", "year_min=1870", "year_max=2100", "year_min=0&year_max=2101"]
    {
        let facets = app.anyone().get(&format!("/api/movies/facets?{years}")).await.json();
        // A movie without a year matches no bounds.
        assert_eq!(facets["genres"], json!([{ "value": "Crime", "count": 2 }]), "{years}");
    }
    for (years, count) in [("", 3), ("year_min=1871", 2), ("year_max=2099", 1), ("year_min=1996", 1)] {
        let facets = app.anyone().get(&format!("/api/movies/facets?{years}")).await.json();
        assert_eq!(facets["genres"][0]["count"], count, "{years}");
    }
}

#[tokio::test]
async fn large_movies_share_commands_of_a_mebibyte() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    // 145 KB each, with few words: seven make a mebibyte.
    let letters = |length: usize| "\u{10330}".repeat(length);
    let casts: Vec<String> = (0..130).map(|number| format!("{number:03}{}", letters(197))).collect();
    let movie = json!({ "casts": casts, "genres": ["Drama"], "plot": letters(10_000) });
    // Hold as many commands as may be in flight, so that all the others wait together.
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 4, 1_000).await;
    let entries = app
        .profiled("movies", async {
            let mut adding = JoinSet::new();
            for number in 0..20 {
                let (ann, mut movie) = (ann.clone(), movie.clone());
                movie["name"] = json!(format!("Film {number}"));
                adding.spawn(async move {
                    // On a busy machine this may take longer than the server waits. Then the movie may have been
                    // added or not.
                    while ann.post("/api/movies", &movie).await.status == 503 {}
                });
            }
            hold.reached().await;
            adding.join_all().await;
        })
        .await;
    let inserted = |entry: &Document| match entry.get("ninserted") {
        Some(Bson::Int32(count)) => Some(i64::from(*count)),
        Some(Bson::Int64(count)) => Some(*count),
        _ => None,
    };
    let groups: Vec<i64> = entries.iter().filter_map(inserted).collect();
    let largest = groups.iter().max().unwrap();
    assert!((2..=7).contains(largest), "{groups:?}");
    assert_eq!(app.count("movies", doc! {}).await, 20);
}

#[tokio::test]
async fn an_account_over_its_write_limit_still_reads_and_deletes() {
    // The limit does not depend on the throttle of logins.
    let app = TestApp::set(|settings| {
        settings.throttle.writes_per_minute = 2;
        settings.throttle.enabled = false;
    })
    .await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let heat = ann.add("Heat").await;
    let movie = json!({ "name": "Ronin", "casts": [], "genres": ["Crime"] });
    let after = ann.put(&heat, &movie).await.assert_status(200).json();
    for (method, path) in [("POST", "/api/movies"), ("PUT", heat.as_str()), ("PATCH", heat.as_str())] {
        let refused = ann.with_json(method, path, &json!({ "plot": 7 })).await;
        let wait = refused.assert_problem(429, "too-many-requests").header("Retry-After").unwrap();
        assert!((1..=30).contains(&wait.parse::<u32>().unwrap()), "{wait}");
    }
    app.anyone().post("/api/movies", &movie).await.assert_problem(401, "missing-token");
    assert_eq!(ann.get(&heat).await.assert_status(200).json(), after);
    assert_eq!(app.count("movies", doc! {}).await, 1);
    bob.add("Thief").await;
    ann.delete(&heat).await.assert_status(204);
}
