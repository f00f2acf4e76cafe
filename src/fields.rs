//! Reading the fields of a JSON object: every broken one is named, not only the first.
//!
//! A model lists its fields with their rules; what is left over is unknown, and refused. Text is
//! trimmed, brought to Unicode NFC, and holds no control character.

use serde::Serialize;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

/// A broken field. `code` is for programs, `message` for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// `casts[2]`; empty where the whole body is meant.
    pub field: String,
    pub code: &'static str,
    pub message: String,
}

/// What is wrong with a value, before it is said of which field.
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

/// A rule: how a JSON value becomes a typed one.
pub trait Rule {
    type Value;

    /// # Errors
    /// Everything that is wrong with the value.
    fn parse(&self, value: Value) -> Result<Self::Value, Vec<Wrong>>;

    /// Whether the value counts as missing.
    fn is_blank(&self, value: &Value) -> bool {
        value.is_null()
    }
}

/// A type that is read from a body.
pub trait FromFields: Sized {
    /// Takes its fields; `None` if one of them was broken, which `fields` then remembers.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// A JSON object while it is read.
#[derive(Debug)]
pub struct Fields {
    left: Map<String, Value>,
    errors: Vec<FieldError>,
}

/// What a merge patch says of a field (RFC 7396).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    Keep,
    Clear,
    Set(T),
}

impl<T> Change<T> {
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
        let Value::Object(left) = body else {
            return Err(vec![error("", Wrong::new("wrong-type", "must be a JSON object"))]);
        };
        let mut fields = Self { left, errors: Vec::new() };
        let value = T::from_fields(&mut fields);
        for name in fields.left.keys() {
            fields.errors.push(error(name, Wrong::new("unknown", "is not a field of this resource")));
        }
        match value {
            Some(value) if fields.errors.is_empty() => Ok(value),
            _ => Err(fields.errors),
        }
    }

    /// Passes over fields that only the server sets.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.left.shift_remove(*name);
        }
    }

    /// A field that must be there.
    pub fn required<R: Rule>(&mut self, name: &str, rule: &R) -> Option<R::Value> {
        match self.left.shift_remove(name) {
            None | Some(Value::Null) => {
                self.errors.push(error(name, Wrong::new("required", "is required")));
                None
            }
            Some(value) => self.parse(name, rule, value),
        }
    }

    /// A field that may be missing, `null` or blank: then it is `Some(None)`.
    pub fn optional<R: Rule>(&mut self, name: &str, rule: &R) -> Option<Option<R::Value>> {
        match self.left.shift_remove(name) {
            None => Some(None),
            Some(value) if rule.is_blank(&value) => Some(None),
            Some(value) => self.parse(name, rule, value).map(Some),
        }
    }

    /// A field of a merge patch. Where the field is required, `null` is refused.
    pub fn change<R: Rule>(&mut self, name: &str, rule: &R, required: bool) -> Option<Change<R::Value>> {
        if !self.left.contains_key(name) {
            Some(Change::Keep)
        } else if required {
            self.required(name, rule).map(Change::Set)
        } else {
            self.optional(name, rule).map(|value| value.map_or(Change::Clear, Change::Set))
        }
    }

    /// Refuses what the fields say together; the name is empty where the whole body is meant.
    pub fn refuse(&mut self, name: &str, wrong: Wrong) {
        self.errors.push(error(name, wrong));
    }

    fn parse<R: Rule>(&mut self, name: &str, rule: &R, value: Value) -> Option<R::Value> {
        match rule.parse(value) {
            Ok(value) => Some(value),
            Err(wrongs) => {
                self.errors.extend(wrongs.into_iter().map(|wrong| error(name, wrong)));
                None
            }
        }
    }
}

fn error(name: &str, wrong: Wrong) -> FieldError {
    let field = match wrong.at {
        Some(index) => format!("{name}[{index}]"),
        None => name.to_owned(),
    };
    FieldError { field, code: wrong.code, message: wrong.message }
}

