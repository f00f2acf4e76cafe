//! What a newcomer reads while a long step runs, and once the server listens.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Signal, kill_process};

use crate::{
    movie::movie,
    support::{Folder, guard::Guard, pid},
};

/// A process whose output is read line by line. It is killed when the test ends.
struct Watched {
    child: Child,
    _guard: Guard,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { _guard: Guard::of(&child, None), child }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Reads until a line has this text. Returns everything that was read.
#[track_caller]
fn read_to(lines: &mut impl BufRead, text: &str) -> String {
    let mut read = String::new();
    loop {
        let begin = read.len();
        assert!(lines.read_line(&mut read).unwrap() > 0, "no {text} in: {read}");
        if read[begin..].contains(text) {
            return read;
        }
    }
}

#[test]
fn each_step_is_logged_and_the_last_lines_are_three_things_to_try() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("demo")).unwrap();
    folder.write("demo/films.ndjson.gz", "");
    let mut server = Watched::start(folder.command(&["serve"]));
    let mut out = BufReader::new(server.child.stdout.take().unwrap());
    let welcome = read_to(&mut out, " import demo/films.ndjson.gz --as ");
    let lines: Vec<&str> = welcome.lines().collect();
    let try_at = lines.iter().position(|line| *line == "Three things to try:").unwrap();
    assert_eq!(lines.len(), try_at + 4, "{welcome}");
    let version = format!("Movie Bag {} ", env!("CARGO_PKG_VERSION"));
    assert!(
        lines[0].starts_with(&version) && lines[0].contains(" listens on http://127.0.0.1:"),
        "{welcome}"
    );
    // The addresses can be opened.
    for line in &lines[try_at + 1..try_at + 3] {
        let (_, address) = line.split_once("http://").unwrap();
        let answer = reqwest::blocking::get(format!("http://{address}")).unwrap();
        assert_eq!(answer.status(), 200, "{line}");
        assert!(answer.text().unwrap().contains("<html"), "{line}");
    }
    kill_process(pid(server.child.id()), Signal::TERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "the last lines");
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    let log = read_to(&mut log, "stopped");
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text} in {log}"));
    assert!(place("starting the embedded database") < place("checking the indexes"), "{log}");
}

#[test]
fn without_a_terminal_an_import_reports_its_progress_every_ten_seconds() {
    let folder = Folder::new();
    let server = folder.serve();
    server.sign_up("ann");
    mkfifo(&folder.path().join("movies"));
    let mut import = Watched::start(folder.command(&["import", "movies", "--as", "ann@example.com"]));
    let mut pipe = std::fs::File::options().write(true).open(folder.path().join("movies")).unwrap();
    let lines: String =
        (0..1_000).map(|number| movie(&format!("Movie {number}")).to_string() + "\n").collect();
    pipe.write_all(lines.as_bytes()).unwrap();
    let mut err = BufReader::new(import.child.stderr.take().unwrap());
    let said = read_to(&mut err, "1000 imported, ");
    assert!(said.lines().last().unwrap().ends_with(" KiB read"), "{said}");
    drop(pipe);
    assert_eq!(read_to(&mut err, "refused").lines().last(), Some("1000 imported, 0 refused"));
    assert_eq!(import.child.wait().unwrap().code(), Some(0));
}

#[test]
fn without_a_terminal_the_log_reports_the_download_of_mongod_every_ten_seconds() {
    let folder = Folder::new();
    let programs = folder.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    // This stands in for Python and pip. It does nothing until the test tells it to fail.
    let python = folder.write("programs/python3", "#!/bin/sh\nread line < ./pipe\nexit 1\n");
    std::fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    mkfifo(&folder.path().join("pipe"));
    let mut command = folder.command(&["serve"]);
    command.env("PATH", &programs).env("HOME", folder.path()).env_remove("XDG_CACHE_HOME");
    let mut server = Watched::start(command);
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    let said = read_to(&mut log, "still downloading MongoDB");
    assert!(said.contains("downloading MongoDB (46 MB); this happens once"), "{said}");
    // It tries two versions, one after the other.
    for _ in 0..2 {
        std::fs::write(folder.path().join("pipe"), "fail\n").unwrap();
        assert!(read_to(&mut log, "MongoDB could not be downloaded").contains("pip could not download one"));
    }
    read_to(&mut log, "three ways to continue");
    assert_eq!(server.child.wait().unwrap().code(), Some(1));
}
