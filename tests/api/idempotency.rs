//! `Idempotency-Key`: the same request again gets the same answer, and nothing is added twice.

use bson::{DateTime, Document, doc};
use serde_json::{Value, json};

use crate::{
    races::{at_once, statuses},
    support::{Caller, Reply, TestApp, eventually, mongod::OwnMongod, movie, object_id},
};

const MOVIES: &str = "/api/movies";
const BATCH: &str = "/api/movies/batch";

async fn post(caller: &Caller, path: &str, key: &str, body: &Value) -> Reply {
    Reply::of(caller.request("POST", path).header("Idempotency-Key", key).json(body)).await
}

#[track_caller]
fn assert_replayed(reply: &Reply, first: &Reply) {
    assert_eq!((reply.status, reply.text()), (first.status, first.text()));
    for header in ["Location", "ETag"] {
        assert_eq!(reply.header(header), first.header(header));
    }
    assert_eq!(reply.header("Idempotency-Replayed").as_deref(), Some("true"));
    assert_eq!(first.header("Idempotency-Replayed"), None);
}

/// Ends the leases of requests whose server is dead.
async fn end_leases(app: &TestApp) {
    let keys = app.database.collection::<Document>("idempotency_keys");
    let past = DateTime::from_millis(DateTime::now().timestamp_millis() - 1);
    let unanswered = doc! { "answer": { "$exists": false } };
    keys.update_many(unanswered, doc! { "$set": { "leased_until": past } }).await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_gets_the_answer_of_the_first() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let body = movie(" Heat ");
    let first = post(&ann, MOVIES, "key", &body).await.assert_status(201);
    let path = first.header("Location").unwrap();
    assert_replayed(&post(&ann, MOVIES, "key", &body).await, &first);
    ann.patch(&path, &json!({ "name": "Heat 2" })).await.assert_status(200);
    assert_replayed(&post(&ann, MOVIES, "key", &body).await, &first);
    ann.delete(&path).await.assert_status(204);
    assert_replayed(&post(&ann, MOVIES, "key", &body).await, &first);
    assert_replayed(&post(&app.log_in("ann").await, MOVIES, "key", &body).await, &first);
    assert_eq!(app.count("movies", doc! {}).await, 0);
    // Another user's key is a different key, and so is another text.
    let his = post(&bob, MOVIES, "key", &body).await.assert_status(201);
    assert_eq!(his.header("Idempotency-Replayed"), None);
    post(&ann, MOVIES, "Key", &body).await.assert_problem(409, "duplicate-movie");
    // Without a key, nothing changes.
    ann.post(MOVIES, &body).await.assert_problem(409, "duplicate-movie");
}

#[tokio::test]
async fn a_repeated_request_is_not_a_write() {
    let app = TestApp::set(|settings| settings.throttle.writes_per_minute = 3).await;
    let ann = app.user("ann").await;
    let batch = json!({ "items": [movie("Ronin")] });
    let first = post(&ann, MOVIES, "one", &movie("Heat")).await.assert_status(201);
    let second = post(&ann, BATCH, "many", &batch).await.assert_status(200);
    for _ in 0..4 {
        assert_replayed(&post(&ann, MOVIES, "one", &movie("Heat")).await, &first);
        assert_replayed(&post(&ann, BATCH, "many", &batch).await, &second);
    }
    // The server died after it had added them.
    let keys = app.database.collection::<Document>("idempotency_keys");
    keys.update_many(doc! {}, doc! { "$unset": { "answer": true } }).await.unwrap();
    end_leases(&app).await;
    assert_replayed(&post(&ann, MOVIES, "one", &movie("Heat")).await, &first);
    assert_eq!(post(&ann, BATCH, "many", &batch).await.assert_status(200).text(), second.text());
    ann.add("Thief").await;
    ann.post(MOVIES, &movie("Collateral")).await.assert_problem(429, "too-many-requests");
}

