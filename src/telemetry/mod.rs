//! Writes log lines, and keeps the registry of metrics.
//!
//! May import `config`.
//!
//! | question | file |
//! | --- | --- |
//! | how a line is written, and what is never written | [`log`] |
//! | how something is counted, and who may read the numbers | [`metrics`] |
//! | what the log line of a request contains | `server/envelope.rs` |
//! | what the audit log contains | `accounts/audit.rs` |
//!
//! Each feature makes its own metrics and passes them to the registry.

pub mod log;
pub mod metrics;
