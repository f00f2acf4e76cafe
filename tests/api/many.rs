//! `POST /api/movies/batch`: many at once, each with its own outcome.

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::support::{Caller, Reply, TestApp, eventually, mongod::OwnMongod, movie};

const BATCH: &str = "/api/movies/batch";

async fn add(caller: &Caller, items: &[Value]) -> Reply {
    caller.post(BATCH, &json!({ "items": items })).await
}

async fn add_with_key(caller: &Caller, key: &str, items: &[Value]) -> Reply {
    Reply::of(caller.request("POST", BATCH).header("Idempotency-Key", key).json(&json!({ "items": items })))
        .await
}

fn statuses(reply: &Reply) -> Vec<u64> {
    let json = reply.json();
    json["items"].as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap()).collect()
}

fn path(item: &Value) -> String {
    format!("/api/movies/{}", item["movie"]["id"].as_str().unwrap())
}

#[tokio::test]
async fn each_movie_has_its_own_outcome_in_order() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let there = ann.add("Heat").await;
    let items = [
        movie("Ronin"),
        movie("Heat"),
        json!({ "name": "", "casts": [1], "genres": [], "nonsense": 1 }),
        movie("Thief"),
        movie(" Ronin "),
        json!(7),
    ];
    let reply = add(&ann, &items).await.assert_status(200);
    assert_eq!(statuses(&reply), [201, 409, 422, 201, 409, 422]);
    assert_eq!(reply.header("Cache-Control"), None);
    let answer = reply.json();
    let items = answer["items"].as_array().unwrap();
    for (at, name) in [(0, "Ronin"), (3, "Thief")] {
        let stored = app.anyone().get(&path(&items[at])).await.assert_status(200).json();
        assert_eq!((&stored, &stored["name"]), (&items[at]["movie"], &json!(name)));
        assert_eq!((&stored["version"], &stored["added_by"]), (&json!(1), &json!(ann.id().await)));
    }
    let problem = &items[1]["problem"];
    assert_eq!((&problem["code"], &problem["existing"]), (&json!("duplicate-movie"), &json!(there)));
    assert_eq!((&problem["instance"], &problem["status"]), (&json!(BATCH), &json!(409)));
    assert_eq!(problem["request_id"].as_str().map(str::to_owned), reply.header("X-Request-Id"));
    // The first of two equal names wins.
    assert_eq!(items[4]["problem"]["existing"], path(&items[0]));
    let errors = items[2]["problem"]["errors"].as_array().unwrap();
    let mut fields: Vec<&str> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["casts[0]", "genres", "name", "nonsense"]);
    assert_eq!(items[5]["problem"]["errors"][0]["code"], "wrong-type");
    assert_eq!(app.count("movies", doc! {}).await, 3);
}

#[tokio::test]
async fn a_batch_as_a_whole_is_checked() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "items": null }), "required"),
        (json!({ "items": {} }), "wrong-type"),
        (json!({ "items": [] }), "too-few"),
        (json!({ "items": vec![movie("x"); 101] }), "too-many"),
    ] {
        ann.post(BATCH, &body).await.assert_fields(&[("items", code)]);
    }
    ann.post(BATCH, &json!({ "items": [movie("x")], "x": 1 })).await.assert_fields(&[("x", "unknown")]);
    ann.post(BATCH, &json!([movie("x")])).await.assert_fields(&[("", "wrong-type")]);
    app.anyone().post(BATCH, &json!({ "items": [movie("x")] })).await.assert_problem(401, "missing-token");
    ann.post("/api/movies/batch?x=1", &json!({})).await.assert_problem(400, "invalid-query");
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let refused = ann.send(method, BATCH).await.assert_status(405);
        assert_eq!(refused.header("Allow").as_deref(), Some("POST"), "{method}");
    }
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

#[tokio::test]
async fn a_batch_may_have_1_mib_and_another_body_256_kib() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let large = |count: usize, plot: usize| -> Vec<Value> {
        let one = |number| json!({ "name": format!("Movie {number}"), "casts": [], "genres": ["Drama"], "plot": "x".repeat(plot) });
        (0..count).map(one).collect()
    };
    let reply = add(&ann, &large(100, 10_000)).await.assert_status(200);
    assert_eq!(statuses(&reply), vec![201; 100]);
    let padded = |bytes: usize| {
        let body = json!({ "items": [movie("Padded")] }).to_string();
        format!("{body}{}", " ".repeat(bytes - body.len())).into_bytes()
    };
    let mebibyte = 1024 * 1024;
    let json = Some("application/json");
    ann.with_bytes("POST", BATCH, json, padded(mebibyte)).await.assert_status(200);
    let refused = ann.with_bytes("POST", BATCH, json, padded(mebibyte + 1)).await;
    let refused = refused.assert_problem(413, "payload-too-large");
    assert_eq!(refused.json()["detail"], "The body is larger than 1 MiB.");
    let refused = ann.with_bytes("POST", "/api/movies", json, padded(256 * 1024 + 1)).await;
    let refused = refused.assert_problem(413, "payload-too-large");
    assert_eq!(refused.json()["detail"], "The body is larger than 256 KiB.");
}

