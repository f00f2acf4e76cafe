//! The process between our server and the embedded mongod: it ends mongod when nobody uses it any more.
//!
//! A server that is killed cannot clean up after itself, so somebody else must: our own binary, run
//! again in a process group of its own (Ctrl-C in a terminal does not reach it). Every process that
//! uses the database holds a shared lock on [`LEASE`]; the operating system lets go of it however
//! that process ends. The supervisor tries for the exclusive lock: when it gets it, the last user
//! is gone, and it ends mongod. Since it then keeps the lock until it ends, a newcomer waits, and
//! starts a supervisor of its own.
//!
//! It also starts mongod again when that dies, and it ends a mongod that a killed supervisor has left
//! behind. A signal to end does not end it while somebody uses the database: whoever stops a whole
//! group of processes (systemd does) wants the server's last requests answered. It has a name of its
//! own, so that what is sent to every process called `movie-bag` spares it. [`super::launch`] is the
//! other side.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use super::{command_line, ending};

/// Held, shared, by each user of the database; by the supervisor, exclusive, while mongod ends.
pub const LEASE: &str = "users.lock";
/// Held by the supervisor as long as it lives.
pub const SUPERVISOR: &str = "supervisor.lock";
/// The port on which mongod serves; there only while it does.
pub const SERVING: &str = "mongod.serving";
/// The port of the last time: a replica set remembers its members' addresses.
const LAST_PORT: &str = "mongod.port";
/// What the supervisor has to say.
pub const SUPERVISOR_LOG: &str = "supervisor.log";
/// What mongod has to say.
pub const MONGOD_LOG: &str = "mongod.log";
/// mongod's own files.
const FILES: &str = "mongodb";
/// The name of the replica set of one.
pub const REPLICA_SET: &str = "movie-bag";

const TICK: Duration = Duration::from_millis(50);
/// How long mongod may take to end by itself.
const CLEAN_STOP: Duration = Duration::from_secs(30);
/// How long the files of a mongod that has just died may stay locked.
const FILES_IN_USE: Duration = Duration::from_secs(10);
/// How long a port that is taken is waited for, if somebody knows mongod by it.
const PORT_IN_USE: Duration = Duration::from_secs(15);
/// A mongod that ends sooner than this after its start did not work.
const TOO_SOON: Duration = Duration::from_secs(20);
/// How many times in a row it may do so without having served.
const ATTEMPTS: u32 = 3;
/// The pause after as many who did serve.
const PAUSE: Duration = Duration::from_secs(3);
/// Below those that a system gives to outgoing connections: one of these could take the port while mongod
/// is away, even one that looks for mongod. <https://www.rfc-editor.org/rfc/rfc6335#section-6>
const PORTS: std::ops::Range<u16> = 20_000..32_768;

/// mongod's exit codes: <https://www.mongodb.com/docs/manual/reference/exit-codes/>
const EXIT_PORT_TAKEN: i32 = 48;
const EXIT_FILES_IN_USE: i32 = 100;

/// What the hidden subcommand is given.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The folder that holds everything.
    #[arg(long)]
    pub data_dir: PathBuf,
    /// The program to run.
    #[arg(long)]
    pub mongod: PathBuf,
    /// Remove the folder at the end.
    #[arg(long)]
    pub ephemeral: bool,
    /// Somebody uses the database already, and knows it by its port.
    #[arg(long)]
    pub goes_on: bool,
    /// More arguments for mongod.
    #[arg(last = true)]
    pub arguments: Vec<String>,
}

