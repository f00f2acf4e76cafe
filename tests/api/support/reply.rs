//! An answer, and assertions about it.

use movie_bag::http::problem::Code;
use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;

use super::contract::{self, Answer};

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    headers: HeaderMap,
    pub body: Vec<u8>,
    path: String,
}

impl Reply {
    pub async fn of(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, url) = (request.method().clone(), request.url());
        let path = url.path().to_owned();
        let address = url.query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let response = client.execute(request).await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("a whole answer").to_vec();
        let reply = Self { status, headers, body, path };
        reply.assert_documented(method.as_str(), &address);
        reply
    }

    /// Asserts that the answer matches the OpenAPI document, if the route is in it.
    fn assert_documented(&self, method: &str, address: &str) {
        let header = |name: &str| self.header(name);
        let answer = Answer { status: self.status, header: &header, body: &self.body };
        if let Some(objection) = contract::objection(method, address, &answer) {
            panic!("{method} {address}: {} {}: {objection}", self.status, self.text());
        }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    pub fn assert_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.path, self.text());
        assert!(self.header("X-Request-Id").is_some());
        self
    }

    /// Asserts a complete problem, as in section 2 of the contract.
    #[track_caller]
    pub fn assert_problem(self, status: u16, code: &str) -> Self {
        let reply = self.assert_status(status);
        assert_eq!(reply.header("Content-Type").as_deref(), Some("application/problem+json"));
        assert_eq!(reply.header("Cache-Control").as_deref(), Some("no-store"));
        let problem = reply.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert!(Code::ALL.iter().any(|known| known.kind().code == code), "{code} has no page");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], reply.path);
        assert_eq!(problem["request_id"].as_str().map(str::to_owned), reply.header("X-Request-Id"));
        for text in ["title", "detail"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        assert_eq!(problem.get("errors").is_some(), code == "validation-failed", "{problem}");
        let challenge = reply.header("WWW-Authenticate");
        match code {
            "missing-token" | "bad-credentials" | "invalid-refresh-token" => {
                assert_eq!(challenge.as_deref(), Some(r#"Bearer realm="movie-bag""#));
            }
            "invalid-token" | "expired-token" | "revoked-token" => {
                let challenge = challenge.unwrap();
                assert!(
                    challenge.starts_with(
                        r#"Bearer realm="movie-bag", error="invalid_token", error_description=""#
                    )
                );
            }
            "insufficient-scope" => {
                assert!(challenge.unwrap().starts_with(r#"Bearer error="insufficient_scope""#));
            }
            _ => assert_eq!(challenge, None),
        }
        assert_eq!(reply.header("Allow").is_some(), status == 405);
        if status == 503 {
            assert!(reply.header("Retry-After").unwrap().parse::<u32>().is_ok());
        }
        reply
    }

    /// Asserts a 422 that names exactly these fields with these codes.
    #[track_caller]
    pub fn assert_fields(self, expected: &[(&str, &str)]) -> Self {
        let reply = self.assert_problem(422, "validation-failed");
        let problem = reply.json();
        let mut found: Vec<(&str, &str)> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
            .collect();
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{problem}");
        reply
    }
}
