//! Starts a supervisor, and tells whether there is one.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::Path,
    process::{Child, Command, Stdio},
};

use tokio::task::spawn_blocking;

use super::{
    data_folder, download,
    launch::{EmbeddedError, Options, unusable},
};

/// A log of the supervisor that is longer is begun anew.
const LONG_LOG: u64 = 1 << 20;

/// For a process that waits for mongod: what a killed supervisor has left behind must not deceive it.
pub(super) async fn start_supervisor(options: &Options) -> Result<Child, EmbeddedError> {
    let _ = fs::remove_file(options.data_dir.join(data_folder::SERVING));
    let options = options.clone();
    // A download may be part of it.
    spawn_blocking(move || supervise(&options))
        .await
        .map_err(|error| EmbeddedError::Start(error.to_string()))?
}

/// Starts a supervisor. It ends at once where there is another one. Blocks.
pub(super) fn supervise(options: &Options) -> Result<Child, EmbeddedError> {
    let data_dir = &options.data_dir;
    let program = match &options.mongod {
        Some(path) => path.canonicalize().map_err(|source| unusable(path, source))?,
        None => download::find()?,
    };
    tracing::info!(data_dir = %data_dir.display(), "starting the embedded database");
    let log = open_log(data_dir).map_err(|source| unusable(data_dir, source))?;
    let mut command = Command::new(&options.supervisor);
    command.arg("supervise-mongod").arg("--data-dir").arg(data_dir).arg("--mongod").arg(program);
    if options.ephemeral {
        command.arg("--ephemeral");
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

/// Several may write at once: a mongod, its supervisor, and one that comes too late.
fn open_log(data_dir: &Path) -> io::Result<File> {
    let log =
        OpenOptions::new().append(true).create(true).open(data_dir.join(data_folder::SUPERVISOR_LOG))?;
    if log.metadata()?.len() > LONG_LOG {
        log.set_len(0)?;
    }
    Ok(log)
}

/// Whether somebody looks after the mongod of this folder (or is about to).
///
/// # Errors
/// A process that has no descriptor left cannot tell.
pub(super) fn has_supervisor(data_dir: &Path) -> io::Result<bool> {
    let lock = match File::open(data_dir.join(data_folder::SUPERVISOR)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Shared: two who look at once do not see each other.
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A process that has ended stays in the system's table until its parent has asked how.
pub(super) fn reap(mut child: Child) {
    std::thread::spawn(move || child.wait());
}
