//! A real second user of the same machine.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::Folder;

/// The state of a socket in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// Whether a command on a path succeeds for a user.
fn succeeds(user: &str, command: &[&str], path: &Path) -> bool {
    let mut run = Command::new("runuser");
    run.args(["-u", user, "--"]).args(command).arg(path).current_dir("/");
    run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// The TCP ports on which a process listens: its sockets, looked up in the system's table.
fn tcp_ports(pid: &str) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = links.map(|link| fs::read_link(link.unwrap().path()).unwrap_or_default());
    let sockets: BTreeSet<String> = links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!sockets.is_empty());
    let tables =
        ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.filter_map(|row| {
        let columns: Vec<&str> = row.split_whitespace().collect();
        (columns[3] == LISTENS && sockets.contains(columns[9])).then(|| columns[1].to_owned())
    })
    .collect()
}

#[test]
fn another_user_of_the_machine_cannot_reach_anything() {
    if !rustix::process::geteuid().is_root() {
        println!("not tried: only root can become another user");
        return;
    }
    // Test a folder that the server makes, and one that somebody made before with the usual permissions.
    for was_there in [false, true] {
        let folder = Folder::new();
        let data = folder.path().join("data");
        // Otherwise the parent folder would protect it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if was_there {
            fs::create_dir(&data).unwrap();
            fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let server = folder.serve();
        server.sign_up("ann");
        assert!(succeeds("nobody", &["ls"], folder.path()), "the other user can do nothing at all");
        assert_eq!(succeeds("nobody", &["ls"], &data), was_there);
        for name in ["jwt-secret", "mongod.log", "mongodb/mongod.lock", "mongodb/WiredTiger.wt"] {
            assert!(succeeds("root", &["cat"], &data.join(name)), "{name}");
            assert!(!succeeds("nobody", &["cat"], &data.join(name)), "{name}");
        }
        // mongod tells curl that it does not speak HTTP.
        let socket = data.join("socket");
        let curl = ["curl", "--silent", "--max-time", "10", "http://localhost/", "--unix-socket"];
        assert!(succeeds("root", &curl, &socket.join("mongod.sock")));
        assert!(!succeeds("nobody", &curl, &socket.join("mongod.sock")));
        let pid = folder.read("data/mongodb/mongod.lock");
        assert_eq!(tcp_ports(pid.trim()), [""; 0]);
        // Check that the search finds ports at all.
        assert_eq!(tcp_ports(&server.id().to_string()).len(), 1);
        server.stop();
    }
}