/// Runs mongod until nobody uses it.
///
/// # Errors
/// Any that keeps mongod from serving; the text is for a person.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let data_dir = &arguments.data_dir;
    let own = File::create(data_dir.join(SUPERVISOR))?;
    // A few times: whoever looks whether there is a supervisor holds the lock for a moment.
    if !(0..10).any(|_| {
        own.try_lock().is_ok() || {
            sleep(TICK);
            false
        }
    }) {
        // Another one was faster; whoever started this one will find it.
        return Ok(());
    }
    let lease = File::create(data_dir.join(LEASE))?;
    fs::create_dir_all(data_dir.join(FILES))?;
    let asked_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        flag::register(signal, Arc::clone(&asked_to_end))?;
    }
    #[cfg(target_os = "linux")]
    rustix::thread::set_name(c"mongod-keeper")?;
    let result = keep_serving(arguments, &lease, &asked_to_end);
    withdraw(data_dir);
    if arguments.ephemeral {
        let _ = fs::remove_dir_all(data_dir);
    }
    result
}

/// How a run of mongod came to its end.
enum Run {
    /// Nobody uses it any more.
    Unused,
    /// By itself.
    Ended(ExitStatus),
}

fn keep_serving(arguments: &Arguments, lease: &File, asked_to_end: &AtomicBool) -> io::Result<()> {
    let data_dir = &arguments.data_dir;
    let was_left_behind = end_orphan(data_dir);
    let last_port = port_in(&data_dir.join(LAST_PORT));
    let patience = if arguments.goes_on {
        PORT_IN_USE
    } else if was_left_behind {
        // It is closed a moment after the process is gone.
        FILES_IN_USE
    } else {
        Duration::ZERO
    };
    let mut port = match last_port {
        Some(port) => wait_for_port(port, patience)?,
        None => free_port()?,
    };
    let mut in_use_since = None;
    let (mut failures, mut served) = (0, arguments.goes_on);
    loop {
        let (started, log) = (Instant::now(), ending::log_length(data_dir));
        let (status, has_served) = match run_once(arguments, lease, port)? {
            (Run::Unused, _) => return Ok(()),
            (Run::Ended(_), _) if asked_to_end.load(Ordering::Relaxed) => return Ok(()),
            (Run::Ended(status), has_served) => (status, has_served),
        };
        served |= has_served;
        match status.code() {
            Some(EXIT_PORT_TAKEN) => {
                let next = wait_for_port(port, if served { PORT_IN_USE } else { Duration::ZERO })?;
                // Free for us, and yet not for mongod.
                port = if next == port && started.elapsed() > PORT_IN_USE * 2 { free_port()? } else { next };
            }
            Some(EXIT_FILES_IN_USE) if in_use_since.get_or_insert(started).elapsed() < FILES_IN_USE => {
                sleep(Duration::from_millis(250));
            }
            _ => {
                in_use_since = None;
                failures = if started.elapsed() < TOO_SOON { failures + 1 } else { 1 };
                let reason = ending::reason(data_dir, log);
                if failures >= ATTEMPTS && !has_served || status.code() == Some(EXIT_FILES_IN_USE) {
                    return Err(io::Error::other(format!("mongod ended ({status}): {reason}")));
                }
                say(format!("mongod ended ({status}), and is started again: {reason}"));
                if failures >= ATTEMPTS {
                    sleep(PAUSE);
                }
            }
        }
    }
}

/// How it ended, and whether it had served before.
fn run_once(arguments: &Arguments, lease: &File, port: u16) -> io::Result<(Run, bool)> {
    let mut mongod = start(arguments, port)?;
    let mut has_served = false;
    let mut untold: Option<Instant> = None;
    let run = loop {
        if let Some(status) = mongod.try_wait()? {
            break Run::Ended(status);
        }
        if lease.try_lock().is_ok() {
            withdraw(&arguments.data_dir);
            end(&mut mongod)?;
            break Run::Unused;
        }
        let is_due = untold.is_none_or(|tried| tried.elapsed() > Duration::from_secs(1));
        if is_due && serving_port(&arguments.data_dir) != Some(port) && accepts(port) {
            has_served = true;
            // On a disk that is full nobody can be told. Who has used mongod before finds it nevertheless.
            untold = announce(&arguments.data_dir, port).is_err().then(Instant::now);
        }
        sleep(TICK);
    };
    withdraw(&arguments.data_dir);
    Ok((run, has_served))
}

