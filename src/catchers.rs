//! What Rocket itself refuses, in the form of every other error.

use rocket::{Catcher, Request, catch, catchers, http::Status};

use crate::problem::Problem;

/// The one catcher. A guard that refused has left its problem with the request.
#[catch(default)]
fn default(status: Status, request: &Request<'_>) -> Problem {
    if let Some(problem) = Problem::refused(request) {
        return problem;
    }
    match status.code {
        404 => Problem::NotFound,
        408 => Problem::RequestTimeout,
        413 => Problem::PayloadTooLarge,
        415 => Problem::UnsupportedMediaType,
        400..=499 => Problem::BadRequest,
        _ => Problem::Internal(format!("Rocket answered {status}").into()),
    }
}

pub fn all() -> Vec<Catcher> {
    catchers![default]
}
