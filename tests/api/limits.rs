//! What an expensive request may take from everybody else: counts at once.

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
