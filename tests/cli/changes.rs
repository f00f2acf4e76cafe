//! The change log of the real binary: what it survives, and who writes it.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use bson::{Document, Timestamp, doc};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    change_log,
    movie::movie,
    support::{Folder, Server, end, eventually, in_database},
};

const CHANGES: &str = "/api/movies/changes";

fn now(server: &Server) -> String {
    let (status, page) = server.get(CHANGES, None);
    assert_eq!(status, 200, "{page}");
    page["next"].as_str().unwrap().to_owned()
}

/// The kinds of all changes after a cursor.
fn kinds_after(server: &Server, since: &str) -> (u16, Vec<String>) {
    let (status, page) = server.get(&format!("{CHANGES}?since={since}&limit=1000"), None);
    let items = page["items"].as_array().into_iter().flatten();
    (status, items.map(|item| item["type"].as_str().unwrap().to_owned()).collect())
}

/// A command on a database of the host's mongod.
fn on(host: &Folder, folder: &Folder, arguments: &[&str]) -> std::process::Command {
    let mut command = folder.command(arguments);
    command
        .env("MOVIE_BAG_MONGODB__URI", host.mongod_uri())
        .env("MOVIE_BAG_MONGODB__DATABASE", "other")
        .env("MOVIE_BAG_JWT__SECRET", "12345678901234567890123456789012");
    command
}

#[test]
fn an_import_without_a_server_writes_the_change_log() {
    let host = Folder::new();
    let mongod = host.serve();
    let folder = Folder::new();
    let other = |arguments: &[&str]| on(&host, &folder, arguments);
    let server = Server::start(other(&["serve"]));
    server.sign_up("ann");
    let since = now(&server);
    server.stop();
    let lines: Vec<String> = (0..700).map(|number| movie(&format!("Movie {number}")).to_string()).collect();
    folder.write("films.ndjson", lines.join("\n"));
    end(other(&["import", "films.ndjson", "--as", "ann@example.com"])).assert_succeeded();
    in_database(&host.mongod_uri(), "other", async |database| {
        assert_eq!(change_log::flaw(&database).await, None);
        let log = database.collection::<Document>("change_log").find_one(doc! {}).await.unwrap().unwrap();
        assert!(!log.contains_key("lease"), "a server must not wait for it: {log}");
    });
    let server = Server::start(other(&["serve"]));
    assert_eq!(kinds_after(&server, &since), (200, vec!["created".to_owned(); 700]));
    server.stop();
    mongod.stop();
}

#[test]
fn after_a_server_is_killed_under_load_every_change_is_in_the_log_once() {
    let folder = Folder::new();
    let mut server = folder.serve();
    let token = server.sign_up("ann");
    let number = AtomicUsize::new(0);
    for _ in 0..3 {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| write(&server, &token, &number, &is_over))).collect();
            eventually("something is written", || number.load(Ordering::Relaxed) % 100 > 50);
            server.signal(Signal::KILL);
            is_over.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.join().unwrap();
            }
        });
        server = folder.serve();
        // Restart the numbers for the next round.
        number.fetch_add(100 - number.load(Ordering::Relaxed) % 100, Ordering::Relaxed);
        in_database(&folder.mongod_uri(), "movie_bag", async |database| {
            let mut flaw = None;
            for _ in 0..100 {
                flaw = change_log::flaw(&database).await;
                if flaw.is_none() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("{flaw:?}");
        });
    }
    server.stop();
}

/// Adds, changes and deletes movies until the server has ended.
fn write(server: &Server, token: &str, number: &AtomicUsize, is_over: &AtomicBool) {
    let call = |method: &str, path: &str, body: Option<Value>| {
        let mut request = server.http.request(method.parse().unwrap(), format!("{}{path}", server.base));
        request = request.bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().and_then(reqwest::blocking::Response::json::<Value>)
    };
    while !is_over.load(Ordering::Relaxed) {
        let name = format!("Movie {}", number.fetch_add(1, Ordering::Relaxed));
        let Ok(added) = call("POST", "/api/movies", Some(movie(&name))) else { return };
        let path = format!("/api/movies/{}", added["id"].as_str().unwrap());
        for year in 1990..1993 {
            if call("PATCH", &path, Some(json!({ "year": year }))).is_err() {
                return;
            }
        }
        if number.load(Ordering::Relaxed).is_multiple_of(3) {
            let _ = call("DELETE", &path, None);
        }
    }
}

