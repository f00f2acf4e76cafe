//! What is in the data folder of an embedded database, and the file that says whether mongod serves.

use std::{fs, io, path::Path};

use super::socket;

/// Held, shared, by each user of the database; by the supervisor, exclusive, while mongod ends.
pub(super) const LEASE: &str = "users.lock";
/// Held by the supervisor as long as it lives.
pub(super) const SUPERVISOR: &str = "supervisor.lock";
/// There while mongod serves. Its text is a URI, for `mongosh` and the like.
pub(super) const SERVING: &str = "mongod.serving";
/// Releases that listened on a TCP port kept it here.
pub(super) const PORT: &str = "mongod.port";
/// What the supervisor has to say.
pub(super) const SUPERVISOR_LOG: &str = "supervisor.log";
/// What mongod has to say.
pub(super) const MONGOD_LOG: &str = "mongod.log";
/// mongod's own files.
pub(super) const FILES: &str = "mongodb";

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

/// Whether mongod serves. This opens no file: it holds for a process that has no descriptors left.
pub(super) fn serves(data_dir: &Path) -> bool {
    data_dir.join(SERVING).exists()
}

/// Releases that listened on a TCP port wrote its number there.
pub(super) fn serves_on_a_socket(data_dir: &Path) -> bool {
    fs::read_to_string(data_dir.join(SERVING)).map_or(true, |text| text.parse::<u16>().is_err())
}

/// Whole or not at all: another process may read at any moment.
pub(super) fn announce(data_dir: &Path) -> io::Result<()> {
    let new = data_dir.join(SERVING).with_extension("new");
    fs::write(&new, socket::uri_for_others(data_dir))?;
    fs::rename(new, data_dir.join(SERVING))
}

pub(super) fn withdraw(data_dir: &Path) {
    let _ = fs::remove_file(data_dir.join(SERVING));
}
