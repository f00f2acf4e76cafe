//! A wrapper around the handler of every route, besides the time limit ([`crate::http::deadline`]).
//!
//! The server answers a refusal only after it has read the body, up to the limit. Otherwise it would close the
//! connection on a client that is still sending, and a proxy between them would take the server for dead.
//! Rocket drops the body as soon as a request guard returns an error. So the guards of this server *forward* instead
//! ([`Problem::forward`]): then Rocket hands the body back.

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
            // A fairing has refused the request.
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

/// RFC 9112, section 3.2: such a request gets 400. A proxy may have used the other line.
fn has_two_hosts(request: &Request<'_>) -> bool {
    request.headers().get("Host").nth(1).is_some()
}

/// Puts the wrapper around the handler of each route.
#[must_use]
pub fn guarded(mut routes: Vec<Route>) -> Vec<Route> {
    for route in &mut routes {
        route.handler = Box::new(Guarded(route.handler.clone()));
    }
    routes
}
