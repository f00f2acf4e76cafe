//! Starting without a database: what the server prints, and how it ends.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bson::doc;

use crate::support::{Folder, end, eventually, in_database};

const SECRET: &str = "12345678901234567890123456789012";

/// A mongod without a supervisor. It is killed when the test ends.
struct Mongod {
    child: Child,
    port: u16,
    _folder: Folder,
}

impl Mongod {
    fn start(port: u16, arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let child = movie_bag::mongod::program(&movie_bag::mongod::find().unwrap())
            .args(["--dbpath", folder.path().to_str().unwrap(), "--port", &port.to_string()])
            .args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let started = Self { child, port, _folder: folder };
        eventually("mongod listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        started
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn serve(folder: &Folder, uri: &str) -> Command {
    let mut command = folder.command(&["serve"]);
    command.env("MOVIE_BAG_MONGODB__URI", uri).env("MOVIE_BAG_JWT__SECRET", SECRET);
    command
}

#[test]
fn a_wrong_password_is_reported_at_once_and_never_printed() {
    let mongod = Mongod::start(free_port(), &[]);
    let folder = Folder::new();
    let begun = Instant::now();
    let ended = end(serve(&folder, &format!("mongodb://ann:open-sesame@127.0.0.1:{}/", mongod.port)));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let says =
        format!("MongoDB at 127.0.0.1:{} denied access: the database rejected the command: ", mongod.port);
    ended.assert_failed(1, &says);
    assert!(ended.err.contains("uthentication failed") && !ended.err.contains("sesame"), "{ended:?}");
}

#[test]
#[ignore = "each waits for half a minute; run by .ci/run"]
fn the_server_waits_for_an_unusable_database_and_reports_the_reason() {
    let mongod = Mongod::start(free_port(), &["--replSet", "rs0"]);
    let nobody = free_port();
    let set = mongod.port;
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for (uri, reason) in [
            (format!("mongodb://ann:open-sesame@127.0.0.1:{nobody}/"), "onnection refused"),
            ("mongodb://no-such-host.invalid:27017/".to_owned(), "no-such-host.invalid:27017: "),
            (format!("mongodb://127.0.0.1:{set}/?tls=true"), "I/O error"),
            (format!("mongodb://127.0.0.1:{set}/?replicaSet=rs0"), "is not a primary"),
        ] {
            let folder = &folder;
            scope.spawn(move || {
                let ended = end(serve(folder, &uri));
                assert_eq!(ended.code, Some(1), "{uri}: {ended:?}");
                let lines: Vec<&str> = ended.err.lines().collect();
                let last = lines.last().unwrap();
                assert!(last.contains("was not usable within 30 s: ") && last.contains(reason), "{ended:?}");
                assert!(
                    lines.len() > 5
                        && lines.iter().rev().skip(1).all(|line| line.contains("waiting for MongoDB"))
                );
                assert!(
                    !ended.err.contains("sesame") && lines.iter().all(|line| line.len() < 400),
                    "{ended:?}"
                );
                println!("{last}");
            });
        }
    });
}

#[test]
fn the_server_waits_for_a_database_that_comes_up_later() {
    let (folder, port) = (Folder::new(), free_port());
    let mut command = serve(&folder, &format!("mongodb://127.0.0.1:{port}/?replicaSet=rs0"));
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.next().unwrap().contains("waiting for MongoDB"));
    let _mongod = Mongod::start(port, &["--replSet", "rs0"]);
    assert!(log.next().unwrap().contains("waiting for MongoDB"));
    in_database(&format!("mongodb://127.0.0.1:{port}/?directConnection=true"), "admin", async |admin| {
        let members = vec![doc! { "_id": 0, "host": format!("127.0.0.1:{port}") }];
        let config = doc! { "_id": "rs0", "members": members };
        admin.run_command(doc! { "replSetInitiate": config }).await.unwrap();
    });
    let said = BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(said.contains("listens on "), "{said}");
    server.kill().unwrap();
    server.wait().unwrap();
}
