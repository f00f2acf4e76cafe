//! A wrong method is 405 with `Allow`, not Rocket's 404.
//!
//! Once every route is mounted, each path gets a fallback for each method that it lacks. HEAD has
//! none: Rocket answers it by way of GET.

use std::collections::{BTreeMap, BTreeSet};

use rocket::{
    Data, Request, Route,
    fairing::AdHoc,
    http::Method,
    response::Responder,
    route::{Handler, Outcome},
};

use crate::{
    metrics::{self, hidden},
    problem::Problem,
};

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

/// Names below `/api/movies/` that are no ids, whether something is mounted there yet or not.
const NO_IDS: [&str; 3] = ["/api/movies/suggest", "/api/movies/facets", "/api/movies/events"];

/// The name of the routes made here, by which a test tells them from the others.
pub const NAME: &str = "method_not_allowed";

#[derive(Clone)]
struct Fallback {
    allow: String,
}

#[rocket::async_trait]
impl Handler for Fallback {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        match Problem::MethodNotAllowed(self.allow.clone()).respond_to(request) {
            Ok(response) => Outcome::Success(response),
            Err(status) => Outcome::Error(status),
        }
    }
}

/// To be attached last.
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
        rocket.mount("/", fallbacks)
    })
}

/// For whom a route is not there, its fallbacks are not there either.
fn fallbacks(path: &str, methods: &BTreeSet<&'static str>) -> Vec<Route> {
    let fallbacks = refusing(path, methods);
    if path == metrics::PATH { hidden(fallbacks) } else { fallbacks }
}

fn refusing(path: &str, methods: &BTreeSet<&'static str>) -> Vec<Route> {
    let mut allow: Vec<&str> = methods.iter().copied().collect();
    if methods.contains("GET") {
        allow.push("HEAD");
    }
    let allow = allow.join(", ");
    METHODS
        .into_iter()
        .filter(|method| !methods.contains(method.as_str()))
        .map(|method| {
            let mut route = Route::new(method, path, Fallback { allow: allow.clone() });
            route.name = Some(NAME.into());
            route
        })
        .collect()
}