#[tokio::test]
async fn a_batch_is_one_command() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let items: Vec<Value> = (0..100).map(|number| movie(&format!("Movie {number}"))).collect();
    let commands = app.profiled("movies", async {
        assert_eq!(statuses(&add(&ann, &items).await), vec![201; 100]);
    });
    assert_eq!(commands.await.len(), 1);
}

#[tokio::test]
async fn if_the_database_rejects_one_movie_of_a_batch_only_that_one_fails() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    ann.add("There").await;
    let rule = doc! { "collMod": "movies", "validator": { "name": { "$ne": "Refused" } } };
    app.database.run_command(rule).await.unwrap();
    let reply = add(&ann, &[movie("Heat"), movie("Refused"), movie("There"), movie("Ronin")]).await;
    assert_eq!(statuses(&reply.assert_status(200)), [201, 500, 409, 201]);
    assert_eq!(app.count("movies", doc! {}).await, 3);
}

#[tokio::test]
async fn each_movie_of_a_batch_counts_as_a_write() {
    let app = TestApp::set(|settings| settings.throttle.writes_per_minute = 3).await;
    let ann = app.user("ann").await;
    let items = [movie("Heat"), json!({}), movie("Ronin"), movie("Thief"), movie("Alien"), movie("Brazil")];
    let reply = add(&ann, &items).await.assert_status(200);
    assert_eq!(statuses(&reply), [201, 422, 201, 201, 429, 429]);
    add(&ann, &items).await.assert_problem(429, "too-many-requests");
    assert_eq!(app.count("movies", doc! {}).await, 3);
}

#[tokio::test]
async fn a_batch_that_is_delayed_past_the_deletion_of_its_account_is_taken_back() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let adding = {
        let ann = ann.clone();
        tokio::spawn(async move { add(&ann, &[movie("Heat"), movie("Ronin")]).await })
    };
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    adding.await.unwrap().assert_problem(401, "revoked-token");
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

#[tokio::test]
async fn a_repeated_batch_gets_the_same_answer() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let there = ann.add("Heat").await;
    let items = [movie("Ronin"), movie("Heat"), json!({}), movie("Thief")];
    let first = add_with_key(&ann, "key", &items).await.assert_status(200);
    assert_eq!(statuses(&first), [201, 409, 422, 201]);
    // Changes since then make no difference.
    ann.delete(&there).await.assert_status(204);
    ann.patch(&path(&first.json()["items"][0]), &json!({ "year": 1998 })).await.assert_status(200);
    let again = add_with_key(&ann, "key", &items).await.assert_status(200);
    assert_eq!(again.text(), first.text());
    assert_eq!(again.header("Idempotency-Replayed").as_deref(), Some("true"));
    add_with_key(&ann, "key", &items[..1]).await.assert_problem(422, "idempotency-key-reused");
    // A batch that adds nothing is an answer too.
    let none = add_with_key(&ann, "none", &[movie("Ronin 2"), json!({})]).await;
    assert_eq!(none.header("Idempotency-Replayed"), None);
    assert_eq!(app.count("movies", doc! {}).await, 3);
}

/// The state that a server leaves if it dies in the middle of its insert.
#[tokio::test]
async fn an_interrupted_batch_is_completed() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let items = [movie("Ronin"), movie("Heat"), json!({}), movie("Thief")];
    let first = add_with_key(&ann, "key", &items).await.assert_status(200);
    let keys = app.database.collection::<Document>("idempotency_keys");
    let past = bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() - 1);
    let cut = doc! { "$unset": { "answer": true }, "$set": { "leased_until": past } };
    keys.update_one(doc! {}, cut).await.unwrap();
    let movies = app.database.collection::<Document>("movies");
    movies.delete_one(doc! { "name": "Heat" }).await.unwrap();
    eventually("the deletion is in the log", async || {
        match app.count("changes", doc! { "kind": "deleted" }).await {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let gone = first.json()["items"][1]["movie"]["id"].as_str().unwrap().to_owned();
    let gone = bson::oid::ObjectId::parse_str(gone).unwrap();
    app.database.collection::<Document>("changes").delete_many(doc! { "movie": gone }).await.unwrap();
    let again = add_with_key(&ann, "key", &items).await.assert_status(200);
    assert_eq!(statuses(&again), [201, 201, 422, 201]);
    for at in [0, 1, 3] {
        assert_eq!(again.json()["items"][at], first.json()["items"][at]);
    }
    assert_eq!(movies.count_documents(doc! {}).await.unwrap(), 3);
}
