//! Commands whose output nobody reads: a closed pipe does not make their work fail.

use std::{io::pipe, process::Command};

use crate::support::{Folder, names_in};

/// Makes a pipe that nobody reads.
fn closed() -> std::io::PipeWriter {
    pipe().unwrap().1
}

fn code(mut command: Command) -> Option<i32> {
    command.stdout(closed()).stderr(closed()).status().unwrap().code()
}

#[test]
fn a_closed_pipe_does_not_fail_a_command_whose_work_is_done() {
    let folder = Folder::new();
    let server = folder.serve();
    let ann = server.sign_up("ann");
    assert_eq!(code(folder.command(&["admin", "grant", "ann@example.com"])), Some(0));
    assert_eq!(server.get("/api/admin", Some(&ann)).0, 200);
    let file = folder.write("movies.ndjson", r#"{"name":"Heat","casts":[],"genres":["Crime"]}"#);
    let import = ["import", file.to_str().unwrap(), "--as", "ann@example.com"];
    assert_eq!(code(folder.command(&import)), Some(0));
    assert!(names_in(&folder).contains("Heat"));
    for told in [&["--help"][..], &["--version"], &["completions", "bash"], &["man"], &["user", "list"]] {
        assert_eq!(code(folder.command(told)), Some(0), "{told:?}");
    }
    // A refusal keeps its exit code.
    assert_eq!(code(folder.command(&["admin", "grant", "nobody@example.com"])), Some(1));
}

#[test]
fn a_reader_that_stops_reading_is_not_an_error_but_a_full_disk_is() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.sign_up("ann");
    let movie = serde_json::json!({ "name": "Heat", "casts": [], "genres": ["Crime"] });
    assert_eq!(server.call("POST", "/api/movies", Some(&token), Some(movie)).0, 201);
    for cut in [&["export"][..], &["openapi"], &["man"], &["completions", "zsh"], &["user", "list"]] {
        assert_eq!(code(folder.command(cut)), Some(0), "{cut:?}");
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = folder.command(cut);
        let ended = command.stdout(full).stderr(std::process::Stdio::piped()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{cut:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.starts_with("movie-bag: standard output: "), "{cut:?}: {said}");
    }
    // A report that nobody reads does not stop the import.
    let file = folder
        .write("movies", "{broken\n".repeat(5_000) + r#"{"name":"Ronin","casts":[],"genres":["Crime"]}"#);
    let import = ["import", file.to_str().unwrap(), "--as", "ann@example.com", "--report", "-"];
    assert_eq!(code(folder.command(&import)), Some(0));
    assert!(names_in(&folder).contains("Ronin"));
}