/// Ends a mongod on our files whose supervisor was killed. It writes its process id beside them; that
/// the process is still that mongod is seen from its command line. Tells whether there was one.
fn end_orphan(data_dir: &Path) -> bool {
    let files = data_dir.join(FILES);
    let id =
        fs::read_to_string(files.join("mongod.lock")).ok().and_then(|text| text.trim().parse::<i32>().ok());
    let Some(pid) = id.and_then(Pid::from_raw) else { return false };
    let command = PathBuf::from(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
    let is_ours = || {
        fs::read(&command).is_ok_and(|line| {
            line.split(|byte| *byte == 0).any(|argument| argument == files.as_os_str().as_encoded_bytes())
        })
    };
    if !is_ours() {
        return false;
    }
    say(format!("ending the mongod {} that was left behind", pid.as_raw_nonzero()));
    let _ = kill_process(pid, Signal::TERM);
    let asked = Instant::now();
    while is_ours() && asked.elapsed() < CLEAN_STOP {
        sleep(TICK);
    }
    true
}

fn start(arguments: &Arguments, port: u16) -> io::Result<Child> {
    let data_dir = &arguments.data_dir;
    let files = data_dir.join(FILES);
    command_line::of(&arguments.mongod, &files, &data_dir.join(MONGOD_LOG), port)
        .args(&arguments.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| io::Error::other(format!("{} cannot be run: {error}", arguments.mongod.display())))
}

fn end(mongod: &mut Child) -> io::Result<()> {
    let pid = i32::try_from(mongod.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // Not reaped yet, so the id is still this child's.
        let _ = kill_process(pid, Signal::TERM);
    }
    let asked = Instant::now();
    while asked.elapsed() < CLEAN_STOP {
        if mongod.try_wait()?.is_some() {
            return Ok(());
        }
        sleep(TICK);
    }
    mongod.kill()?;
    mongod.wait().map(drop)
}

fn accepts(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn free_port() -> io::Result<u16> {
    for _ in 0..100 {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let port = PORTS.start + u16::from_ne_bytes(random) % (PORTS.end - PORTS.start);
        if is_free(port) {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// This port, if it becomes free in time, else another.
fn wait_for_port(port: u16, patience: Duration) -> io::Result<u16> {
    let begun = Instant::now();
    let mut is_said = false;
    loop {
        if is_free(port) {
            return Ok(port);
        }
        if begun.elapsed() >= patience {
            return free_port();
        }
        if !is_said {
            say(format!("another program has taken the port {port}; waiting for it"));
            is_said = true;
        }
        sleep(TICK);
    }
}

/// Where mongod serves, while it does.
pub fn serving_port(data_dir: &Path) -> Option<u16> {
    port_in(&data_dir.join(SERVING))
}

fn port_in(path: &Path) -> Option<u16> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn announce(data_dir: &Path, port: u16) -> io::Result<()> {
    if port_in(&data_dir.join(LAST_PORT)) != Some(port) {
        write(&data_dir.join(LAST_PORT), port)?;
    }
    write(&data_dir.join(SERVING), port)
}

fn withdraw(data_dir: &Path) {
    let _ = fs::remove_file(data_dir.join(SERVING));
}

/// Whole or not at all: another process may read at any moment.
fn write(path: &Path, port: u16) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, port.to_string())?;
    fs::rename(new, path)
}

/// What the supervisor itself says begins so; its last word with the name of the command.
const SAID_BY: [&str; 2] = ["mongod-keeper: ", "movie-bag: "];

/// A line of the supervisor's log without that; `None` if it is of mongod.
pub(super) fn own_line(line: &str) -> Option<&str> {
    SAID_BY.iter().find_map(|by| line.strip_prefix(by))
}

/// To the log of the supervisor. It may stand on a disk that is full: that is no reason to end.
fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}{text}", SAID_BY[0]);
}
