//! The rules for fields: how each rule reads a value, and how the OpenAPI document shows it.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use utoipa::openapi::{ArrayBuilder, KnownFormat, Object, ObjectBuilder, RefOr, Schema, SchemaFormat, Type};

use super::Wrong;

/// One character of a single-line text, as a regular expression.
pub const NO_CONTROL: &str = r"[^\x00-\x1f\x7f-\x9f]";
/// The same where tab and newline are allowed.
const NO_CONTROL_BUT_LINES: &str = r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]";

/// Invisible characters: Unicode's `Default_Ignorable_Code_Point` and the blank Braille pattern.
const INVISIBLE: [(char, char); 18] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// A rule: how a JSON value becomes a typed one.
pub trait Rule {
    type Value;

    /// # Errors
    /// Everything that is wrong with the value.
    fn parse(&self, value: Value) -> Result<Self::Value, Vec<Wrong>>;

    /// The same rule for the OpenAPI document, as far as a schema can express it.
    fn schema(&self) -> Schema;

    /// Whether the value counts as missing.
    fn is_blank(&self, value: &Value) -> bool {
        value.is_null()
    }
}

/// Any string, unchanged.
pub struct AnyString;

impl Rule for AnyString {
    type Value = String;

    fn parse(&self, value: Value) -> Result<String, Vec<Wrong>> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(vec![Wrong::new("wrong-type", "must be a string")]),
        }
    }

    fn schema(&self) -> Schema {
        Object::with_type(Type::String).into()
    }
}

/// A token or a code that a client was given: trimmed, and not blank.
pub struct Opaque;

impl Rule for Opaque {
    type Value = String;

    fn parse(&self, value: Value) -> Result<String, Vec<Wrong>> {
        let text = AnyString.parse(value)?;
        if is_blank(&text) {
            return Err(vec![Wrong::new("blank", "must not be blank")]);
        }
        Ok(text.trim().to_owned())
    }

    fn schema(&self) -> Schema {
        let not_blank = format!("[^{}]", blank_class());
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(not_blank)).build().into()
    }
}

/// True or false.
pub struct Boolean;

impl Rule for Boolean {
    type Value = bool;

    fn parse(&self, value: Value) -> Result<bool, Vec<Wrong>> {
        value.as_bool().ok_or_else(|| vec![Wrong::new("wrong-type", "must be true or false")])
    }

    fn schema(&self) -> Schema {
        Object::with_type(Type::Boolean).into()
    }
}

/// A text of 1 to `max` characters.
pub struct Text {
    pub max: usize,
    /// Whether tab and newline are allowed.
    pub multiline: bool,
}

/// Trims a text and brings it to NFC, so that two texts that look the same are the same.
#[must_use]
pub fn normalized(text: &str) -> String {
    text.trim().nfc().collect()
}

/// Whether there is a control character that `multiline` does not allow.
#[must_use]
pub fn has_control(text: &str, multiline: bool) -> bool {
    text.chars().any(|c| c.is_control() && !(multiline && matches!(c, '\t' | '\n')))
}

/// Whether the text has only white space and invisible characters.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    let is_invisible = |c| INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&c));
    text.chars().all(|c: char| c.is_whitespace() || is_invisible(c))
}

/// White space and invisible characters, for a class of a regular expression. Characters beyond U+FFFF are not
/// escaped, because no escape for them works in every dialect.
#[must_use]
pub fn blank_class() -> String {
    let written = |c: char| if c > '\u{ffff}' { c.to_string() } else { format!(r"\u{:04x}", u32::from(c)) };
    let range = |(first, last): (char, char)| {
        if first == last { written(first) } else { format!("{}-{}", written(first), written(last)) }
    };
    format!(r"\s{}", INVISIBLE.map(range).concat())
}

impl Text {
    #[must_use]
    pub const fn line(max: usize) -> Self {
        Self { max, multiline: false }
    }

    fn check(&self, value: Value) -> Result<String, Wrong> {
        let Value::String(text) = value else { return Err(Wrong::new("wrong-type", "must be a string")) };
        let text = normalized(&text);
        if is_blank(&text) {
            Err(Wrong::new("blank", "must not be blank"))
        } else if has_control(&text, self.multiline) {
            Err(Wrong::new("control-character", "must not contain control characters"))
        } else if text.chars().count() > self.max {
            Err(Wrong::new("too-long", format!("must have at most {} characters", self.max)))
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

    fn schema(&self) -> Schema {
        let allowed = if self.multiline { NO_CONTROL_BUT_LINES } else { NO_CONTROL };
        // At least one character that is not blank, with any others around it.
        let pattern = format!(r"^{allowed}*[^{}\x00-\x1f\x7f-\x9f]{allowed}*$", blank_class());
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(self.max))
            .pattern(Some(pattern))
            .build()
            .into()
    }

    fn is_blank(&self, value: &Value) -> bool {
        value.is_null() || value.as_str().is_some_and(is_blank)
    }
}

/// A list of texts. Repeats are dropped.
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
            return Err(vec![Wrong::new("too-many", format!("must have at most {} entries", self.max))]);
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

    fn schema(&self) -> Schema {
        let least = (!self.may_be_empty).then_some(1);
        let items = RefOr::T(self.item.schema());
        Schema::Array(ArrayBuilder::new().items(items).min_items(least).max_items(Some(self.max)).build())
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
        // JSON has one kind of number: 1995.0 is the whole number 1995.
        let Some(whole) = value.as_f64().filter(|number| number.fract() == 0.0) else {
            return Err(vec![Wrong::new("wrong-type", "must be a whole number")]);
        };
        if (f64::from(self.min)..=f64::from(self.max)).contains(&whole) {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole, and in the range of i32")]
            Ok(whole as i32)
        } else {
            Err(vec![Wrong::new("out-of-range", format!("must be from {} to {}", self.min, self.max))])
        }
    }
    fn schema(&self) -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(self.min))
            .maximum(Some(self.max))
            .build()
            .into()
    }
}