/// The time of the oldest operation in the oplog.
async fn oldest_operation(client: &mongodb::Client) -> Timestamp {
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    oplog.find_one(doc! {}).sort(doc! { "$natural": 1 }).await.unwrap().unwrap().get_timestamp("ts").unwrap()
}

fn seconds(token: &str) -> u32 {
    u32::from_str_radix(&token[2..10], 16).unwrap()
}

/// Makes other writes until the oplog no longer reaches back to the time of `token`.
async fn roll_the_oplog(client: &mongodb::Client, token: &str) {
    let elsewhere = client.database("elsewhere").collection::<Document>("elsewhere");
    let text = "x".repeat(1 << 20);
    for _ in 0..400 {
        elsewhere.insert_many((0..4).map(|_| doc! { "text": &text })).await.unwrap();
        elsewhere.delete_many(doc! {}).await.unwrap();
        if oldest_operation(client).await.time > seconds(token) {
            return;
        }
    }
    panic!("the oplog does not roll");
}

/// Waits until the log's checkpoint is a place that the oplog still contains.
async fn a_checkpoint_is_in_the_oplog(database: &mongodb::Database) {
    let log = database.collection::<Document>("change_log");
    let oldest = oldest_operation(database.client()).await.time;
    for _ in 0..600 {
        let marks = log.find_one(doc! {}).await.unwrap().unwrap();
        if seconds(marks.get_str("checkpoint").unwrap()) > oldest {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no checkpoint was written");
}

/// A mongod with a small oplog.
fn forgetful(folder: &Folder) -> std::process::Command {
    let smaller =
        "for argument; do shift; [ \"$argument\" = 512 ] && argument=16; set -- \"$@\" \"$argument\"; done";
    let mongod = folder.mongod_script(smaller, "--syncdelay 1");
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_MONGODB__MONGOD", mongod);
    command
}

#[test]
fn an_idle_log_keeps_its_place_while_other_writes_roll_the_oplog_over() {
    let folder = Folder::new();
    let server = Server::start(forgetful(&folder));
    let token = server.sign_up("ann");
    let since = now(&server);
    assert_eq!(server.call("POST", "/api/movies", Some(&token), Some(movie("Heat"))).0, 201);
    let newest = now(&server);
    in_database(&folder.mongod_uri(), "movie_bag", async |database| {
        roll_the_oplog(database.client(), &newest).await;
        a_checkpoint_is_in_the_oplog(&database).await;
    });
    server.signal(Signal::KILL);
    server.wait();
    let server = Server::start(forgetful(&folder));
    assert_eq!(kinds_after(&server, &since), (200, vec!["created".to_owned()]));
    assert_eq!(server.call("POST", "/api/movies", Some(&token), Some(movie("Ronin"))).0, 201);
    assert_eq!(kinds_after(&server, &since), (200, vec!["created".to_owned(); 2]));
    server.stop();
}

#[test]
fn replacing_or_dropping_the_log_while_it_is_written_makes_a_gap() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    let add =
        |name: &str| assert_eq!(server.call("POST", "/api/movies", Some(&token), Some(movie(name))).0, 201);
    let log = |change: &str| {
        in_database(&folder.mongod_uri(), "movie_bag", async |database| {
            let log = database.collection::<Document>("change_log");
            match change {
                // An old document from a backup. Its lease holder no longer exists.
                "replaced" => {
                    let place = "820000000100000001".to_owned() + "2B0229296E04";
                    let old = doc! { "checkpoint": &place, "floor": &place };
                    log.replace_one(doc! {}, old).await.unwrap();
                }
                "dropped" => log.drop().await.unwrap(),
                "without entries" => database.collection::<Document>("changes").drop().await.unwrap(),
                // The clock was ahead when somebody took the lease.
                _ => {
                    let ahead =
                        bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() + 86_400_000);
                    let lease = doc! { "lease": { "holder": bson::oid::ObjectId::new(), "until": ahead } };
                    log.update_one(doc! {}, doc! { "$set": lease }).await.unwrap();
                }
            }
        });
    };
    for (change, status) in [("replaced", 410), ("dropped", 410), ("without entries", 410), ("held", 200)] {
        let since = now(&server);
        log(change);
        add(change);
        eventually(change, || {
            let told = kinds_after(&server, &since).0;
            // A log that is unreadable for a moment is 503.
            told == status
        });
        // The server opens it again.
        eventually("there is a cursor", || server.get(CHANGES, None).0 == 200);
        let since = now(&server);
        add(&format!("after {change}"));
        eventually("the log continues", || kinds_after(&server, &since) == (200, vec!["created".to_owned()]));
    }
    in_database(&folder.mongod_uri(), "movie_bag", async |database| {
        let names = database.collection::<Document>("changes").list_index_names().await.unwrap();
        assert!(names.contains(&"versions".to_owned()), "{names:?}");
    });
    server.stop();
}

