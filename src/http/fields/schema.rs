//! How the OpenAPI document describes a body.
//!
//! A model has only one list of its fields: the calls that read them. Here it reads an empty body while its calls are
//! recorded, so the document cannot have other fields or rules than the reader.

use serde_json::Value;
use utoipa::openapi::{
    Object, ObjectBuilder, RefOr, Schema, Type,
    schema::{AdditionalProperties, SchemaType},
};

use super::{Fields, FromFields, rules::blank_class};

/// Whether a field is required, and what may take its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Required,
    /// Missing, `null`, or blank where blank counts as missing.
    Optional {
        blank_too: bool,
    },
    /// May be missing, but must follow its rule if it is there.
    IfChanged,
    /// Accepted and ignored.
    Ignored,
}

/// A field that was asked for.
pub struct Noted {
    pub name: String,
    pub need: Need,
    /// The schema of the value, if there is one.
    pub schema: Schema,
}

/// The fields that `T` reads, in order, without the ignored ones.
#[must_use]
pub fn fields_of<T: FromFields>() -> Vec<Noted> {
    noted::<T>().into_iter().filter(|field| field.need != Need::Ignored).collect()
}

/// The object that `T` is read from. Fields that it does not list are refused.
#[must_use]
pub fn body_of<T: FromFields>() -> Object {
    let object = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let read = noted::<T>().into_iter().fold(object, |object, field| {
        let name = field.name.clone();
        let object = if field.need == Need::Required { object.required(&name) } else { object };
        object.property(name, field.when_sent())
    });
    read.build()
}

fn noted<T: FromFields>() -> Vec<Noted> {
    let mut fields = Fields::noting();
    // The body is empty, so the result means nothing: only the recorded calls count.
    let _nothing = T::from_fields(&mut fields);
    fields.notes.unwrap_or_default()
}

/// Any value.
#[must_use]
pub fn anything() -> Schema {
    let description = "Set by the server. You can send back the value that you read, but it has no effect.";
    let object = ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(description));
    object.build().into()
}

impl Noted {
    /// The schema of what a client may send.
    fn when_sent(self) -> Schema {
        let Need::Optional { blank_too } = self.need else { return self.schema };
        match self.schema {
            Schema::Object(object) => Schema::Object(or_nothing(object, blank_too)),
            Schema::Array(mut array) => {
                array.schema_type = SchemaType::Array(vec![Type::Array, Type::Null]);
                Schema::Array(array)
            }
            other => other,
        }
    }
}

fn or_nothing(mut object: Object, blank_too: bool) -> Object {
    if let SchemaType::Type(kind) = object.schema_type {
        object.schema_type = SchemaType::Array(vec![kind, Type::Null]);
    }
    if blank_too {
        object.min_length = None;
        object.pattern = object.pattern.map(|pattern| format!(r"^[{}]*$|{pattern}", blank_class()));
        object.format = None;
    }
    object
}

/// Gives one of the object's properties a description and an example.
#[must_use]
pub fn describe(mut object: Object, name: &str, description: &str, example: Value) -> Object {
    if let Some(RefOr::T(property)) = object.properties.get_mut(name) {
        let (words, examples) = match property {
            Schema::Object(property) => (&mut property.description, &mut property.examples),
            Schema::Array(property) => (&mut property.description, &mut property.examples),
            _ => return object,
        };
        *words = Some(description.to_owned());
        *examples = vec![example];
    }
    object
}
