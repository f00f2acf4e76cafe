//! The log of a real server: its format, and that nobody has to read it.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Folder, Server, end, eventually, signal_all};

/// Parses every line of a log as JSON.
fn parsed(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}

#[test]
fn with_the_json_format_every_line_is_json() {
    let folder = Folder::new();
    let mut command = folder.command(&["serve"]);
    // Rocket's own messages must have the same format.
    command.env("MOVIE_BAG_LOG__FORMAT", "json").env("ROCKET_LOG_LEVEL", "debug");
    let server = Server::start(command);
    let token = server.sign_up("ann");
    let movie = json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
    let (_, added) = server.call("POST", "/api/movies", Some(&token), Some(movie));
    let id = added["id"].as_str().unwrap();
    server.get(&format!("/api/movies/{id}"), Some(&token));
    server.call("PUT", &format!("/api/movies/{id}"), Some(&token), Some(json!({ "name": 7 })));
    server.get("/nothing/here", None);
    // An unknown method is refused before routing.
    assert_eq!(server.call("PROPFIND", "/api/movies", None, None).0, 400);
    // Freeze the database.
    signal_all(&folder, "--dbpath", Signal::STOP);
    eventually("the database is unavailable", || server.get("/health/ready", None).0 == 503);
    signal_all(&folder, "--dbpath", Signal::CONT);
    eventually("everything is logged", || server.log().contains("\"status\":503"));
    let lines = parsed(&server.log());
    let requests: Vec<&Value> = lines.iter().filter(|line| line["message"] == "request").collect();
    let of = |route: &str, status: u16| {
        let found = requests.iter().find(|line| line["route"] == route && line["status"] == status);
        *found.unwrap_or_else(|| panic!("{route} {status}: {requests:?}"))
    };
    let line = of("/api/movies", 201);
    assert_eq!((&line["method"], &line["path"]), (&json!("POST"), &json!("/api/movies")));
    assert_eq!(line["address"], "127.0.0.1");
    assert_eq!(line["user"], added["added_by"]);
    assert!(line["milliseconds"].as_f64().is_some_and(|took| took > 0.0));
    assert!(line["request_id"].as_str().is_some_and(|id| id.len() == 26));
    assert_eq!(of("/api/movies/<id>", 200)["path"], json!(format!("/api/movies/{id}")));
    assert_eq!(of("unmatched", 404)["path"], "/nothing/here");
    assert_eq!(of("unmatched", 400)["method"], "_OTHER");
    of("/api/movies/<id>", 422);
    // Read the log to its end.
    let log = server.log_to_the_end();
    let requests = parsed(&log).iter().filter(|line| line["message"] == "request").count();
    assert!(requests >= 8, "{log}");
}

#[test]
fn a_failure_is_json_too() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (name, value, code, says) in [
        ("ROCKET_PORT", port.as_str(), 1, "cannot listen on"),
        ("MOVIE_BAG_PASSWORD__BCRYPT_COST", "3", 2, "password.bcrypt_cost"),
    ] {
        let mut command = folder.command(&["serve"]);
        command.env("MOVIE_BAG_LOG__FORMAT", "json").env(name, value);
        let ended = end(command);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let last = parsed(&ended.err).pop().unwrap();
        assert_eq!(last["level"], "ERROR");
        assert!(last["reason"].as_str().unwrap().starts_with(says), "{last}");
    }
}

#[test]
fn at_level_warn_requests_are_not_logged_but_the_audit_log_is() {
    let folder = Folder::new();
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_LOG__LEVEL", "warn").env("MOVIE_BAG_LOG__FORMAT", "json");
    let server = Server::start(command);
    server.sign_up("ann");
    let log = server.log_to_the_end();
    let lines = parsed(&log);
    assert!(lines.iter().any(|line| line["event"] == "signup"), "{log}");
    assert!(lines.iter().all(|line| line["message"] != "request"), "{log}");
}

#[test]
fn a_log_that_nobody_reads_blocks_no_request() {
    let folder = Folder::new();
    // A pipe of 64 KiB that nobody reads takes a few hundred lines.
    let server = Server::unread(folder.command(&["serve"]));
    for _ in 0..2_000 {
        assert_eq!(server.get("/health/live", None).0, 200);
    }
}