/// Any string, as it is.
pub struct AnyString;

impl Rule for AnyString {
    type Value = String;

    fn parse(&self, value: Value) -> Result<String, Vec<Wrong>> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(vec![Wrong::new("wrong-type", "must be a string")]),
        }
    }
}

/// A text of 1 to `max` characters.
pub struct Text {
    pub max: usize,
    /// Whether tab and newline are allowed.
    pub multiline: bool,
}

/// Trims and brings to NFC: two texts that look the same are the same.
#[must_use]
pub fn normalized(text: &str) -> String {
    text.trim().nfc().collect()
}

/// Whether there is a control character that `multiline` does not excuse.
#[must_use]
pub fn has_control(text: &str, multiline: bool) -> bool {
    text.chars().any(|c| c.is_control() && !(multiline && matches!(c, '\t' | '\n')))
}

impl Text {
    #[must_use]
    pub const fn line(max: usize) -> Self {
        Self { max, multiline: false }
    }

    fn check(&self, value: Value) -> Result<String, Wrong> {
        let Value::String(text) = value else { return Err(Wrong::new("wrong-type", "must be a string")) };
        let text = normalized(&text);
        if text.is_empty() {
            Err(Wrong::new("blank", "must not be blank"))
        } else if has_control(&text, self.multiline) {
            Err(Wrong::new("control-character", "must not hold a control character"))
        } else if text.chars().count() > self.max {
            Err(Wrong::new("too-long", format!("must have {} characters at most", self.max)))
        } else {
            Ok(text)
        }
    }
}

impl Rule for Text {
    type Value = String;

    fn parse(&self, value: Value) -> Result<String, Vec<Wrong>> {
        self.check(value).map_err(|wrong| vec![wrong])
    }

    fn is_blank(&self, value: &Value) -> bool {
        value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
    }
}

/// A list of texts; repeats are dropped, the first stays.
pub struct List {
    pub may_be_empty: bool,
    pub max: usize,
    pub item: Text,
}

impl Rule for List {
    type Value = Vec<String>;

    fn parse(&self, value: Value) -> Result<Vec<String>, Vec<Wrong>> {
        let Value::Array(items) = value else {
            return Err(vec![Wrong::new("wrong-type", "must be a list of strings")]);
        };
        if items.len() > self.max {
            return Err(vec![Wrong::new("too-many", format!("must have {} entries at most", self.max))]);
        }
        if items.is_empty() && !self.may_be_empty {
            return Err(vec![Wrong::new("too-few", "must not be empty")]);
        }
        let mut texts: Vec<String> = Vec::with_capacity(items.len());
        let mut seen = std::collections::HashSet::with_capacity(items.len());
        let mut wrongs = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            match self.item.check(item) {
                Ok(text) if seen.insert(text.clone()) => texts.push(text),
                Ok(_) => {}
                Err(wrong) => wrongs.push(Wrong { at: Some(index), ..wrong }),
            }
        }
        if wrongs.is_empty() { Ok(texts) } else { Err(wrongs) }
    }
}

/// A whole number in a range.
pub struct Integer {
    pub min: i32,
    pub max: i32,
}

impl Rule for Integer {
    type Value = i32;

    fn parse(&self, value: Value) -> Result<i32, Vec<Wrong>> {
        // JSON knows one kind of number: 1995.0 is the whole number 1995.
        let Some(whole) = value.as_f64().filter(|number| number.fract() == 0.0) else {
            return Err(vec![Wrong::new("wrong-type", "must be a whole number")]);
        };
        if (f64::from(self.min)..=f64::from(self.max)).contains(&whole) {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole, and in the range of i32")]
            Ok(whole as i32)
        } else {
            Err(vec![Wrong::new("out-of-range", format!("must be {} to {}", self.min, self.max))])
        }
    }
}
