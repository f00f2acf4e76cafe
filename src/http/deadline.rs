//! A time limit for each route's handler and its guards. The time begins when the request is routed. Before that,
//! Rocket waits without a limit for the head and for the first 14 bytes of a body. A proxy in front of the server can
//! limit that.

use std::time::Duration;

use rocket::{
    Data, Request, Route,
    route::{Handler, Outcome},
};
use tokio::time::timeout;

use super::{problem::Problem, refusal};

const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Limited(Box<dyn Handler>);

#[rocket::async_trait]
impl Handler for Limited {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        match timeout(DEADLINE, self.0.handle(request, data)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::from(request, Problem::DeadlineExceeded),
        }
    }
}

/// Puts the time limit around each handler and its [`refusal`].
#[must_use]
pub fn limited(routes: Vec<Route>) -> Vec<Route> {
    let mut routes = refusal::guarded(routes);
    for route in &mut routes {
        route.handler = Box::new(Limited(route.handler.clone()));
    }
    routes
}

#[cfg(test)]
mod tests {
    use rocket::{get, local::asynchronous::Client, routes};

    use super::*;

    #[get("/slow")]
    async fn slow() -> &'static str {
        tokio::time::sleep(DEADLINE * 2).await;
        "late"
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_503() {
        let rocket = rocket::custom(crate::config::defaults()).mount("/", limited(routes![slow]));
        let client = Client::untracked(rocket).await.unwrap();
        let response = client.get("/slow").dispatch().await;
        assert_eq!(response.status().code, 503);
        assert!(response.headers().contains("Retry-After"));
        assert!(response.into_string().await.unwrap().contains("deadline-exceeded"));
    }
}
