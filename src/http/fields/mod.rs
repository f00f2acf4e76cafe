//! Reads the fields of a JSON object. A refusal names every broken field, not only the first.
//!
//! A model lists its fields, each with its rule. A field that the model does not ask for is an error. Text is
//! trimmed, brought to Unicode NFC, and must not contain control characters.
//!
//! | question | file |
//! | --- | --- |
//! | how a model asks for its fields | [`reader`] |
//! | which rules there are | [`rules`] |
//! | what an error says | [`error`] |
//! | how the OpenAPI document describes a body | [`schema`], from the same calls |

pub mod error;
pub mod reader;
pub mod rules;
pub mod schema;

pub use error::{FieldError, Wrong};
pub use reader::{FieldChange, Fields, FromFields};
pub use rules::{AnyString, Boolean, Integer, List, Opaque, Rule, Text, has_control, is_blank, normalized};
