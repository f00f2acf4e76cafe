//! The name of a session whose login gives none. It comes from the client's `User-Agent`.

use std::convert::Infallible;

use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

use super::model::NAME_CHARACTERS;
use crate::http::fields::rules::{is_blank, normalized};

/// For a client that does not say what it is.
const UNKNOWN: &str = "unknown";

/// The name of a session whose login gives none.
pub struct DefaultName(pub String);

impl DefaultName {
    /// The header may contain anything. A name has 1 to 100 characters and no control characters.
    fn of(user_agent: Option<&str>) -> Self {
        let printable: String = user_agent.unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        let cut: String = normalized(&printable).chars().take(NAME_CHARACTERS).collect();
        Self(if is_blank(&cut) { UNKNOWN.to_owned() } else { cut.trim_end().to_owned() })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for DefaultName {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request.headers().get_one("User-Agent")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_user_agent_is_cut_and_has_no_control_characters() {
        let name = |user_agent: Option<&str>| DefaultName::of(user_agent).0;
        assert_eq!(name(None), "unknown");
        for blank in ["", "   ", "\t", "\u{200b}"] {
            assert_eq!(name(Some(blank)), "unknown", "{blank:?}");
        }
        assert_eq!(name(Some(" curl/8.5\u{7}\t ")), "curl/8.5");
        assert_eq!(name(Some(&"é".repeat(200))), "é".repeat(100));
        assert_eq!(name(Some(&format!("{} b", "a".repeat(99)))), "a".repeat(99));
    }
}
