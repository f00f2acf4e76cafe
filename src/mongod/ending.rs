//! Why mongod ended or cannot start, in words for an operator.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::data_folder::MONGOD_LOG;

/// With less free space than this, mongod soon ends.
const SCARCE: u64 = 16 << 20;
/// How much of the end of the log is read.
const LOG_END: u64 = 256 << 10;

/// The current length of mongod's log. Everything after it belongs to the next run.
pub(super) fn log_length(data_dir: &Path) -> u64 {
    fs::metadata(data_dir.join(MONGOD_LOG)).map_or(0, |log| log.len())
}

/// The reason, from the state of the disk and from what mongod has logged after `since`.
pub(super) fn reason(data_dir: &Path, since: u64) -> String {
    let said = read_from(data_dir, since).unwrap_or_default();
    if let Some(reason) = disk_is_full(data_dir) {
        return reason;
    }
    if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
        return format!("the disk of the data folder {} is full", data_dir.display());
    }
    if said.contains("Read-only file system") {
        return format!("the data folder {} is on a file system that is read-only", data_dir.display());
    }
    let severe = said.lines().rev().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let severe = matches!(line["s"].as_str(), Some("E" | "F"));
        severe.then(|| format!("{} {}", line["msg"].as_str().unwrap_or_default(), line["attr"]))
    });
    severe.unwrap_or_else(|| format!("see {}", data_dir.join(MONGOD_LOG).display()))
}

/// Reports a full disk and its free space; `None` while there is enough space.
pub(super) fn disk_is_full(data_dir: &Path) -> Option<String> {
    let disk = rustix::fs::statvfs(data_dir).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (free < SCARCE).then(|| {
        format!("the disk of the data folder {} is full ({} KiB are free)", data_dir.display(), free >> 10)
    })
}

fn read_from(data_dir: &Path, since: u64) -> std::io::Result<String> {
    let mut log = File::open(data_dir.join(MONGOD_LOG))?;
    let end = log.metadata()?.len();
    log.seek(SeekFrom::Start(since.max(end.saturating_sub(LOG_END)).min(end)))?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
