//! A mongod that dies or hangs under a server that runs.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Folder, Server, eventually, names_in, processes_of, signal_all};

const MONGOD: &str = "--dbpath";

/// Adds movies without a pause while `happens`, and compares what was said with what is there.
fn nothing_is_lost_while(folder: &Folder, server: &Server, token: &str, happens: impl FnOnce()) {
    let before = names_in(folder);
    let round = before.len();
    let (added, done) = (Mutex::new(before), AtomicBool::new(false));
    let unknown = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (added, done, unknown) = (&added, &done, &unknown);
            scope.spawn(move || {
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("Movie {round}-{writer}-{number}");
                    let movie = json!({ "name": name, "casts": [], "genres": ["Drama"] });
                    match server.call("POST", "/api/movies", Some(token), Some(movie)).0 {
                        201 => added.lock().unwrap().insert(name),
                        503 => unknown.lock().unwrap().insert(name),
                        other => panic!("{other}"),
                    };
                }
            });
        }
        happens();
        done.store(true, Ordering::Relaxed);
    });
    let there = names_in(folder);
    let (added, unknown) = (added.into_inner().unwrap(), unknown.into_inner().unwrap());
    assert_eq!(added.difference(&there).collect::<Vec<_>>(), [""; 0], "acknowledged, and lost");
    let known: BTreeSet<_> = added.union(&unknown).cloned().collect();
    assert!(there.is_subset(&known));
    println!("{} acknowledged, {} answered with 503", added.len(), unknown.len());
}

fn ready(server: &Server) -> bool {
    server.get("/health/ready", None).0 == 200
}

#[test]
#[ignore = "kills mongod time and again; run by .ci/run"]
fn a_mongod_that_is_killed_again_and_again_comes_back_and_loses_nothing() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    nothing_is_lost_while(&folder, &server, &token, || {
        for _ in 0..5 {
            signal_all(&folder, MONGOD, Signal::KILL);
            let killed = Instant::now();
            eventually("the server knows", || !ready(&server));
            eventually("the server has its database again", || ready(&server));
            println!("ready {:?} after the kill", killed.elapsed());
        }
    });
    eventually("the log says it", || {
        server.log().contains("mongod ended (signal: 9 (SIGKILL)), and is started again")
    });
    server.stop();
    assert_eq!(processes_of(&folder), [""; 0]);
}

#[test]
#[ignore = "holds mongod for some seconds; run by .ci/run"]
fn a_mongod_that_hangs_is_503_and_goes_on_where_it_was() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    for _ in 0..3 {
        nothing_is_lost_while(&folder, &server, &token, || {
            signal_all(&folder, MONGOD, Signal::STOP);
            let asked = Instant::now();
            assert_eq!(server.get("/health/ready", None).0, 503);
            assert_eq!(server.get("/api/movies", None).0, 503);
            println!("two answers in {:?}", asked.elapsed());
            signal_all(&folder, MONGOD, Signal::CONT);
            let woken = Instant::now();
            eventually("the server has its database again", || ready(&server));
            println!("ready {:?} after it was woken", woken.elapsed());
        });
    }
    server.stop();
}

#[test]
#[ignore = "waits for the pauses between the attempts; run by .ci/run"]
fn a_mongod_that_cannot_start_any_more_is_said_and_tried_again_until_it_can() {
    let folder = Folder::new();
    let real = movie_bag::mongod::find().unwrap();
    let mongod = folder
        .write("mongod", format!("#!/bin/sh\n[ -e broken ] && exit 14\nexec {} \"$@\"\n", real.display()));
    std::fs::set_permissions(&mongod, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_MONGODB__MONGOD", &mongod);
    let server = Server::start(command);
    // The supervisor works in the data folder.
    let broken = folder.write("data/broken", "");
    signal_all(&folder, MONGOD, Signal::KILL);
    eventually("the log says it", || server.log().contains("mongod ended (exit status: 14): "));
    assert!(server.log().contains("the embedded mongod does not serve"), "{}", server.log());
    assert_eq!(server.get("/health/ready", None).0, 503);
    std::fs::remove_file(broken).unwrap();
    eventually("the server has its database again", || ready(&server));
    eventually("the log says it", || server.log().contains("the embedded mongod serves again"));
    server.stop();
    assert_eq!(processes_of(&folder), [""; 0]);
}

#[test]
#[ignore = "waits as long as the supervisor waits for its port; run by .ci/run"]
fn a_port_that_somebody_has_taken_is_waited_for_and_then_the_server_ends_and_says_why() {
    for is_given_back in [true, false] {
        let folder = Folder::new();
        let server = folder.serve();
        let port: u16 = folder.read("data/mongod.port").parse().unwrap();
        // Supervisor and mongod at once, and somebody else is there first.
        signal_all(&folder, "", Signal::KILL);
        let mut taken = None;
        eventually("the port is taken", || TcpListener::bind(("127.0.0.1", port)).is_ok());
        while taken.is_none() {
            taken = TcpListener::bind(("127.0.0.1", port)).ok();
        }
        eventually("the log says it", || {
            server.log().contains(&format!("another program has taken the port {port}"))
        });
        if is_given_back {
            drop(taken);
            eventually("the server has its database again", || ready(&server));
            server.stop();
        } else {
            let log = server.log_to_its_end();
            assert!(log.0 == Some(1) && log.1.contains("because another program took it"), "{log:?}");
            // systemd starts it again.
            folder.serve().stop();
        }
        eventually("mongod is gone", || processes_of(&folder).is_empty());
    }
}

#[test]
fn of_two_servers_that_start_at_the_same_moment_one_is_refused() {
    let folder = Folder::new();
    let commands = [folder.command(&["serve"]), folder.command(&["serve"])];
    let mut children = commands.map(|mut command| {
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    });
    let mut refused = None;
    while refused.is_none() {
        refused = children.iter_mut().position(|child| child.try_wait().unwrap().is_some());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let refused = refused.unwrap();
    assert_eq!(children[refused].wait().unwrap().code(), Some(1));
    let other = &mut children[1 - refused];
    eventually("the other one serves", || folder.path().join("data/mongod.serving").exists());
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
    eventually("mongod is gone", || processes_of(&folder).is_empty());
}
