//! A client of the server.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::Outcome;

/// Longer than the server takes for any answer.
const PATIENCE: Duration = Duration::from_secs(40);

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None }
    }
}

/// An answer, and the time until its whole body had arrived.
pub struct Answer {
    pub status: StatusCode,
    pub took: Duration,
    pub tag: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// Bytes of the body, as they were sent.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// The body, if the answer is not an error.
    pub fn json(&self) -> Outcome<Value> {
        if self.status.is_success() {
            Ok(serde_json::from_slice(&self.body)?)
        } else {
            Err(format!("{}: {}", self.status, String::from_utf8_lossy(&self.body)).into())
        }
    }
}

async fn answer(request: RequestBuilder) -> Outcome<Answer> {
    let begun = Instant::now();
    let response = request.send().await?;
    let status = response.status();
    let tag = response.headers().get("ETag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let body = response.bytes().await?.to_vec();
    Ok(Answer { status, took: begun.elapsed(), tag, body })
}

pub struct Client {
    http: reqwest::Client,
    address: String,
    token: Option<String>,
}

impl Client {
    pub fn new(address: &str) -> Outcome<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { http, address: address.trim_end_matches('/').to_owned(), token: None })
    }

    /// Signs up a new user, and acts as that user from then on. Returns the user's id.
    pub async fn sign_up(&mut self) -> Outcome<String> {
        let email = format!("bench-{}@example.com", bson::oid::ObjectId::new().to_hex());
        let credentials = json!({ "email": email, "password": "plum-cake-at-noon" });
        let to =
            |path: &str| Ask { method: Method::POST, path: path.to_owned(), body: Some(credentials.clone()) };
        let user = self.ask(&to("/api/auth/signup")).await?.json()?;
        let login = self.ask(&to("/api/auth/login")).await?.json()?;
        self.token = login["token"].as_str().map(str::to_owned);
        Ok(user["id"].as_str().unwrap_or_default().to_owned())
    }

    pub async fn ask(&self, ask: &Ask) -> Outcome<Answer> {
        let mut request = self.http.request(ask.method.clone(), format!("{}{}", self.address, ask.path));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// Reads an address with one header more.
    pub async fn get(&self, path: &str, header: Option<&(&'static str, String)>) -> Outcome<Answer> {
        let request = self.http.get(format!("{}{path}", self.address));
        answer(header.into_iter().fold(request, |request, (name, value)| request.header(*name, value))).await
    }

    pub async fn read(&self, path: &str) -> Outcome<Value> {
        self.ask(&Ask::get(path)).await?.json()
    }

    /// The cursors of the pages after the first: as many as `pages`, or fewer if the list ends.
    pub async fn cursors(&self, query: &str, pages: usize) -> Outcome<Vec<String>> {
        let mut cursors: Vec<String> = Vec::new();
        while cursors.len() < pages {
            let after = cursors.last().map(|cursor| format!("&after={cursor}")).unwrap_or_default();
            let page = self.read(&format!("/api/movies?fields=id&{query}{after}")).await?;
            let Some(next) = page["next"].as_str() else { break };
            cursors.push(next.to_owned());
        }
        Ok(cursors)
    }
}
