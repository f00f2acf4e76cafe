//! Runs the binary in its own folder, as a new user would.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use reqwest::blocking::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

#[path = "guard.rs"]
pub mod guard;

use guard::Guard;

pub const PASSWORD: &str = "gnu yak emu";
const LONG: Duration = Duration::from_mins(1);
const MAX_LOG: usize = 16 << 20;

/// A working directory without settings. Processes run in it with an empty environment.
pub struct Folder(tempfile::TempDir);

/// How a process ended, and its output.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A program that runs `first`, and then becomes the real mongod, with `arguments` after its own.
    pub fn mongod_script(&self, first: &str, arguments: &str) -> PathBuf {
        let real = movie_bag::mongod::program(&movie_bag::mongod::find().unwrap());
        let variables = real.get_envs().map(|(name, value)| {
            format!("export {}='{}'", name.display(), value.unwrap_or_default().display())
        });
        let mut lines = vec!["#!/bin/sh".to_owned(), first.to_owned()];
        lines.extend(variables);
        lines.push(format!("exec '{}' \"$@\" {arguments}\n", real.get_program().display()));
        let script = self.write("mongod", lines.join("\n"));
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        script
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_movie-bag"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("MOVIE_BAG_") || name_text.starts_with("ROCKET_") {
                command.env_remove(&name);
            }
        }
        command.env("ROCKET_PORT", "0").env("MOVIE_BAG_PASSWORD__BCRYPT_COST", "10");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        end(self.command(arguments))
    }

    /// The URI of its mongod.
    pub fn mongod_uri(&self) -> String {
        self.read("data/mongod.serving")
    }

    pub fn serve(&self) -> Server {
        Server::start(self.command(&["serve"]))
    }
}

/// Runs with this text on standard input.
pub fn answering(folder: &Folder, arguments: &[&str], text: &str) -> Ended {
    let mut command = folder.command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Ended::of(child.wait_with_output().unwrap())
}

pub fn end(mut command: Command) -> Ended {
    Ended::of(command.output().unwrap())
}

impl Ended {
    /// Without the lines that say how far a long import is: a busy machine has some.
    pub fn without_progress(mut self) -> Self {
        let is_progress = |line: &&str| line.contains(" imported, ") && line.ends_with(" read\n");
        self.err = self.err.split_inclusive('\n').filter(|line| !is_progress(line)).collect();
        self
    }

    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts that it failed with this code, and printed one line that begins with this reason.
    #[track_caller]
    pub fn assert_failed(&self, code: i32, says: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let lines: Vec<&str> = self.err.lines().collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        assert!(lines[0].starts_with(&format!("movie-bag: {says}")), "{self:?}");
    }