#[tokio::test]
async fn a_key_stands_for_one_path_and_one_body() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let first = post(&ann, MOVIES, "key", &movie("Heat")).await.assert_status(201);
    post(&ann, MOVIES, "key", &movie("Ronin")).await.assert_problem(422, "idempotency-key-reused");
    // The body must be the same byte for byte.
    let spaced = serde_json::to_string_pretty(&movie("Heat")).unwrap();
    let request = ann.request("POST", MOVIES).header("Idempotency-Key", "key").body(spaced);
    let request = request.header("Content-Type", "application/json");
    Reply::of(request).await.assert_problem(422, "idempotency-key-reused");
    let batch = json!({ "items": [movie("Heat")] });
    post(&ann, BATCH, "key", &batch).await.assert_problem(422, "idempotency-key-reused");
    // The fields are checked first.
    post(&ann, MOVIES, "key", &json!({})).await.assert_problem(422, "validation-failed");
    assert_replayed(&post(&ann, MOVIES, "key", &movie("Heat")).await, &first);
    assert_eq!(app.count("movies", doc! {}).await, 1);
}

#[tokio::test]
async fn after_an_answer_that_wrote_nothing_the_key_is_free() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let there = ann.add("Heat").await;
    let refused = post(&ann, MOVIES, "key", &movie("Heat")).await.assert_problem(409, "duplicate-movie");
    assert_eq!(refused.json()["existing"], there);
    post(&ann, MOVIES, "key", &json!({})).await.assert_problem(422, "validation-failed");
    assert_eq!(app.count("idempotency_keys", doc! {}).await, 0);
    post(&ann, MOVIES, "key", &movie("Ronin")).await.assert_status(201);
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters_and_given_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for wrong in ["", "a b", "é", &"x".repeat(256)] {
        for path in [MOVIES, BATCH] {
            let request = ann.request("POST", path).header("Idempotency-Key", wrong.as_bytes());
            // This is checked before the body.
            let refused = Reply::of(request.body("{")).await.assert_problem(400, "bad-request");
            assert!(refused.json()["detail"].as_str().unwrap().contains("Idempotency-Key"));
        }
    }
    let twice = ann.request("POST", MOVIES).header("Idempotency-Key", "a").header("Idempotency-Key", "a");
    Reply::of(twice.json(&movie("Heat"))).await.assert_problem(400, "bad-request");
    // This is checked after the token and the query.
    let nobody = app.anyone().request("POST", MOVIES).header("Idempotency-Key", "");
    Reply::of(nobody).await.assert_problem(401, "missing-token");
    let query = ann.request("POST", "/api/movies?x=1").header("Idempotency-Key", "");
    Reply::of(query).await.assert_problem(400, "invalid-query");
    for good in ["x", &"~!".repeat(127)] {
        post(&ann, MOVIES, good, &movie(&format!("Movie {}", good.len()))).await.assert_status(201);
    }
}

#[tokio::test]
async fn of_16_at_once_one_adds() {
    let app = TestApp::start().await;
    let twin = app.twin().await;
    let ann = app.user("ann").await;
    let there = twin.bearer(ann.token.as_ref().unwrap());
    for round in 0..6 {
        let tasks = (0..16).map(|number| {
            let caller = if number % 2 == 0 { ann.clone() } else { there.clone() };
            async move { post(&caller, MOVIES, &format!("key-{round}"), &movie(&round.to_string())).await }
        });
        let replies = at_once(tasks.collect()).await;
        let added: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
        assert!(!added.is_empty() && added.iter().all(|reply| reply.text() == added[0].text()));
        let new = added.iter().filter(|reply| reply.header("Idempotency-Replayed").is_none()).count();
        assert_eq!(new, 1);
        for reply in replies.iter().filter(|reply| reply.status != 201) {
            let refused = reply.clone().assert_problem(409, "request-in-progress");
            assert!(refused.header("Retry-After").unwrap().parse::<u32>().unwrap() <= 10);
        }
    }
    assert_eq!(app.count("movies", doc! {}).await, 6);
}

#[tokio::test]
async fn a_repeat_is_409_while_the_request_runs_and_then_its_answer() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let adding = {
        let ann = ann.clone();
        tokio::spawn(async move { post(&ann, MOVIES, "key", &movie("Heat")).await })
    };
    hold.reached().await;
    let refused = post(&ann, MOVIES, "key", &movie("Heat")).await.assert_problem(409, "request-in-progress");
    assert!(refused.header("Retry-After").is_some());
    post(&ann, MOVIES, "key", &movie("Ronin")).await.assert_problem(422, "idempotency-key-reused");
    let first = adding.await.unwrap().assert_status(201);
    assert_replayed(&post(&ann, MOVIES, "key", &movie("Heat")).await, &first);
}

