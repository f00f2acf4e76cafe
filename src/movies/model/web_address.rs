//! The address of a poster.

use serde_json::Value;
use utoipa::openapi::{ObjectBuilder, Schema, Type};

use crate::http::fields::{Rule, Text, Wrong};

/// The addresses that the OpenAPI document promises to accept. The server accepts more: IP addresses in place of host
/// names, and host names in every script. A regular expression cannot state those rules.
const SURE_WEB_ADDRESS: &str = concat!(
    "^[Hh][Tt][Tt][Pp][Ss]?://",
    r"([A-Za-z0-9]+(-[A-Za-z0-9]+)*\.)*[A-Za-z][A-Za-z0-9]*(:[0-9]{1,4})?",
    r#"([/?#][^\s\x00-\x1f\x7f-\x9f"<>\\^`{|}]*)?$"#
);

/// The OpenAPI document's pattern for every address in an answer.
pub const WEB_ADDRESS: &str = "^[Hh][Tt][Tt][Pp][Ss]?://[^/]";

/// An `http` or `https` URL. The server never fetches it.
pub(super) struct WebAddress {
    pub text: Text,
}

impl Rule for WebAddress {
    type Value = String;

    fn parse(&self, value: Value) -> Result<String, Vec<Wrong>> {
        let text = self.text.parse(value)?;
        if !is_web_address(&text) {
            Err(vec![Wrong::new("invalid-url", "must be an http or https URL")])
        } else if names_a_user(&text) {
            Err(vec![Wrong::new("invalid-url", "must not contain a user name or a password")])
        } else {
            Ok(text)
        }
    }

    fn schema(&self) -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::String)
            // Without a format: `uri` does not allow `ä` in a path, and `iri` (RFC 3987) does not allow private-use
            // characters, which a URL may contain.
            .max_length(Some(self.text.max))
            .pattern(Some(SURE_WEB_ADDRESS))
            .build()
            .into()
    }

    fn is_blank(&self, value: &Value) -> bool {
        self.text.is_blank(value)
    }
}

/// Checks the text by RFC 3986, which is stricter than a browser: `http:x` and `http:///x` have no host, and the
/// excluded characters would have to be escaped.
fn is_web_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let Some(scheme) = ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme)) else {
        return false;
    };
    let excluded =
        |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    !text[scheme.len()..].starts_with('/') && !text.contains(excluded) && url::Url::parse(text).is_ok()
}

/// Whether a web address has user information before its host. Everybody would see it, and every browser that loads
/// the poster would send it.
fn names_a_user(web_address: &str) -> bool {
    web_address.split(['/', '?', '#']).nth(2).is_some_and(|authority| authority.contains('@'))
}
