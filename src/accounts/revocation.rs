//! Tokens without a session that were logged out, one document each, until they would have expired anyway.
//!
//! Releases before there were sessions issued such tokens. The last one expires one `jwt.lifetime` after the upgrade,
//! at most a year. Until then the guard looks up these tokens here, and no others.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::{Collection, Database};

use prometheus::core::Collector;
use serde::Deserialize;

use super::token::VerifiedToken;
use crate::mongo::{
    COMMAND, StoreError,
    batches::Batches,
    by_id::{ById, HasId},
    indexes, inserting,
};

/// How much longer a document stays than its token. The database deletes the document by its own clock, and the server
/// checks the token's expiry by another one, so the two may differ.
const SLACK: Duration = Duration::from_hours(24);

/// The collection `revoked_tokens`.
#[derive(Clone)]
pub struct RevokedTokens {
    tokens: Collection<Document>,
    by_id: Batches<ById<RevokedToken>>,
}

/// Its existence says everything.
#[derive(Deserialize)]
struct RevokedToken {
    #[serde(rename = "_id")]
    jti: String,
}

impl HasId for RevokedToken {
    const PLURAL: &'static str = "find_revoked_tokens";

    type Id = String;

    fn id(&self) -> String {
        self.jti.clone()
    }
}

impl RevokedTokens {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let tokens = database.collection(indexes::REVOKED_TOKENS);
        let by_id = ById::new(tokens.clone_with_type(), Document::new(), doc! { "_id": 1 });
        Self { tokens, by_id: Batches::new(by_id) }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.by_id.collectors()
    }

    /// Revokes this token. Safe to repeat.
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
        match inserting(COMMAND, indexes::ID, self.tokens.insert_one(document)).await {
            Ok(_) | Err(StoreError::Duplicate(indexes::ID)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// When the database fails.
    pub async fn contains(&self, jti: &str) -> Result<bool, StoreError> {
        self.by_id.find(jti.to_owned()).await.map(|found| found.is_some())
    }
}
