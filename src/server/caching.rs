//! How long caches may keep an answer.
//!
//! Anyone may cache a public answer, but every use must be revalidated: a client that reads after its own write must
//! see that write. Only shared caches may skip the revalidation, for a time that the operator chooses.

use std::time::Duration;

use rocket::{
    Request, Response,
    fairing::{Fairing, Info, Kind},
    http::{Header, Method, Status},
};

/// The routes whose answers are the same for everybody and have an `ETag`.
const PUBLIC: [&str; 4] = ["/api/movies", "/api/movies/facets", "/api/movies/suggest", "/api/movies/<id>"];

/// The header `Cache-Control` of public answers.
pub struct Caching {
    header: String,
}

impl Caching {
    /// `shared` is how long shared caches may skip the revalidation.
    #[must_use]
    pub fn new(shared: Duration) -> Self {
        let always = "public, max-age=0, must-revalidate";
        let header = match shared.as_secs() {
            0 => always.to_owned(),
            seconds => format!("{always}, s-maxage={seconds}"),
        };
        Self { header }
    }
}

#[rocket::async_trait]
impl Fairing for Caching {
    fn info(&self) -> Info {
        Info { name: "caching", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let is_public = request
            .route()
            .is_some_and(|route| route.method == Method::Get && PUBLIC.contains(&route.uri.path()));
        if is_public && [Status::Ok, Status::NotModified].contains(&response.status()) {
            response.set_header(Header::new("Cache-Control", self.header.clone()));
        }
    }
}
