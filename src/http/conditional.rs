//! Conditional requests (RFC 9110, section 13). The entity tag of a movie is its version, and strong. That of a
//! list is weak: it is made of the bytes of the answer, before these are compressed.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rocket::{
    Request,
    request::{FromRequest, Outcome},
};
use sha2::{Digest, Sha256};

use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{openapi::parameters, query::number};

/// `"<version>"`: a strong tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag(pub i64);

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// Bytes of the digest in a weak tag: two answers never share 96 bits by chance.
const DIGEST: usize = 12;

/// `W/"<digest>"`: a weak tag, the same on every server and in every encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakTag(String);

impl WeakTag {
    /// The tag of an answer.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(body)[..DIGEST]))
    }
}

impl fmt::Display for WeakTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W/\"{}\"", self.0)
    }
}

/// The precondition of a write. A tag that is weak, malformed or not ours matches no version.
#[derive(Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// No header, or `*`: any version of a movie that exists.
    Any,
    /// One of these versions; none, if no tag was usable.
    Versions(Vec<i64>),
}

/// The condition of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum IfNoneMatch {
    Absent,
    Any,
    /// The opaque texts of these tags.
    Tags(Vec<String>),
}

impl IfNoneMatch {
    /// Whether the client has this version already. The comparison is weak, as section 13.1.2 asks.
    #[must_use]
    pub fn has(&self, version: i64) -> bool {
        self.names(&version.to_string())
    }

    /// Whether the client has the answer with this tag already.
    #[must_use]
    pub fn has_answer(&self, tag: &WeakTag) -> bool {
        self.names(&tag.0)
    }

    fn names(&self, opaque: &str) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag == opaque),
        }
    }
}

/// The members of a list of entity tags, whether each is weak, and its opaque text. A member that is
/// no entity tag ends the reading: what follows cannot be told apart.
fn tags(header: &str) -> Vec<(bool, &str)> {
    let mut tags = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let Some((opaque, after)) = quoted.strip_prefix('"').and_then(|text| text.split_once('"')) else {
            return tags;
        };
        tags.push((weak, opaque));
        rest = after;
    }
}

/// A version in the one form in which we write it.
fn version(opaque: &str) -> Option<i64> {
    number(opaque).filter(|version: &i64| version.to_string() == opaque)
}

fn header(request: &Request<'_>, name: &str) -> Option<String> {
    let lines: Vec<&str> = request.headers().get(name).collect();
    // Several lines of one field are one list (RFC 9110, section 5.3).
    (!lines.is_empty()).then(|| lines.join(","))
}

fn if_match(header: Option<&str>) -> IfMatch {
    match header.map(str::trim) {
        None | Some("*") => IfMatch::Any,
        Some(list) => {
            let strong = tags(list).into_iter().filter(|(weak, _)| !weak);
            IfMatch::Versions(strong.filter_map(|(_, opaque)| version(opaque)).collect())
        }
    }
}

fn if_none_match(header: Option<&str>) -> IfNoneMatch {
    match header.map(str::trim) {
        None => IfNoneMatch::Absent,
        Some("*") => IfNoneMatch::Any,
        Some(list) => {
            IfNoneMatch::Tags(tags(list).into_iter().map(|(_, opaque)| opaque.to_owned()).collect())
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for IfMatch {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(if_match(header(request, "If-Match").as_deref()))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for IfNoneMatch {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(if_none_match(header(request, "If-None-Match").as_deref()))
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "The ETag of the version that is meant: if it is not the current one, 412 and nothing changes.";
        vec![parameters::header("If-Match", description)]
    }
}

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameters::header(
            "If-None-Match",
            "The ETag of what you have: if it is still the current one, 304.",
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_takes_strong_tags_of_ours_only() {
        let versions = |header| match if_match(Some(header)) {
            IfMatch::Versions(versions) => versions,
            IfMatch::Any => panic!("{header} is no list"),
        };
        assert_eq!(if_match(None), IfMatch::Any);
        assert_eq!(if_match(Some(" * ")), IfMatch::Any);
        assert_eq!(versions(r#""3""#), [3]);
        assert_eq!(versions(r#""a,b" , "2","7""#), [2, 7]);
        for none in
            [r#"W/"3""#, "3", "\"03\"", "\"+3\"", "\"\"", "", "\"3", "\"99999999999999999999\"", "*, \"x\""]
        {
            assert_eq!(versions(none), [0; 0], "{none}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        assert!(!if_none_match(None).has(3));
        assert!(if_none_match(Some("*")).has(3));
        assert!(if_none_match(Some(r#"W/"3""#)).has(3));
        assert!(if_none_match(Some(r#""1", "3""#)).has(3));
        assert!(!if_none_match(Some(r#""1", "2""#)).has(3));
        assert!(!if_none_match(Some(r#""03""#)).has(3));
        let tag = WeakTag::of(b"a list");
        assert!(if_none_match(Some(&format!("\"1\", {tag}"))).has_answer(&tag));
        assert!(if_none_match(Some(tag.to_string().trim_start_matches("W/"))).has_answer(&tag));
        assert!(!if_none_match(Some(&tag.to_string())).has_answer(&WeakTag::of(b"another list")));
    }
}
