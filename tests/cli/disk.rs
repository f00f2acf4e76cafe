//! Data folders that are unusable, at first or permanently. The file systems are real, in a namespace of the test's
//! own (`unshare`). If that is not allowed, these tests fail and say so.

use std::{collections::BTreeSet, fs, io::Write, path::PathBuf, process::Command};

use serde_json::json;

use crate::support::{Ended, Folder, Server, end, eventually};

/// The binary with `arguments`, after running `mount` on the data folder.
fn mounted(folder: &Folder, mount: &str, arguments: &str) -> Command {
    let allowed = Command::new("unshare").args(["-rm", "true"]).status();
    assert!(
        allowed.is_ok_and(|status| status.success()),
        "this system does not allow separate file systems: unshare -rm"
    );
    fs::create_dir_all(folder.path().join("data")).unwrap();
    let ours = folder.command(&[]);
    let binary = ours.get_program().to_str().unwrap().to_owned();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &format!("{mount} && exec {binary} {arguments}")]);
    command.current_dir(folder.path());
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// All names, read page by page.
fn names(server: &Server) -> BTreeSet<String> {
    let (mut names, mut after) = (BTreeSet::new(), String::new());
    loop {
        let (status, page) = server.get(&format!("/api/movies?limit=100&fields=name{after}"), None);
        assert_eq!(status, 200, "{page}");
        for movie in page["items"].as_array().unwrap() {
            names.insert(movie["name"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return names,
        }
    }
}

/// Writes files until the disk of the folder is full. Dropping this removes them.
struct Filled(PathBuf);

impl Filled {
    fn up(folder: PathBuf) -> Self {
        let path = folder.join("fill");
        let mut file = fs::File::create(&path).unwrap();
        while file.write_all(&[1; 4_096]).is_ok() {}
        Self(path)
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
#[ignore = "fills a separate disk; run by .ci/run"]
fn a_full_disk_is_reported_and_nothing_is_missing_once_there_is_space_again() {
    let folder = Folder::new();
    // With this option, its files grow every two seconds instead of every minute.
    let mongod = folder.mongod_script("", "--syncdelay 2");
    let mut command = mounted(&folder, "mount -t tmpfs -o size=350m tmpfs data", "serve");
    command.env("MOVIE_BAG_MONGODB__MONGOD", &mongod);
    let server = Server::start(command);
    let token = server.sign_up("ann");
    // The folder in the server's namespace.
    let data = PathBuf::from(format!("/proc/{}/root{}", server.id(), folder.path().join("data").display()));
    assert!(data.join("mongod.serving").exists(), "{}", data.display());
    let (mut added, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    let mut add = |number: usize| {
        let name = format!("Movie {number}");
        let movie = json!({ "name": name, "casts": [], "genres": ["Drama"], "plot": format!("{number}-").repeat(300) });
        match server.call("POST", "/api/movies", Some(&token), Some(movie)).0 {
            201 => added.insert(name),
            503 => !unknown.insert(name),
            other => panic!("{other}"),
        }
    };
    let mut number = 0;
    for _ in 0..3 {
        let full = Filled::up(data.clone());
        loop {
            number += 1;
            if !add(number) {
                break;
            }
        }
        assert_eq!(server.get("/health/ready", None).0, 503);
        eventually("the log reports it", || server.log().contains("is full ("));
        let removed = std::time::Instant::now();
        drop(full);
        eventually("the server has its database again", || server.get("/health/ready", None).0 == 200);
        println!("ready {:?} after there was room", removed.elapsed());
        number += 1;
        assert!(add(number));
    }
    let there = names(&server);
    println!("{} acknowledged, {} answered with 503", added.len(), unknown.len());
    assert!(added.is_subset(&there), "{:?}", added.difference(&there));
    server.stop();
}

#[test]
#[ignore = "makes a separate disk; run by .ci/run"]
fn a_disk_that_is_full_from_the_start_is_reported() {
    let folder = Folder::new();
    // With 8 MiB it would start and live for a while.
    let ended = end(mounted(&folder, "mount -t tmpfs -o size=64k tmpfs data", "serve"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.err.lines().last().unwrap();
    assert!(last.contains("the disk of the data folder") && last.contains("is full ("), "{ended:?}");
}

#[test]
#[ignore = "makes a separate file system; run by .ci/run"]
fn a_read_only_folder_is_reported() {
    let folder = Folder::new();
    let read_only = "mount --bind data data && mount -o remount,ro,bind data";
    let says = "the data folder data cannot be used: Read-only file system (os error 30)";
    let refused = |arguments| end(mounted(&folder, read_only, arguments));
    refused("serve").assert_failed(1, says);
    folder.serve().stop();
    refused("serve").assert_failed(1, says);
    refused("export").assert_failed(1, "the data folder ");
}

#[test]
fn a_folder_that_is_a_file_is_reported_and_a_folder_may_have_any_name() {
    let folder = Folder::new();
    let serve = |data_dir: &str| {
        let mut command = folder.command(&["serve"]);
        command.env("MOVIE_BAG_DATA_DIR", data_dir);
        command
    };
    let failed = |data_dir: &str| -> Ended { end(serve(data_dir)) };
    folder.write("file", "");
    failed("file").assert_failed(1, "the data folder file cannot be used: ");
    failed("file/below").assert_failed(1, "the data folder file/below cannot be used: ");
    failed(&"long/".repeat(1_000)).assert_failed(1, "the data folder long/");
    failed(&"x".repeat(300)).assert_failed(1, "the data folder xxx");
    let deep = format!("{}/my films, “Amélie” & 映画/", "0123456789".repeat(20)).repeat(3);
    for _ in 0..2 {
        let server = Server::start(serve(&deep));
        assert!(folder.path().join(&deep).join("mongodb").exists());
        server.stop();
    }
}

#[test]
fn a_folder_with_a_long_path_works_for_a_second_command_and_can_be_moved() {
    let folder = Folder::new();
    let command = |data_dir: &str, arguments: &[&str]| {
        let mut command = folder.command(arguments);
        command.env("MOVIE_BAG_DATA_DIR", data_dir);
        command
    };
    // Longer than a path to a socket can be.
    let long = "long/".repeat(60);
    let server = Server::start(command(&long, &["serve"]));
    let token = server.sign_up("ann");
    end(command(&long, &["admin", "grant", "ann@example.com"])).assert_succeeded();
    assert_eq!(server.get("/api/users/me", Some(&token)).1["role"], "admin");
    server.stop();
    fs::rename(folder.path().join(&long), folder.path().join("moved")).unwrap();
    let server = Server::start(command("moved", &["serve"]));
    assert_eq!(server.get("/api/users/me", Some(&token)).1["role"], "admin");
    server.stop();
}