/// The state that a server leaves if it dies between the insert and the answer.
#[tokio::test]
async fn movies_that_a_dead_server_has_added_are_found() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let keys = app.database.collection::<Document>("idempotency_keys");
    let unanswered = doc! { "$unset": { "answer": true } };
    let body = movie("Heat");
    let first = post(&ann, MOVIES, "key", &body).await.assert_status(201);
    let path = first.header("Location").unwrap();
    keys.update_one(doc! {}, unanswered.clone()).await.unwrap();
    // Its lease has not ended yet.
    post(&ann, MOVIES, "key", &body).await.assert_problem(409, "request-in-progress");
    end_leases(&app).await;
    ann.patch(&path, &json!({ "name": "Heat 2" })).await.assert_status(200);
    assert_replayed(&post(&ann, MOVIES, "key", &body).await, &first);
    assert_replayed(&post(&ann, MOVIES, "key", &body).await, &first);
    // This includes a movie that was deleted since: adding it again would be adding it twice.
    keys.update_one(doc! {}, unanswered).await.unwrap();
    end_leases(&app).await;
    ann.delete(&path).await.assert_status(204);
    assert_replayed(&post(&ann, MOVIES, "key", &body).await, &first);
    assert_eq!(app.count("movies", doc! {}).await, 0);
}

/// The state that a server leaves if it dies before the insert.
#[tokio::test]
async fn movies_that_a_dead_server_has_not_added_are_added_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let keys = app.database.collection::<Document>("idempotency_keys");
    let body = movie("Heat");
    let path = post(&ann, MOVIES, "key", &body).await.assert_status(201).header("Location").unwrap();
    keys.update_one(doc! {}, doc! { "$unset": { "answer": true } }).await.unwrap();
    app.database.collection::<Document>("movies").delete_many(doc! {}).await.unwrap();
    eventually("the deletion is in the log", async || {
        match app.count("changes", doc! { "kind": "deleted" }).await {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    app.database
        .collection::<Document>("changes")
        .delete_many(doc! { "movie": object_id(&path) })
        .await
        .unwrap();
    end_leases(&app).await;
    let tasks = (0..8).map(|_| {
        let (ann, body) = (ann.clone(), body.clone());
        async move { post(&ann, MOVIES, "key", &body).await }
    });
    let replies = at_once(tasks.collect()).await;
    assert!(replies.iter().any(|reply| reply.status == 201), "{:?}", statuses(&replies));
    assert_eq!(app.count("movies", doc! { "_id": object_id(&path) }).await, 1);
    assert_eq!(app.count("movies", doc! {}).await, 1);
}

#[tokio::test]
async fn a_connection_that_breaks_during_the_insert_adds_nothing_twice() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let failures = [
        doc! { "closeConnection": true },
        // The insert succeeds, but reports an error.
        doc! { "writeConcernError": { "code": 64, "errmsg": "waiting for replication timed out" } },
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        let namespace = format!("{}.movies", app.database.name());
        let mut data = doc! { "failCommands": ["insert"], "namespace": namespace };
        data.extend(failure);
        let mode = doc! { "times": 2 };
        let set = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
        mongod.admin.run_command(set).await.unwrap();
        let (key, body) = (format!("key-{number}"), movie(&format!("Movie {number}")));
        let first = post(&ann, MOVIES, &key, &body).await.assert_problem(503, "database-unavailable");
        assert!(first.header("Retry-After").is_some());
        let off = doc! { "configureFailPoint": "failCommand", "mode": "off" };
        mongod.admin.run_command(off).await.unwrap();
        // This works at once: nobody has to wait for the lease of a failed request.
        let again = post(&ann, MOVIES, &key, &body).await.assert_status(201);
        let path = again.header("Location").unwrap();
        let third = post(&ann, MOVIES, &key, &body).await.assert_status(201);
        assert_eq!((third.header("Location"), third.text()), (Some(path), again.text()));
        assert_eq!(app.count("movies", doc! { "name": format!("Movie {number}") }).await, 1);
    }
    assert_eq!(app.count("movies", doc! {}).await, 2);
}

#[tokio::test]
async fn a_key_is_valid_for_24_hours() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    post(&ann, MOVIES, "key", &movie("Heat")).await.assert_status(201);
    let keys = app.database.collection::<Document>("idempotency_keys");
    let key = keys.find_one(doc! {}).await.unwrap().unwrap();
    let left =
        key.get_datetime("expires_at").unwrap().timestamp_millis() - DateTime::now().timestamp_millis();
    let day = 24 * 3_600_000;
    assert!((day - 60_000..=day).contains(&left), "{left}");
    // The database deletes the key. Until it does, an expired key no longer counts.
    let past = DateTime::from_millis(DateTime::now().timestamp_millis() - 1);
    keys.update_one(doc! {}, doc! { "$set": { "expires_at": past } }).await.unwrap();
    post(&ann, MOVIES, "key", &movie("Ronin")).await.assert_status(201);
    assert_eq!(app.count("movies", doc! {}).await, 2);
}

