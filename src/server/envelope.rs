//! What happens to every request and every answer, whatever the route.

use std::time::{Duration, Instant};

use rocket::{
    Data, Request, Response,
    fairing::{Fairing, Info, Kind},
    form::Form,
    http::{ContentType, Header, Method, Status},
};

use super::methods;
use crate::{
    accounts::audit,
    http::{problem::Problem, request_id::RequestId},
    telemetry::{
        log,
        metrics::{
            RequestMetrics,
            requests::{Active, OTHER, UNMATCHED},
        },
    },
};

/// Answers below these paths hold personal data or tokens.
const PERSONAL: [&str; 7] = [
    "/api/users",
    "/api/auth",
    "/api/admin",
    "/api/invitations",
    "/api/movies/<id>/versions",
    "/api/movies/<id>/editors",
    "/api/movies/<id>/invitations",
];

/// Every answer has these headers, unless its route has set its own: see OWASP's "HTTP Security Response Headers".
const SECURITY: [(&str, &str); 4] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "interest-cohort=()"),
];

/// Sets the headers of every answer, counts it in the metrics, and logs a line for it and one for its problem, if it
/// has one.
pub struct Envelope {
    metrics: RequestMetrics,
}

/// What is known about a request in progress. It is kept with the request.
struct Underway {
    since: Instant,
    /// The method that the client sent. Rocket turns HEAD into GET.
    method: Method,
    active: Active,
}

impl Envelope {
    #[must_use]
    pub fn new(metrics: RequestMetrics) -> Self {
        Self { metrics }
    }

    fn begin(&self, method: Method) -> Underway {
        Underway { since: Instant::now(), method, active: self.metrics.begin() }
    }
}

#[rocket::async_trait]
impl Fairing for Envelope {
    fn info(&self) -> Info {
        Info { name: "envelope", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        let mut underway = self.begin(request.method());
        if let Some(chosen) = method_of_a_form(request, data).await
            && chosen == request.method()
        {
            request.set_method(Method::Post);
            underway.method = Method::Post;
        }
        request.local_cache(|| Some(underway));
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let id = RequestId::of(request).as_str();
        response.set_header(Header::new(RequestId::HEADER, id.to_owned()));
        for (name, value) in SECURITY {
            if !response.headers().contains(name) {
                response.set_header(Header::new(name, value));
            }
        }
        // The route's own path, because a client can spell the path in several ways.
        let route = request.route().filter(|route| route.name.as_deref() != Some(methods::NO_ROUTE));
        let route = route.map(|route| route.uri.path());
        if route.is_some_and(|route| PERSONAL.iter().any(|personal| route.starts_with(personal))) {
            response.set_header(Header::new("Cache-Control", "no-store"));
        }
        // This is `None` only if no fairing has run on the request. Then none runs on the answer either.
        let Some(underway) = request.local_cache(|| Some(self.begin(request.method()))) else { return };
        let (took, status) = (underway.since.elapsed(), response.status());
        self.metrics.answered(Some(underway.method), route, status.code, took);
        if response.content_type() == Some(ContentType::EventStream) {
            underway.active.let_go();
        }
        if let Some(problem) = Problem::answered(request) {
            write_problem(request, problem);
        }
        write_line(request, underway.method.as_str(), route, status, took);
    }
}

/// Logs a problem, besides the request's own line: the reason of a defect, which no client reads, or who was refused.
fn write_problem(request: &Request<'_>, problem: &Problem) {
    let request_id = RequestId::of(request).as_str();
    match problem {
        Problem::Internal(reason) => tracing::error!(request_id, %reason, "internal error"),
        Problem::DatabaseUnavailable(reason) => tracing::warn!(request_id, %reason, "database unavailable"),
        Problem::InvalidToken
        | Problem::ExpiredToken
        | Problem::RevokedToken
        | Problem::InvalidRefreshToken
        | Problem::AdminsOnly
        | Problem::InsufficientScope(_)
        | Problem::NotOwner
        | Problem::OwnerOnly(_)
        | Problem::EmailNotVerified
        | Problem::WrongPassword
        | Problem::SignInAgain
        | Problem::NoOtherSignIn
        | Problem::LastAdmin
        | Problem::EmailTaken
        | Problem::InvalidResetToken
        | Problem::InvalidVerifyToken
        | Problem::InvalidInvitation
        | Problem::InvalidExchangeCode => audit::refused(request, problem.code().kind().code),
        _ => {}
    }
}

/// The line of a request in the log.
fn write_line(request: &Request<'_>, method: &str, route: Option<&str>, status: Status, took: Duration) {
    // Only the path, because a query may hold an email.
    tracing::info!(
        target: log::REQUESTS,
        request_id = RequestId::of(request).as_str(),
        method,
        route = route.unwrap_or(UNMATCHED),
        path = request.uri().path().as_str(),
        status = status.code,
        milliseconds = (took.as_secs_f64() * 1e6).round() / 1e3,
        user = audit::user_of(request),
        address = audit::address_of(request),
        "request"
    );
}

/// Counts and logs what Rocket refuses before any fairing runs: a method that it does not know, or a request that it
/// cannot read. That takes next to no time.
pub fn note_unrouted(request: &Request<'_>, problem: &Problem) {
    let status = problem.code().kind().status;
    if request.local_cache(|| None::<Underway>).is_none() {
        if let Some(metrics) = request.rocket().state::<RequestMetrics>() {
            metrics.answered(None, None, status.code, Duration::ZERO);
        }
        write_problem(request, problem);
        write_line(request, OTHER, None, status, Duration::ZERO);
    }
}

/// Rocket lets the first field of a posted form choose another method. This reads the form in the same way as Rocket,
/// so that the choice can be undone: a POST must stay a POST.
async fn method_of_a_form(request: &Request<'_>, data: &mut Data<'_>) -> Option<Method> {
    if !request.content_type().is_some_and(|found| found.is_form()) {
        return None;
    }
    let beginning = data.peek("_method=delete".len()).await;
    let first = Form::values(std::str::from_utf8(beginning).ok()?).next()?;
    if first.name == "_method" { first.value.parse().ok() } else { None }
}
