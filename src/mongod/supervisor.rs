//! The process between our server and the embedded mongod. It ends mongod when nobody uses it any more.
//!
//! A killed server cannot clean up, so another process must: our own binary, run again in its own process group
//! (Ctrl-C in a terminal does not reach it). Every process that uses the database holds a shared lock on [`LEASE`],
//! which the operating system releases however that process ends. The supervisor tries to take the lock exclusively.
//! When it succeeds, the last user has left, and it ends mongod. It keeps the lock until it ends itself, so a
//! newcomer waits and then starts its own supervisor.
//!
//! It also restarts mongod when mongod dies, and ends a mongod that a killed supervisor has left behind. A termination
//! signal does not end it while the database is in use: when a whole group of processes is stopped (as systemd does),
//! the server must still answer its last requests. It has its own process name, so that a signal to every process
//! called `movie-bag` does not reach it. [`super::launch`] is the other side.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write},
    os::unix::net::UnixStream,
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

use super::{
    command_line,
    data_folder::{self, FILES, LEASE, MONGOD_LOG, PORT, SUPERVISOR},
    ending, socket,
};

const TICK: Duration = Duration::from_millis(50);
/// How long mongod may take to end by itself.
const CLEAN_STOP: Duration = Duration::from_secs(30);
/// How long the files of a mongod that has just died may stay locked.
const FILES_IN_USE: Duration = Duration::from_secs(10);
/// A mongod that ends sooner than this after its start has failed.
const TOO_SOON: Duration = Duration::from_secs(20);
/// How many times in a row it may fail without having served.
const ATTEMPTS: u32 = 3;
/// The pause after that many failures of a mongod that did serve.
const PAUSE: Duration = Duration::from_secs(3);

/// An exit code of mongod: <https://www.mongodb.com/docs/manual/reference/exit-codes/>
const EXIT_FILES_IN_USE: i32 = 100;

/// The arguments of the hidden subcommand.
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
    /// More arguments for mongod.
    #[arg(last = true)]
    pub arguments: Vec<String>,
}

/// Runs mongod until nobody uses it.
///
/// # Errors
/// Any error that keeps mongod from serving. The text is for a person.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let data_dir = &arguments.data_dir;
    let own = File::create(data_dir.join(SUPERVISOR))?;
    // Try a few times: a process that checks for a supervisor holds the lock for a moment.
    if !(0..10).any(|_| {
        own.try_lock().is_ok() || {
            sleep(TICK);
            false
        }
    }) {
        // Another supervisor was faster. The process that started this one will find it.
        return Ok(());
    }
    // Remove the files that a killed supervisor left behind.
    data_folder::withdraw(data_dir);
    let _ = fs::remove_file(data_dir.join(PORT));
    let lease = File::create(data_dir.join(LEASE))?;
    std::env::set_current_dir(socket::make_folder(data_dir)?)?;
    data_folder::create_private(&data_dir.join(FILES))?;
    let asked_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        flag::register(signal, Arc::clone(&asked_to_end))?;
    }
    #[cfg(target_os = "linux")]
    rustix::thread::set_name(c"mongod-keeper")?;
    let result = keep_serving(arguments, &lease, &asked_to_end);
    data_folder::withdraw(data_dir);
    if arguments.ephemeral {
        let _ = fs::remove_dir_all(data_dir);
    }
    result
}

/// How a run of mongod ended.
enum Run {
    /// Nobody uses it any more.
    Unused,
    /// It ended by itself.
    Ended(ExitStatus),
}

fn keep_serving(arguments: &Arguments, lease: &File, asked_to_end: &AtomicBool) -> io::Result<()> {
    let data_dir = &arguments.data_dir;
    end_orphan(data_dir);
    let (mut in_use_since, mut failures) = (None, 0);
    loop {
        let (started, log) = (Instant::now(), ending::log_length(data_dir));
        let (status, has_served) = match run_once(arguments, lease)? {
            (Run::Unused, _) => return Ok(()),
            (Run::Ended(_), _) if asked_to_end.load(Ordering::Relaxed) => return Ok(()),
            (Run::Ended(status), has_served) => (status, has_served),
        };
        match status.code() {
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
                say(format!("mongod ended ({status}) and will be restarted: {reason}"));
                if failures >= ATTEMPTS {
                    sleep(PAUSE);
                }
            }
        }
    }
}

/// Runs mongod once. Returns how it ended, and whether it had served.
fn run_once(arguments: &Arguments, lease: &File) -> io::Result<(Run, bool)> {
    let mut mongod = start(arguments)?;
    let mut has_served = false;
    let mut untold: Option<Instant> = None;
    let run = loop {
        if let Some(status) = mongod.try_wait()? {
            break Run::Ended(status);
        }
        if lease.try_lock().is_ok() {
            data_folder::withdraw(&arguments.data_dir);
            end(&mut mongod)?;
            break Run::Unused;
        }
        let is_due = untold.is_none_or(|tried| tried.elapsed() > Duration::from_secs(1));
        if is_due && !data_folder::serves(&arguments.data_dir) && UnixStream::connect(socket::ADDRESS).is_ok()
        {
            has_served = true;
            // On a full disk this cannot be announced. Processes that used mongod before find it nevertheless.
            untold = data_folder::announce(&arguments.data_dir).is_err().then(Instant::now);
        }
        sleep(TICK);
    };
    data_folder::withdraw(&arguments.data_dir);
    Ok((run, has_served))
}

/// Ends a mongod on our files whose supervisor was killed. mongod writes its process id beside them, and the command
/// line shows whether that process is still this mongod.
fn end_orphan(data_dir: &Path) {
    let files = data_dir.join(FILES);
    let id =
        fs::read_to_string(files.join("mongod.lock")).ok().and_then(|text| text.trim().parse::<i32>().ok());
    let Some(pid) = id.and_then(Pid::from_raw) else { return };
    let command = PathBuf::from(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
    let is_ours = || {
        fs::read(&command).is_ok_and(|line| {
            line.split(|byte| *byte == 0).any(|argument| argument == files.as_os_str().as_encoded_bytes())
        })
    };
    if !is_ours() {
        return;
    }
    say(format!("ending mongod {}, which a killed supervisor left behind", pid.as_raw_nonzero()));
    let _ = kill_process(pid, Signal::TERM);
    let asked = Instant::now();
    while is_ours() && asked.elapsed() < CLEAN_STOP {
        sleep(TICK);
    }
}

fn start(arguments: &Arguments) -> io::Result<Child> {
    let data_dir = &arguments.data_dir;
    let files = data_dir.join(FILES);
    command_line::of(&arguments.mongod, &files, &data_dir.join(MONGOD_LOG))
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
        // The child has not been reaped yet, so the id is still its own.
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

/// The prefixes of the supervisor's own log lines. Its last line begins with the name of the command.
const SAID_BY: [&str; 2] = ["mongod-keeper: ", "movie-bag: "];

/// A line of the supervisor's log without the prefix; `None` if the line is from mongod.
pub(super) fn own_line(line: &str) -> Option<&str> {
    SAID_BY.iter().find_map(|by| line.strip_prefix(by))
}

/// Writes to the supervisor's log. The log may be on a full disk, which is no reason to end.
fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}{text}", SAID_BY[0]);
}
