//! Watches the embedded mongod on behalf of a process that uses it: ensures that there is a supervisor, and logs the
//! state of mongod. It reads files, so it has its own thread.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use super::{
    data_folder, ending,
    launch::Options,
    spawn::{has_supervisor, reap, supervise},
    supervisor,
};

const LOOK: Duration = Duration::from_secs(1);
/// The longest pause before a mongod that does not start is tried again. It is short, so that an operator who has
/// freed disk space need not wait, and long enough that the log of one night does not fill the disk again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Checks every second, until the other end of `ends` is dropped.
pub(super) fn keep(options: &Options, ends: &Receiver<()>) {
    let data_dir = &options.data_dir;
    let mut said = Said::from_now_on(data_dir);
    let (mut wait, mut pause) = (LOOK, LOOK);
    let (mut serves, mut sees) = (true, true);
    while ends.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = LOOK;
        let looked = said.pass_on(data_dir).and_then(|()| has_supervisor(data_dir));
        match &looked {
            // This error says nothing about mongod: a server with too many connections has no descriptors left.
            Err(error) if sees => {
                tracing::warn!(%error, "the embedded mongod cannot be monitored for now");
            }
            Ok(_) if !sees => tracing::warn!("the embedded mongod is monitored again"),
            _ => {}
        }
        sees = looked.is_ok();
        let before = std::mem::replace(&mut serves, data_folder::serves(data_dir));
        match (before, serves) {
            (false, true) => tracing::warn!("the embedded mongod is serving again"),
            (true, false) => {
                let reason = ending::disk_is_full(data_dir);
                tracing::error!(
                    reason,
                    "the embedded mongod is not serving; the server answers requests with 503"
                );
            }
            _ => {}
        }
        if serves {
            pause = LOOK;
        }
        if let Ok(false) = looked {
            let reason = ending::disk_is_full(data_dir);
            tracing::warn!(reason, "the embedded mongod has no supervisor; starting another one");
            match supervise(options) {
                Ok(supervisor) => reap(supervisor),
                Err(error) => tracing::error!(%error, "cannot start a supervisor for the embedded mongod"),
            }
            wait = pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// How much of the supervisor's log has been passed on to ours: an operator reads one log.
struct Said(u64);

impl Said {
    fn from_now_on(data_dir: &Path) -> Self {
        Self(std::fs::metadata(data_dir.join(data_folder::SUPERVISOR_LOG)).map_or(0, |log| log.len()))
    }

    /// Passes on whole lines only, because the last one may be incomplete.
    fn pass_on(&mut self, data_dir: &Path) -> io::Result<()> {
        let mut log = match File::open(data_dir.join(data_folder::SUPERVISOR_LOG)) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        // The log was emptied.
        if log.metadata()?.len() < self.0 {
            self.0 = 0;
        }
        log.seek(SeekFrom::Start(self.0))?;
        let mut new = Vec::new();
        log.read_to_end(&mut new)?;
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        // Skip lines that mongod writes while it ends.
        for line in String::from_utf8_lossy(&new[..whole]).lines().filter_map(supervisor::own_line) {
            tracing::warn!("{line}");
        }
        self.0 += whole as u64;
        Ok(())
    }
}
