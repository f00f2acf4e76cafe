//! `cache.movies` while more changes arrive than a server can pass on.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    cluster::{CACHED, Cluster},
    process::eventually,
    trial::metric,
};

/// How long the changes are observed.
const OBSERVED: Duration = Duration::from_secs(20);
/// How many movies are observed at once: each of their changes is at another place in the stream.
const OBSERVERS: usize = 8;
/// How many other movies are inserted at once, and how long the pause is.
const BURST: usize = 4_000;
const BETWEEN_BURSTS: Duration = Duration::from_millis(100);

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn a_kept_movie_is_not_too_old_while_the_stream_is_behind() {
    let cluster = Cluster::with(1, vec![(CACHED.0, CACHED.1.to_owned())]);
    let token = cluster.server(0).sign_up("ann");
    let (_, me) = cluster.server(0).get("/api/users/me", Some(&token));
    let until = Instant::now() + OBSERVED;
    let slowest = thread::scope(|scope| {
        scope.spawn(|| {
            for burst in 0.. {
                if Instant::now() > until {
                    break;
                }
                cluster.give_movies(me["id"].as_str().unwrap(), &format!("Burst {burst}, movie"), BURST);
                thread::sleep(BETWEEN_BURSTS);
            }
        });
        let observers: Vec<_> = (0..OBSERVERS)
            .map(|number| {
                let (cluster, token) = (&cluster, &token);
                scope.spawn(move || observe(cluster, token, number, until))
            })
            .collect();
        observers.into_iter().map(|observer| observer.join().unwrap()).max().unwrap()
    });
    println!("    a change is visible through the other server after {slowest:.1?} at most");
    assert!(slowest <= cluster.lag(), "{slowest:?}");
    assert!(metric(cluster.server(1), "movie_bag_cache_lookups_total{result=\"hit\"}") > 0);
}

/// Changes a movie through one server, and reads it through the other one. Returns the longest time after which a
/// change was visible there.
fn observe(cluster: &Cluster, token: &str, number: usize, until: Instant) -> Duration {
    let (one, other) = (cluster.server(0), cluster.server(1));
    let movie = json!({ "name": format!("Observed {number}"), "casts": [], "genres": ["Crime"] });
    let (status, movie) = one.call("POST", "/api/movies", Some(token), Some(movie));
    assert_eq!(status, 201, "{movie}");
    let path = format!("/api/movies/{}", movie["id"].as_str().unwrap());
    let mut slowest = Duration::ZERO;
    while Instant::now() < until {
        // From now on, the other server keeps it.
        other.get(&path, None);
        let (status, changed) = one.call("PATCH", &path, Some(token), Some(json!({ "year": 1995 })));
        let acknowledged = Instant::now();
        assert_eq!(status, 200, "{changed}");
        eventually("the change is visible", || other.get(&path, None).1["version"] == changed["version"]);
        slowest = slowest.max(acknowledged.elapsed());
    }
    slowest
}
