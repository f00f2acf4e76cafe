//! `Idempotency-Key`: a name with which a client can repeat a request whose answer it has lost.

use rocket::{
    Request,
    request::{FromRequest, Outcome},
};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Type,
        path::{Parameter, ParameterIn},
    },
};

use super::{openapi::parameters, problem::Problem};

const LONGEST: usize = 255;
const RULE: &str = "The Idempotency-Key header must be given once, with 1 to 255 visible ASCII characters.";

/// A key that a client has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The key of a request, if it has one.
#[derive(Debug)]
pub struct RequestKey(pub Option<IdempotencyKey>);

impl IdempotencyKey {
    pub const HEADER: &str = "Idempotency-Key";

    fn parse(text: &str) -> Option<Self> {
        let is_usable =
            (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_usable.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for RequestKey {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let mut sent = request.headers().get(IdempotencyKey::HEADER);
        match (sent.next(), sent.next()) {
            (None, _) => Outcome::Success(Self(None)),
            (Some(text), None) => match IdempotencyKey::parse(text) {
                Some(key) => Outcome::Success(Self(Some(key))),
                None => Problem::BadHeader(RULE).forward(request),
            },
            _ => Problem::BadHeader(RULE).forward(request),
        }
    }
}

impl IntoParams for RequestKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "A name of your choice for this request, 1 to 255 visible ASCII characters. For 24 hours the \
             same request with the same key gets the same answer and adds nothing.";
        let visible = format!("^[!-~]{{1,{LONGEST}}}$");
        let key = ObjectBuilder::new().schema_type(Type::String).pattern(Some(visible));
        let mut header = parameters::header(IdempotencyKey::HEADER, description);
        header.schema = Some(key.into());
        vec![header]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_visible_characters() {
        for good in ["a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "~!", &"x".repeat(255)] {
            assert!(IdempotencyKey::parse(good).is_some(), "{good}");
        }
        for wrong in ["", "a b", "\t", "é", "\u{7f}", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
