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
/// The end of every key.
const END: &str = "04";
/// The beginning of the collection's UUID, which happens to end like a key.
const UUID: &str = "5A1004";
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
            && text.ends_with(END)
            && !text.ends_with(UUID)
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
        let of_a_change = "826B0A09E1000000032B022C0100296E5A1004285177536616485993078301A99BA96A46645F696400646B0A09E1B1\
             3C92B139514E620004";
        let of_no_change = "826B0A09E1000000042B0229296E04";
        for real in [of_a_change, of_no_change] {
            assert_eq!(Token::parse(real).unwrap().to_string(), real);
        }
        assert_eq!(Token::parse(of_a_change).unwrap().instant(), 0x6B0A_09E1_0000_0003);
        // Cut short, or continued.
        for digits in 0..of_a_change.len() {
            assert_eq!(Token::parse(&of_a_change[..digits]), None, "{digits}");
        }
        assert_eq!(Token::parse(&format!("{of_a_change}00")), None);
        for wrong in [
            "",
            "1",
            "not a token",
            "82674A1B2C00000004",
            "826b0a09e1000000042b0229296e04",
            "726B0A09E1000000042B0229296E04",
            "82FFFFFFFF000000042B0229296E04",
            "826B0A09E1000000042B0229296Eéé04",
        ] {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Token::parse(&format!("826B0A09E1000000042B{}04", "0".repeat(2_000))), None);
    }
}
