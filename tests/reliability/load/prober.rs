//! Sends each server a small request again and again, to measure how long it was unavailable.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;

use super::client::{Ask, Client};

const PAUSE: Duration = Duration::from_millis(100);
/// A slower answer counts as an interruption.
const SLOW: Duration = Duration::from_secs(1);
/// A server counts as recovered after this time without an interruption.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Write,
    Read,
}

pub const KINDS: [Kind; 2] = [Kind::Write, Kind::Read];

#[derive(Debug, Clone, Copy)]
struct Probe {
    begun: Instant,
    ended: Instant,
    status: u16,
}

#[derive(Default)]
pub struct Probes(Mutex<HashMap<(usize, Kind), Vec<Probe>>>);

impl Probes {
    pub async fn probe(&self, client: &Client, server: usize, kind: Kind, path: &str, token: &str) {
        loop {
            let mut ask = Ask::get(server, path);
            if kind == Kind::Write {
                let movie = json!({ "name": format!("Probe {server}"), "casts": [], "genres": ["Probe"] });
                ask = Ask { body: Some(movie), ..Ask::new(server, Method::PUT, path, Some(token)) };
            }
            let begun = Instant::now();
            let status = client.ask(&ask).await.status;
            if ![200, 503, super::client::BROKEN].contains(&status) {
                client.object(format!("probe {kind:?} {path}: {status}"));
            }
            let probe = Probe { begun, ended: Instant::now(), status };
            self.0.lock().unwrap().entry((server, kind)).or_default().push(probe);
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn of(&self, server: usize, kind: Kind) -> Vec<Probe> {
        self.0.lock().unwrap().get(&(server, kind)).cloned().unwrap_or_default()
    }

    /// Whether each server has answered correctly and quickly for a while.
    pub fn is_quiet(&self, since: Instant) -> bool {
        let servers: Vec<_> = self.0.lock().unwrap().keys().copied().collect();
        since.elapsed() > QUIET
            && servers.into_iter().all(|(server, kind)| {
                let probes = self.of(server, kind);
                let mut late =
                    probes.iter().rev().take_while(|probe| probe.ended.elapsed() < QUIET).peekable();
                late.peek().is_some() && late.all(|probe| !probe.is_interruption())
            })
    }

    /// How long after `since` the last interruption ended; `None` if there was none.
    pub fn interrupted(&self, server: usize, kind: Kind, since: Instant) -> Option<Duration> {
        let probes = self.of(server, kind);
        let last = probes.iter().rposition(|probe| probe.ended > since && probe.is_interruption())?;
        let over = probes[last..].iter().find(|probe| probe.status == 200)?;
        Some(over.ended - since)
    }

    /// The answers to requests after `since`: their status, and the time of the slowest.
    pub fn answers(&self, kind: Kind, since: Instant) -> (Vec<u16>, Duration) {
        let all = self.0.lock().unwrap();
        let probes: Vec<&Probe> = all
            .iter()
            .filter(|((_, of), _)| *of == kind)
            .flat_map(|(_, probes)| probes)
            .filter(|probe| probe.begun > since)
            .collect();
        let slowest = probes.iter().map(|probe| probe.took()).max().unwrap_or_default();
        (probes.iter().map(|probe| probe.status).collect(), slowest)
    }
}

impl Probe {
    fn took(&self) -> Duration {
        self.ended - self.begun
    }

    fn is_interruption(&self) -> bool {
        self.status != 200 || self.took() > SLOW
    }
}
