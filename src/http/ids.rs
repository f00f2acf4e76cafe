//! The identifiers. Each has a type of its own, so that a [`UserId`] is never taken for a [`MovieId`].
//!
//! All of them are `ObjectId`s in the database and 24 lower-case hex digits for clients.

use bson::oid::ObjectId;
use rocket::request::FromParam;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Required, Schema, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::problem::Problem;

/// Reads an id in the only form that clients read and send.
fn parse(text: &str) -> Option<ObjectId> {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 24 && text.bytes().all(lower_hex) { ObjectId::parse_str(text).ok() } else { None }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub ObjectId);

        impl $name {
            /// A new id, unique without asking the database.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "two calls give two ids: no default")]
            pub fn new() -> Self {
                Self(ObjectId::new())
            }

            /// Reads 24 lower-case hex digits; anything else is `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                parse(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl From<$name> for bson::Bson {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        /// For clients: text. Documents are built with the `ObjectId` itself.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl FromParam<'_> for PathId<$name> {
            type Error = std::convert::Infallible;

            fn from_param(param: &str) -> Result<Self, Self::Error> {
                Ok(Self($name::parse(param)))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^[0-9a-f]{24}$"))
                    .description(Some("24 lower-case hex digits."))
                    .examples(["6561f0c2a3b4d5e6f7081920"])
                    .into()
            }
        }

        impl ToSchema for $name {}
    };
}

/// An id in a path. A malformed id gets the same 404 as an unknown one. The handler reads the id after its guards, so
/// Rocket does not skip the route because of a malformed id.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(Option<T>);

/// An id that can be in a path.
pub trait InPath: Sized {
    /// The answer when the path has no such id.
    const NOT_FOUND: Problem;
}

impl<T: InPath> PathId<T> {
    /// # Errors
    /// 404 for a malformed id.
    pub fn or_not_found(self) -> Result<T, Problem> {
        self.0.ok_or(T::NOT_FOUND)
    }
}

impl InPath for UserId {
    const NOT_FOUND: Problem = Problem::UserNotFound;
}

impl InPath for SessionId {
    const NOT_FOUND: Problem = Problem::SessionNotFound;
}

impl InPath for TokenId {
    const NOT_FOUND: Problem = Problem::TokenNotFound;
}

impl InPath for MovieId {
    const NOT_FOUND: Problem = Problem::MovieNotFound;
}

impl<T: PartialSchema> IntoParams for PathId<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        vec![id.schema(Some(T::schema())).build()]
    }
}

id!(
    /// Identifies an account.
    UserId
);
id!(
    /// Identifies a session.
    SessionId
);
id!(
    /// Identifies a personal access token.
    TokenId
);
id!(
    /// Identifies a movie.
    MovieId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_24_lower_case_hex_digits() {
        let id = MovieId::new();
        assert_eq!(MovieId::parse(&id.to_string()), Some(id));
        for wrong in
            ["", "6561f0", "6561F0aaaaaaaaaaaaaaaaaa", "zzzzzzzzzzzzzzzzzzzzzzzz", "é561f0aaaaaaaaaaaaaaaaa"]
        {
            assert_eq!(MovieId::parse(wrong), None, "{wrong}");
        }
    }
}
