//! The log. This is the one place that decides what is written, and in which form.
//!
//! Everything is written to standard error, one line each, also what Rocket, the driver and a panic log. A separate
//! thread writes the lines of requests in groups ([`gathering`]), so that a slow reader blocks no request; if too
//! many wait, they are dropped and counted. All other lines, above all the audit log, are written directly by the
//! code that logs them, and are never lost.

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
use crate::config::{LogFormat, LogLevel};

/// The target of the lines of requests.
pub const REQUESTS: &str = "movie_bag::requests";
/// The target of the audit log, which is written at any level.
pub const AUDIT: &str = "movie_bag::audit";

/// The running log. When it is dropped, the waiting lines are written.
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
/// The system's error, if no thread can be started.
pub fn start(format: LogFormat, level: LogLevel) -> io::Result<Log> {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
    };
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        // Rocket logs normal events as warnings, for example that it has launched.
        .with_target("rocket", LevelFilter::ERROR)
        // The search library warns when a merge ends too late, because its last movie was deleted meanwhile. It then
        // discards the merge; nothing is lost.
        .with_target("tantivy", LevelFilter::ERROR)
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target(AUDIT, LevelFilter::INFO);
    // Rocket's generated code logs each refusal of a guard. The request's own line reports that already.
    let ours = filter_fn(|metadata| !metadata.target().ends_with("::_"));
    let (requests, writer) = Gathering::start(io::stderr())?;
    let gathered = requests.clone();
    let gathered = move || gathered.clone();
    let written = gathered.with_filter(|metadata| metadata.target() == REQUESTS).or_else(io::stderr);
    let registry = tracing_subscriber::registry().with(targets).with(ours);
    // A line that cannot be written would also be reported on standard error, and that panics if standard error is
    // closed.
    let layer = fmt::layer().with_target(false).log_internal_errors(false);
    // If a log is set already (in a test), keep it.
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
        let message = panic.payload_as_str().unwrap_or("a value that is not text");
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
