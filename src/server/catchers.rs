//! Gives Rocket's own errors the form of every other error.

use rocket::{Catcher, Either, Request, catch, catchers, http::Status};

use super::{envelope, web_client::Lost};
use crate::http::{body, problem::Problem};

/// The only catcher. A guard that has refused the request has left its problem with it.
#[catch(default)]
fn default(status: Status, request: &Request<'_>) -> Either<Lost, Problem> {
    let problem = problem(status, request);
    envelope::note_unrouted(request, &problem);
    Lost::instead_of(&problem, request).map_or(Either::Right(problem), Either::Left)
}

fn problem(status: Status, request: &Request<'_>) -> Problem {
    if let Some(problem) = Problem::refused(request) {
        return problem;
    }
    match status.code {
        404 => Problem::NotFound,
        408 => Problem::RequestTimeout,
        413 => Problem::PayloadTooLarge(body::LIMIT_KIB),
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
    use std::process::Command;

    use rocket::{Build, Rocket, get, local::asynchronous::Client, routes};

    use super::*;
    use crate::{
        config::{LogFormat, LogLevel},
        telemetry::{log, metrics::RequestMetrics},
    };

    #[get("/panic")]
    fn panic() -> &'static str {
        panic!("BUG: a secret of the inside \u{2028}\u{202e}")
    }

    fn rocket() -> Rocket<Build> {
        rocket::custom(crate::config::defaults()).register("/", all()).mount("/", routes![panic])
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let client = Client::untracked(rocket()).await.unwrap();
        for _ in 0..2 {
            let response = client.get("/panic").dispatch().await;
            assert_eq!(response.status().code, 500);
            assert!(response.headers().contains("X-Request-Id"));
            let body = response.into_string().await.unwrap();
            assert!(body.contains("internal-error") && !body.contains("secret"), "{body}");
        }
    }

    /// A process can start its log only once, so this test is a process of its own.
    #[tokio::test]
    #[ignore = "run as a process by the test below"]
    async fn a_process_with_a_handler_that_panics() {
        let _log = log::start(LogFormat::Json, LogLevel::Info).unwrap();
        let figment = crate::config::defaults().merge(("log_level", "debug"));
        let rocket = rocket().configure(figment).attach(envelope::Envelope::new(RequestMetrics::new()));
        let client = Client::untracked(rocket).await.unwrap();
        assert_eq!(client.get("/panic").dispatch().await.status().code, 500);
    }

    #[test]
    fn a_panic_is_a_line_like_any_other_and_belongs_to_a_request() {
        let name = "server::catchers::tests::a_process_with_a_handler_that_panics";
        let process = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--ignored", "--nocapture"])
            .env_remove("RUST_BACKTRACE")
            .output()
            .unwrap();
        assert!(process.status.success(), "{process:?}");
        let log = String::from_utf8(process.stderr).unwrap();
        let lines: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
        let of = |message: &str| {
            lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{message}: {log}"))
        };
        assert_eq!(of("panic")["reason"], "BUG: a secret of the inside \u{2028}\u{202e}");
        assert!(!log.contains(['\u{2028}', '\u{202e}']), "{log}");
        assert!(of("panic")["place"].as_str().unwrap().starts_with("src/server/catchers.rs:"), "{log}");
        assert_eq!(of("request")["status"], 500);
        assert_eq!(of("internal error")["request_id"], of("request")["request_id"]);
    }
}
