//! The files in the data folder of an embedded database, among them the one that says whether mongod serves.

use std::{fs, io, path::Path};

use super::socket;

/// Each user of the database holds it as a shared lock. While mongod ends, the supervisor holds it exclusively.
pub(super) const LEASE: &str = "users.lock";
/// The supervisor holds it as long as it lives.
pub(super) const SUPERVISOR: &str = "supervisor.lock";
/// Exists while mongod serves. It contains a URI for `mongosh` and similar programs.
pub(super) const SERVING: &str = "mongod.serving";
/// Releases that listened on a TCP port stored its number here.
pub(super) const PORT: &str = "mongod.port";
/// The supervisor's log.
pub(super) const SUPERVISOR_LOG: &str = "supervisor.log";
/// mongod's log.
pub(super) const MONGOD_LOG: &str = "mongod.log";
/// mongod's own files.
pub(super) const FILES: &str = "mongodb";

/// Creates a folder that only its owner can read: it holds password hashes and the secret.
///
/// # Errors
/// The file system's error.
pub fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether mongod serves. This opens no file, so it works in a process that has no descriptors left.
pub(super) fn serves(data_dir: &Path) -> bool {
    data_dir.join(SERVING).exists()
}

/// Whether mongod listens on a socket. Releases that listened on a TCP port wrote its number into the file.
pub(super) fn serves_on_a_socket(data_dir: &Path) -> bool {
    fs::read_to_string(data_dir.join(SERVING)).map_or(true, |text| text.parse::<u16>().is_err())
}

/// Announces that mongod serves. The file appears in one step, because another process may read it at any moment.
pub(super) fn announce(data_dir: &Path) -> io::Result<()> {
    let new = data_dir.join(SERVING).with_extension("new");
    fs::write(&new, socket::uri_for_others(data_dir))?;
    fs::rename(new, data_dir.join(SERVING))
}

pub(super) fn withdraw(data_dir: &Path) {
    let _ = fs::remove_file(data_dir.join(SERVING));
}
