//! The audit log as an operator reads it: what it contains, and what it never contains.

use serde_json::{Value, json};

use crate::support::{Folder, PASSWORD, Server, eventually, in_database};

const NEW_PASSWORD: &str = "emu yak gnu";

/// The audit lines of the log, as JSON.
pub fn events(server: &Server) -> Vec<Value> {
    let lines = server.log();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"] == "audit").collect()
}

#[test]
fn the_audit_log_names_the_user_and_the_request_and_contains_no_secrets() {
    let folder = Folder::new();
    let server = serve(&folder);
    let call = |method: &str, path: &str, token: Option<&str>, body: Value, status: u16| {
        let (found, answer) = server.call(method, path, token, Some(body));
        assert_eq!(found, status, "{method} {path}: {answer}");
        answer
    };
    let ann = server.sign_up("ann");
    let bob = server.sign_up("bob");
    let ann_id = server.get("/api/users/me", Some(&ann)).1["id"].clone();
    let movie = json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
    let movie = call("POST", "/api/movies", Some(&ann), movie, 201)["id"].as_str().unwrap().to_owned();
    let movie = format!("/api/movies/{movie}");
    let wrong = json!({ "email": "ann@example.com", "password": "a wrong password" });
    for _ in 0..6 {
        call("POST", "/api/auth/login", None, wrong.clone(), 401);
    }
    call("POST", "/api/auth/login", None, wrong, 429);
    let swapped = json!({ "email": "my secret password", "password": "bob@example.com" });
    call("POST", "/api/auth/login", None, swapped, 401);
    call("DELETE", &movie, Some(&bob), json!({}), 403);
    call("GET", "/api/admin", Some(&bob), json!({}), 403);
    let change = json!({ "current_password": "not this", "password": NEW_PASSWORD });
    call("PATCH", "/api/users/me", Some(&bob), change, 403);
    let change =
        json!({ "current_password": PASSWORD, "password": NEW_PASSWORD, "email": "rob@example.com" });
    call("PATCH", "/api/users/me", Some(&bob), change, 200);
    call("GET", "/api/users/me", Some(&bob), json!({}), 401);
    assert!(
        folder.run(&["admin", "grant", "ann@example.com"]).assert_succeeded().err.contains("role-granted")
    );
    let rob = json!({ "email": "rob@example.com", "password": NEW_PASSWORD });
    let rob = call("POST", "/api/auth/login", None, rob, 200)["token"].as_str().unwrap().to_owned();
    let rob_id = server.get("/api/users/me", Some(&rob)).1["id"].clone();
    let subject = format!("/api/admin/users/{}", rob_id.as_str().unwrap());
    call("PATCH", &subject, Some(&ann), json!({ "role": "admin" }), 200);
    call("PATCH", &subject, Some(&ann), json!({ "role": "user" }), 200);
    call("POST", "/api/auth/forgot", None, json!({ "email": "nobody@example.com" }), 202);
    call("POST", "/api/auth/logout", Some(&rob), json!({}), 204);
    call("POST", "/api/auth/logout-all", Some(&ann), json!({}), 204);
    let dan = server.sign_up("dan");
    call("DELETE", "/api/users/me", Some(&dan), json!({}), 204);

    eventually("everything is logged", || {
        events(&server).iter().any(|line| line["event"] == "account-deleted")
    });
    let found: Vec<(String, String)> = events(&server)
        .iter()
        .map(|line| {
            (line["event"].as_str().unwrap().to_owned(), line["code"].as_str().unwrap_or("").to_owned())
        })
        .collect();
    let found: Vec<String> =
        found.iter().map(|(event, code)| format!("{event} {code}").trim_end().to_owned()).collect();
    let mut expected = vec!["signup", "login", "signup", "login"];
    expected.extend(["login-failed"; 6]);
    expected.extend(["throttled", "login-failed", "refused not-owner", "refused admins-only"]);
    expected.extend(["refused wrong-password", "password-changed", "email-changed", "refused revoked-token"]);
    expected.extend(["login", "role-granted", "role-revoked", "logout", "logout-all"]);
    expected.extend(["signup", "login", "account-deleted"]);
    assert_eq!(found, expected);
    let events = events(&server);
    assert!(events.iter().all(|line| line["request_id"].as_str().is_some_and(|id| !id.is_empty())));
    assert!(events.iter().all(|line| line["address"] == "127.0.0.1"));
    let granted = events.iter().find(|line| line["event"] == "role-granted").unwrap();
    assert_eq!((&granted["user"], &granted["by"]), (&rob_id, &ann_id));
    let refused = events.iter().find(|line| line["code"] == "not-owner").unwrap();
    assert_eq!((&refused["user"], &refused["path"]), (&rob_id, &json!(movie)));
    let failed: Vec<&Value> = events.iter().filter(|line| line["event"] == "login-failed").collect();
    assert_eq!(failed[0]["account"], "a***@example.com");
    assert_eq!(failed[6]["account"], "***");

    let log = server.log();
    // No line contains the signature of a token.
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for secret in [
        PASSWORD,
        NEW_PASSWORD,
        "a wrong password",
        "my secret password",
        "not this",
        "$2b$",
        "@example.com\"",
        &signature(&ann),
        &signature(&rob),
    ] {
        let told: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        // The mails, which are logged because there is no mail server, contain the recipient.
        assert!(
            told.iter().all(
                |line| secret == "@example.com\"" && (line.contains("\"mail\"") || line.contains("***@"))
            ),
            "{secret}: {told:?}"
        );
    }
}

