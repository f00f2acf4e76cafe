//! Every successful answer: a status, a JSON body or none, and headers.

use std::io::Cursor;

use rocket::{
    Request, Response,
    http::{ContentType, Header, Status},
    response::{self, Responder},
};
use serde::Serialize;

use super::{
    conditional::{EntityTag, IfNoneMatch, WeakTag},
    problem::Problem,
};

/// JSON under construction.
#[derive(Clone, Default)]
pub struct Json(Vec<u8>);

impl Json {
    /// Adds text that is already JSON.
    pub fn text(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// Adds a member to the object that was written last. The value is already JSON, and the object has members.
    pub fn member(&mut self, name: &str, json: &str) {
        debug_assert_eq!(self.0.last(), Some(&b'}'), "BUG: no object was written last");
        self.0.pop();
        self.text(",\"");
        self.text(name);
        self.text("\":");
        self.text(json);
        self.text("}");
    }

    /// The number of bytes that are written.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The bytes that are written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Removes everything after the first `size` bytes.
    pub fn cut(&mut self, size: usize) {
        self.0.truncate(size);
    }

    /// # Errors
    /// 500 if the view has no JSON form.
    pub fn view(&mut self, view: &impl Serialize) -> Result<(), Problem> {
        serde_json::to_writer(&mut self.0, view).map_err(|error| no_json(&error))
    }
}

/// This should never occur: all views have a JSON form.
pub fn no_json(error: &serde_json::Error) -> Problem {
    Problem::Internal(format!("a view cannot be serialised: {error}").into())
}

/// An answer under construction.
pub struct Reply {
    status: Status,
    body: Option<Vec<u8>>,
    headers: Vec<Header<'static>>,
}

impl Reply {
    fn empty(status: Status) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    fn json<T: Serialize>(status: Status, view: &T) -> Result<Self, Problem> {
        let mut json = Json::default();
        json.view(view)?;
        Ok(Self { status, ..Self::ok_with(json) })
    }

    /// 200 with a body that is already written.
    #[must_use]
    pub fn ok_with(json: Json) -> Self {
        Self { status: Status::Ok, body: Some(json.0), headers: Vec::new() }
    }

    /// 200 with a body.
    ///
    /// # Errors
    /// 500 if the view has no JSON form.
    pub fn ok<T: Serialize>(view: &T) -> Result<Self, Problem> {
        Self::json(Status::Ok, view)
    }

    /// 201 with a body.
    ///
    /// # Errors
    /// 500 if the view has no JSON form.
    pub fn created<T: Serialize>(view: &T) -> Result<Self, Problem> {
        Self::json(Status::Created, view)
    }

    /// 202: accepted, and not done yet.
    #[must_use]
    pub fn accepted() -> Self {
        Self::empty(Status::Accepted)
    }

    #[must_use]
    pub fn no_content() -> Self {
        Self::empty(Status::NoContent)
    }

    /// 302: sends a browser to this address.
    #[must_use]
    pub fn found(address: String) -> Self {
        Self::empty(Status::Found).location(address)
    }

    #[must_use]
    pub fn not_modified() -> Self {
        Self::empty(Status::NotModified)
    }

    #[must_use]
    pub fn location(self, path: String) -> Self {
        self.header("Location", path)
    }

    #[must_use]
    pub fn etag(self, tag: EntityTag) -> Self {
        self.header("ETag", tag.to_string())
    }

    /// The weak tag of the body.
    #[must_use]
    pub fn weak_tag(&self) -> WeakTag {
        WeakTag::of(self.body.as_deref().unwrap_or_default())
    }

    #[must_use]
    pub fn weak_etag(self, tag: &WeakTag) -> Self {
        self.header("ETag", tag.to_string())
    }

    /// Adds the weak tag of the body. If the client already has the answer of that tag, the answer is 304 instead.
    #[must_use]
    pub fn unless_known(self, tag: &WeakTag, condition: &IfNoneMatch) -> Self {
        let reply = if condition.has_answer(tag) { Self::not_modified() } else { self };
        reply.weak_etag(tag)
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push(Header::new(name, value));
        self
    }
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::new();
        response.set_status(self.status);
        for header in self.headers {
            response.set_header(header);
        }
        if let Some(body) = self.body {
            response.set_header(ContentType::JSON);
            // In one piece: Rocket would split it into many small ones.
            response.set_max_chunk_size(body.len().max(1));
            response.set_sized_body(body.len(), Cursor::new(body));
        }
        Ok(response)
    }
}
