//! A caller of the API: anonymous, or a user with a token.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::{Reply, TestApp, movie};

#[derive(Clone)]
pub struct Caller {
    base: String,
    http: reqwest::Client,
    pub token: Option<String>,
}

impl Caller {
    pub fn new(app: &TestApp, token: Option<String>) -> Self {
        Self { base: app.base.clone(), http: app.http.clone(), token }
    }

    /// A request under construction, with the token if there is one.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, method: &str, path: &str) -> Reply {
        Reply::of(self.request(method, path)).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.with_json("POST", path, body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.with_json("PUT", path, body).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.with_json("PATCH", path, body).await
    }

    pub async fn with_json(&self, method: &str, path: &str, body: &Value) -> Reply {
        Reply::of(self.request(method, path).json(body)).await
    }

    /// Sends a raw body, with or without a content type.
    pub async fn with_bytes(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Reply {
        let mut request = self.request(method, path).body(body);
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        Reply::of(request).await
    }

    /// The caller's own id.
    pub async fn id(&self) -> String {
        self.get("/api/users/me").await.assert_status(200).json()["id"].as_str().unwrap().to_owned()
    }

    /// Adds a movie with few fields. Returns its path.
    pub async fn add(&self, name: &str) -> String {
        self.post("/api/movies", &movie(name)).await.assert_status(201).header("Location").unwrap()
    }
}
