//! What lets a user in without a password: sessions and personal access tokens.
//!
//! Each of them has the user's token generation from when it was made. Raising the generation ends all of them in the
//! same write ([`super::store::credentials`]). Deleting them afterwards only tidies up.

use mongodb::Database;
use prometheus::core::Collector;

use super::{personal_tokens::PersonalTokens, sessions::Sessions};
use crate::{http::ids::UserId, mongo::StoreError};

/// Both collections. Clones share their queries.
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

    /// Deletes what has ended because this is the user's generation now. A failure does no harm: the database deletes
    /// it when it would have expired.
    pub async fn tidy_up(&self, user: UserId, generation: i64) {
        let removed = tokio::try_join!(
            self.sessions.remove_earlier(user, generation),
            self.personal_tokens.remove_earlier(user, generation)
        );
        if let Err(error) = removed {
            tracing::warn!(%error, "sessions and tokens that have ended could not be deleted; they stay until they expire");
        }
    }

    /// Deletes all sessions and tokens of these users. Safe to repeat.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_all_of(&self, users: &[UserId]) -> Result<(), StoreError> {
        self.sessions.remove_all_of(users).await?;
        self.personal_tokens.remove_all_of(users).await
    }
}
