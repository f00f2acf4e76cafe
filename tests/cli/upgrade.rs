//! Opens the data folder of an earlier release: see `tests/fixtures/data_folder/README.md`.

use std::{fs::File, process::Command};

use serde_json::{Value, json};

use crate::support::{Folder, PASSWORD};

/// A data folder that movie-bag 0.1.0 made.
fn old_folder() -> Folder {
    let folder = Folder::new();
    let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/data_folder/0.1.0.tar.gz");
    // For root, tar would give the files to the owner that the archive names.
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--no-same-owner", "--file", packed, "--directory"]).arg(folder.path());
    assert!(tar.status().unwrap().success());
    folder
}

#[test]
fn the_data_folder_of_an_earlier_release_keeps_its_accounts_movies_and_tokens() {
    let folder = old_folder();
    let tokens: Value = serde_json::from_str(&folder.read("data/tokens.json")).unwrap();
    let token = |name: &str| tokens[name].as_str();
    // The second start opens the result of the first.
    for _ in 0..2 {
        let server = folder.serve();
        let (status, page) = server.get("/api/movies?fields=name,version&sort=name", None);
        let movies = json!([
            { "id": "6b08428ecc5677c9413606ca", "name": "Heat", "version": 2 },
            { "id": "6b08428ecc5677c9413606cb", "name": "Le Fabuleux Destin d’Amélie Poulain", "version": 1 },
            { "id": "6b084291cc5677c9413606ce", "name": "Paris, Texas", "version": 1 },
            { "id": "6b08428ecc5677c9413606cc", "name": "七人の侍", "version": 1 },
        ]);
        assert_eq!((status, &page["items"]), (200, &movies));
        // The text index of that release answers until the search index is ready.
        let (status, page) = server.get("/api/movies?q=heat&fields=name", None);
        assert_eq!((status, &page["items"][0]["name"]), (200, &json!("Heat")));
        for name in ["ann", "bob"] {
            let email = format!("{name}@example.com");
            let (status, me) = server.get("/api/users/me", token(name));
            assert_eq!((status, me["email"].as_str()), (200, Some(email.as_str())), "{name}: {me}");
            server.log_in(name);
        }
        assert_eq!(server.get("/api/admin/users", token("ann")).0, 200);
        assert_eq!(server.get("/api/admin/users", token("bob")).0, 403);
        for refused in ["ann, logged out", "eve"] {
            let (status, problem) = server.get("/api/users/me", token(refused));
            assert_eq!((status, problem["code"].as_str()), (401, Some("revoked-token")), "{refused}");
        }
        let credentials = json!({ "email": "eve@example.com", "password": PASSWORD });
        assert_eq!(server.call("POST", "/api/auth/login", None, Some(credentials)).0, 401);
        server.stop();
    }
    // Those tokens have no session. They can be revoked as before, and stay revoked.
    let server = folder.serve();
    assert_eq!(server.call("POST", "/api/auth/logout", token("bob"), None).0, 204);
    assert_eq!(server.call("POST", "/api/auth/logout-all", token("ann"), None).0, 204);
    server.stop();
    let server = folder.serve();
    for ended in ["ann", "bob"] {
        let (status, problem) = server.get("/api/users/me", token(ended));
        assert_eq!((status, problem["code"].as_str()), (401, Some("revoked-token")), "{ended}");
        server.log_in(ended);
    }
    server.stop();
}

#[test]
fn a_command_beside_a_server_of_an_earlier_release_fails_at_once() {
    let folder = old_folder();
    // The files of its supervisor while mongod serves on a TCP port.
    let supervisor = File::create(folder.path().join("data/supervisor.lock")).unwrap();
    supervisor.lock().unwrap();
    folder.write("data/mongod.serving", "28123");
    let says =
        "the embedded mongod did not start: a movie-bag of an earlier release runs on this data folder";
    folder.run(&["export"]).assert_failed(1, says);
}
