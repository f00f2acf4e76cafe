//! What happens to every request and every answer, whatever the route.

use std::time::Instant;

use rocket::{
    Data, Request, Response,
    fairing::{Fairing, Info, Kind},
    form::Form,
    http::{Header, Method},
};

use crate::{audit, request_id::RequestId};

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
        if let Some(chosen) = method_of_a_form(request, data).await
            && chosen == request.method()
        {
            request.set_method(Method::Post);
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let id = RequestId::of(request).as_str();
        let path = request.uri().path().as_str();
        response.set_header(Header::new(RequestId::HEADER, id.to_owned()));
        // The route's own path: the one that was sent may be spelt in several ways.
        let route = request.route().map(|route| route.uri.path());
        if route.is_some_and(|route| PERSONAL.iter().any(|personal| route.starts_with(personal))) {
            response.set_header(Header::new("Cache-Control", "no-store"));
        }
        let elapsed = request.local_cache(|| Started(Instant::now())).0.elapsed();
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        // The path only: a query may hold an email.
        tracing::info!(
            request_id = id,
            method = %request.method(),
            path,
            status = response.status().code,
            user = audit::user_of(request),
            milliseconds,
            "request"
        );
    }
}

/// Rocket lets the first field of a posted form choose another method. This reads the form as Rocket
/// has read it, so that the choice can be undone: a POST must stay a POST.
async fn method_of_a_form(request: &Request<'_>, data: &mut Data<'_>) -> Option<Method> {
    if !request.content_type().is_some_and(|found| found.is_form()) {
        return None;
    }
    let beginning = data.peek("_method=delete".len()).await;
    let first = Form::values(std::str::from_utf8(beginning).ok()?).next()?;
    if first.name == "_method" { first.value.parse().ok() } else { None }
}
