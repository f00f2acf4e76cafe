//! Attaches the mailer to the service.

use rocket::fairing::AdHoc;

use super::mailer::Mailer;
use crate::telemetry::metrics;

/// Manages the mailer; `stop.rs` lets it finish.
#[must_use]
pub fn stage(mailer: Mailer) -> AdHoc {
    AdHoc::on_ignite("mail", |rocket| async move {
        metrics::register(&rocket, mailer.collectors());
        rocket.manage(mailer)
    })
}
