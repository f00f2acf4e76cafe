//! Filters in an order that their own indexes do not have: what a page costs, and which way it is read.

use bson::{Document, doc};

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
async fn a_page_costs_as_much_as_its_filter_is_rare_whatever_was_asked_before() {
    let app = TestApp::start().await;
    let films = stock(&app).await;
    // 13 films have this genre; they share it with none of the others.
    let rare = "genre=drama&cast=Omar%20Sy";
    for sort in ["name", "-name", "year", "-year"] {
        // The database remembers the plan of these for queries of the same fields.
        for _ in 0..4 {
            for genre in ["Drama", "Comedy", "nothing"] {
                walk(&app, &format!("genre={genre}&sort={sort}&limit=100")).await;
            }
        }
        for filter in [rare, "genre=drama", "year_min=1940&year_max=1941", "year=1941"] {
            let query = format!("{filter}&sort={sort}&limit=20");
            let commands = app.profiled("movies", async { drop(walk(&app, &query).await) }).await;
            // Some keys to see that there are few, and some to find each by its id, in three stretches.
            assert!(examined(&commands) <= 120, "{query}: {} of {}", examined(&commands), films.len());
        }
        for filter in ["genre=Drama", "language=English", "year_min=1990"] {
            let query = format!("/api/movies?{filter}&sort={sort}&limit=20");
            let page = async { drop(app.anyone().get(&query).await.assert_status(200)) };
            let commands = app.profiled("movies", page).await;
            assert!(examined(&commands) <= 500, "{query}: {} of {}", examined(&commands), films.len());
        }
    }
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
        mongod.admin.run_command(fail_point(doc! { "skip": i32::try_from(few).unwrap() })).await.unwrap();
        let page = app.anyone().get(&path).await;
        let off = doc! { "configureFailPoint": "failCommand", "mode": "off" };
        mongod.admin.run_command(off).await.unwrap();
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
