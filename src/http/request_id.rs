//! `X-Request-Id`: taken from the request if it is usable, otherwise generated. It is on every answer and in the log.

use rocket::Request;

/// The id of one request.
pub struct RequestId(String);

impl RequestId {
    pub const HEADER: &'static str = "X-Request-Id";

    /// The request's id. Every call for one request returns the same id.
    pub fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| {
            let sent = request.headers().get_one(Self::HEADER).filter(|id| is_usable(id));
            Self(sent.map_or_else(|| ulid::Ulid::new().to_string(), str::to_owned))
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id is written unchanged into logs and headers, so it must not contain what could end a line or a field.
fn is_usable(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
