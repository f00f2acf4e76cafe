//! Reads a JSON object field by field, and collects everything that is wrong with it.

use serde_json::{Map, Value};
use utoipa::openapi::Schema;

use super::{
    error::{FieldError, Wrong},
    rules::Rule,
    schema::{self, Need, Noted},
};

/// How many unknown fields a refusal names. Otherwise the answer to a body full of them would be even larger.
const MAX_UNKNOWN: usize = 100;

/// A type that is read from a body.
pub trait FromFields: Sized {
    /// The size limit of its body, in KiB.
    const LIMIT_KIB: u64 = 256;

    /// Takes its fields. `None` if one of them was broken; `fields` then remembers the error.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// A JSON object that is being read.
pub struct Fields {
    pub(super) left: Map<String, Value>,
    pub(super) errors: Vec<FieldError>,
    /// Fields that this request may omit: see [`Fields::required_unless_waived`].
    waived: &'static [&'static str],
    /// Records which fields are asked for, if [`schema`] wants to know.
    pub(super) notes: Option<Vec<Noted>>,
}

/// What a merge patch does with a field (RFC 7396).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldChange<T> {
    Keep,
    Clear,
    Set(T),
}

impl<T> FieldChange<T> {
    /// The new value, if there is one.
    #[must_use]
    pub fn given(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

impl Fields {
    /// Reads a whole body.
    ///
    /// # Errors
    /// Every field that is broken, missing or unknown.
    pub fn read<T: FromFields>(body: Value) -> Result<T, Vec<FieldError>> {
        Self::read_waiving(body, &[])
    }

    /// Like [`Fields::read`], but these fields may be missing although they are required.
    ///
    /// # Errors
    /// Every field that is broken, missing or unknown.
    pub fn read_waiving<T: FromFields>(
        body: Value,
        waived: &'static [&'static str],
    ) -> Result<T, Vec<FieldError>> {
        let Value::Object(left) = body else {
            return Err(vec![FieldError::at("", Wrong::new("wrong-type", "must be a JSON object"))]);
        };
        let mut fields = Self { left, errors: Vec::new(), waived, notes: None };
        let value = T::from_fields(&mut fields);
        for name in fields.left.keys().take(MAX_UNKNOWN) {
            fields
                .errors
                .push(FieldError::at(name, Wrong::new("unknown", "is not a field of this resource")));
        }
        match value {
            Some(value) if fields.errors.is_empty() => Ok(value),
            _ => Err(fields.errors),
        }
    }

    /// An empty body that records which fields are asked for.
    pub(super) fn noting() -> Self {
        Self { left: Map::new(), errors: Vec::new(), waived: &[], notes: Some(Vec::new()) }
    }

    /// Ignores fields that only the server sets.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.left.shift_remove(*name);
            self.note(name, Need::Ignored, schema::anything);
        }
    }

    /// A required field.
    pub fn required<R: Rule>(&mut self, name: &str, rule: &R) -> Option<R::Value> {
        self.note(name, Need::Required, || rule.schema());
        self.there(name, rule)
    }

    /// A field that is required unless a guard has waived it for this request ([`crate::http::body::waive`]).
    pub fn required_unless_waived<R: Rule>(&mut self, name: &str, rule: &R) -> Option<Option<R::Value>> {
        self.note(name, Need::IfChanged, || rule.schema());
        if self.waived.contains(&name) && !self.left.contains_key(name) {
            return Some(None);
        }
        self.there(name, rule).map(Some)
    }

    fn there<R: Rule>(&mut self, name: &str, rule: &R) -> Option<R::Value> {
        match self.left.shift_remove(name) {
            None | Some(Value::Null) => {
                self.errors.push(FieldError::at(name, Wrong::new("required", "is required")));
                None
            }
            Some(value) => self.parse(name, rule, value),
        }
    }

    /// A field that may be missing, `null` or blank: then it is `Some(None)`.
    pub fn optional<R: Rule>(&mut self, name: &str, rule: &R) -> Option<Option<R::Value>> {
        let blank_too = rule.is_blank(&Value::from(""));
        self.note(name, Need::Optional { blank_too }, || rule.schema());
        match self.left.shift_remove(name) {
            None => Some(None),
            Some(value) if rule.is_blank(&value) => Some(None),
            Some(value) => self.parse(name, rule, value).map(Some),
        }
    }

    /// A field of a merge patch. A required field cannot be `null`.
    pub fn change<R: Rule>(&mut self, name: &str, rule: &R, required: bool) -> Option<FieldChange<R::Value>> {
        if required {
            self.note(name, Need::IfChanged, || rule.schema());
            if self.left.contains_key(name) {
                self.there(name, rule).map(FieldChange::Set)
            } else {
                Some(FieldChange::Keep)
            }
        } else {
            let given = self.left.contains_key(name);
            let value = self.optional(name, rule)?;
            Some(if given { value.map_or(FieldChange::Clear, FieldChange::Set) } else { FieldChange::Keep })
        }
    }

    fn note(&mut self, name: &str, need: Need, schema: impl FnOnce() -> Schema) {
        if let Some(notes) = &mut self.notes {
            notes.push(Noted { name: name.to_owned(), need, schema: schema() });
        }
    }

    /// Adds an error about several fields together. The name is empty if the error is about the whole body.
    pub fn refuse(&mut self, name: &str, wrong: Wrong) {
        self.errors.push(FieldError::at(name, wrong));
    }

    fn parse<R: Rule>(&mut self, name: &str, rule: &R, value: Value) -> Option<R::Value> {
        match rule.parse(value) {
            Ok(value) => Some(value),
            Err(wrongs) => {
                self.errors.extend(wrongs.into_iter().map(|wrong| FieldError::at(name, wrong)));
                None
            }
        }
    }
}
