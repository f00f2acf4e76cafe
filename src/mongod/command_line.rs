//! The configuration of the embedded mongod, all of which is on its command line.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{packages::LIBRARIES, replica_set, socket};

/// The smallest value that mongod accepts.
const LEAST_CACHE_GB: f64 = 0.25;
/// A new movie has some twenty keys in a dozen indexes, spread over many pages. By default, mongod
/// begins to write pages back when 5 % of its cache have changed, or when changes fill 2.5 % of it, so it writes the
/// same page again every few movies. With four times these limits, inserting costs less than half.
const WRITE_BACK_LATER: &str = "eviction_dirty_target=20,eviction_dirty_trigger=40,\
                                eviction_updates_target=10,eviction_updates_trigger=20";

/// Runs the program, with the libraries beside it if some were downloaded.
pub fn program(mongod: &Path) -> Command {
    let mut command = Command::new(mongod);
    let libraries = mongod.parent().map(|folder| folder.join(LIBRARIES)).filter(|folder| folder.is_dir());
    if let Some(libraries) = libraries {
        let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let folders = [libraries].into_iter().chain(env::split_paths(&inherited));
        if let Ok(folders) = env::join_paths(folders) {
            command.env("LD_LIBRARY_PATH", folders);
        }
    }
    command
}

/// Runs the program on these files as a replica set of one, with a socket in its working directory.
pub(super) fn of(mongod: &Path, files: &Path, log: &Path) -> Command {
    let mut command = program(mongod);
    command
        .arg("--dbpath")
        .arg(files)
        .arg("--logpath")
        .arg(log)
        // Only this socket: no TCP port, and no second socket in /tmp.
        .args(["--bind_ip", socket::ADDRESS, "--nounixsocket", "--replSet", replica_set::NAME])
        // mongod decompresses messages before a client has logged in; CVE-2025-14847 exploited that.
        .args(["--networkMessageCompressors", "disabled"])
        // Settings for one application: no scripts, no diagnostics of hundreds of MB.
        .args(["--logappend", "--noscripting", "--quiet", "--oplogSize", "512"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        .args(["--wiredTigerCacheSizeGB", &format!("{:.2}", cache_gb())])
        .args(["--wiredTigerEngineConfigString", WRITE_BACK_LATER]);
    command
}

/// The size of mongod's cache in GB (2^30 bytes): a quarter of the machine's memory. By default mongod would take
/// half, but here it is a guest. A control group may have less memory.
#[cfg(target_os = "linux")]
fn cache_gb() -> f64 {
    let system = rustix::system::sysinfo();
    let machine = u64::from(system.mem_unit) * system.totalram;
    let megabytes = group_limits().fold(machine, u64::min) >> 20;
    // A float holds this exactly, up to some petabytes.
    (f64::from(u32::try_from(megabytes / 4).unwrap_or(u32::MAX)) / 1024.0).max(LEAST_CACHE_GB)
}

/// The memory that systemd or a container allows: the limits of the control group and of its parents, in bytes
/// (cgroup v2).
#[cfg(target_os = "linux")]
fn group_limits() -> impl Iterator<Item = u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    let folders: Vec<PathBuf> =
        Path::new("/sys/fs/cgroup").join(own).ancestors().map(PathBuf::from).collect();
    folders
        .into_iter()
        .filter_map(|folder| fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok())
}

#[cfg(not(target_os = "linux"))]
fn cache_gb() -> f64 {
    LEAST_CACHE_GB
}
