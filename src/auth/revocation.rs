//! Tokens that were logged out, one document each, until they would have expired anyway.
//!
//! What revokes *all* tokens of a user is the generation in the user's document
//! ([`crate::users::credentials`]); this is for one of them.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::{Collection, Database};

use super::token::VerifiedToken;
use crate::mongo::{COMMAND, StoreError, indexes, within};

/// A document stays longer than its token by this much: the database's clock, which forgets it, and the
/// server's, which reads the token's expiry, need not agree.
const SLACK: Duration = Duration::from_hours(24);

/// The collection `revoked_tokens`.
#[derive(Clone)]
pub struct RevokedTokens {
    tokens: Collection<Document>,
}

impl RevokedTokens {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self { tokens: database.collection(indexes::REVOKED_TOKENS) }
    }

    /// Revokes this token. Safe to do again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert(&self, token: &VerifiedToken) -> Result<(), StoreError> {
        let forgotten_at = token.expires_at.saturating_add_unsigned(SLACK.as_secs()).saturating_mul(1000);
        let document = doc! {
            "_id": &token.jti,
            "user": token.user,
            "forgotten_at": DateTime::from_millis(forgotten_at),
        };
        match within(COMMAND, self.tokens.insert_one(document)).await {
            Ok(_) | Err(StoreError::Duplicate) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// When the database fails.
    pub async fn contains(&self, jti: &str) -> Result<bool, StoreError> {
        within(COMMAND, self.tokens.find_one(doc! { "_id": jti })).await.map(|found| found.is_some())
    }
}
