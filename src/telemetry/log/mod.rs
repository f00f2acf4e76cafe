//! The log: one place that decides what is written, and in which form.
//!
//! Everything goes to standard error, a line each, whoever says it: Rocket, the driver, a panic. The
//! lines of requests gather for a thread that writes them ([`gathering`]), so that a reader who is slow
//! stops no request; when too many wait they are dropped, and counted. All others, the audit log above
//! all, are written by whoever has something to say, and are never lost.

use std::{backtrace::Backtrace, backtrace::BacktraceStatus, io};

use prometheus::core::Collector;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    filter::{Targets, filter_fn},
    fmt::{self, writer::MakeWriterExt},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

mod escaping;
mod gathering;

use super::{
    log::{
        escaping::Escaping,
        gathering::{Gathering, Writer},
    },
    metrics::read_counter,
};
use crate::{
    accounts::audit,
    config::{LogFormat, LogLevel},
};

/// The target of the lines of requests.
pub const REQUESTS: &str = "movie_bag::requests";

/// The log that was started. What waits is written when it is dropped.
pub struct Log {
    requests: Gathering,
    _writer: Writer,
}

impl Log {
    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let requests = self.requests.clone();
        let help = "Lines of requests that were not written, because standard error was read too slowly.";
        vec![Box::new(read_counter("movie_bag_log_lines_dropped_total", help, move || requests.dropped()))]
    }
}

/// Starts the log.
///
/// # Errors
/// The system's, if there can be no thread.
pub fn start(format: LogFormat, level: LogLevel) -> io::Result<Log> {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
    };
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        // Rocket warns of what is as it should be: that it has launched, for one.
        .with_target("rocket", LevelFilter::ERROR)
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target(audit::TARGET, LevelFilter::INFO);
    // Rocket's generated code says of each refusal that a guard failed: the request's own line does.
    let ours = filter_fn(|metadata| !metadata.target().ends_with("::_"));
    let (requests, writer) = Gathering::start(io::stderr())?;
    let gathered = requests.clone();
    let gathered = move || gathered.clone();
    let written = gathered.with_filter(|metadata| metadata.target() == REQUESTS).or_else(io::stderr);
    let registry = tracing_subscriber::registry().with(targets).with(ours);
    // A line that cannot be written would be reported on standard error too, with a panic if that is closed.
    let layer = fmt::layer().with_target(false).log_internal_errors(false);
    // Whoever was first (a test) keeps their log.
    let _ = match format {
        LogFormat::Text => {
            let layer = layer.with_writer(written).with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer = layer.with_writer(Escaping(written)).json().flatten_event(true);
            registry.with(layer).try_init()
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a value that is no text");
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(place, thread, reason = message, %backtrace, "panic");
        } else {
            tracing::error!(place, thread, reason = message, "panic");
        }
    }));
    Ok(Log { requests, _writer: writer })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rocket::{get, local::asynchronous::Client, routes};

    use super::*;

    #[get("/panic")]
    fn panics() -> &'static str {
        panic!("BUG: for the test \u{2028}\u{202e}")
    }

    /// The log of a process can be started once, so this one is a process of its own.
    #[tokio::test]
    #[ignore = "run as a process by the test below"]
    async fn a_process_with_a_handler_that_panics() {
        let _log = start(LogFormat::Json, LogLevel::Info).unwrap();
        let figment = crate::config::defaults().merge(("log_level", "debug"));
        let metrics = crate::telemetry::metrics::RequestMetrics::new();
        let rocket =
            rocket::custom(figment).register("/", crate::server::catchers::all()).mount("/", routes![panics]);
        let client =
            Client::untracked(rocket.attach(crate::server::envelope::Envelope::new(metrics))).await.unwrap();
        assert_eq!(client.get("/panic").dispatch().await.status().code, 500);
    }

    #[test]
    fn a_panic_is_a_line_like_any_other_and_belongs_to_a_request() {
        let name = "telemetry::log::tests::a_process_with_a_handler_that_panics";
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
        assert_eq!(of("panic")["reason"], "BUG: for the test \u{2028}\u{202e}");
        assert!(!log.contains(['\u{2028}', '\u{202e}']), "{log}");
        assert!(of("panic")["place"].as_str().unwrap().starts_with("src/telemetry/log/mod.rs:"), "{log}");
        assert_eq!(of("request")["status"], 500);
        assert_eq!(of("internal error")["request_id"], of("request")["request_id"]);
    }
}
