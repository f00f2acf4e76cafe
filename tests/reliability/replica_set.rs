//! A replica set of real mongods, each behind a proxy that can cut it off. They end with the test.

use std::{
    net::TcpListener,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use bson::{Document, doc, oid::ObjectId};
use mongodb::{Client, options::ClientOptions};
use rustix::process::{Signal, kill_process};
use tokio::runtime::Handle;

use crate::{
    process::{guard::Guard, pid},
    proxy::Proxy,
};

const NAME: &str = "reliability";
/// How long a primary is missing before another one is elected: a fifth of MongoDB's default.
pub const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(50);
/// A member that does not answer within this time counts as silent.
const SILENT: Duration = Duration::from_millis(500);

pub struct ReplicaSet {
    members: Vec<Member>,
    runtime: Handle,
}

struct Member {
    port: u16,
    /// The address that the other members and all clients use.
    proxy: Proxy,
    folder: tempfile::TempDir,
    running: Option<(Child, Guard)>,
    /// A connection that bypasses the proxy.
    admin: mongodb::Database,
}

impl ReplicaSet {
    pub fn start(members: usize, runtime: &Handle) -> Self {
        let members: Vec<Member> = (0..members).map(|_| runtime.block_on(Member::new())).collect();
        let mut set = Self { members, runtime: runtime.clone() };
        for member in 0..set.members.len() {
            set.start_member(member);
        }
        let config = doc! {
            "_id": NAME,
            "members": set.members.iter().zip(0..).map(|(member, number)| doc! {
                "_id": number, "host": member.proxy.address(),
            }).collect::<Vec<_>>(),
            "settings": { "electionTimeoutMillis": i64::try_from(ELECTION_TIMEOUT.as_millis()).unwrap() },
        };
        set.eventually("each member answers", |set| {
            (0..set.members.len()).all(|member| set.hello(member).is_some())
        });
        set.command(0, doc! { "replSetInitiate": config }).unwrap();
        set.wait_until_whole();
        set
    }

    /// The URI for the servers, and for a test that reads the database.
    pub fn uri(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(|member| member.proxy.address()).collect();
        format!("mongodb://{}/?replicaSet={NAME}", hosts.join(","))
    }

    fn command(&self, member: usize, command: Document) -> Result<Document, String> {
        let run = self.members[member].admin.run_command(command);
        // A step-down waits for the other members.
        let answer = self.runtime.block_on(async { tokio::time::timeout(LONG, run).await });
        answer.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn hello(&self, member: usize) -> Option<Document> {
        let hello = self.members[member].admin.run_command(doc! { "hello": 1 });
        self.runtime.block_on(async { tokio::time::timeout(SILENT, hello).await }).ok()?.ok()
    }

    /// The primary of the latest election. A paused former primary does not know yet that it is no longer primary.
    pub fn find_primary(&self) -> Option<usize> {
        let elected = |member: usize| -> Option<(ObjectId, usize)> {
            let hello = self.hello(member)?;
            let is_primary = hello.get_bool("isWritablePrimary").unwrap_or(false);
            Some((hello.get_object_id("electionId").ok()?, member)).filter(|_| is_primary)
        };
        (0..self.members.len()).filter_map(elected).max().map(|(_, member)| member)
    }

    pub fn primary(&self) -> usize {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(primary) = self.find_primary() {
                return primary;
            }
            assert!(Instant::now() < deadline, "no primary within a minute");
            std::thread::sleep(TICK);
        }
    }

    pub fn secondaries(&self) -> Vec<usize> {
        let primary = self.primary();
        (0..self.members.len()).filter(|member| *member != primary).collect()
    }

    /// Waits until every member is up, and one of them is primary.
    pub fn wait_until_whole(&self) {
        self.eventually("every member of the replica set is up", |set| {
            let hellos = (0..set.members.len()).map(|member| set.hello(member));
            let states: Vec<(bool, bool)> = hellos
                .map(|hello| {
                    let hello = hello.unwrap_or_default();
                    let is = |name| hello.get_bool(name).unwrap_or(false);
                    (is("isWritablePrimary"), is("secondary"))
                })
                .collect();
            states.iter().filter(|(primary, _)| *primary).count() == 1
                && states.iter().all(|(primary, secondary)| *primary || *secondary)
        });
    }

    #[track_caller]
    fn eventually(&self, what: &str, ask: impl Fn(&Self) -> bool) {
        crate::process::eventually(what, || ask(self));
    }

    pub fn kill(&mut self, member: usize) {
        let member = &mut self.members[member];
        let (mut child, _guard) = member.running.take().expect("a member that runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a member with its former files.
    pub fn start_member(&mut self, member: usize) {
        let member = &mut self.members[member];
        let child = movie_bag::mongod::program(&movie_bag::mongod::find().unwrap())
            .arg("--dbpath")
            .arg(member.folder.path())
            .arg("--logpath")
            .arg(member.folder.path().join("mongod.log"))
            .args(["--port", &member.port.to_string(), "--bind_ip", "127.0.0.1", "--replSet", NAME])
            .args(["--logappend", "--nounixsocket", "--quiet", "--oplogSize", "256"])
            .args(["--wiredTigerCacheSizeGB", "0.25"])
            .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let guard = Guard::of(&child, Some(member.folder.path()));
        member.running = Some((child, guard));
    }

    pub fn signal(&self, member: usize, signal: Signal) {
        let (child, _) = self.members[member].running.as_ref().expect("a member that runs");
        kill_process(pid(child.id()), signal).unwrap();
    }

    /// Makes the primary step down. It does so only when another member can take over.
    pub fn step_down(&self) {
        let command = doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5 };
        let deadline = Instant::now() + LONG;
        while let Err(error) = self.command(self.primary(), command.clone()) {
            assert!(Instant::now() < deadline, "{error}");
        }
    }

    /// Cuts a member off: no client and no other member reaches it. It still reaches the others.
    pub fn cut(&self, member: usize) {
        self.members[member].proxy.cut();
    }

    pub fn heal(&self, member: usize) {
        self.members[member].proxy.heal();
    }
}

impl Member {
    async fn new() -> Self {
        let port = free_port();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
        let mut options = ClientOptions::parse(&uri).await.unwrap();
        options.server_selection_timeout = Some(SILENT);
        let admin = Client::with_options(options).unwrap().database("admin");
        Self { port, proxy: Proxy::before(&uri).await, folder, running: None, admin }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port for a process that will be restarted. It is not one that the system assigns to outgoing connections,
/// because another process might take it in the meantime.
pub fn free_port() -> u16 {
    let mut random = [0; 2];
    loop {
        getrandom::fill(&mut random).unwrap();
        let port = 20_000 + u16::from_le_bytes(random) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
