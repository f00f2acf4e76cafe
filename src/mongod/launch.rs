//! The embedded database: the real mongod, run beside us as a replica set of one.
//!
//! Whoever needs it attaches: `serve`, and every command of the command line. The first to come
//! starts a [`supervisor`], which starts mongod; the others find it; the last to
//! leave, however it leaves, takes mongod along. [`super::download`] says where the program comes from.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bson::{Bson, Document, doc};
use mongodb::Client;
use tokio::{
    sync,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{download, ending, supervisor, watch};
use crate::mongo::{COMMAND, StoreError, error, parse, within};

/// How long an attach waits: for a mongod that is ending, then for one that is starting.
const PATIENCE: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(20);
/// The server's replies to a replica set that is not there, or is there already.
const NOT_YET_INITIALIZED: i32 = 94;
const ALREADY_INITIALIZED: i32 = 23;

/// A use of the embedded mongod. It ends with [`Embedded::release`], or with the process.
#[derive(Debug)]
pub struct Embedded {
    options: Options,
    port: u16,
    lease: File,
    watch: JoinHandle<()>,
    /// The port where mongod serves by now, if that is not `port`.
    moved: sync::watch::Receiver<Option<u16>>,
}

/// What to run and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our own binary: it has the supervisor in it.
    pub supervisor: PathBuf,
    pub data_dir: PathBuf,
    /// The mongod to run; unset: see [`download::find`].
    pub mongod: Option<PathBuf>,
    /// More arguments for mongod.
    pub arguments: Vec<String>,
    /// Remove the folder with the last user.
    pub ephemeral: bool,
}

/// Why there is no embedded database.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("the data folder {} cannot be used: {source}", path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Mongod(#[from] download::MongodError),
    #[error("the supervisor of mongod cannot be started: {0}")]
    Supervisor(io::Error),
    #[error("the embedded mongod did not start: {0}")]
    Start(String),
    #[error("the embedded mongod is no replica set: {0}")]
    ReplicaSet(#[from] StoreError),
}

impl Embedded {
    /// Finds or starts the mongod of `data_dir` and waits until it takes writes.
    ///
    /// # Errors
    /// See [`EmbeddedError`].
    pub async fn attach(mut options: Options) -> Result<Self, EmbeddedError> {
        create_private(&options.data_dir).map_err(|source| unusable(&options.data_dir, source))?;
        // Absolute: the supervisor may outlive the working directory's meaning.
        let data_dir = options.data_dir.canonicalize();
        options.data_dir = data_dir.map_err(|source| unusable(&options.data_dir, source))?;
        let at = |source| unusable(&options.data_dir, source);
        let lease = File::create(options.data_dir.join(supervisor::LEASE)).map_err(at)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lease.try_lock_shared() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(TICK).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(EmbeddedError::Start("the one before it does not end".to_owned()));
                }
                Err(TryLockError::Error(error)) => return Err(at(error)),
            }
        }
        let port = serving_port(&options, deadline).await?;
        let (sender, moved) = sync::watch::channel(None);
        let watch = tokio::spawn(watch::keep(options.clone(), port, sender));
        let embedded = Self { options, port, lease, watch, moved };
        embedded.ensure_primary(deadline).await?;
        Ok(embedded)
    }

    /// For the driver, or for `mongosh`. A direct connection: there is one member, wherever it is.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// Waits until mongod serves at another port than the one that is in use here: the supervisor keeps to
    /// that as long as it can.
    pub async fn moved(&self) -> String {
        let mut moved = self.moved.clone();
        match moved.wait_for(Option::is_some).await.map(|port| *port) {
            Ok(Some(port)) => format!(
                "the embedded mongod had to go from port {} to {port}, because another program took it: \
                 start movie-bag again",
                self.port
            ),
            _ => std::future::pending().await,
        }
    }

    /// Gives up this use, and waits for the end of mongod if it was the last.
    pub async fn release(self) {
        self.watch.abort();
        let data_dir = &self.options.data_dir;
        // Somebody has to end mongod.
        let started = if has_supervisor(data_dir) { None } else { supervise(&self.options, true).await.ok() };
        drop(self.lease);
        if let Some(mut supervisor) = started {
            // It holds no lock yet, and has told nobody of mongod: only its end says that it has done its work.
            let deadline = Instant::now() + PATIENCE;
            while matches!(supervisor.try_wait(), Ok(None))
                && !is_in_use(data_dir).await
                && Instant::now() < deadline
            {
                sleep(TICK).await;
            }
            reap(supervisor);
        }
        if is_in_use(data_dir).await {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        while has_supervisor(data_dir) && Instant::now() < deadline {
            sleep(TICK).await;
        }
    }

    /// Makes mongod a replica set of one, at the address it has today.
    async fn ensure_primary(&self, deadline: Instant) -> Result<(), EmbeddedError> {
        let options = parse(&self.uri()).await.map_err(StoreError::from)?;
        let client = Client::with_options(options).map_err(StoreError::from)?;
        let admin = client.database("admin");
        let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", self.port) };
        loop {
            let hello = match within(COMMAND, admin.run_command(doc! { "hello": 1 })).await {
                Ok(hello) => hello,
                Err(_) if Instant::now() < deadline => {
                    sleep(TICK).await;
                    continue;
                }
                Err(error) => return Err(self.options.not_started(&error.to_string())),
            };
            if hello.get_bool("isWritablePrimary").unwrap_or(false) {
                client.shutdown().await;
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.options.not_started("it does not become primary"));
            }
            if !hello.contains_key("setName") {
                let config = doc! { "_id": supervisor::REPLICA_SET, "members": [member.clone()] };
                configure(&admin, config, &member).await?;
            }
            sleep(TICK).await;
        }
    }
}

