//! What happens to every request and every answer, whatever the route.

use std::time::Instant;

use rocket::{
    Data, Request, Response,
    fairing::{Fairing, Info, Kind},
    http::{Header, Method},
};

use crate::request_id::RequestId;

/// Answers below these paths hold personal data or tokens.
const PERSONAL: [&str; 3] = ["/api/users", "/api/auth", "/api/admin"];

/// Headers of every answer, and one line in the log for each.
pub struct Envelope;

struct Started(Instant);

#[rocket::async_trait]
impl Fairing for Envelope {
    fn info(&self) -> Info {
        Info { name: "envelope", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        request.local_cache(|| Started(Instant::now()));
        // Rocket lets a form choose its method: a POST must stay a POST.
        let is_form = request.content_type().is_some_and(|found| found.is_form());
        if is_form && data.peek(8).await.starts_with(b"_method=") {
            request.set_method(Method::Post);
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let id = RequestId::of(request).as_str();
        let path = request.uri().path().as_str();
        response.set_header(Header::new(RequestId::HEADER, id.to_owned()));
        if PERSONAL.iter().any(|personal| path.starts_with(personal)) {
            response.set_header(Header::new("Cache-Control", "no-store"));
        }
        let milliseconds = request.local_cache(|| Started(Instant::now())).0.elapsed().as_millis();
        // The path only: a query may hold an email.
        tracing::info!(
            request_id = id,
            method = %request.method(),
            path,
            status = response.status().code,
            milliseconds,
            "request"
        );
    }
}
