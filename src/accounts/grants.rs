//! What lets somebody in without a password: sessions and personal access tokens, of all users.
//!
//! Each carries the user's token generation of its making. Raising the generation ends them all in that very write
//! ([`super::store::credentials`]); deleting them afterwards only tidies up.

use mongodb::Database;
use prometheus::core::Collector;

use super::{personal_tokens::PersonalTokens, sessions::Sessions};
use crate::{http::ids::UserId, mongo::StoreError};

/// Both collections. Clones share what they ask of the database.
#[derive(Clone)]
pub struct Grants {
    pub sessions: Sessions,
    pub personal_tokens: PersonalTokens,
}

impl Grants {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self { sessions: Sessions::new(database), personal_tokens: PersonalTokens::new(database) }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let mut collectors = self.sessions.collectors();
        collectors.extend(self.personal_tokens.collectors());
        collectors
    }

    /// Deletes what has ended because this is the user's generation now. If that fails, nothing is lost: the database
    /// forgets it when it would have expired.
    pub async fn tidy_up(&self, user: UserId, generation: i64) {
        let removed = tokio::try_join!(
            self.sessions.remove_earlier(user, generation),
            self.personal_tokens.remove_earlier(user, generation)
        );
        if let Err(error) = removed {
            tracing::warn!(%error, "sessions and tokens that have ended are not deleted yet");
        }
    }

    /// Deletes everything of these users. Safe to do again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_all_of(&self, users: &[UserId]) -> Result<(), StoreError> {
        self.sessions.remove_all_of(users).await?;
        self.personal_tokens.remove_all_of(users).await
    }
}
