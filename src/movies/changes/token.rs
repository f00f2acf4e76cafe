//! The database's resume tokens, used as places in the log. They are the ids of events and the cursors of changes.
//!
//! A token is a key in hexadecimal digits that begins with the time of its change, so tokens sort in the order of the
//! changes (<https://www.mongodb.com/docs/manual/changeStreams/#resume-tokens>).

use std::fmt;

use bson::{Bson, doc};
use mongodb::change_stream::event::ResumeToken;
use serde::{Deserialize, Serialize};

/// Marks a time in such a key; the digits of its seconds follow.
const TIME: &str = "82";
const SECONDS: std::ops::Range<usize> = 2..10;
/// Seconds and the number within the second.
const INSTANT: std::ops::Range<usize> = 2..18;
const MIN_DIGITS: usize = 20;
/// What comes after the time.
const AFTER_TIME: &str = "2B";
/// Clocks may differ by this many seconds. No server has given out a token later than that.
const AHEAD: i64 = 300;

/// A place in the order of all changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The longest token that the server accepts.
    pub const MAX_DIGITS: usize = 1_024;

    /// Parses a token that a client sent; `None` if it cannot be a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        let has_form = (MIN_DIGITS..=Self::MAX_DIGITS).contains(&text.len())
            && text.len().is_multiple_of(2)
            && text.starts_with(TIME)
            && text.get(18..20) == Some(AFTER_TIME)
            && text.bytes().all(is_digit);
        let seconds = i64::from_str_radix(text.get(SECONDS).filter(|_| has_form)?, 16).ok()?;
        (seconds < chrono::Utc::now().timestamp() + AHEAD).then(|| Self(text.to_owned()))
    }

    /// A token that this server stored itself.
    #[must_use]
    pub(in crate::movies) fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn of(token: &ResumeToken) -> Option<Self> {
        match bson::serialize_to_bson(token).ok()? {
            Bson::Document(token) => token.get_str("_data").ok().map(|data| Self(data.to_owned())),
            _ => None,
        }
    }

    /// The place before every change of this second and after every earlier one. It is for comparing, not for
    /// resuming.
    pub(super) fn before_second(seconds: u64) -> Self {
        Self(format!("{TIME}{:08X}", seconds.min(u32::MAX.into())))
    }

    /// The cluster time of the change, as one number (see [`super::acknowledged`]).
    pub(in crate::movies) fn instant(&self) -> u64 {
        self.0.get(INSTANT).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
    }

    /// The second of the change, in Unix time.
    pub(super) fn second(&self) -> u64 {
        self.instant() >> 32
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The token in the form that the database takes.
    pub(super) fn resume(&self) -> Option<ResumeToken> {
        bson::deserialize_from_bson(Bson::Document(doc! { "_data": &self.0 })).ok()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_key_with_a_time_that_is_not_in_the_future() {
        let real = "82674A1B2C000000012B042C0100296E5A1004";
        assert_eq!(Token::parse(real).unwrap().to_string(), real);
        assert_eq!(Token::parse(real).unwrap().instant(), 0x674A_1B2C_0000_0001);
        for wrong in [
            "",
            "1",
            "not a token",
            "82674A1B2C0000000",
            "82674a1b2c000000012b042c0100296e5a1004",
            "72674A1B2C000000012B042C0100296E5A1004",
            "82FFFFFFFF000000012B042C0100296E5A1004",
            "82674A1B2C000000012B042C0100296E5A10éé",
        ] {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Token::parse(&format!("82674A1B2C{}", "0".repeat(2_000))), None);
    }
}
