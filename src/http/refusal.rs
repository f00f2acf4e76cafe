//! What every route has around its handler, beside the limit of time ([`crate::http::deadline`]).
//!
//! A refusal is answered when the body has been read, up to the limit. Otherwise the server would close the
//! connection on a client that is still sending, and a proxy between them would take the server for dead.
//! Rocket drops the body with the first request guard that answers with an error, so the guards of this
//! server *forward* ([`Problem::forward`]): then Rocket hands the body back.

use rocket::{
    Data, Request, Route,
    route::{Handler, Outcome},
};

use super::{body, problem::Problem};

#[derive(Clone)]
struct Guarded(Box<dyn Handler>);

#[rocket::async_trait]
impl Handler for Guarded {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let outcome = if let Some(problem) = Problem::refused(request) {
            // By a fairing, before any route.
            let (status, _) = problem.refuse(request);
            Outcome::Forward((data, status))
        } else if has_two_hosts(request) {
            let (status, _) = Problem::BadRequest.refuse(request);
            Outcome::Forward((data, status))
        } else {
            self.0.handle(request, data).await
        };
        match outcome {
            Outcome::Forward((data, status)) if Problem::refused(request).is_some() => {
                body::discard(data).await;
                // The catcher answers with the problem.
                Outcome::Error(status)
            }
            outcome => outcome,
        }
    }
}

/// RFC 9112, section 3.2: such a request is 400. A proxy may have believed the other line.
fn has_two_hosts(request: &Request<'_>) -> bool {
    request.headers().get("Host").nth(1).is_some()
}

/// The routes with this around each handler.
#[must_use]
pub fn guarded(mut routes: Vec<Route>) -> Vec<Route> {
    for route in &mut routes {
        route.handler = Box::new(Guarded(route.handler.clone()));
    }
    routes
}
