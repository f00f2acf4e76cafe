//! Stopping a busy server: every request that it has received gets a complete answer.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    sync::{Barrier, Mutex},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Folder, PASSWORD, Server, eventually, names_in, processes_of};

/// The outcome of a request.
#[derive(Debug)]
enum Heard {
    Whole {
        status: u16,
        is_last: bool,
    },
    /// Not a byte: the server had ended, or did not read the request any more.
    Nothing,
    Broken(String),
}

fn connect(server: &Server) -> Option<TcpStream> {
    let stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).ok()?;
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    Some(stream)
}

fn request(method: &str, path: &str, token: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: movies\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn ask(stream: &mut TcpStream, request: &str) -> Heard {
    let _ = stream.write_all(request.as_bytes());
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8_192]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse::<usize>().unwrap() {
                let status = head[9..12].parse().unwrap();
                return Heard::Whole { status, is_last: head.contains("\r\nconnection: close") };
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend(&buffer[..count]),
            _ if bytes.is_empty() => return Heard::Nothing,
            ended => return Heard::Broken(format!("{ended:?} after {text:?}")),
        }
    }
}

/// Sends requests until nobody listens any more, on one connection as long as it lasts.
fn ask_until_the_end(server: &Server, next: impl Fn(usize) -> String, heard: impl Fn(usize, Heard)) {
    let mut number = 0;
    while let Some(mut stream) = connect(server) {
        loop {
            number += 1;
            let answer = ask(&mut stream, &next(number));
            let goes_on = matches!(answer, Heard::Whole { is_last: false, .. });
            heard(number, answer);
            if !goes_on {
                break;
            }
        }
    }
}

#[test]
fn a_stop_under_load_cuts_off_no_request_and_loses_nothing() {
    let folder = Folder::new();
    let mut command = folder.command(&["serve"]);
    // The lowest cost, so that the logins below are not too many at once for a slow machine.
    command.env("MOVIE_BAG_PASSWORD__BCRYPT_COST", "10").env("MOVIE_BAG_THROTTLE__ENABLED", "false");
    let server = Server::start(command);
    let token = server.sign_up("ann");
    let added = Mutex::new(BTreeSet::new());
    let (answered, unheard) = (Mutex::new(0), Mutex::new(0));
    let count = |answer: Heard, expected: u16| match answer {
        Heard::Whole { status, .. } => {
            assert_eq!(status, expected);
            *answered.lock().unwrap() += 1;
            true
        }
        Heard::Nothing => {
            *unheard.lock().unwrap() += 1;
            false
        }
        Heard::Broken(what) => panic!("{what}"),
    };
    let name = |writer, number| format!("Movie {writer}-{number}");
    let events = server.http.get(format!("{}/api/movies/events", server.base)).send().unwrap();
    let (logins, ready) = (6, Barrier::new(7));
    let took = std::thread::scope(|scope| {
        let (server, token, count, added) = (&server, &token, &count, &added);
        for writer in 0..4 {
            scope.spawn(move || {
                let next = |number| {
                    let movie = json!({ "name": name(writer, number), "casts": [], "genres": ["Drama"] });
                    request("POST", "/api/movies", token, &movie.to_string())
                };
                ask_until_the_end(server, next, |number, answer| {
                    if count(answer, 201) {
                        added.lock().unwrap().insert(name(writer, number));
                    }
                });
            });
            scope.spawn(move || {
                let next = |_| request("GET", "/api/movies?limit=50", token, "");
                ask_until_the_end(server, next, |_, answer| {
                    count(answer, 200);
                });
            });
        }
        eventually("the writers write", || added.lock().unwrap().len() > 20);
        for _ in 0..logins {
            let ready = &ready;
            scope.spawn(move || {
                let mut stream = connect(server).unwrap();
                let body = json!({ "email": "ann@example.com", "password": PASSWORD }).to_string();
                ready.wait();
                let answer = ask(&mut stream, &request("POST", "/api/auth/login", "", &body));
                // It was sent before the signal, so it must be answered.
                assert!(matches!(answer, Heard::Whole { status: 200, .. }), "{answer:?}");
            });
        }
        // A silent connection must not delay the shutdown.
        let _silent = connect(server).unwrap();
        ready.wait();
        std::thread::sleep(Duration::from_millis(50));
        server.signal(Signal::TERM);
        let begun = Instant::now();
        eventually("it no longer listens", || connect(server).is_none());
        begun.elapsed()
    });
    let begun = Instant::now();
    assert_eq!(server.wait(), Some(0));
    // The stream has ended properly, and was not cut.
    assert!(events.text().unwrap().contains("id:"));
    let (answered, unheard) = (answered.into_inner().unwrap(), unheard.into_inner().unwrap());
    println!(
        "closed after {took:?}, ended {:?} after the last answer; {answered} answered, {unheard} unheard",
        begun.elapsed()
    );
    // Connections that wait to be accepted when the listener closes are reset. There may be some, but not many.
    assert!(unheard * 10 <= answered, "{unheard} of {answered}");
    assert_eq!(processes_of(&folder), [""; 0]);
    // This checks both directions: every acknowledged movie exists, and no request that was not read had an effect.
    assert_eq!(names_in(&folder), added.into_inner().unwrap());
}