#[tokio::test]
async fn an_account_has_10_000_keys_at_a_time() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let user = object_id(&ann.id().await);
    let keys = app.database.collection::<Document>("idempotency_keys");
    let in_an_hour = DateTime::from_millis(DateTime::now().timestamp_millis() + 3_600_000);
    let many = (0..9_999).map(|number| {
        doc! { "_id": format!("{number}"), "user": user, "request": "", "movies": [], "at": in_an_hour,
            "lease": bson::oid::ObjectId::new(), "leased_until": in_an_hour, "expires_at": in_an_hour, "answer": { "outcomes": [], "request_id": "" } }
    });
    keys.insert_many(many).await.unwrap();
    post(&ann, MOVIES, "last", &movie("Heat")).await.assert_status(201);
    let refused =
        post(&ann, MOVIES, "beyond", &movie("Ronin")).await.assert_problem(429, "too-many-requests");
    let wait: u32 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(app.count("idempotency_keys", doc! {}).await, 10_000);
    // Known keys are still answered, and other accounts have their own limit.
    assert_eq!(post(&ann, MOVIES, "last", &movie("Heat")).await.status, 201);
    post(&bob, MOVIES, "beyond", &movie("Ronin")).await.assert_status(201);
    // The key of a request that wrote nothing no longer counts.
    post(&bob, MOVIES, "other", &movie("Ronin")).await.assert_problem(409, "duplicate-movie");
    assert_eq!(app.count("idempotency_keys", doc! {}).await, 10_001);
}

#[tokio::test]
async fn the_keys_are_deleted_with_the_account() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    post(&ann, MOVIES, "key", &movie("Heat")).await.assert_status(201);
    post(&bob, MOVIES, "key", &movie("Ronin")).await.assert_status(201);
    // One request is in progress at the same time.
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 1, 1_500).await;
    let adding = {
        let ann = ann.clone();
        tokio::spawn(async move { post(&ann, MOVIES, "late", &movie("Thief")).await })
    };
    hold.reached().await;
    ann.delete("/api/users/me").await.assert_status(204);
    adding.await.unwrap().assert_problem(401, "revoked-token");
    assert_eq!(app.count("idempotency_keys", doc! {}).await, 1);
    eventually("only the other user's movie is left", async || match app.count("movies", doc! {}).await {
        1 => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_key_does_not_query_the_keys() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let commands = app.profiled("idempotency_keys", async {
        ann.post(MOVIES, &movie("Heat")).await.assert_status(201);
        ann.post(BATCH, &json!({ "items": [movie("Ronin")] })).await.assert_status(200);
    });
    assert_eq!(commands.await.len(), 0);
    let path = ann.get("/api/users/me/movies").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/movies/{path}");
    // A change is a single command by the id.
    let commands = app.profiled("movies", async {
        ann.put(&path, &movie("Heat 2")).await.assert_status(200);
    });
    let commands = commands.await;
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert_eq!(commands[0].get_str("planSummary").unwrap(), "IXSCAN { _id: 1 }");
}
