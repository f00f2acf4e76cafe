//! Reading the fields of a JSON object: every broken one is named, not only the first.
//!
//! A model lists its fields, each with its rule. A field that the model does not ask for is an error. Text is
//! trimmed, brought to Unicode NFC, and holds no control character.
//!
//! | question | file |
//! | --- | --- |
//! | how a model asks for its fields | [`reader`] |
//! | which rules there are | [`rules`] |
//! | what an error says | [`error`] |
//! | what the OpenAPI document says of a body | [`schema`]: it comes from the same calls |

pub mod error;
pub mod reader;
pub mod rules;
pub mod schema;

pub use error::{FieldError, Wrong};
pub use reader::{FieldChange, Fields, FromFields};
pub use rules::{AnyString, Boolean, Integer, List, Rule, Text, has_control, is_blank, normalized};