#[test]
fn changes_missing_from_the_oplog_are_a_gap_and_the_server_logs_it() {
    let host = Folder::new();
    let mongod = Server::start(forgetful(&host));
    let folder = Folder::new();
    let serve = || Server::start(on(&host, &folder, &["serve"]));
    let server = serve();
    let token = server.sign_up("ann");
    assert_eq!(server.call("POST", "/api/movies", Some(&token), Some(movie("Heat"))).0, 201);
    let since = now(&server);
    server.stop();
    in_database(&host.mongod_uri(), "other", async |database| {
        // A change by hand, while no server runs.
        let renamed = doc! { "$set": { "name": "Lost", "version": 2_i64 } };
        database.collection::<Document>("movies").update_one(doc! {}, renamed).await.unwrap();
        roll_the_oplog(database.client(), &since).await;
    });
    let server = serve();
    eventually("the gap is reported", || kinds_after(&server, &since).0 == 410);
    let since = now(&server);
    assert_eq!(server.call("POST", "/api/movies", Some(&token), Some(movie("Ronin"))).0, 201);
    assert_eq!(kinds_after(&server, &since), (200, vec!["created".to_owned()]));
    server.stop();
    mongod.stop();
}

#[test]
fn a_server_that_fell_behind_continues_where_another_one_has_written_the_log() {
    let host = Folder::new();
    let mongod = Server::start(forgetful(&host));
    let serve = |folder: &Folder| Server::start(on(&host, folder, &["serve"]));
    let folders = [Folder::new(), Folder::new()];
    let (sleeper, writer) = (serve(&folders[0]), serve(&folders[1]));
    let token = sleeper.sign_up("ann");
    let since = now(&sleeper);
    sleeper.signal(Signal::STOP);
    assert_eq!(writer.call("POST", "/api/movies", Some(&token), Some(movie("Heat"))).0, 201);
    eventually("the other server has written it", || kinds_after(&writer, &since).1.len() == 1);
    let newest = now(&writer);
    in_database(&host.mongod_uri(), "other", async |database| {
        roll_the_oplog(database.client(), &newest).await;
        a_checkpoint_is_in_the_oplog(&database).await;
    });
    writer.stop();
    sleeper.signal(Signal::CONT);
    // It may read the log before it finds that its own place is gone; then the log is unreadable for a moment.
    let has = |count: usize| {
        let (status, kinds) = kinds_after(&sleeper, &since);
        assert_ne!(status, 410, "no change is missing");
        (status, kinds) == (200, vec!["created".to_owned(); count])
    };
    eventually("it reads the log", || has(1));
    assert_eq!(sleeper.call("POST", "/api/movies", Some(&token), Some(movie("Ronin"))).0, 201);
    eventually("it continues", || has(2));
    sleeper.stop();
    mongod.stop();
}
