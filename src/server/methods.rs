//! A wrong method gets 405 with `Allow`, not Rocket's 404.
//!
//! Once every route is mounted, each path gets a fallback for each method that it lacks. Each method also gets one
//! fallback for all other paths. It answers 404 like Rocket's own, but only after the body was read
//! ([`crate::http::refusal`]). HEAD has no fallback, because Rocket answers it with the GET route. But where a GET uses
//! something up, HEAD is a wrong method too.
//! `OPTIONS *` asks about the server and not about an address (RFC 9110, section 9.3.7): 204 with every method.

use std::collections::{BTreeMap, BTreeSet};

use rocket::{
    Data, Request, Response, Route,
    fairing::AdHoc,
    http::{Header, Method, Status},
    route::{Handler, Outcome},
};

use super::{loopback::hidden, metrics};
use crate::http::{problem::Problem, refusal};

const METHODS: [Method; 8] = [
    Method::Get,
    Method::Put,
    Method::Post,
    Method::Delete,
    Method::Options,
    Method::Trace,
    Method::Connect,
    Method::Patch,
];

/// Names below `/api/movies/` that are not ids, even if nothing is mounted there.
const NO_IDS: [&str; 4] =
    ["/api/movies/suggest", "/api/movies/facets", "/api/movies/changes", "/api/movies/events"];

/// Below this path a GET uses up a sign-in. A mail scanner's HEAD must not do that.
const NO_HEAD: &str = "/api/auth/oidc/";

/// The names of the routes made here. They tell these routes from the others.
pub const WRONG_METHOD: &str = "method_not_allowed";
pub const NO_ROUTE: &str = "not_found";

/// After every other route.
const LAST: isize = isize::MAX;

#[derive(Clone)]
struct Fallback(Problem);

#[rocket::async_trait]
impl Handler for Fallback {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let (status, _) = self.0.clone().refuse(request);
        Outcome::Forward((data, status))
    }
}

/// Answers `OPTIONS *`; what else comes here has no route.
#[derive(Clone)]
struct AboutTheServer;

#[rocket::async_trait]
impl Handler for AboutTheServer {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        if request.uri().path() != "*" {
            return Fallback(Problem::NotFound).handle(request, data).await;
        }
        let allow = Header::new("Allow", "DELETE, GET, PATCH, POST, PUT, HEAD");
        Outcome::Success(Response::build().status(Status::NoContent).header(allow).finalize())
    }
}

/// Whether this is a route of the service, and not one of those made here.
#[must_use]
pub fn is_real(route: &Route) -> bool {
    !matches!(route.name.as_deref(), Some(WRONG_METHOD | NO_ROUTE))
}

/// Must be attached last.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("405 with Allow", |rocket| async {
        let mut paths: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for route in rocket.routes() {
            paths.entry(route.uri.path().to_owned()).or_default().insert(route.method.as_str());
        }
        for path in NO_IDS {
            paths.entry(path.to_owned()).or_default().insert("GET");
        }
        let fallbacks: Vec<Route> =
            paths.iter().flat_map(|(path, methods)| fallbacks(path, methods)).collect();
        let elsewhere = METHODS.map(|method| {
            let mut route = if method == Method::Options {
                Route::ranked(LAST, method, "/<_..>", AboutTheServer)
            } else {
                Route::ranked(LAST, method, "/<_..>", Fallback(Problem::NotFound))
            };
            route.name = Some(NO_ROUTE.into());
            route
        });
        rocket.mount("/", fallbacks).mount("/", refusal::guarded(elsewhere.into()))
    })
}

/// Makes the fallbacks of a path. If its route is hidden, so are they.
fn fallbacks(path: &str, methods: &BTreeSet<&'static str>) -> Vec<Route> {
    let fallbacks = refusal::guarded(refusing(path, methods));
    if path == metrics::PATH { hidden(fallbacks) } else { fallbacks }
}

fn refusing(path: &str, methods: &BTreeSet<&'static str>) -> Vec<Route> {
    let mut allow: Vec<&str> = methods.iter().copied().collect();
    let has_head = !path.starts_with(NO_HEAD);
    if methods.contains("GET") && has_head {
        allow.push("HEAD");
    }
    let allow = allow.join(", ");
    METHODS
        .into_iter()
        .chain((!has_head).then_some(Method::Head))
        .filter(|method| !methods.contains(method.as_str()))
        .map(|method| {
            let refusal = Problem::MethodNotAllowed(allow.clone());
            let mut route = Route::new(method, path, Fallback(refusal));
            route.name = Some(WRONG_METHOD.into());
            route
        })
        .collect()
}
