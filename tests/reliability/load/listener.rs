//! A client that listens to the events of one server, and reconnects with the last id when it is disconnected.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use reqwest::Response;
use serde_json::Value;

use super::{client::Client, ledger::Ledger};

const EVENTS: &str = "/api/movies/events";
const RETRY: Duration = Duration::from_millis(200);

/// How many events of each kind a movie had.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Heard {
    created: i64,
    updated: i64,
    deleted: i64,
}

#[derive(Default)]
struct State {
    /// The last id. Ids sort in the order of the changes.
    id: String,
    heard: BTreeMap<String, Heard>,
    resets: usize,
    visits: usize,
}

pub struct Listener {
    server: usize,
    state: Mutex<State>,
}

impl Listener {
    pub fn new(server: usize) -> Self {
        Self { server, state: Mutex::default() }
    }

    pub fn server(&self) -> usize {
        self.server
    }

    /// Listens until it is aborted.
    pub async fn follow(&self, client: &Client) {
        loop {
            let mut request = client.request(self.server, EVENTS);
            let last = self.state.lock().unwrap().id.clone();
            if !last.is_empty() {
                request = request.header("Last-Event-ID", last);
            }
            match request.send().await {
                Ok(response) if response.status() == 200 => {
                    self.state.lock().unwrap().visits += 1;
                    self.listen(client, response).await;
                }
                Ok(response)
                    if response.status() == 503 && response.headers().contains_key("Retry-After") => {}
                Ok(response) => client.object(format!("GET {EVENTS}: {}", response.status())),
                // The server was killed.
                Err(_) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn listen(&self, client: &Client, mut response: Response) {
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes.extend_from_slice(&chunk);
            while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = bytes.drain(..end + 2).collect();
                self.take(client, &String::from_utf8_lossy(&block));
            }
        }
    }

    fn take(&self, client: &Client, block: &str) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let mut state = self.state.lock().unwrap();
        let kind = field("event:");
        if let Some(id) = field("id:") {
            if kind.is_some_and(|kind| kind != "reset") && *id <= *state.id {
                client.object(format!("server {}: an event that came already: {block}", self.server));
            }
            id.clone_into(&mut state.id);
        }
        let Some(kind) = kind else { return };
        let data: Value = serde_json::from_str(field("data:").unwrap_or_default()).unwrap_or_default();
        let heard = state.heard.entry(data["id"].as_str().unwrap_or_default().to_owned()).or_default();
        match kind {
            "created" => heard.created += 1,
            "updated" => heard.updated += 1,
            "deleted" => heard.deleted += 1,
            "reset" => state.resets += 1,
            other => client.object(format!("an event {other}")),
        }
    }

    pub fn hears(&self) -> bool {
        !self.state.lock().unwrap().id.is_empty()
    }

    pub fn has_heard_of(&self, movie: &str) -> bool {
        let state = self.state.lock().unwrap();
        state.heard.contains_key(movie) || state.resets > 0
    }

    pub fn visits(&self) -> usize {
        self.state.lock().unwrap().visits
    }

    pub fn resets(&self) -> usize {
        self.state.lock().unwrap().resets
    }

    /// Asserts that each acknowledged change was heard exactly once, unless a `reset` has said that some may be
    /// missing.
    pub fn assert_complete(&self, ledger: &Ledger, client: &Client) {
        let state = self.state.lock().unwrap();
        if state.resets > 0 {
            return;
        }
        for (id, promise) in ledger.all() {
            let heard = state.heard.get(&id).copied().unwrap_or_default();
            let promised =
                Heard { created: 1, updated: promise.version - 1, deleted: i64::from(promise.is_deleted) };
            if heard != promised {
                client.object(format!("server {}: heard {heard:?} of {id} {promise:?}", self.server));
            }
        }
    }
}
