//! What a personal access token may do.
//!
//! A route that takes such tokens names the scope in its signature: [`crate::accounts::ScopedUser`] with one of the
//! types here. Every other guard refuses these tokens, so a route that names no scope takes none.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    PartialSchema,
    openapi::{ArrayBuilder, Schema},
};

use crate::http::fields::{Rule, Wrong};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Scope {
    /// Add, change and delete movies.
    #[serde(rename = "movies:write")]
    MoviesWrite,
    /// Read the account and its movies.
    #[serde(rename = "account:read")]
    AccountRead,
}

impl Scope {
    const ALL: [Self; 2] = [Self::MoviesWrite, Self::AccountRead];

    /// The name that clients and the database use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MoviesWrite => "movies:write",
            Self::AccountRead => "account:read",
        }
    }
}

/// A scope as a type, for the signature of a route.
pub trait RouteScope: Send + Sync + 'static {
    const SCOPE: Scope;
}

/// [`Scope::MoviesWrite`].
#[derive(Debug)]
pub struct MoviesWrite;

impl RouteScope for MoviesWrite {
    const SCOPE: Scope = Scope::MoviesWrite;
}

/// [`Scope::AccountRead`].
#[derive(Debug)]
pub struct AccountRead;

impl RouteScope for AccountRead {
    const SCOPE: Scope = Scope::AccountRead;
}

/// The rule of a token's scopes: at least one. Repeats are dropped.
pub struct ScopesRule;

impl Rule for ScopesRule {
    type Value = Vec<Scope>;

    fn parse(&self, value: Value) -> Result<Vec<Scope>, Vec<Wrong>> {
        let Value::Array(items) = value else {
            return Err(vec![Wrong::new("wrong-type", "must be a list of scopes")]);
        };
        if items.is_empty() {
            return Err(vec![Wrong::new("too-few", "must not be empty")]);
        }
        let (mut scopes, mut wrongs) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            let known =
                Scope::ALL.into_iter().find(|scope| item.as_str().map(str::trim) == Some(scope.name()));
            match known {
                Some(scope) if scopes.contains(&scope) => {}
                Some(scope) => scopes.push(scope),
                None => {
                    let wrong = Wrong::new("invalid-scope", "must be movies:write or account:read");
                    wrongs.push(Wrong { at: Some(index), ..wrong });
                }
            }
        }
        if wrongs.is_empty() { Ok(scopes) } else { Err(wrongs) }
    }

    fn schema(&self) -> Schema {
        Schema::Array(ArrayBuilder::new().items(Scope::schema()).min_items(Some(1)).build())
    }
}
