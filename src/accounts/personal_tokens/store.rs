//! The collection `personal_tokens`. A token's `_id` is its digest, so that one command can find the tokens of several
//! requests.

use std::{sync::Arc, time::Duration};

use bson::{DateTime, Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Database};
use prometheus::core::Collector;

use super::{model::PersonalToken, scope::Scope, secret::PersonalDigest};
use crate::{
    accounts::{Account, last_use::LastUse},
    http::ids::{TokenId, UserId},
    mongo::{
        BATCH, COMMAND, StoreError,
        batches::Batches,
        by_id::{ById, HasId},
        indexes, inserting, within,
    },
};

/// How many unexpired tokens a user may have.
const MOST: u64 = 50;
/// How long a token is answered with `expired-token` after its end. After that it is unknown.
const REMEMBERED: Duration = Duration::from_hours(24 * 30);

/// The tokens. Clones share their queries.
#[derive(Clone)]
pub struct PersonalTokens {
    tokens: Collection<Document>,
    by_digest: Batches<ById<PersonalToken>>,
    last_use: LastUse<PersonalDigest>,
}

impl HasId for PersonalToken {
    const PLURAL: &'static str = "find_personal_tokens";

    type Id = PersonalDigest;

    fn id(&self) -> PersonalDigest {
        self.digest.clone()
    }
}

/// The user has reached the limit of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

fn alive(user: UserId, generation: i64) -> Document {
    doc! { "user": user, "gen": generation, "expires_at": { "$gt": DateTime::now() } }
}

impl PersonalTokens {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let tokens = database.collection(indexes::PERSONAL_TOKENS);
        let by_digest = ById::new(tokens.clone_with_type(), Document::new(), Document::new());
        let last_use = LastUse::of(tokens.clone());
        Self { tokens, by_digest: Batches::new(by_digest), last_use }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.by_digest.collectors()
    }

    /// Stores a token, unless the user has enough. Nobody has seen the token yet, so it is stored first and counted
    /// afterwards: if several are stored at once, the last one sees all others. At the limit two may refuse each other,
    /// but the user never has more tokens than the limit.
    ///
    /// # Errors
    /// When the database fails; inside, when there are too many.
    pub async fn insert(&self, token: &PersonalToken) -> Result<Result<(), TooMany>, StoreError> {
        let scopes: Vec<&str> = token.scopes.iter().copied().map(Scope::name).collect();
        let document = doc! {
            "_id": token.digest.clone(),
            "id": token.id,
            "user": token.user,
            "gen": token.generation,
            "name": &token.name,
            "scopes": scopes,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "forgotten_at": token.expires_at.saturating_add_duration(REMEMBERED),
        };
        inserting(COMMAND, indexes::ID, self.tokens.insert_one(document)).await?;
        let mut others = alive(token.user, token.generation);
        others.insert("_id", doc! { "$ne": token.digest.clone() });
        if within(COMMAND, self.tokens.count_documents(others)).await? < MOST {
            return Ok(Ok(()));
        }
        let own = doc! { "_id": token.digest.clone(), "user": token.user };
        within(COMMAND, self.tokens.delete_one(own)).await?;
        Ok(Err(TooMany))
    }

    /// Finds a token whatever its generation and expiry, which the guard compares.
    ///
    /// # Errors
    /// Only when the database fails. A missing token is `None`.
    pub async fn find(&self, digest: PersonalDigest) -> Result<Option<Arc<PersonalToken>>, StoreError> {
        self.by_digest.find(digest).await
    }

    /// Notes that a request came with this token.
    pub fn note_use(&self, token: &PersonalToken) {
        self.last_use.note(token.digest.clone(), token.last_used_at);
    }

    /// The tokens that have not expired, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, account: &Account) -> Result<Vec<PersonalToken>, StoreError> {
        let tokens = self.tokens.clone_with_type::<PersonalToken>();
        let find = tokens
            .find(alive(account.id, account.generation))
            .sort(doc! { "created_at": -1, "id": -1 })
            .max_time(COMMAND);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }

    /// Deletes a token of this account. Returns whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, account: &Account, id: TokenId) -> Result<bool, StoreError> {
        let mut filter = alive(account.id, account.generation);
        filter.insert("id", id);
        Ok(within(COMMAND, self.tokens.delete_one(filter)).await?.deleted_count == 1)
    }

    /// Deletes the user's tokens of earlier generations, which have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_earlier(&self, user: UserId, generation: i64) -> Result<(), StoreError> {
        let earlier = doc! { "user": user, "gen": { "$lt": generation } };
        within(COMMAND, self.tokens.delete_many(earlier)).await.map(drop)
    }

    /// Deletes every token of these users. Safe to repeat.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_all_of(&self, users: &[UserId]) -> Result<(), StoreError> {
        within(BATCH, self.tokens.delete_many(doc! { "user": { "$in": users } })).await.map(drop)
    }
}
