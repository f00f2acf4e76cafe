//! The log: one place that decides what is written, and in which form.

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::{Targets, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{audit, config::LogFormat};

/// Starts the log, on standard error. Rocket's own lines and the driver's are folded in.
pub fn start(format: LogFormat, level: Level) {
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        // Rocket warns of what is as it should be: that it has launched, for one.
        .with_target("rocket", LevelFilter::ERROR)
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target(audit::TARGET, LevelFilter::INFO);
    // Rocket's generated code says of each refusal that a guard failed: the request's own line does.
    let ours = filter_fn(|metadata| !metadata.target().ends_with("::_"));
    let registry = tracing_subscriber::registry().with(targets).with(ours);
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // Whoever was first (a test) keeps their log.
    let _ = match format {
        LogFormat::Text => {
            registry.with(layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).try_init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
}
