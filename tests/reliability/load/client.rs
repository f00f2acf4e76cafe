//! A client of the servers. It counts every answer, and knows which ones to expect.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::Value;

/// The server's own limit is 30 s; the rest is for a busy machine.
const TOO_LONG: Duration = Duration::from_secs(35);
/// A broken connection does not say when to retry.
const AFTER_BREAK: Duration = Duration::from_millis(200);
/// The allowed codes of a 503.
const AWAY: [&str; 3] = ["database-unavailable", "deadline-exceeded", "overloaded"];
/// Another one, allowed where servers are started meanwhile: their index first catches up with the log.
const CATCHING_UP: &str = "search-building";
/// The status of a request without an answer.
pub const BROKEN: u16 = 0;

#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The number of answers by method and status.
    pub answers: BTreeMap<(String, u16), usize>,
    /// The number of 503s by method, kind of path and code.
    pub refusals: BTreeMap<String, usize>,
    /// Retries that found that an earlier attempt had succeeded: 409, 412, 404, 401.
    pub done_before: usize,
    pub slowest: (Duration, String),
    pub violations: Vec<String>,
}

#[derive(Clone)]
pub struct Client {
    bases: Arc<Vec<String>>,
    http: reqwest::Client,
    tally: Arc<Mutex<Tally>>,
    /// Whether connections may break, because servers are killed or end.
    may_break: Arc<AtomicBool>,
    pub stop: Arc<AtomicBool>,
    pub walks: Arc<AtomicUsize>,
    /// How long a server may return the old state after another server has written.
    pub lag: Duration,
}

pub struct Answer {
    /// The server that answered.
    pub server: usize,
    pub status: u16,
    pub etag: Option<String>,
    pub body: Value,
    retry_after: Option<u64>,
}

/// A request. `server` gets it first; a retry goes to the next one.
#[derive(Clone)]
pub struct Ask<'a> {
    pub server: usize,
    pub method: Method,
    pub path: String,
    pub token: Option<&'a str>,
    pub if_match: Option<i64>,
    pub body: Option<Value>,
}

impl<'a> Ask<'a> {
    pub fn get(server: usize, path: &str) -> Self {
        Self::new(server, Method::GET, path, None)
    }

    pub fn new(server: usize, method: Method, path: &str, token: Option<&'a str>) -> Self {
        Self { server, method, path: path.to_owned(), token, if_match: None, body: None }
    }
}

impl Client {
    pub fn new(bases: Vec<String>, may_break: bool, lag: Duration) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(TOO_LONG).build().unwrap();
        Self {
            bases: Arc::new(bases),
            http,
            tally: Arc::default(),
            may_break: Arc::new(AtomicBool::new(may_break)),
            stop: Arc::default(),
            walks: Arc::default(),
            lag,
        }
    }

    pub fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// From now on, a server may end.
    pub fn expect_breaks(&self) {
        self.may_break.store(true, Ordering::SeqCst);
    }

    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Counts a retry that found that an earlier attempt had succeeded without being acknowledged.
    pub fn was_done_before(&self) {
        self.tally.lock().unwrap().done_before += 1;
    }

    pub fn object(&self, objection: String) {
        let mut tally = self.tally.lock().unwrap();
        if tally.violations.len() < 20 {
            tally.violations.push(objection);
        }
    }

    /// A request for a stream that does not end.
    pub fn request(&self, server: usize, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.bases[server])).timeout(Duration::from_hours(2))
    }

    /// Sends a request once.
    pub async fn ask(&self, ask: &Ask<'_>) -> Answer {
        let url = format!("{}{}", self.bases[ask.server % self.bases.len()], ask.path);
        let mut request = self.http.request(ask.method.clone(), url);
        if let Some(token) = ask.token {
            request = request.bearer_auth(token);
        }
        if let Some(version) = ask.if_match {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let begun = Instant::now();
        let answer = match request.send().await {
            Ok(response) => Self::read(ask.server, response).await,
            Err(error) => Err(error),
        };
        let took = begun.elapsed();
        let (answer, reason) = match answer {
            Ok(answer) => (answer, String::new()),
            Err(error) => {
                let (server, body) = (ask.server, Value::Null);
                let broken = Answer { server, status: BROKEN, etag: None, body, retry_after: None };
                (broken, format!("{error:?}"))
            }
        };
        self.count(ask, &answer, took, &reason);
        answer
    }

    async fn read(server: usize, response: reqwest::Response) -> Result<Answer, reqwest::Error> {
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (etag, retry_after) = (header("ETag"), header("Retry-After").and_then(|text| text.parse().ok()));
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Answer { server, status, etag, body, retry_after })
    }

    fn count(&self, ask: &Ask<'_>, answer: &Answer, took: Duration, reason: &str) {
        {
            let mut tally = self.tally.lock().unwrap();
            *tally.answers.entry((ask.method.to_string(), answer.status)).or_default() += 1;
            if answer.status == 503 {
                *tally.refusals.entry(refusal(ask, answer)).or_default() += 1;
            }
            if took > tally.slowest.0 {
                tally.slowest = (took, format!("{} {}: {}", ask.method, ask.path, answer.status));
            }
        }
        let what = format!("{} {}: {} after {took:?}", ask.method, ask.path, answer.status);
        match answer.status {
            BROKEN if !self.may_break.load(Ordering::SeqCst) => self.object(format!("{what}: {reason}")),
            503 => {
                let code = answer.body["code"].as_str().unwrap_or_default();
                let is_allowed =
                    AWAY.contains(&code) || code == CATCHING_UP && self.may_break.load(Ordering::SeqCst);
                if !is_allowed || answer.retry_after.is_none() {
                    self.object(format!("{what}: {}, Retry-After {:?}", answer.body, answer.retry_after));
                }
            }
            500.. => self.object(format!("{what}: {}", answer.body)),
            _ => {}
        }
        if took >= TOO_LONG {
            self.object(format!("{what}: too long"));
        }
    }

    /// Retries as long as the answer is 503, after the time that the answer names, as the contract tells clients to.
    /// Also returns whether it has retried.
    pub async fn persist(&self, mut ask: Ask<'_>) -> (Answer, bool) {
        let mut again = false;
        loop {
            let answer = self.ask(&ask).await;
            if ![503, BROKEN].contains(&answer.status) {
                return (answer, again);
            }
            tokio::time::sleep(answer.retry_after.map_or(AFTER_BREAK, Duration::from_secs)).await;
            (ask.server, again) = (ask.server + 1, true);
        }
    }

    /// Deletes an account. Returns the last status; 401 says that an earlier attempt succeeded.
    pub async fn leave(&self, server: usize, token: &str) -> u16 {
        let (answer, again) =
            self.persist(Ask::new(server, Method::DELETE, "/api/users/me", Some(token))).await;
        match answer.status {
            202 | 204 => {}
            401 if again => self.was_done_before(),
            other => self.object(format!("DELETE /api/users/me, again: {again}: {other} {}", answer.body)),
        }
        answer.status
    }
}

/// What was refused, without ids. The search index answers the only list here that names its order.
fn refusal(ask: &Ask<'_>, answer: &Answer) -> String {
    let kind = match ask.path.split_once('?') {
        Some((_, query)) if query.contains("sort=") => "a search",
        Some(_) => "a list",
        None if ask.path.starts_with("/api/movies/") => "a movie",
        None => ask.path.as_ref(),
    };
    format!("{} {kind}: {}", ask.method, answer.body["code"].as_str().unwrap_or_default())
}
