//! `/api/users/me`.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_user_reads_their_movies_and_how_many_there_are() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for name in ["One", "Two", "Three"] {
        ann.add(name).await;
    }
    bob.add("Four").await;
    assert_eq!(ann.get("/api/users/me").await.json()["movie_count"], 3);
    let page = ann.get("/api/users/me/movies?limit=2").await.assert_status(200);
    assert_eq!(page.header("Cache-Control").as_deref(), Some("no-store"));
    let names = |page: &serde_json::Value| {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&page.json()), ["Three", "Two"]);
    let next = page.json()["next"].as_str().unwrap().to_owned();
    let link = page.header("Link").unwrap();
    assert_eq!(link, format!("</api/users/me/movies?limit=2&after={next}>; rel=\"next\""));
    let page = ann.get(&format!("/api/users/me/movies?limit=2&after={next}")).await.assert_status(200);
    assert_eq!(names(&page.json()), ["One"]);
    assert_eq!((page.json()["next"].clone(), page.header("Link")), (json!(null), None));
    // Another user's cursor is invalid.
    bob.get(&format!("/api/users/me/movies?after={next}")).await.assert_problem(400, "invalid-query");
    ann.get("/api/users/me/movies?added_by=x").await.assert_problem(400, "invalid-query");
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let id = ann.id().await;
    let (hers, his) = (ann.add("Heat").await, bob.add("Ronin").await);
    ann.delete("/api/users/me").await.assert_status(204);
    ann.get("/api/users/me").await.assert_problem(401, "revoked-token");
    app.anyone().get(&hers).await.assert_problem(404, "movie-not-found");
    app.anyone().get(&his).await.assert_status(200);
    // Nothing personal stays: the tombstone is only an id and a time.
    let users = app.database.collection::<bson::Document>("users");
    let id = bson::oid::ObjectId::parse_str(id).unwrap();
    let tombstone = users.find_one(bson::doc! { "_id": id }).await.unwrap().unwrap();
    assert_eq!(tombstone.keys().collect::<Vec<_>>(), ["_id", "deleted_at"]);
    // The email is free again, and so is the name.
    let again = app.user("ann").await;
    assert_eq!(again.get("/api/users/me").await.json()["movie_count"], 0);
    again.add("Heat").await;
}
