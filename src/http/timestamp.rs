//! How times are written for clients.

use bson::DateTime;
use chrono::SecondsFormat;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// A time that a client reads: RFC 3339, UTC, milliseconds (`2026-11-22T09:30:00.000Z`).
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(pub DateTime);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .pattern(Some(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"))
            .description(Some("A time in UTC, with milliseconds (RFC 3339)."))
            .examples(["2026-11-22T09:30:00.000Z"])
            .into()
    }
}

impl ToSchema for Timestamp {}
