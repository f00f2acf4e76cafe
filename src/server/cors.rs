//! Cross-origin resource sharing (<https://fetch.spec.whatwg.org/#http-cors-protocol>): which web pages of other
//! origins may call the API from a browser. A page sends its token in a header that it sets itself. So there are no
//! credentials to allow, and no cookie that a stranger's page could use.

use rocket::{
    Request, Response,
    fairing::{Fairing, Info, Kind},
    http::{Header, Method, Status},
};

use crate::http::query::number;

/// What a page may send.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id";
/// The headers that a page may read, besides those that it may always read.
const RESPONSE_HEADERS: &str = "ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id";
/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE: &str = "7200";

/// Gives the origins in the settings their headers, on errors too.
pub struct Cors {
    origins: Vec<Allowed>,
}

enum Allowed {
    Any,
    Exactly(String),
    /// `http://localhost`, with any port or none.
    AnyPort(String),
}

impl Allowed {
    fn parse(text: &str) -> Self {
        match text.strip_suffix(":*") {
            _ if text == "*" => Self::Any,
            Some(host) => Self::AnyPort(host.to_owned()),
            None => Self::Exactly(text.to_owned()),
        }
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(allowed) => allowed == origin,
            Self::AnyPort(host) => origin.strip_prefix(host.as_str()).is_some_and(|rest| {
                let port = rest.strip_prefix(':');
                rest.is_empty() || port.and_then(number::<u16>).is_some()
            }),
        }
    }
}

impl Cors {
    /// `origins` come from the settings, which have checked them.
    #[must_use]
    pub fn new(origins: &[String]) -> Self {
        Self { origins: origins.iter().map(|origin| Allowed::parse(origin)).collect() }
    }

    /// The allowed origin to answer with: the caller's own or `*`. `None` if its origin is not allowed.
    fn allowed(&self, request: &Request<'_>) -> Option<String> {
        let mut sent = request.headers().get("Origin");
        let (Some(origin), None) = (sent.next(), sent.next()) else { return None };
        let allowed = self.origins.iter().find(|allowed| allowed.matches(origin))?;
        Some(if matches!(allowed, Allowed::Any) { "*" } else { origin }.to_owned())
    }
}

#[rocket::async_trait]
impl Fairing for Cors {
    fn info(&self) -> Info {
        Info { name: "CORS", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if self.origins.is_empty() {
            return;
        }
        // Set this even if the request has no other origin, so that a cache keeps the two answers apart.
        response.adjoin_header(Header::new("Vary", "Origin"));
        let Some(origin) = self.allowed(request) else { return };
        response.set_header(Header::new("Access-Control-Allow-Origin", origin));
        let is_preflight = request.method() == Method::Options
            && request.headers().contains("Access-Control-Request-Method");
        if !is_preflight {
            response.set_header(Header::new("Access-Control-Expose-Headers", RESPONSE_HEADERS));
            return;
        }
        // Replaces any answer: a browser sends a preflight without a token, and expects a success.
        response.set_status(Status::NoContent);
        response.set_sized_body(0, std::io::Cursor::new([]));
        response.remove_header("Content-Type");
        response.remove_header("Allow");
        response.set_header(Header::new("Access-Control-Allow-Methods", METHODS));
        response.set_header(Header::new("Access-Control-Allow-Headers", REQUEST_HEADERS));
        response.set_header(Header::new("Access-Control-Max-Age", MAX_AGE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_matches_as_a_whole_and_any_port_means_digits() {
        let matches = |allowed, origin| Allowed::parse(allowed).matches(origin);
        for (allowed, origin) in [
            ("*", "https://anything.example"),
            ("https://a.example", "https://a.example"),
            ("http://localhost:*", "http://localhost"),
            ("http://localhost:*", "http://localhost:5173"),
        ] {
            assert!(matches(allowed, origin), "{allowed} {origin}");
        }
        for (allowed, origin) in [
            ("https://a.example", "https://a.example.evil.test"),
            ("https://a.example", "https://evil.test/https://a.example"),
            ("https://a.example", "http://a.example"),
            ("https://a.example", "https://a.example:8443"),
            ("https://a.example", "null"),
            ("http://localhost:*", "http://localhost.evil.test"),
            ("http://localhost:*", "http://localhost:5173.evil.test"),
            ("http://localhost:*", "http://localhost:99999"),
            ("http://localhost:*", "http://localhost:"),
            ("http://localhost:*", "http://localhost:+80"),
            ("http://localhost:*", "https://localhost:5173"),
        ] {
            assert!(!matches(allowed, origin), "{allowed} {origin}");
        }
    }
}
