//! How a time is written for clients.

use bson::DateTime;
use chrono::SecondsFormat;
use serde::{Serialize, Serializer};

/// A time that a client reads: RFC 3339, UTC, milliseconds (`2026-11-22T09:30:00.000Z`).
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(pub DateTime);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}
