//! Starts a supervisor, and checks whether there is one.

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

/// A supervisor's log longer than this is emptied.
const LONG_LOG: u64 = 1 << 20;

/// Starts a supervisor for a process that waits for mongod. It first removes the announcement of a killed supervisor,
/// which would mislead that process.
pub(super) async fn start_supervisor(options: &Options) -> Result<Child, EmbeddedError> {
    let _ = fs::remove_file(options.data_dir.join(data_folder::SERVING));
    let options = options.clone();
    // This may include a download.
    spawn_blocking(move || supervise(&options))
        .await
        .map_err(|error| EmbeddedError::Start(error.to_string()))?
}

/// Starts a supervisor. It ends at once if there is another one. Blocks.
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

/// Opens the log for appending, because several processes may write at once: a mongod, its supervisor, and a second
/// supervisor that came too late.
fn open_log(data_dir: &Path) -> io::Result<File> {
    let log =
        OpenOptions::new().append(true).create(true).open(data_dir.join(data_folder::SUPERVISOR_LOG))?;
    if log.metadata()?.len() > LONG_LOG {
        log.set_len(0)?;
    }
    Ok(log)
}

/// Whether the mongod of this folder has a supervisor, or is about to have one.
///
/// # Errors
/// When the process has no descriptors left.
pub(super) fn has_supervisor(data_dir: &Path) -> io::Result<bool> {
    let lock = match File::open(data_dir.join(data_folder::SUPERVISOR)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Use a shared lock, so that two processes that check at the same time do not mistake each other for a
    // supervisor.
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Waits for a child in the background: an ended process stays in the system's table until its parent has read its
/// status.
pub(super) fn reap(mut child: Child) {
    std::thread::spawn(move || child.wait());
}
