//! What a user of the embedded mongod looks after while it uses it: that there is a supervisor, that the
//! log says how mongod fares, and that mongod serves where it is looked for.

use std::{fs, path::Path, time::Duration};

use tokio::{sync::watch::Sender, time::sleep};

use super::{
    ending,
    launch::{Options, has_supervisor, reap, supervise},
    supervisor,
};

const LOOK: Duration = Duration::from_secs(1);
/// The longest pause before a mongod that does not start is tried again: an operator who has made room
/// on the disk does not wait for long, and the log of a night does not fill it again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Looks every second, until `moved` has been told another port than `port`.
pub(super) async fn keep(options: Options, port: u16, moved: Sender<Option<u16>>) {
    let data_dir = &options.data_dir;
    let mut said = Said::from_now_on(data_dir);
    let mut pause = LOOK;
    let mut serves = true;
    loop {
        sleep(LOOK).await;
        said.pass_on(data_dir);
        let found = supervisor::serving_port(data_dir);
        match found {
            Some(found) if found != port => {
                moved.send_replace(Some(found));
                return;
            }
            Some(_) if !serves => tracing::warn!("the embedded mongod serves again"),
            None if serves => {
                let reason = ending::disk_is_full(data_dir);
                tracing::error!(reason, "the embedded mongod does not serve: requests are answered with 503");
            }
            _ => {}
        }
        serves = found.is_some();
        if serves {
            pause = LOOK;
        }
        if !has_supervisor(data_dir) {
            let reason = ending::disk_is_full(data_dir);
            tracing::warn!(reason, "nobody keeps the embedded mongod; starting another supervisor");
            said = Said::default();
            match supervise(&options, true).await {
                Ok(supervisor) => reap(supervisor),
                Err(error) => tracing::error!(%error, "no supervisor for the embedded mongod"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// How much of the supervisor's log has been passed on to ours: an operator reads one log.
#[derive(Default)]
struct Said(usize);

impl Said {
    fn from_now_on(data_dir: &Path) -> Self {
        Self(fs::read_to_string(data_dir.join(supervisor::SUPERVISOR_LOG)).map_or(0, |text| text.len()))
    }

    fn pass_on(&mut self, data_dir: &Path) {
        let text = fs::read_to_string(data_dir.join(supervisor::SUPERVISOR_LOG)).unwrap_or_default();
        // A new supervisor begins anew.
        let new = text.get(self.0..).unwrap_or(&text);
        // Between them may stand what mongod says on its way out.
        for line in new.lines().filter_map(supervisor::own_line) {
            tracing::warn!("{line}");
        }
        self.0 = text.len();
    }
}
