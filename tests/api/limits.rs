//! What an expensive request may take from everybody else: counts at once.

use bson::Document;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{TestApp, mongod::OwnMongod};

#[tokio::test]
async fn facets_and_counts_beyond_eight_are_refused_and_pages_are_not() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
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
async fn facets_of_all_years_are_counted_once_whatever_the_words() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    for (name, year) in [("Heat", json!(1995)), ("Ronin", json!(2100)), ("Undated", Value::Null)] {
        let movie = json!({ "name": name, "casts": [], "genres": ["Crime"], "year": year });
        ann.post("/api/movies", &movie).await.assert_status(201);
    }
    // Long enough for its answer to be kept.
    mongod.hold("aggregate", &format!("{}.movies", app.database.name()), 1, 600).await;
    let entries = app
        .profiled("movies", async {
            for years in [
                "year_min=-99999",
                "year_max=99999",
                "year_min=1870",
                "year_max=2100",
                "year_min=0&year_max=2101",
            ] {
                let facets = app.anyone().get(&format!("/api/movies/facets?{years}")).await.json();
                // A movie without a year is not made in any of them.
                assert_eq!(facets["genres"], json!([{ "value": "Crime", "count": 2 }]), "{years}");
            }
        })
        .await;
    let counted =
        |entry: &&Document| entry.get_document("command").is_ok_and(|c| c.contains_key("aggregate"));
    assert_eq!(entries.iter().filter(counted).count(), 1);
    for (years, count) in [("", 3), ("year_min=1871", 2), ("year_max=2099", 1), ("year_min=1996", 1)] {
        let facets = app.anyone().get(&format!("/api/movies/facets?{years}")).await.json();
        assert_eq!(facets["genres"][0]["count"], count, "{years}");
    }
}
