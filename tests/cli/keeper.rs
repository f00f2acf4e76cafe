//! A mongod that dies or hangs while a server uses it.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::movie::movie;
use crate::support::{Folder, Server, eventually, names_in, pid, processes_of, signal_all};

const MONGOD: &str = "--dbpath";

/// Adds movies without a pause while `happens` runs, and compares the acknowledged movies with the stored ones.
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
                    match server.call("POST", "/api/movies", Some(token), Some(movie(&name))).0 {
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
    assert_eq!(added.difference(&there).collect::<Vec<_>>(), [""; 0], "acknowledged but lost");
    let known: BTreeSet<_> = added.union(&unknown).cloned().collect();
    assert!(there.is_subset(&known));
    println!("{} acknowledged, {} answered with 503", added.len(), unknown.len());
}

fn ready(server: &Server) -> bool {
    server.get("/health/ready", None).0 == 200
}

#[test]
#[ignore = "kills mongod repeatedly; run by .ci/run"]
fn a_mongod_that_is_killed_repeatedly_comes_back_and_loses_nothing() {
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
    eventually("the log reports it", || {
        server.log().contains("mongod ended (signal: 9 (SIGKILL)) and will be restarted")
    });
    server.stop();
    assert_eq!(processes_of(&folder), [""; 0]);
}

#[test]
#[ignore = "pauses mongod for some seconds; run by .ci/run"]
fn a_mongod_that_hangs_is_503_and_then_continues() {
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
fn a_mongod_that_cannot_start_any_more_is_reported_and_retried_until_it_can() {
    let folder = Folder::new();
    let broken = folder.path().join("broken");
    let mongod = folder.mongod_script(&format!("[ -e '{}' ] && exit 14", broken.display()), "");
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_MONGODB__MONGOD", &mongod);
    let server = Server::start(command);
    folder.write("broken", "");
    signal_all(&folder, MONGOD, Signal::KILL);
    eventually("the log reports it", || server.log().contains("mongod ended (exit status: 14): "));
    assert!(server.log().contains("the embedded mongod is not serving"), "{}", server.log());
    assert_eq!(server.get("/health/ready", None).0, 503);
    std::fs::remove_file(broken).unwrap();
    eventually("the server has its database again", || ready(&server));
    eventually("the log reports it", || server.log().contains("the embedded mongod is serving again"));
    server.stop();
    assert_eq!(processes_of(&folder), [""; 0]);
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

#[test]
fn a_server_without_free_descriptors_leaves_its_mongod_alone() {
    let folder = Folder::new();
    let server = folder.serve();
    let server_pid = Some(pid(server.id()));
    let before = getrlimit(Resource::Nofile);
    let limit = |current| Rlimit { current, maximum: before.maximum };
    // No lower descriptor is free, so from now on every open fails.
    prlimit(server_pid, Resource::Nofile, limit(Some(3))).unwrap();
    eventually("the log reports it", || {
        server.log().contains("the embedded mongod cannot be monitored for now")
    });
    prlimit(server_pid, Resource::Nofile, limit(before.maximum)).unwrap();
    eventually("the log reports it", || server.log().contains("the embedded mongod is monitored again"));
    assert!(folder.path().join("data/mongod.serving").exists());
    assert!(!server.log().contains("the embedded mongod has no supervisor"), "{}", server.log());
    assert!(!server.log().contains("is not serving"), "{}", server.log());
    eventually("the server has its database", || ready(&server));
    server.stop();
    assert_eq!(processes_of(&folder), [""; 0]);
}

#[test]
fn the_log_of_a_supervisor_survives_the_start_of_the_next_one() {
    let folder = Folder::new();
    let server = folder.serve();
    signal_all(&folder, MONGOD, Signal::KILL);
    let said = || folder.read("data/supervisor.log").contains("mongod ended (signal: 9 (SIGKILL))");
    eventually("the log reports it", said);
    eventually("the server has its database again", || ready(&server));
    signal_all(&folder, "supervise-mongod", Signal::KILL);
    eventually("the log reports it", || server.log().contains("the embedded mongod has no supervisor"));
    eventually("the next one says something", || {
        folder.read("data/supervisor.log").contains("ending mongod ")
    });
    assert!(said());
    server.stop();
}
