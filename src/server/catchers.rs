//! What Rocket itself refuses, in the form of every other error.

use rocket::{Catcher, Request, catch, catchers, http::Status};

use super::envelope;
use crate::http::problem::Problem;

/// The one catcher. A guard that refused has left its problem with the request.
#[catch(default)]
fn default(status: Status, request: &Request<'_>) -> Problem {
    let problem = problem(status, request);
    envelope::note_unrouted(request, &problem);
    problem
}

fn problem(status: Status, request: &Request<'_>) -> Problem {
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

#[cfg(test)]
mod tests {
    use rocket::{get, local::asynchronous::Client, routes};

    use super::*;

    #[get("/panic")]
    fn panic() -> &'static str {
        panic!("a secret of the inside")
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let rocket =
            rocket::custom(crate::config::defaults()).register("/", all()).mount("/", routes![panic]);
        let client = Client::untracked(rocket).await.unwrap();
        for _ in 0..2 {
            let response = client.get("/panic").dispatch().await;
            assert_eq!(response.status().code, 500);
            assert!(response.headers().contains("X-Request-Id"));
            let body = response.into_string().await.unwrap();
            assert!(body.contains("internal-error") && !body.contains("secret"), "{body}");
        }
    }
}