/// Without `setName`, mongod has no configuration yet, or one that names another port.
async fn configure(admin: &mongodb::Database, config: Document, member: &Document) -> Result<(), StoreError> {
    let command = match within(COMMAND, admin.run_command(doc! { "replSetGetConfig": 1 })).await {
        Ok(answer) => {
            let Ok(mut config) = answer.get_document("config").cloned() else { return Ok(()) };
            if config
                .get_array("members")
                .is_ok_and(|members| members.iter().any(|found| same_host(found, member)))
            {
                return Ok(());
            }
            config.insert("members", vec![member.clone()]);
            config.insert("version", config.get_i32("version").unwrap_or(1) + 1);
            doc! { "replSetReconfig": config, "force": true }
        }
        Err(StoreError::Other(error)) if error::code(&error) == Some(NOT_YET_INITIALIZED) => {
            doc! { "replSetInitiate": config }
        }
        // Still starting.
        Err(StoreError::Unavailable(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    match within(COMMAND, admin.run_command(command)).await {
        // Somebody else who attached was faster.
        Err(StoreError::Other(error)) if error::code(&error) == Some(ALREADY_INITIALIZED) => Ok(()),
        Ok(_) | Err(StoreError::Unavailable(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn same_host(found: &Bson, member: &Document) -> bool {
    found.as_document().is_some_and(|found| found.get("host") == member.get("host"))
}

/// Whether others use a mongod of which this process has just let go: its supervisor would have begun to
/// end it within some ticks.
async fn is_in_use(data_dir: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_millis(500);
    while data_dir.join(supervisor::SERVING).exists() {
        if Instant::now() >= deadline {
            return true;
        }
        sleep(TICK).await;
    }
    false
}

/// A process that has ended stays in the system's table until its parent has asked how.
pub(super) fn reap(mut child: Child) {
    std::thread::spawn(move || child.wait());
}

/// Waits until a supervisor says where mongod serves; starts one where there is none.
async fn serving_port(options: &Options, deadline: Instant) -> Result<u16, EmbeddedError> {
    let data_dir = &options.data_dir;
    let mut started: Option<Child> = None;
    loop {
        if has_supervisor(data_dir) {
            if let Some(port) = supervisor::serving_port(data_dir) {
                if let Some(supervisor) = started {
                    reap(supervisor);
                }
                return Ok(port);
            }
        } else if let Some(supervisor) = &mut started {
            // Ours ended, and nobody else's lives: it failed.
            if supervisor.try_wait().map_err(EmbeddedError::Supervisor)?.is_some() {
                return Err(options.not_started("its supervisor said nothing"));
            }
        } else {
            started = Some(supervise(options, false).await?);
        }
        if Instant::now() >= deadline {
            return Err(options.not_started(&format!("no sign of life in {} s", PATIENCE.as_secs())));
        }
        sleep(TICK).await;
    }
}

impl Options {
    /// The reason is what the supervisor said last, or what is plain to see, or else `otherwise`.
    fn not_started(&self, otherwise: &str) -> EmbeddedError {
        let said = fs::read_to_string(self.data_dir.join(supervisor::SUPERVISOR_LOG)).unwrap_or_default();
        // Its own last word; or that of the system, of a program that cannot be run for one.
        let last = said.lines().rev().find_map(supervisor::own_line).or_else(|| said.lines().last());
        let reason = ending::disk_is_full(&self.data_dir)
            .or_else(|| last.map(str::to_owned))
            .unwrap_or_else(|| otherwise.to_owned());
        EmbeddedError::Start(reason)
    }
}

/// `goes_on`: somebody uses the database already, and knows it by its port.
pub(super) async fn supervise(options: &Options, goes_on: bool) -> Result<Child, EmbeddedError> {
    let data_dir = &options.data_dir;
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| unusable(&path, source)
    };
    let program = match &options.mongod {
        Some(path) => path.canonicalize().map_err(at(path))?,
        None => tokio::task::spawn_blocking(download::find)
            .await
            .map_err(|error| EmbeddedError::Start(error.to_string()))??,
    };
    // What one that was killed has left behind.
    let _ = fs::remove_file(data_dir.join(supervisor::SERVING));
    let log = File::create(data_dir.join(supervisor::SUPERVISOR_LOG)).map_err(at(data_dir))?;
    let mut command = Command::new(&options.supervisor);
    command.arg("supervise-mongod").arg("--data-dir").arg(data_dir).arg("--mongod").arg(program);
    if options.ephemeral {
        command.arg("--ephemeral");
    }
    if goes_on {
        command.arg("--goes-on");
    }
    command.arg("--").args(&options.arguments);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
        .current_dir(data_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(EmbeddedError::Supervisor)
}

fn unusable(path: &Path, source: io::Error) -> EmbeddedError {
    EmbeddedError::DataDir { path: path.to_owned(), source }
}

/// Whether somebody looks after the mongod of this folder (or is about to).
pub(super) fn has_supervisor(data_dir: &Path) -> bool {
    match File::open(data_dir.join(supervisor::SUPERVISOR)) {
        // Shared: two who look at once do not see each other.
        Ok(lock) => lock.try_lock_shared().is_err(),
        Err(_) => false,
    }
}

/// The folder holds passwords' hashes and the secret: it is for its owner only.
///
/// # Errors
/// The file system's.
pub fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
