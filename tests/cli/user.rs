//! `movie-bag user`, and `movie-bag admin list`.

use serde_json::json;

use crate::support::{Folder, PASSWORD, Server, answering};

fn reset(server: &Server, printed: &str, password: &str) -> u16 {
    let (_, token) = printed.trim().split_once("/#/reset?token=").unwrap_or_else(|| panic!("{printed}"));
    let body = json!({ "reset_token": token, "password": password });
    server.call("POST", "/api/auth/reset", None, Some(body)).0
}

fn log_in(server: &Server, name: &str, password: &str) -> (u16, serde_json::Value) {
    let body = json!({ "email": format!("{name}@example.com"), "password": password });
    server.call("POST", "/api/auth/login", None, Some(body))
}

#[test]
fn if_sign_up_is_closed_the_command_line_creates_accounts() {
    let folder = Folder::new();
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_ACCOUNTS__SIGNUP", "closed");
    let server = Server::start(command);
    let body = json!({ "email": "eve@example.com", "password": PASSWORD });
    let (status, problem) = server.call("POST", "/api/auth/signup", None, Some(body));
    assert_eq!((status, &problem["code"]), (403, &json!("signup-closed")));

    let added = folder.run(&["user", "add", "Ann@Example.com"]);
    let link = added.assert_succeeded().out.clone();
    assert!(link.starts_with("http://127.0.0.1:") && link.lines().count() == 1, "{link}");
    folder
        .run(&["user", "add", "ann@example.com"])
        .assert_failed(1, "ann@example.com already has an account");
    folder
        .run(&["user", "add", "ann"])
        .assert_failed(2, "invalid value 'ann' for '<EMAIL>': must be an email address");
    // Nobody can log in to an account without a password, whatever they try.
    for guess in ["", PASSWORD, "null"] {
        assert_eq!(log_in(&server, "ann", guess).0, 401);
    }
    assert_eq!(reset(&server, &link, PASSWORD), 204);
    assert_eq!(reset(&server, &link, PASSWORD), 422, "once");
    let token = server.log_in("ann");
    let me = server.get("/api/users/me", Some(&token)).1;
    assert_eq!((&me["email_verified"], &me["has_password"]), (&json!(true), &json!(true)));

    // A link that was not mailed proves nothing about the address.
    let link = folder.run(&["user", "reset", "ann@example.com"]).assert_succeeded().out.clone();
    assert_eq!(reset(&server, &link, "emu yak gnu"), 204);
    assert_eq!(server.get("/api/users/me", Some(&token)).0, 401);
    let token = log_in(&server, "ann", "emu yak gnu").1["token"].as_str().unwrap().to_owned();
    let change = json!({ "current_password": "emu yak gnu", "email": "new@example.com" });
    assert_eq!(server.call("PATCH", "/api/users/me", Some(&token), Some(change)).1["email_verified"], false);
    let link = folder.run(&["user", "reset", "new@example.com"]).assert_succeeded().out.clone();
    assert_eq!(reset(&server, &link, PASSWORD), 204);
    let token = log_in(&server, "new", PASSWORD).1["token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/api/users/me", Some(&token)).1["email_verified"], false);
    folder.run(&["user", "reset", "ann@example.com"]).assert_failed(1, "ann@example.com has no account");
}

#[test]
fn an_account_is_deleted_with_its_movies_after_a_confirmation() {
    let folder = Folder::new();
    let server = folder.serve();
    let (ann, _bob) = (server.sign_up("ann"), server.sign_up("bob"));
    let movie = json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
    assert_eq!(server.call("POST", "/api/movies", Some(&ann), Some(movie)).0, 201);
    folder.run(&["admin", "grant", "bob@example.com"]).assert_succeeded();
    assert_eq!(folder.run(&["admin", "list"]).assert_succeeded().out, "bob@example.com\n");
    folder.run(&["admin", "revoke", "ann@example.com"]).assert_failed(1, "ann@example.com is not an admin");
    let listed = folder.run(&["user", "list"]).assert_succeeded().out.clone();
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines[0][..3], ["bob@example.com", "admin", "not confirmed"]);
    assert_eq!(lines[1][..3], ["ann@example.com", "user", "not confirmed"]);
    assert_eq!((lines.len(), lines[0][3].len()), (2, 10), "{listed}");

    for answer in ["", "n\n", "perhaps\n"] {
        let ended = answering(&folder, &["user", "delete", "ann@example.com"], answer);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.err.contains("Delete ann@example.com with 1 movies? [y/N]"), "{ended:?}");
        assert_eq!(server.get("/api/users/me", Some(&ann)).0, 200);
    }
    let ended = answering(&folder, &["user", "delete", "ann@example.com"], "y\n");
    assert_eq!(ended.assert_succeeded().out, "ann@example.com was deleted\n");
    assert_eq!(server.get("/api/users/me", Some(&ann)).0, 401);
    assert_eq!(server.get("/api/movies", None).1["items"], json!([]));
    let last = folder.run(&["user", "delete", "bob@example.com", "--yes"]);
    last.assert_failed(1, "bob@example.com is the last admin");
    folder
        .run(&["user", "delete", "nobody@example.com", "--yes"])
        .assert_failed(1, "nobody@example.com has no account");
}
