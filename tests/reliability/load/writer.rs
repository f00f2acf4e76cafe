//! A client that adds, changes and deletes movies, and retries after a 503.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Answer, Ask, Client},
    ledger::{Ledger, Promise},
};
use crate::cluster::SERVERS;

/// The pause between two reads from a server that may be behind.
const AGAIN: Duration = Duration::from_millis(50);

pub struct Writer<'a> {
    client: &'a Client,
    ledger: &'a Ledger,
    token: &'a str,
    number: usize,
    pause: Duration,
    /// Each request goes to another server than the previous one.
    turn: usize,
}

fn body(promise: &Promise) -> Value {
    json!({ "name": promise.name, "casts": [promise.name], "genres": ["Load"], "plot": promise.plot })
}

impl<'a> Writer<'a> {
    pub fn new(
        client: &'a Client,
        ledger: &'a Ledger,
        token: &'a str,
        number: usize,
        pause: Duration,
    ) -> Self {
        Self { client, ledger, token, number, pause, turn: number }
    }

    pub async fn run(mut self) {
        for round in 0.. {
            if self.client.is_over() {
                return;
            }
            let name = format!("Movie {} of writer {}", round, self.number);
            let Some(id) = self.create(&name).await else { continue };
            for _ in 0..round % 4 {
                self.replace(&id).await;
            }
            if round % 3 != 0 {
                self.delete(&id).await;
            }
        }
    }

    fn ask(&mut self, method: Method, path: &str) -> Ask<'a> {
        self.turn += 1;
        Ask::new(self.turn, method, path, Some(self.token))
    }

    fn object(&self, doing: &str, again: bool, answer: &Answer) {
        self.client.object(format!("{doing}, again: {again}: {} {}", answer.status, answer.body));
    }

    /// Adds a movie. Returns its id. A 409 is correct if an earlier attempt was answered with 503, and that attempt
    /// added it.
    pub async fn create(&mut self, name: &str) -> Option<String> {
        let promise =
            Promise { name: name.to_owned(), version: 1, plot: "Version 1".to_owned(), is_deleted: false };
        let ask = Ask { body: Some(body(&promise)), ..self.ask(Method::POST, "/api/movies") };
        let (answer, again) = self.client.persist(ask).await;
        let id = match answer.status {
            201 => answer.body["id"].as_str()?.to_owned(),
            409 if again => {
                self.client.was_done_before();
                let path = format!("/api/movies?cast={}&limit=2", name.replace(' ', "%20"));
                let (found, _) = self.client.persist(Ask::get(self.turn, &path)).await;
                let items = found.body["items"].as_array().cloned().unwrap_or_default();
                match &*items {
                    [movie] => movie["id"].as_str()?.to_owned(),
                    other => {
                        self.client.object(format!("{name} is there {} times", other.len()));
                        return None;
                    }
                }
            }
            _ => {
                self.object(&format!("POST {name}"), again, &answer);
                return None;
            }
        };
        self.ledger.write(&id, promise);
        self.read_back(&id, answer.server).await;
        Some(id)
    }

    /// Changes the movie. A 412 is correct if an earlier attempt was answered with 503, and that attempt changed it.
    async fn replace(&mut self, id: &str) {
        let before = self.ledger.of(id);
        let version = before.version + 1;
        let promise = Promise { version, plot: format!("Version {version}"), ..before.clone() };
        let path = format!("/api/movies/{id}");
        let ask = Ask {
            if_match: Some(before.version),
            body: Some(body(&promise)),
            ..self.ask(Method::PUT, &path)
        };
        let (answer, again) = self.client.persist(ask).await;
        match answer.status {
            200 if answer.etag == Some(format!("\"{version}\"")) => {}
            412 if again => self.client.was_done_before(),
            _ => self.object(&format!("PUT {path}"), again, &answer),
        }
        self.ledger.write(id, promise);
        self.read_back(id, answer.server).await;
    }

    /// Deletes the movie. A 404 is correct if an earlier attempt was answered with 503, and that attempt deleted it.
    async fn delete(&mut self, id: &str) {
        let before = self.ledger.of(id);
        let path = format!("/api/movies/{id}");
        let ask = Ask { if_match: Some(before.version), ..self.ask(Method::DELETE, &path) };
        let (answer, again) = self.client.persist(ask).await;
        match answer.status {
            204 => {}
            404 if again => self.client.was_done_before(),
            _ => self.object(&format!("DELETE {path}"), again, &answer),
        }
        self.ledger.write(id, Promise { is_deleted: true, ..before });
        self.read_back(id, answer.server).await;
    }

    /// Asserts that each server returns the acknowledged state.
    async fn read_back(&mut self, id: &str, written_by: usize) {
        for server in [written_by, written_by + 1] {
            self.read_through(id, server, written_by).await;
        }
        tokio::time::sleep(self.pause).await;
    }

    async fn read_through(&self, id: &str, server: usize, written_by: usize) {
        let (promise, path) = (self.ledger.of(id), format!("/api/movies/{id}"));
        let acknowledged = Instant::now();
        loop {
            let (answer, _) = self.client.persist(Ask::get(server, &path)).await;
            let is_kept = if promise.is_deleted {
                answer.status == 404
            } else {
                let movie = &answer.body;
                let is = (movie["version"].as_i64(), movie["plot"].as_str(), movie["name"].as_str());
                is == (Some(promise.version), Some(&*promise.plot), Some(&*promise.name))
            };
            if is_kept {
                return;
            }
            let is_other = answer.server % SERVERS != written_by % SERVERS;
            if !is_other || acknowledged.elapsed() >= self.client.lag {
                let what = format!("GET {path}: {} {} for {promise:?}", answer.status, answer.body);
                return self.client.object(what);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}
