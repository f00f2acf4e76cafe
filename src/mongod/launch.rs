//! The embedded database: the real mongod, which runs beside the server as a replica set of one.
//!
//! Every process that needs it attaches: `serve`, and every command of the command line. The first one starts a
//! [`supervisor`], which starts mongod; the others find it. When the last one leaves, in whatever way, mongod ends
//! too. [`super::download`] says where the program comes from, and [`super::socket`] where it listens.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process::Child,
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    data_folder, download, ending, replica_set,
    socket::Socket,
    spawn::{has_supervisor, reap, start_supervisor},
    supervisor, watch,
};

/// How long attaching waits for a mongod that is ending, and then for one that is starting.
const PATIENCE: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(20);
/// A use of the embedded mongod. It ends with [`Embedded::release`], or with the process.
#[derive(Debug)]
pub struct Embedded {
    options: Options,
    socket: Socket,
    lease: File,
    watch: JoinHandle<()>,
    /// Dropping this ends the watch.
    watching: mpsc::Sender<()>,
}

/// What to run and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our own binary, which contains the supervisor.
    pub supervisor: PathBuf,
    pub data_dir: PathBuf,
    /// The mongod to run; if unset, see [`download::find`].
    pub mongod: Option<PathBuf>,
    /// More arguments for mongod.
    pub arguments: Vec<String>,
    /// Whether to remove the folder when the last user leaves.
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
}

impl Embedded {
    /// Finds or starts the mongod of `data_dir`, and waits until it accepts writes.
    ///
    /// # Errors
    /// See [`EmbeddedError`].
    pub async fn attach(mut options: Options) -> Result<Self, EmbeddedError> {
        data_folder::create_private(&options.data_dir)
            .map_err(|source| unusable(&options.data_dir, source))?;
        // Make the path absolute, because the supervisor has another working directory.
        let data_dir = options.data_dir.canonicalize();
        options.data_dir = data_dir.map_err(|source| unusable(&options.data_dir, source))?;
        let at = |source| unusable(&options.data_dir, source);
        let lease = File::create(options.data_dir.join(data_folder::LEASE)).map_err(at)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lease.try_lock_shared() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(TICK).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(EmbeddedError::Start("the previous mongod does not end".to_owned()));
                }
                Err(TryLockError::Error(error)) => return Err(at(error)),
            }
        }
        let socket = Socket::of(&options.data_dir).map_err(at)?;
        let said = log_length(&options.data_dir);
        wait_until_it_serves(&options, said, deadline).await?;
        let (watching, ends) = mpsc::channel();
        let watched = options.clone();
        let watch = std::thread::Builder::new()
            .name("mongod-watch".to_owned())
            .spawn(move || watch::keep(&watched, &ends))
            .map_err(EmbeddedError::Supervisor)?;
        replica_set::ensure_primary(&socket.uri(), deadline)
            .await
            .map_err(|reason| options.not_started(said, &reason))?;
        Ok(Self { options, socket, lease, watch, watching })
    }

    /// The URI for the driver of this process. Another process may need another path to the socket.
    #[must_use]
    pub fn uri(&self) -> String {
        self.socket.uri()
    }

    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// Ends this use, and waits for mongod to end if it was the last one.
    pub async fn release(self) {
        let Self { options, lease, watch, watching, .. } = self;
        drop(watching);
        let _ = spawn_blocking(move || watch.join()).await;
        let data_dir = &options.data_dir;
        // Some supervisor has to end mongod.
        let started = match has_supervisor(data_dir) {
            Ok(false) => start_supervisor(&options).await.ok(),
            Ok(true) | Err(_) => None,
        };
        drop(lease);
        if let Some(mut supervisor) = started {
            // The supervisor holds no lock yet, and has announced no mongod. Only its end tells that it has finished.
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
        while has_supervisor(data_dir).unwrap_or(false) && Instant::now() < deadline {
            sleep(TICK).await;
        }
    }
}

/// Whether others use the mongod that this process has just released. If not, its supervisor begins to end it within
/// a few ticks.
async fn is_in_use(data_dir: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_millis(500);
    while data_folder::serves(data_dir) {
        if Instant::now() >= deadline {
            return true;
        }
        sleep(TICK).await;
    }
    false
}

/// Waits until a supervisor announces that mongod serves. Starts a supervisor if there is none.
async fn wait_until_it_serves(options: &Options, said: u64, deadline: Instant) -> Result<(), EmbeddedError> {
    let data_dir = &options.data_dir;
    let mut started: Option<Child> = None;
    loop {
        if has_supervisor(data_dir).map_err(|source| unusable(data_dir, source))? {
            if data_folder::serves(data_dir) {
                if let Some(supervisor) = started {
                    reap(supervisor);
                }
                return if data_folder::serves_on_a_socket(data_dir) {
                    Ok(())
                } else {
                    let reason = "a movie-bag of an earlier release runs on this data folder: stop it first";
                    Err(EmbeddedError::Start(reason.to_owned()))
                };
            }
        } else if let Some(supervisor) = &mut started {
            // Our supervisor ended, and there is no other: it failed.
            if supervisor.try_wait().map_err(EmbeddedError::Supervisor)?.is_some() {
                return Err(options.not_started(said, "its supervisor gave no reason"));
            }
        } else {
            started = Some(start_supervisor(options).await?);
        }
        if Instant::now() >= deadline {
            return Err(options.not_started(said, &format!("no sign of life in {} s", PATIENCE.as_secs())));
        }
        sleep(TICK).await;
    }
}

impl Options {
    /// The error, with a reason: the last line that the supervisor logged after the first `said` bytes, or an obvious
    /// cause, or else `otherwise`.
    fn not_started(&self, said: u64, otherwise: &str) -> EmbeddedError {
        let log = fs::read(self.data_dir.join(data_folder::SUPERVISOR_LOG)).unwrap_or_default();
        let new = usize::try_from(said).ok().and_then(|said| log.get(said..)).unwrap_or(&log);
        let said = String::from_utf8_lossy(new);
        // The supervisor's own last line, or else the last line of all, which may come from the system, for example
        // if the program cannot be run.
        let last = said.lines().rev().find_map(supervisor::own_line).or_else(|| said.lines().last());
        let reason = ending::disk_is_full(&self.data_dir)
            .or_else(|| last.map(str::to_owned))
            .unwrap_or_else(|| otherwise.to_owned());
        EmbeddedError::Start(reason)
    }
}

fn log_length(data_dir: &Path) -> u64 {
    fs::metadata(data_dir.join(data_folder::SUPERVISOR_LOG)).map_or(0, |log| log.len())
}

pub(super) fn unusable(path: &Path, source: io::Error) -> EmbeddedError {
    EmbeddedError::DataDir { path: path.to_owned(), source }
}
