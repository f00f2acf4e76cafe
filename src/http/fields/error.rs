//! What is wrong with a field, as a client reads it.

use serde::Serialize;

/// An invalid field. `code` is for programs, `message` for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The name, for example `casts[2]`. Empty if the error is about the whole body.
    #[schema(example = "casts[2]")]
    pub field: String,
    /// For programs.
    #[schema(value_type = String, example = "blank")]
    pub code: &'static str,
    /// For people.
    #[schema(example = "must not be blank")]
    pub message: String,
}

/// What is wrong with a value, before it is known whose value it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The index of the element, in a list.
    pub at: Option<usize>,
    pub code: &'static str,
    pub message: String,
}

impl Wrong {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { at: None, code, message: message.into() }
    }
}

impl FieldError {
    pub(super) fn at(name: &str, wrong: Wrong) -> Self {
        let field = match wrong.at {
            Some(index) => format!("{name}[{index}]"),
            None => name.to_owned(),
        };
        Self { field, code: wrong.code, message: wrong.message }
    }
}
