//! Three forms of a password: one that is accepted, one that a client claims, and the hash that is stored.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use utoipa::openapi::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::http::fields::{
    Rule, Wrong, has_control,
    rules::{NO_CONTROL, is_blank},
};

/// NIST SP 800-63B, section 5.1.1.2.
const MIN_CHARACTERS: usize = 8;
/// bcrypt reads no more bytes. A longer password is refused, never cut.
const MAX_BYTES: usize = 72;

/// A password that may be set. In Unicode NFC, so that two keyboards give the same bytes.
#[derive(Debug)]
pub struct NewPassword(pub(super) SecretString);

/// The rule of [`NewPassword`].
pub struct NewPasswordRule;

impl NewPasswordRule {
    /// The part of the rule that a schema cannot express.
    pub const WORDS: &str = "At most 72 bytes, and not one of the most common passwords.";
}

impl Rule for NewPasswordRule {
    type Value = NewPassword;

    fn parse(&self, value: Value) -> Result<NewPassword, Vec<Wrong>> {
        let Value::String(text) = value else {
            return Err(vec![Wrong::new("wrong-type", "must be a string")]);
        };
        let text: String = text.nfc().collect();
        let wrong = if text.chars().count() < MIN_CHARACTERS {
            Wrong::new("too-short", format!("must have at least {MIN_CHARACTERS} characters"))
        } else if is_blank(&text) {
            Wrong::new("blank", "must contain a visible character")
        } else if text.len() > MAX_BYTES {
            Wrong::new("too-long", format!("must have at most {MAX_BYTES} bytes"))
        } else if has_control(&text, false) {
            Wrong::new("control-character", "must not contain control characters")
        } else if passwords::analyzer::is_common_password(&text) {
            Wrong::new("too-common", "is one of the most common passwords; choose one that is less common")
        } else {
            return Ok(NewPassword(text.into()));
        };
        Err(vec![wrong])
    }

    fn schema(&self) -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .min_length(Some(MIN_CHARACTERS))
            // This counts characters, while the rule counts bytes. A schema cannot count bytes.
            .max_length(Some(MAX_BYTES))
            .pattern(Some(format!("^{NO_CONTROL}*$")))
            .build()
            .into()
    }
}

/// A password that a client claims: any string.
#[derive(Debug)]
pub struct ClaimedPassword(pub(super) SecretString);

impl ClaimedPassword {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.nfc().collect::<String>().into())
    }

    /// Whether somebody can have set it as a password.
    pub(super) fn is_possible(&self) -> bool {
        let text = self.0.expose_secret();
        (1..=MAX_BYTES).contains(&text.len()) && !has_control(text, false)
    }
}

/// A bcrypt hash. `Debug` does not show it.
#[derive(Clone, serde::Deserialize)]
pub struct PasswordHash(pub(super) String);

impl PasswordHash {
    /// For the database and its filters.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// The text with which all hashes of this cost begin. The cost has two digits, so these texts sort like the costs.
    #[must_use]
    pub fn beginning(cost: u32) -> String {
        format!("$2b${cost:02}$")
    }

    /// The cost that the hash was made with.
    pub(super) fn cost(&self) -> Option<u32> {
        self.0.split('$').nth(2)?.parse().ok()
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(password: &str) -> Option<&'static str> {
        NewPasswordRule.parse(Value::from(password)).err().map(|wrongs| wrongs[0].code)
    }

    #[test]
    fn a_new_password_has_8_characters_and_72_bytes() {
        assert_eq!(refusal("gnu-y4k"), Some("too-short"));
        assert_eq!(refusal("gnu-y4k!"), None);
        assert_eq!(refusal("éééééééé"), None);
        assert_eq!(refusal(&"äb".repeat(24)), None);
        assert_eq!(refusal(&format!("{}c", "äb".repeat(24))), Some("too-long"));
        assert_eq!(refusal("gnu\u{0}yak-horns"), Some("control-character"));
        for blank in [
            "        ",
            "\u{200b}\u{2060}\u{feff}\u{ad}\u{3164}\u{2800}\u{fe0f}\u{e0020}",
            "\u{a0} \u{2003} \u{200d} \u{202e} ",
        ] {
            assert_eq!(refusal(blank), Some("blank"), "{blank:?}");
        }
        assert_eq!(refusal("\u{200d}      k"), None);
        for common in ["password", "12345678", "qwertyuiop", "iloveyou"] {
            assert_eq!(refusal(common), Some("too-common"), "{common}");
        }
    }
}
