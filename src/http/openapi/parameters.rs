//! How a route declares its parameters.

use utoipa::{
    Number,
    openapi::{
        KnownFormat, ObjectBuilder, RefOr, Required, Schema, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::http::fields::rules::NO_CONTROL;

/// An optional parameter of the query.
#[must_use]
pub fn optional(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Query, name, description, schema).required(Required::False).build()
}

/// A required parameter of the query.
#[must_use]
pub fn required(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Query, name, description, schema).required(Required::True).build()
}

/// A header of the request.
#[must_use]
pub fn header(name: &str, description: &str) -> Parameter {
    parameter(ParameterIn::Header, name, description, ObjectBuilder::new().schema_type(Type::String))
        .required(Required::False)
        .build()
}

fn parameter(
    place: ParameterIn,
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).description(Some(description)).schema(Some(schema))
}

/// A whole number within limits that are those of an `i32`, or narrower.
#[must_use]
pub fn integer(min: impl Into<Number>, max: impl Into<Number>) -> ObjectBuilder {
    whole_number(KnownFormat::Int32).minimum(Some(min)).maximum(Some(max))
}

/// A whole number that may outgrow an `i32`, such as a count or a version.
#[must_use]
pub fn int64(min: u32) -> ObjectBuilder {
    whole_number(KnownFormat::Int64).minimum(Some(min))
}

fn whole_number(format: KnownFormat) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(format)))
}

/// A text that is not only white space and has no control character. Without `max` it may have any length.
/// Unlike a text in a body it may be invisible: Swagger UI reads the pattern of a parameter in a dialect that has no
/// characters beyond U+FFFF.
#[must_use]
pub fn text(max: Option<usize>) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(max)
        .pattern(Some(format!(r"^{NO_CONTROL}*[^\s\x00-\x1f\x7f-\x9f]{NO_CONTROL}*$")))
        .build()
        .into()
}