/// A server that writes JSON.
fn serve(folder: &Folder) -> Server {
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_LOG__FORMAT", "json");
    Server::start(command)
}

#[test]
fn reusing_a_refresh_token_is_logged_with_the_user_whose_session_ended() {
    let folder = Folder::new();
    let server = serve(&folder);
    let ann = server.sign_up("ann");
    let ann_id = server.get("/api/users/me", Some(&ann)).1["id"].clone();
    let login = json!({ "email": "ann@example.com", "password": PASSWORD, "refresh": true });
    let first = server.call("POST", "/api/auth/login", None, Some(login)).1["refresh_token"].clone();
    let refresh = |token: &Value| {
        let (status, answer) =
            server.call("POST", "/api/auth/refresh", None, Some(json!({ "refresh_token": token })));
        (status, answer["refresh_token"].clone())
    };
    let (_, second) = refresh(&first);
    let (status, third) = refresh(&second);
    assert_eq!(status, 200);
    let reused = || -> Vec<Value> {
        events(&server).into_iter().filter(|line| line["event"] == "refresh-token-reused").collect()
    };
    assert_eq!(reused(), [Value::Null; 0]);
    assert_eq!(refresh(&first).0, 401);
    eventually("it is logged", || !reused().is_empty());
    let [line] = reused().try_into().unwrap();
    assert_eq!((&line["user"], &line["address"]), (&ann_id, &json!("127.0.0.1")));
    assert!(line["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
    // This ends the session, and is logged once.
    assert_eq!(refresh(&third).0, 401);
    let answered = || events(&server).iter().filter(|line| line["code"] == "invalid-refresh-token").count();
    eventually("both are refused", || answered() == 2);
    assert_eq!(reused().len(), 1);
    for token in [&first, &second, &third] {
        assert!(!server.log().contains(token.as_str().unwrap()), "a refresh token is in the log");
    }
}

#[test]
fn a_deletion_that_a_sweep_finishes_is_logged() {
    let folder = Folder::new();
    let server = folder.serve();
    let ann = server.sign_up("ann");
    let id = server.get("/api/users/me", Some(&ann)).1["id"].as_str().unwrap().to_owned();
    // The state that a server leaves if it dies after the first step.
    in_database(&folder.mongod_uri(), "movie_bag", async |database| {
        let leaving = bson::oid::ObjectId::parse_str(&id).unwrap();
        let update = bson::doc! { "$push": { "leaving": leaving } };
        let roles = database.collection::<bson::Document>("roles");
        assert_eq!(roles.update_one(bson::doc! {}, update).await.unwrap().modified_count, 1);
    });
    server.stop();
    let server = serve(&folder);
    eventually("the sweep has recorded it", || !events(&server).is_empty());
    let events = events(&server);
    assert_eq!((&events[0]["event"], &events[0]["by"]), (&json!("account-deleted"), &json!("sweep")));
    assert_eq!(events[0]["user"], id);
    eventually("the account is gone", || server.get("/api/users/me", Some(&ann)).0 == 401);
}

#[test]
fn a_client_cannot_inject_a_line() {
    let folder = Folder::new();
    let server = folder.serve();
    for path in ["/api/%0a2026-01-01%20INJECTED", "/api/movies/%1b[31mINJECTED", "/api/movies?x=%0aINJECTED"]
    {
        server.get(path, None);
    }
    let ids = ["INJECTED;[31m", "INJECTED x", &"INJECTED".repeat(20)];
    for id in ids {
        let request = server.http.get(format!("{}/api/movies", server.base)).header("X-Request-Id", id);
        request.send().unwrap();
    }
    let login = json!({ "email": "a\nINJECTED@example.com", "password": "x\nINJECTED" });
    assert_eq!(server.call("POST", "/api/auth/login", None, Some(login)).0, 401);
    eventually("everything is logged", || server.log().contains("login-failed"));
    let log = server.log();
    for line in log.lines() {
        // Each line begins with its time, and contains no control character for a terminal.
        assert!(line.starts_with("20") && line.contains("Z  ") && !line.contains('\u{1b}'), "{line}");
        assert!(!line.contains("INJECTED") || line.contains("path=\"/api/"), "{line}");
    }
}
