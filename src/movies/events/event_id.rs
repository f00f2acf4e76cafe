//! The database's resume tokens, as ids of events.
//!
//! A token is a key in hexadecimal digits that begins with the time of its change, so tokens sort as the
//! changes came (<https://www.mongodb.com/docs/manual/changeStreams/#resume-tokens>).

use std::fmt;

use bson::{Bson, doc};
use mongodb::change_stream::event::ResumeToken;

/// The mark of a time in such a key, and the digits of its seconds that follow.
const TIME: &str = "82";
const SECONDS: std::ops::Range<usize> = 2..10;
const MIN_DIGITS: usize = 20;
const MAX_DIGITS: usize = 1_024;
/// What comes after the time.
const AFTER_TIME: &str = "2B";
/// Clocks may differ by this many seconds; nobody has given out an id from later than that.
const AHEAD: i64 = 300;

/// A place in the order of all changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(String);

impl EventId {
    /// Reads what a client sent; what cannot be an id is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        let has_form = (MIN_DIGITS..=MAX_DIGITS).contains(&text.len())
            && text.len().is_multiple_of(2)
            && text.starts_with(TIME)
            && text.get(18..20) == Some(AFTER_TIME)
            && text.bytes().all(is_digit);
        let seconds = i64::from_str_radix(text.get(SECONDS).filter(|_| has_form)?, 16).ok()?;
        (seconds < chrono::Utc::now().timestamp() + AHEAD).then(|| Self(text.to_owned()))
    }

    pub(super) fn of(token: &ResumeToken) -> Option<Self> {
        match bson::serialize_to_bson(token).ok()? {
            Bson::Document(token) => token.get_str("_data").ok().map(|data| Self(data.to_owned())),
            _ => None,
        }
    }

    /// For the database.
    pub(super) fn resume(&self) -> Option<ResumeToken> {
        bson::deserialize_from_bson(Bson::Document(doc! { "_data": &self.0 })).ok()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_key_with_a_time_that_has_come() {
        let real = "82674A1B2C000000012B042C0100296E5A1004";
        assert_eq!(EventId::parse(real).unwrap().to_string(), real);
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
            assert_eq!(EventId::parse(wrong), None, "{wrong}");
        }
        assert_eq!(EventId::parse(&format!("82674A1B2C{}", "0".repeat(2_000))), None);
    }
}
