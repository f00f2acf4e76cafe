//! Clients repeat requests with their key, on either server, until they are answered. Meanwhile the primary is
//! killed, and each movie is added once.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use bson::doc;
use serde_json::{Value, json};

use crate::cluster::{Cluster, SERVERS};

const WRITERS: usize = 4;
/// How many movies each writer adds at least. It goes on until the fault is over.
const MOVIES: usize = 60;
/// How often the primary is killed at most.
const FAULTS: usize = 5;
const PAUSE: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_mins(2);

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn a_key_adds_once_while_the_primary_is_killed() {
    let mut cluster = Cluster::with(3, vec![("MOVIE_BAG_THROTTLE__ENABLED", "false".to_owned())]);
    let token = cluster.server(0).sign_up("ann");
    let bases = cluster.bases();
    let http = &reqwest::blocking::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let answers: Mutex<BTreeMap<String, String>> = Mutex::default();
    let (repeated, asked, is_over) = (Mutex::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    scope(|scope| {
        for writer in 0..WRITERS {
            let (bases, token, answers) = (&bases, &token, &answers);
            let (repeated, asked, is_over) = (&repeated, &asked, &is_over);
            scope.spawn(move || {
                for number in 0.. {
                    if number >= MOVIES && is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    asked.fetch_add(1, Ordering::SeqCst);
                    let name = format!("Movie {writer} {number}");
                    let body = json!({ "name": name, "casts": [], "genres": ["Drama"] });
                    let deadline = Instant::now() + LONG;
                    for turn in 0.. {
                        assert!(Instant::now() < deadline, "{name} is not answered");
                        let base = &bases[turn % SERVERS];
                        let request = http.post(format!("{base}/api/movies")).bearer_auth(token);
                        let request = request.header("Idempotency-Key", format!("{writer}-{number}"));
                        match request.json(&body).send() {
                            Ok(answer) if answer.status() == 201 => {
                                let movie: Value = answer.json().unwrap();
                                let id = movie["id"].as_str().unwrap().to_owned();
                                answers.lock().unwrap().insert(name.clone(), id);
                                break;
                            }
                            Ok(answer) => {
                                let status = answer.status().as_u16();
                                let text = answer.text().unwrap_or_default();
                                let is_in_progress = status == 409 && text.contains("request-in-progress");
                                assert!(status == 503 || is_in_progress, "{name}: {status} {text}");
                            }
                            // There was no answer in time.
                            Err(error) => assert!(error.is_timeout(), "{error}"),
                        }
                        *repeated.lock().unwrap() += 1;
                        sleep(PAUSE);
                    }
                    sleep(PAUSE / 2);
                }
            });
        }
        sleep(Duration::from_secs(1));
        // If the election is fast, every request waits for it, and none is repeated.
        for _ in 0..FAULTS {
            let primary = cluster.set.primary();
            cluster.set.kill(primary);
            sleep(Duration::from_secs(4));
            cluster.set.start_member(primary);
            cluster.set.wait_until_whole();
            if *repeated.lock().unwrap() > 0 {
                break;
            }
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(*repeated.lock().unwrap() > 0, "expected the fault to cause retries");
    let answers = answers.into_inner().unwrap();
    assert!(answers.len() >= WRITERS * MOVIES);
    assert_eq!(answers.len(), asked.into_inner());
    assert_eq!(cluster.count("movies", doc! {}), answers.len() as u64);
    for (name, id) in &answers {
        let id = bson::oid::ObjectId::parse_str(id).unwrap();
        assert_eq!(cluster.count("movies", doc! { "_id": id, "name": name }), 1, "{name}");
    }
}
