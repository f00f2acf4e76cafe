//! Callers that share a command: each gets the answer that its own command would have given.

use bson::doc;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Caller, Reply, TestApp, mongod::OwnMongod, movie};

/// Runs all tasks at once. Returns their answers in the order of the tasks.
async fn all<F: Future<Output = Reply> + Send + 'static>(tasks: impl IntoIterator<Item = F>) -> Vec<Reply> {
    let mut running = JoinSet::new();
    for (place, task) in tasks.into_iter().enumerate() {
        running.spawn(async move { (place, task.await) });
    }
    let mut replies = running.join_all().await;
    replies.sort_by_key(|(place, _)| *place);
    replies.into_iter().map(|(_, reply)| reply).collect()
}

async fn add(caller: Caller, name: String) -> Reply {
    caller.post("/api/movies", &movie(&name)).await
}

/// Makes the next `times` inserts of movies fail as if the network failed.
async fn break_inserts(mongod: &OwnMongod, app: &TestApp, times: i32) {
    let namespace = format!("{}.movies", app.database.name());
    let data = doc! { "failCommands": ["insert"], "namespace": namespace, "closeConnection": true };
    let mode = doc! { "times": times };
    let set = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
    mongod.admin.run_command(set).await.unwrap();
}

#[tokio::test]
async fn readers_that_wait_share_a_command_and_each_gets_its_own_movie() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let mut paths = Vec::new();
    for name in ["Heat", "Ronin", "Thief"] {
        paths.push((ann.add(name).await, Some(name)));
    }
    paths.push(("/api/movies/6561f0c2a3b4d5e6f7081920".to_owned(), None));
    let hold = mongod.hold("find", &format!("{}.movies", app.database.name()), 1, 600).await;
    let finds = app
        .profiled("movies", async {
            let first = tokio::spawn({
                let (anyone, path) = (app.anyone(), paths[0].0.clone());
                async move { anyone.get(&path).await }
            });
            hold.reached().await;
            let wanted: Vec<_> = (0..80).map(|number| paths[number % paths.len()].clone()).collect();
            let replies = all(wanted.clone().into_iter().map(|(path, _)| {
                let anyone = app.anyone();
                async move { anyone.get(&path).await }
            }));
            for (reply, (path, name)) in replies.await.into_iter().zip(wanted) {
                match name {
                    Some(name) => {
                        let movie = reply.assert_status(200).json();
                        assert_eq!(
                            (movie["name"].as_str(), path.ends_with(movie["id"].as_str().unwrap())),
                            (Some(name), true)
                        );
                    }
                    None => drop(reply.assert_problem(404, "movie-not-found")),
                }
            }
            first.await.unwrap().assert_status(200);
        })
        .await
        .len();
    // There are 81 readers. The number of commands depends on when they arrive, but is not one each.
    assert!(finds < 40, "{finds} commands");
}

#[tokio::test]
async fn a_read_sees_every_write_that_was_answered_before_it_was_sent() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut owners = JoinSet::new();
    for number in 0..8 {
        let (ann, anyone) = (ann.clone(), app.anyone());
        let path = ann.add(&format!("Film {number}")).await;
        // Others keep reading the same movie, so that there is always a command to join.
        let (other, read) = (app.anyone(), path.clone());
        let noise = tokio::spawn(async move {
            loop {
                other.get(&read).await.assert_status(200);
            }
        });
        owners.spawn(async move {
            for version in 2..22 {
                let tag = ann.patch(&path, &json!({ "plot": format!("{version}") })).await.header("ETag");
                let read = anyone.get(&path).await.assert_status(200);
                assert_eq!(read.header("ETag"), tag);
                let list = anyone.get("/api/movies?sort=name&limit=100&fields=version").await.json();
                let id = path.rsplit('/').next();
                let listed = list["items"].as_array().unwrap().iter().find(|item| item["id"].as_str() == id);
                assert_eq!(listed.unwrap()["version"], version);
            }
            noise.abort();
            ann.delete(&path).await.assert_status(204);
            anyone.get(&path).await.assert_problem(404, "movie-not-found");
        });
    }
    owners.join_all().await;
}

