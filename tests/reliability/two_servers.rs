//! Two real processes on one database: everything that one of them knows is known to the other.

use std::{
    io::{BufRead, BufReader},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    load::{Client, Leaver},
    process::{PASSWORD, Server, eventually},
    smtp::{SmtpServer, reset_token},
};

const ME: &str = "/api/users/me";
/// How many attempts one account has from one address before the next one waits.
const FREE: usize = 6;

#[test]
fn two_processes_on_one_database_act_as_one() {
    let smtp = SmtpServer::start(&[]);
    let settings = vec![
        ("MOVIE_BAG_MAIL__SMTP_URL", format!("smtp://127.0.0.1:{}", smtp.port)),
        ("MOVIE_BAG_MAIL__FROM", "Movie Bag <noreply@example.com>".to_owned()),
        ("MOVIE_BAG_MAIL__LINK_BASE", "https://movies.example.com".to_owned()),
    ];
    let mut cluster = Cluster::with(1, settings);
    let (one, other) = (cluster.server(0), cluster.server(1));
    a_token_dies_at_the_other_at_once(one, other);
    guesses_are_counted_by_both(one, other);
    events_of_one_reach_listeners_of_the_other(one, other);
    a_reset_link_works_at_the_other(one, other, &smtp);
    a_deletion_that_one_left_is_finished(&mut cluster);
}

fn a_token_dies_at_the_other_at_once(one: &Server, other: &Server) {
    let first = one.sign_up("ann");
    let second = other.log_in("ann");
    let assert_revoked = |token: &str| {
        for server in [other, one] {
            let (status, problem) = server.get(ME, Some(token));
            assert_eq!((status, &problem["code"]), (401, &json!("revoked-token")));
        }
    };
    // Revoke a single token.
    assert_eq!(one.call("POST", "/api/auth/logout", Some(&first), None).0, 204);
    assert_revoked(&first);
    assert_eq!((one.get(ME, Some(&second)).0, other.get(ME, Some(&second)).0), (200, 200));
    // Revoke all tokens.
    let third = other.log_in("ann");
    assert_eq!(one.call("POST", "/api/auth/logout-all", Some(&third), None).0, 204);
    assert_revoked(&second);
    assert_revoked(&third);
    // Set a new password.
    let fourth = other.log_in("ann");
    let change = json!({ "current_password": PASSWORD, "password": "an entirely new one" });
    assert_eq!(one.call("PATCH", ME, Some(&fourth), Some(change)).0, 200);
    assert_revoked(&fourth);
    let log_in = |password: &str| {
        let credentials = json!({ "email": "ann@example.com", "password": password });
        other.call("POST", "/api/auth/login", None, Some(credentials))
    };
    assert_eq!(log_in(PASSWORD).0, 401);
    // Delete the account.
    let fifth = log_in("an entirely new one").1["token"].as_str().unwrap().to_owned();
    assert_eq!(one.call("DELETE", ME, Some(&fifth), None).0, 204);
    assert_revoked(&fifth);
    assert_eq!(log_in("an entirely new one").0, 401);
}

fn guesses_are_counted_by_both(one: &Server, other: &Server) {
    one.sign_up("bob");
    let guess = |server: &Server, password: &str| {
        let credentials = json!({ "email": "bob@example.com", "password": password });
        server.call("POST", "/api/auth/login", None, Some(credentials)).0
    };
    for number in 0..FREE {
        assert_eq!(guess([one, other][number % 2], "a wrong one"), 401);
    }
    // Neither server has seen that many attempts itself.
    assert_eq!((guess(one, PASSWORD), guess(other, PASSWORD)), (429, 429));
}

fn events_of_one_reach_listeners_of_the_other(one: &Server, other: &Server) {
    let token = one.sign_up("cid");
    let request = other.http.get(format!("{}/api/movies/events", other.base));
    let response = request.timeout(Duration::from_mins(1)).send().unwrap();
    assert_eq!(response.status(), 200);
    let mut lines = BufReader::new(response).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("id:")), "it listens");
    let mut next = |kind: &str| -> Value {
        assert_eq!(lines.find(|line| line.starts_with("event:")).unwrap(), format!("event:{kind}"));
        serde_json::from_str(
            lines.find_map(|line| line.strip_prefix("data:").map(str::to_owned)).unwrap().trim(),
        )
        .unwrap()
    };
    let movie = json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
    let (status, created) = one.call("POST", "/api/movies", Some(&token), Some(movie));
    assert_eq!((status, next("created")["movie"].clone()), (201, created.clone()));
    let path = format!("/api/movies/{}", created["id"].as_str().unwrap());
    let (status, updated) = one.call("PATCH", &path, Some(&token), Some(json!({ "year": 1995 })));
    assert_eq!((status, next("updated")["movie"].clone()), (200, updated));
    assert_eq!(one.call("DELETE", &path, Some(&token), None).0, 204);
    assert_eq!(next("deleted"), json!({ "id": created["id"] }));
}

fn a_reset_link_works_at_the_other(one: &Server, other: &Server, smtp: &SmtpServer) {
    let before = one.sign_up("dan");
    // Ignore letters from earlier steps.
    let asked = one.call("POST", "/api/auth/forgot", None, Some(json!({ "email": "dan@example.com" })));
    assert_eq!(asked.0, 202);
    let letter = loop {
        let letter = smtp.letter();
        if letter["to"][0] == "dan@example.com" {
            break letter;
        }
    };
    let reset = json!({ "reset_token": reset_token(&letter), "password": "an entirely new one" });
    assert_eq!(other.call("POST", "/api/auth/reset", None, Some(reset.clone())).0, 204);
    assert_eq!(one.call("POST", "/api/auth/reset", None, Some(reset)).0, 422, "it works once");
    assert_eq!(one.get(ME, Some(&before)).0, 401);
    let credentials = json!({ "email": "dan@example.com", "password": "an entirely new one" });
    assert_eq!(one.call("POST", "/api/auth/login", None, Some(credentials)).0, 200);
}

fn a_deletion_that_one_left_is_finished(cluster: &mut Cluster) {
    let client = Client::new(cluster.bases(), true, cluster.lag());
    let leaver = Leaver::arrive(cluster, "eve", 4_000);
    let leaving = leaver.leave(cluster, &client, 0);
    cluster.kill_server(0);
    assert!(leaver.left(cluster) > 0, "expected the kill to interrupt the deletion");
    // The other server would do it within a minute. A server that starts does it at once.
    cluster.start_server(0);
    eventually("no movie is left", || leaver.left(cluster) == 0);
    leaver.assert_gone(cluster, "eve");
    assert_eq!(cluster.runtime.block_on(leaving).unwrap(), 401, "the retry finds the account deleted");
    assert!(client.tally().violations.is_empty(), "{:?}", client.tally());
}
