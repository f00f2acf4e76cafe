//! How lines and numbers leave the process: the [`log`], and the [`metrics`]. Each feature makes its own
//! numbers; what holds for every request is in `server/envelope.rs`.
//!
//! May import `config`.

pub mod log;
pub mod metrics;