    /// A server failed like this; its log has the steps before.
    #[track_caller]
    pub fn assert_start_failed(&self, code: i32, says: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let last = self.err.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("movie-bag: {says}")), "{self:?}");
    }

    #[track_caller]
    pub fn assert_succeeded(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// A server process. If it still runs when the test ends, in whatever way, it is killed.
pub struct Server {
    child: Child,
    _guard: Guard,
    pub base: String,
    pub said: String,
    pub http: Client,
    /// The time from `exec` until the server was ready.
    pub ready_after: Duration,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Standard error, if nobody reads it.
    _unread: Option<ChildStderr>,
}

impl Server {
    pub fn start(command: Command) -> Self {
        Self::begin(command, true)
    }

    /// A server whose log nobody reads.
    pub fn unread(command: Command) -> Self {
        Self::begin(command, false)
    }

    fn begin(mut command: Command, is_read: bool) -> Self {
        let started = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let guard = Guard::of(&child, None);
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (mut said, mut base) = (String::new(), String::new());
        while !said.contains("\nMail: ") {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap() == 0 {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("the server did not start: {err}");
            }
            said.push_str(&line);
            if let Some((_, address)) = line.split_once("listens on ") {
                address.trim().clone_into(&mut base);
            }
        }
        // Later output must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let err = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        let (mut reader, mut unread) = (None, None);
        if is_read {
            reader = Some(std::thread::spawn(move || {
                for line in BufReader::new(err).lines().map_while(Result::ok) {
                    let mut log = written.lock().unwrap();
                    // A test of many minutes needs only the end of the log.
                    if log.len() > MAX_LOG {
                        log.clear();
                    }
                    log.extend([line.as_str(), "\n"]);
                }
            }));
        } else {
            unread = Some(err);
        }
        let http = Client::builder().tls_built_in_root_certs(false).build().unwrap();
        let mut server = Self {
            child,
            _guard: guard,
            base,
            said,
            http,
            ready_after: Duration::ZERO,
            log,
            reader,
            _unread: unread,
        };
        eventually("the server is ready", || server.get("/health/ready", None).0 == 200);
        server.ready_after = started.elapsed();
        server
    }

    /// Its output on standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for the end. Returns its exit code, and all its output on standard error.
    pub fn log_to_its_end(mut self) -> (Option<i32>, String) {
        let code = self.wait_for_end();
        self.reader.take().unwrap().join().unwrap();
        (code, self.log())
    }

    /// Stops it. Returns all its output on standard error.
    pub fn log_to_the_end(mut self) -> String {
        let (log, reader) = (Arc::clone(&self.log), self.reader.take().unwrap());
        self.stop();
        reader.join().unwrap();
        let log = log.lock().unwrap();
        log.clone()
    }

    pub fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        self.call("GET", path, token, None)
    }

    pub fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        match request.send() {
            Ok(response) => {
                let status = response.status().as_u16();
                (status, response.json().unwrap_or_default())
            }
            Err(_) => (0, Value::Null),
        }
    }

    /// Signs up a new user `{name}@example.com`. Returns their token.
    pub fn sign_up(&self, name: &str) -> String {
        let credentials = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        assert_eq!(self.call("POST", "/api/auth/signup", None, Some(credentials)).0, 201);
        self.log_in(name)
    }

    pub fn log_in(&self, name: &str) -> String {
        let credentials = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let (status, answer) = self.call("POST", "/api/auth/login", None, Some(credentials));
        assert_eq!(status, 200, "{answer}");
        answer["token"].as_str().unwrap().to_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(pid(self.id()), signal).unwrap();
    }

    /// Waits for the end. Returns its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.wait_for_end()
    }

    fn wait_for_end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not end");
    }

    pub fn stop(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

/// The command lines of the processes that use this folder: supervisor and mongod.
pub fn processes_of(folder: &Folder) -> Vec<String> {
    find_processes(folder).into_iter().map(|(_, command)| command).collect()
}

/// Signals those of them whose command line contains `part`.
pub fn signal_all(folder: &Folder, part: &str, signal: Signal) {
    for (id, command) in find_processes(folder) {
        if command.contains(part) {
            kill_process(pid(id), signal).unwrap();
        }
    }
}

fn find_processes(folder: &Folder) -> Vec<(u32, String)> {
    let data = folder.path().canonicalize().unwrap().join("data").display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&data) {
            found.push((entry.file_name().to_str().unwrap().parse().unwrap(), command));
        }
    }
    found
}

/// Queries a database directly, without the server.
pub fn in_database<T>(uri: &str, name: &str, ask: impl AsyncFnOnce(mongodb::Database) -> T) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = mongodb::Client::with_uri_str(uri).await.unwrap();
        ask(client.database(name)).await
    })
}

/// The names of all movies of a folder's database.
pub fn names_in(folder: &Folder) -> std::collections::BTreeSet<String> {
    let exported = folder.run(&["export"]);
    let name = |line: &str| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned();
    exported.assert_succeeded().out.lines().map(name).collect()
}

/// Asks until the condition holds, for a long time.
#[track_caller]
pub fn eventually(what: &str, ask: impl Fn() -> bool) {
    eventually_within(LONG, what, ask);
}

#[track_caller]
pub fn eventually_within(limit: Duration, what: &str, ask: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !ask() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
