//! Filters in an order that their own indexes do not have: what a page costs, and which way it is read.

use bson::{Document, doc};
use serde_json::json;

use crate::{
    catalogue::{stock, walk},
    support::{TestApp, mongod::OwnMongod},
};

/// What was looked at, in all commands.
fn examined(commands: &[Document]) -> i32 {
    let of = |command: &Document, what: &str| command.get_i32(what).unwrap_or_default();
    commands.iter().map(|command| of(command, "docsExamined").max(of(command, "keysExamined"))).sum()
}

#[tokio::test]
async fn a_filter_costs_little_in_every_order_be_it_rare_or_frequent() {
    let app = TestApp::start().await;
    stock(&app).await;
    for sort in ["name", "-name", "year", "-year"] {
        // 13 films have this genre.
        for filter in
            ["genre=drama", "genre=drama&cast=Omar%20Sy", "year_min=1940&year_max=1941", "year=1941"]
        {
            let query = format!("{filter}&sort={sort}");
            let commands = app.profiled("movies", async { drop(walk(&app, &query).await) }).await;
            // The ids, then each movie by its id, in up to three stretches.
            assert!(examined(&commands) <= 60, "{query}: {}", examined(&commands));
        }
        for filter in ["genre=Drama", "language=English", "year_min=1990"] {
            let query = format!("/api/movies?{filter}&sort={sort}");
            let page = async { drop(app.anyone().get(&query).await.assert_status(200)) };
            let commands = app.profiled("movies", page).await;
            // About 160 keys show that they are not few.
            assert!(examined(&commands) <= 250, "{query}: {}", examined(&commands));
        }
    }
}

#[tokio::test]
async fn a_page_costs_the_same_whatever_values_were_asked_for_before() {
    let app = TestApp::start().await;
    stock(&app).await;
    let ann = app.user("ann").await;
    // They all stand at the end of the order: for them, it is best to take their index and sort.
    for number in 0..150 {
        let movie = json!({ "name": format!("Zz {number}"), "casts": [], "genres": ["Zz"] });
        ann.post("/api/movies", &movie).await.assert_status(201);
    }
    let ask = async |genre: &str| {
        drop(app.anyone().get(&format!("/api/movies?genre={genre}&sort=name")).await.assert_status(200));
    };
    // After some times the database has learnt it; of Drama, it would then sort all there is.
    for _ in 0..5 {
        ask("Zz").await;
    }
    let commands = app.profiled("movies", ask("Drama")).await;
    assert!(examined(&commands) <= 250, "{}", examined(&commands));
}

#[tokio::test]
async fn where_the_order_takes_too_long_the_filter_is_read_instead() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    stock(&app).await;
    for query in ["genre=Drama&sort=name", "genre=Drama&genre=Comedy&sort=-year", "year_min=1950"] {
        let expected = walk(&app, query).await;
        assert!(expected.len() > 20, "{query}");
        let path = format!("/api/movies?{query}");
        // The command that asks whether there are few is let through; those that read are held for
        // longer than the order's index may take, and not as long as the next way may.
        let few = query.matches("genre=").count().max(1);
        let fail_point = |mode: Document| {
            doc! {
                "configureFailPoint": "failCommand",
                "mode": mode,
                "data": {
                    "failCommands": ["find"],
                    "namespace": format!("{}.movies", app.database.name()),
                    "blockConnection": true,
                    "blockTimeMS": 800,
                },
            }
        };
        let skip = fail_point(doc! { "skip": i32::try_from(few).unwrap() });
        let before = mongod.admin.run_command(skip).await.unwrap().get_i32("count").unwrap();
        let page = app.anyone().get(&path).await;
        let off = doc! { "configureFailPoint": "failCommand", "mode": "off" };
        let held = mongod.admin.run_command(off).await.unwrap().get_i32("count").unwrap() - before;
        assert!(held >= 2, "{query}: {held}");
        let found = page.assert_status(200).json()["items"].as_array().unwrap().clone();
        assert_eq!(found, expected[..found.len()], "{query}");
        assert_eq!(found.len(), 20, "{query}");
    }
}

#[tokio::test]
async fn what_takes_the_database_too_long_is_503() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    ann.add("Heat").await;
    let time_out = |mode: &str| doc! { "configureFailPoint": "maxTimeAlwaysTimeOut", "mode": mode };
    let paths =
        ["", "?q=heat", "?q=heat&sort=name", "?genre=Drama&sort=name", "/suggest?prefix=he", "/facets"];
    for path in paths.map(|path| format!("/api/movies{path}")) {
        mongod.admin.run_command(time_out("alwaysOn")).await.unwrap();
        let reply = app.anyone().get(&path).await;
        mongod.admin.run_command(time_out("off")).await.unwrap();
        let reply = reply.assert_problem(503, "database-unavailable");
        assert!(reply.header("Retry-After").is_some(), "{path}");
        app.anyone().get(&path).await.assert_status(200);
    }
}
