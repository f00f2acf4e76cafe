//! What a personal access token is, in two shapes: [`PersonalToken`], which is read from the database, and
//! [`PersonalTokenView`], which a client reads.

use bson::DateTime;
use serde::{Deserialize, Serialize};

use super::{
    scope::Scope,
    secret::{PersonalDigest, PersonalSecret},
};
use crate::http::{
    ids::{TokenId, UserId},
    timestamp::Timestamp,
};

/// The longest name, in characters.
pub const NAME_CHARACTERS: usize = 100;

/// A token as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct PersonalToken {
    #[serde(rename = "_id")]
    pub digest: PersonalDigest,
    pub id: TokenId,
    pub user: UserId,
    /// The user's token generation when the token was made. A token of an earlier generation has ended, even if it is
    /// not deleted yet.
    #[serde(rename = "gen")]
    pub generation: i64,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: DateTime,
    /// Accurate to a few minutes: see [`crate::accounts::last_use`].
    pub last_used_at: Option<DateTime>,
    pub expires_at: DateTime,
}

/// A personal access token as its user reads it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PersonalToken)]
pub struct PersonalTokenView {
    id: TokenId,
    #[schema(max_length = 100, example = "backup script")]
    name: String,
    #[schema(max_items = 2)]
    scopes: Vec<Scope>,
    created_at: Timestamp,
    /// Accurate to 10 minutes. `null` if the token was never used.
    last_used_at: Option<Timestamp>,
    expires_at: Timestamp,
    /// The token, for the `Authorization` header after `Bearer`. Only in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^mbp_[A-Za-z0-9_-]{43}$")]
    token: Option<String>,
}

impl PersonalTokenView {
    #[must_use]
    pub fn new(token: PersonalToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes,
            created_at: Timestamp(token.created_at),
            last_used_at: token.last_used_at.map(Timestamp),
            expires_at: Timestamp(token.expires_at),
            token: None,
        }
    }

    #[must_use]
    pub fn with_secret(self, secret: &PersonalSecret) -> Self {
        Self { token: Some(secret.expose().to_owned()), ..self }
    }
}