#[test]
fn a_silent_client_or_half_a_request_delays_the_shutdown_only_for_a_while() {
    let folder = Folder::new();
    let mut command = folder.command(&["serve"]);
    // Nobody can tell whether the rest of half a request will arrive, so it gets the time limit.
    command.env("ROCKET_SHUTDOWN", "{grace=2,mercy=1,ctrlc=false,signals=[]}");
    let server = Server::start(command);
    let _silent = connect(&server).unwrap();
    let mut kept = connect(&server).unwrap();
    assert!(matches!(
        ask(&mut kept, &request("GET", "/health/live", "", "")),
        Heard::Whole { status: 200, .. }
    ));
    let mut half = connect(&server).unwrap();
    let whole = request("POST", "/api/auth/login", "", &json!({ "email": "a@example.com" }).to_string());
    half.write_all(&whole.as_bytes()[..whole.len() - 9]).unwrap();
    server.stop();
}

#[test]
fn work_whose_connection_is_cut_gets_the_mercy_period() {
    let folder = Folder::new();
    let mut command = folder.command(&["serve"]);
    // Hashing a password takes seconds at this cost, and connections get none of them.
    command.env("MOVIE_BAG_PASSWORD__BCRYPT_COST", "16");
    command.env("ROCKET_SHUTDOWN", "{grace=0,mercy=300,ctrlc=false,signals=[]}");
    let server = Server::start(command);
    let mut stream = connect(&server).unwrap();
    let body = json!({ "email": "ann@example.com", "password": PASSWORD }).to_string();
    stream.write_all(request("POST", "/api/auth/signup", "", &body).as_bytes()).unwrap();
    eventually("the password is being hashed", || {
        let metrics = server.http.get(format!("{}/metrics", server.base)).send().unwrap().text().unwrap();
        metrics.contains("movie_bag_password_jobs_running 1")
    });
    server.signal(Signal::TERM);
    let (code, log) = server.log_to_its_end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("cut off"), "{log}");
    // The connection was cut, and the work ran to its end.
    assert!(!matches!(stream.read(&mut [0]), Ok(1)));
    assert!(log.contains(r#"route="/api/auth/signup""#), "{log}");
}

#[test]
fn a_second_signal_ends_the_server_at_once_and_mongod_too() {
    let folder = Folder::new();
    let server = folder.serve();
    let mut half = connect(&server).unwrap();
    let whole = request("POST", "/api/auth/login", "", &json!({ "email": "a@example.com" }).to_string());
    half.write_all(&whole.as_bytes()[..whole.len() - 9]).unwrap();
    server.signal(Signal::INT);
    eventually("it stops", || server.log().contains("stopping"));
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(1));
    eventually("mongod is gone", || processes_of(&folder).is_empty());
}
