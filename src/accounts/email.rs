//! An email address: what is accepted as one, and how the log shows it.

use std::fmt;

use email_address::Options;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use utoipa::openapi::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::http::fields::{Rule, Wrong};

/// RFC 5321, section 4.5.3.1.3, less the angle brackets.
const EMAIL_CHARACTERS: usize = 254;

/// An email address, in lower case: two spellings are one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// A text that a client sent as an email address. If it is not one, no account has it.
    #[must_use]
    pub fn claimed(text: &str) -> Self {
        // Lower case comes before NFC: Unicode has a single character for `j` with a caron, but none for `J` with a
        // caron.
        Self(text.trim().to_lowercase().nfc().collect())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of an address. A quoted local part, which RFC 5321 allows but nobody uses, is refused,
    /// because it may contain spaces and control characters.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        !self.0.starts_with('"') && email_address::EmailAddress::parse_with_options(&self.0, options).is_ok()
    }

    /// Enough for the owner of an email to recognise it. Somebody may type a password in place of the email, so a text
    /// that is not an email is not shown at all.
    #[must_use]
    pub fn masked(&self) -> String {
        match (self.0.chars().next(), self.0.rsplit_once('@')) {
            (Some(first), Some((_, domain))) if self.is_valid() => format!("{first}***@{domain}"),
            _ => "***".to_owned(),
        }
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rule of [`EmailAddress`].
pub struct EmailRule;

impl Rule for EmailRule {
    type Value = EmailAddress;

    fn parse(&self, value: Value) -> Result<EmailAddress, Vec<Wrong>> {
        let Value::String(text) = value else {
            return Err(vec![Wrong::new("wrong-type", "must be a string")]);
        };
        let email = EmailAddress::claimed(&text);
        let wrong = if email.0.is_empty() {
            Wrong::new("blank", "must not be blank")
        } else if email.0.chars().count() > EMAIL_CHARACTERS {
            Wrong::new("too-long", format!("must have at most {EMAIL_CHARACTERS} characters"))
        } else if !email.is_valid() {
            Wrong::new("invalid-email", "must be an email address")
        } else {
            return Ok(email);
        };
        Err(vec![wrong])
    }

    fn schema(&self) -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .max_length(Some(EMAIL_CHARACTERS))
            .build()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection, prelude::*, sample};

    use super::*;

    fn parse(text: &str) -> Result<String, &'static str> {
        EmailRule.parse(Value::from(text)).map(|email| email.0).map_err(|wrongs| wrongs[0].code)
    }

    #[test]
    fn two_spellings_of_an_email_are_equal() {
        let (upper, lower) = ("J\u{30c}@example.com", "\u{1f0}@example.com");
        assert_eq!(EmailAddress::claimed(upper), EmailAddress::claimed(lower));
    }

    /// Texts in which characters of unusual case, form or width often follow each other.
    fn texts() -> impl Strategy<Value = String> {
        let marks =
            sample::select("\u{300}\u{307}\u{308}\u{30c}\u{327}\u{345}\u{200d}".chars().collect::<Vec<_>>());
        let letters = sample::select("JTHWYIİıſßẞΣσςΪΫΑαᾈᾼΩKÅŐ".chars().collect::<Vec<_>>());
        let space = sample::select(" \t\u{a0}\u{2003}@.".chars().collect::<Vec<_>>());
        collection::vec(prop_oneof![letters, marks, space, any::<char>()], 0..12)
            .prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn an_email_that_was_read_once_reads_the_same_again(text in texts()) {
            let once = EmailAddress::claimed(&text);
            prop_assert_eq!(EmailAddress::claimed(once.as_str()), once);
        }

        #[test]
        fn an_email_is_the_same_in_either_unicode_form(text in texts()) {
            let composed: String = text.nfc().collect();
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(EmailAddress::claimed(&composed), EmailAddress::claimed(&decomposed));
        }
    }

    #[test]
    fn an_email_is_valid_trimmed_and_lower_case() {
        assert_eq!(parse("  Ann.Lee+bag@Example.COM "), Ok("ann.lee+bag@example.com".to_owned()));
        assert_eq!(parse("jürgen@bücher.example"), Ok("jürgen@bücher.example".to_owned()));
        assert_eq!(parse(" "), Err("blank"));
        for wrong in [
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "a b@example.com",
            "ann@@example.com",
            "ann@example..com",
            "ann@[127.0.0.1]",
            "Ann <ann@example.com>",
            "\"a b\"@example.com",
            "\"tab\t\"@example.com",
            "ann@exa mple.com",
            "a\u{0}b@example.com",
            "ann@example.com\nbcc: x@example.com",
        ] {
            assert_eq!(parse(wrong), Err("invalid-email"), "{wrong:?}");
        }
        assert_eq!(parse(&format!("ann@{}example.com", "abcdefghi.".repeat(24))), Err("too-long"));
    }

    #[test]
    fn an_email_is_masked_and_any_other_text_is_not_shown() {
        let masked = |text| EmailAddress::claimed(text).masked();
        assert_eq!(masked("Ann.Lee@example.com"), "a***@example.com");
        assert_eq!(masked("élan@example.com"), "é***@example.com");
        for no_email in ["my secret p@ssword", "p@ssword", "correct horse", ""] {
            assert_eq!(masked(no_email), "***");
        }
    }
}