#[tokio::test]
async fn each_insert_of_a_group_has_its_own_outcome() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.add("Heat").await;
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 1, 600).await;
    let first = tokio::spawn(add(ann.clone(), "Thief".to_owned()));
    hold.reached().await;
    // Each name twice, once from each user, and one name that is taken.
    let names: Vec<String> = (0..12).map(|number| format!("Film {}", number / 2)).collect();
    let group = names.iter().cloned().chain(["Heat".to_owned()]).enumerate();
    let (mine, theirs) = (ann.clone(), bob.clone());
    let replies = all(group.map(|(number, name)| add([&mine, &theirs][number % 2].clone(), name))).await;
    first.await.unwrap().assert_status(201);
    let (heat, films) = replies.split_last().unwrap();
    heat.clone().assert_problem(409, "duplicate-movie");
    for (pair, name) in films.chunks(2).zip(names.chunks(2)) {
        let mut statuses = [pair[0].status, pair[1].status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{name:?}");
    }
    let owners = [ann.id().await, bob.id().await];
    for (number, reply) in films.iter().enumerate().filter(|(_, reply)| reply.status == 201) {
        let stored = app.anyone().get(&reply.header("Location").unwrap()).await.assert_status(200).json();
        assert_eq!((&stored, &stored["name"]), (&reply.json(), &json!(names[number])));
        assert_eq!(stored["added_by"], json!(owners[number % 2]));
    }
    assert_eq!(app.count("movies", doc! {}).await, 8);
}

#[tokio::test]
async fn if_the_database_rejects_one_movie_of_a_group_only_that_one_fails() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    let rule = doc! { "collMod": "movies", "validator": { "name": { "$ne": "Refused" } } };
    app.database.run_command(rule).await.unwrap();
    // Hold the first insert and the two that run alone beside it, so that all the others wait together.
    let hold = mongod.hold("insert", &format!("{}.movies", app.database.name()), 3, 300).await;
    let first = tokio::spawn(add(ann.clone(), "Thief".to_owned()));
    hold.reached().await;
    let name = |number| if number == 6 { "Refused".to_owned() } else { format!("Film {number}") };
    let replies = all((0..13).map(|number| add(ann.clone(), name(number)))).await;
    first.await.unwrap().assert_status(201);
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(reply.status, if number == 6 { 500 } else { 201 }, "{number}");
    }
    assert_eq!(app.count("movies", doc! {}).await, 13);
    let metrics = app.anyone().get("/metrics").await.text();
    let name = "movie_bag_batch_keys_count{command=\"insert_movies\"} ";
    let commands = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert!(commands.parse::<u32>().unwrap() < 8, "expected shared commands, got {commands}");
}

#[tokio::test]
async fn a_connection_that_breaks_during_a_group_of_inserts_adds_nothing_twice() {
    let mongod = OwnMongod::start().await;
    let app = TestApp::on(&mongod.uri()).await;
    let ann = app.user("ann").await;
    // If it breaks once, the driver retries the command. If it breaks twice, the driver gives up.
    for times in [1, 2] {
        break_inserts(&mongod, &app, times).await;
        let names: Vec<String> = (0..20).map(|number| format!("Film {times} {number}")).collect();
        let replies = all(names.iter().map(|name| add(ann.clone(), name.clone()))).await;
        for (reply, name) in replies.into_iter().zip(&names) {
            if reply.status == 503 && times == 2 {
                reply.assert_problem(503, "database-unavailable");
                // By the contract, a repeated create either finds its own name, or succeeds.
                let again = add(ann.clone(), name.clone()).await;
                assert!([201, 409].contains(&again.status), "{}", again.text());
            } else {
                reply.assert_status(201);
            }
            assert_eq!(app.count("movies", doc! { "name": name }).await, 1, "{name}");
        }
    }
    assert_eq!(app.count("movies", doc! {}).await, 40);
}

#[tokio::test]
async fn a_deleted_user_is_refused_even_in_a_command_shared_with_others() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    bob.delete("/api/users/me").await.assert_status(204);
    let callers = [&ann, &bob];
    let replies = all((0..20).map(|number| add(callers[number % 2].clone(), format!("Film {number}")))).await;
    for (number, reply) in replies.into_iter().enumerate() {
        if number % 2 == 0 {
            reply.assert_status(201)
        } else {
            reply.assert_problem(401, "revoked-token")
        };
    }
    assert_eq!(app.count("movies", doc! {}).await, 10);
}
