//! How the embedded mongod is set up: all of it is on its command line.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{packages::LIBRARIES, replica_set, socket};

/// mongod accepts no less.
const LEAST_CACHE_GB: f64 = 0.25;
/// A new movie has keys in fifteen indexes, those of the search among them, on pages all over. mongod
/// begins to write pages back once 5 % of its cache have changed, or changes fill 2.5 % of it: the same
/// page again for every few movies. Four times as late, inserting costs it less than half.
const WRITE_BACK_LATER: &str = "eviction_dirty_target=20,eviction_dirty_trigger=40,\
                                eviction_updates_target=10,eviction_updates_trigger=20";

/// Runs the program with the libraries beside it, if it was fetched with some.
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

/// The program on these files, on a socket in its working directory, as a replica set of one.
pub(super) fn of(mongod: &Path, files: &Path, log: &Path) -> Command {
    let mut command = program(mongod);
    command
        .arg("--dbpath")
        .arg(files)
        .arg("--logpath")
        .arg(log)
        // This socket alone: no TCP port, and no second socket in /tmp.
        .args(["--bind_ip", socket::ADDRESS, "--nounixsocket", "--replSet", replica_set::NAME])
        // What is compressed is unpacked before anybody has logged in: CVE-2025-14847 came that way.
        .args(["--networkMessageCompressors", "disabled"])
        // Lean for one application: no scripts, no diagnostics of hundreds of MB.
        .args(["--logappend", "--noscripting", "--quiet", "--oplogSize", "512"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        .args(["--wiredTigerCacheSizeGB", &format!("{:.2}", cache_gb())])
        .args(["--wiredTigerEngineConfigString", WRITE_BACK_LATER]);
    command
}

/// How much mongod may keep in memory, in GB (2^30 bytes): a quarter of the machine's. Its own choice
/// would be half of it, but here it is a guest. A control group may have less.
#[cfg(target_os = "linux")]
fn cache_gb() -> f64 {
    let system = rustix::system::sysinfo();
    let machine = u64::from(system.mem_unit) * system.totalram;
    let megabytes = group_limits().fold(machine, u64::min) >> 20;
    // Exact in a float, up to some petabytes.
    (f64::from(u32::try_from(megabytes / 4).unwrap_or(u32::MAX)) / 1024.0).max(LEAST_CACHE_GB)
}

/// What systemd or a container allows: the limits of the control group and of those above it, in bytes
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
