//! Compresses public answers: in `br` or `gzip`, as the client asks.
//!
//! Only the routes in [`COMPRESSED`] and [`FIXED`] are compressed. If an answer holds both a secret and a text that an
//! attacker chooses, its compressed length reveals the secret (BREACH). A single movie is not compressed, because its
//! strong `ETag` stands for its exact bytes. Event streams are not, because their events must leave at once.

use std::{
    collections::HashMap,
    io::{self, Cursor},
    sync::{Arc, Mutex, PoisonError},
};

use rocket::{
    Request, Response,
    fairing::{Fairing, Info, Kind},
    http::{Header, Method, Status},
};
use tokio::task::spawn_blocking;

use crate::http::{
    conditional::WeakTag,
    encoding::{Effort, Encoding, gunzip},
};

/// Routes whose answers are made for each request.
const COMPRESSED: [&str; 4] =
    ["/api/movies", "/api/movies/facets", "/api/movies/suggest", "/api/movies/changes"];
/// Routes whose answers stay the same as long as the server runs. The compressed form of each is kept by its `ETag`.
/// For the web client's files it is part of the program; for the others it is made at the first request.
const FIXED: [&str; 5] = ["/", "/assets/<file>", "/api/openapi.json", "/api/docs", "/api/docs/<name>"];

/// Smaller answers fit into a packet or two as they are.
const SMALLEST: usize = 1_024;
/// Larger answers are compressed on another thread, because other requests wait for this one.
const LARGE: usize = 64 * 1_024;

/// The compressed form of fixed answers.
type Kept = HashMap<(String, Encoding), Arc<[u8]>>;

/// Compresses the answers that may be compressed.
pub struct Compressing {
    kept: Mutex<Kept>,
}

impl Compressing {
    /// Starts with the compressed forms that are part of the program.
    pub fn new(forms: impl Iterator<Item = (WeakTag, Encoding, &'static [u8])>) -> Self {
        let kept = forms.map(|(tag, encoding, body)| ((tag.to_string(), encoding), Arc::from(body)));
        Self { kept: Mutex::new(kept.collect()) }
    }

    fn kept(&self, tag: &str, encoding: Encoding) -> Option<Arc<[u8]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(tag.to_owned(), encoding)).cloned()
    }

    fn keep(&self, tag: String, encoding: Encoding, body: Arc<[u8]>) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert((tag, encoding), body);
    }

    /// Sends the body in the encoding that was asked for. Only a fixed answer has a `tag`.
    async fn encode(
        &self,
        response: &mut Response<'_>,
        asked: Option<Encoding>,
        is_gzip: bool,
        tag: Option<String>,
    ) -> io::Result<()> {
        if is_gzip && asked == Some(Encoding::Gzip) {
            return Ok(());
        }
        let kept = tag.as_ref().zip(asked).and_then(|(tag, encoding)| self.kept(tag, encoding));
        let (body, encoding) = match (kept, asked) {
            (Some(kept), encoding) => (kept, encoding),
            (None, None) => (original(response, is_gzip).await?.into(), None),
            (None, Some(encoding)) => {
                let effort = if tag.is_some() { Effort::Thorough } else { Effort::Fast };
                let plain = original(response, is_gzip).await?;
                let body: Arc<[u8]> = encoded(plain, encoding, effort).await?.into();
                if let Some(tag) = tag {
                    self.keep(tag, encoding, Arc::clone(&body));
                }
                (body, Some(encoding))
            }
        };
        let size = body.len();
        response.set_sized_body(size, Cursor::new(body));
        response.set_max_chunk_size(size.max(1));
        match encoding {
            Some(encoding) => {
                response.set_header(Header::new("Content-Encoding", encoding.name()));
            }
            None => response.remove_header("Content-Encoding"),
        }
        Ok(())
    }
}

/// The bytes before any encoding.
async fn original(response: &mut Response<'_>, is_gzip: bool) -> io::Result<Vec<u8>> {
    let body = response.body_mut().to_bytes().await?;
    if is_gzip { gunzip(&body) } else { Ok(body) }
}

async fn encoded(body: Vec<u8>, encoding: Encoding, effort: Effort) -> io::Result<Vec<u8>> {
    if body.len() < LARGE {
        return encoding.encode(&body, effort);
    }
    spawn_blocking(move || encoding.encode(&body, effort)).await.map_err(io::Error::other)?
}

/// Writes one line, because some caches read only one.
fn vary_by_encoding(response: &mut Response<'_>) {
    let vary: Vec<&str> = response.headers().get("Vary").chain(["Accept-Encoding"]).collect();
    let vary = vary.join(", ");
    response.set_header(Header::new("Vary", vary));
}

#[rocket::async_trait]
impl Fairing for Compressing {
    fn info(&self) -> Info {
        Info { name: "compression", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(route) = request.route().filter(|route| route.method == Method::Get) else { return };
        let is_fixed = FIXED.contains(&route.uri.path());
        let is_compressed = is_fixed || COMPRESSED.contains(&route.uri.path());
        if !is_compressed || ![Status::Ok, Status::NotModified].contains(&response.status()) {
            return;
        }
        vary_by_encoding(response);
        let is_gzip = response.headers().get_one("Content-Encoding") == Some("gzip");
        let is_large = is_gzip || response.body().preset_size().is_some_and(|size| size >= SMALLEST);
        let asked = Encoding::asked_for(request.headers().get("Accept-Encoding"));
        if !is_large || response.status() != Status::Ok || (asked.is_none() && !is_gzip) {
            return;
        }
        let tag = response.headers().get_one("ETag").filter(|_| is_fixed).map(str::to_owned);
        if let Err(error) = self.encode(response, asked, is_gzip, tag).await {
            tracing::error!(%error, "an answer could not be compressed");
            response.set_status(Status::InternalServerError);
        }
    }
}
