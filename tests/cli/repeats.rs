//! A request that a client repeats because its server was killed: the movie is added once, and the answer is the
//! same.

use bson::{Document, doc};
use reqwest::blocking::Response;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    movie::movie,
    support::{Folder, Server, eventually, in_database},
};

fn post(server: &Server, token: &str) -> reqwest::Result<Response> {
    let request = server.http.post(format!("{}/api/movies", server.base)).bearer_auth(token);
    request.header("Idempotency-Key", "key").json(&movie("Heat")).send()
}

fn movies(folder: &Folder) -> u64 {
    in_database(&folder.mongod_uri(), "movie_bag", async |database| {
        database.collection::<Document>("movies").count_documents(doc! {}).await.unwrap()
    })
}

#[test]
fn a_server_that_is_killed_between_the_insert_and_the_answer_adds_once() {
    let folder = Folder::new();
    let script = folder.mongod_script("", "--setParameter enableTestCommands=1");
    let serve = || {
        let mut command = folder.command(&["serve"]);
        command.env("MOVIE_BAG_MONGODB__MONGOD", &script);
        Server::start(command)
    };
    let server = serve();
    let token = server.sign_up("ann");
    // Hold the step after the insert, so that the answer is not stored with the key.
    in_database(&folder.mongod_uri(), "admin", async |admin| {
        let data = doc! {
            "failCommands": ["update"],
            "namespace": "movie_bag.idempotency_keys",
            "blockConnection": true,
            "blockTimeMS": 60_000,
        };
        let hold = doc! { "configureFailPoint": "failCommand", "mode": { "times": 1 }, "data": data };
        admin.run_command(hold).await.unwrap();
    });
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| post(&server, &token));
        eventually("the movie is stored", || movies(&folder) == 1);
        server.signal(Signal::KILL);
        assert!(adding.join().unwrap().is_err(), "it was killed before it answered");
    });
    server.wait();

    let server = serve();
    let answer = || post(&server, &token).unwrap();
    eventually("the request has ended", || answer().status() != 409);
    let first = answer();
    let replayed =
        first.headers().get("Idempotency-Replayed").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((first.status().as_u16(), replayed.as_deref()), (201, Some("true")));
    let first: Value = first.json().unwrap();
    let second: Value = answer().json().unwrap();
    assert_eq!((&first, &first["name"], &first["version"]), (&second, &"Heat".into(), &1.into()));
    let id = first["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/movies/{id}"), None), (200, first.clone()));
    assert_eq!(movies(&folder), 1);
    server.stop();
}
