//! The collection `sessions`.
//!
//! To end *all* sessions of a user, the server raises the generation in the user's document
//! ([`crate::accounts::store::credentials`]). That write ends every session of an earlier generation. Deleting these
//! sessions afterwards only tidies up.

use std::{sync::Arc, time::Duration};

use bson::{DateTime, Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Database};
use prometheus::core::Collector;

use super::{
    model::Session,
    refresh_token::{RefreshDigest, Seed},
};
use crate::{
    accounts::{Account, last_use::LastUse},
    http::ids::{SessionId, UserId},
    mongo::{
        BATCH, COMMAND, StoreError,
        batches::Batches,
        by_id::{ById, HasId},
        indexes, inserting, within,
    },
};

/// How many sessions a user may have.
const MOST: u32 = 1_000;
/// How much longer a document stays than its session. The database deletes the document by its own clock, and the
/// server checks the token's expiry by another one, so the two may differ.
pub(super) const SLACK: Duration = Duration::from_hours(24);

/// The sessions. Clones share their queries.
#[derive(Clone)]
pub struct Sessions {
    documents: Collection<Document>,
    by_id: Batches<ById<Session>>,
    last_use: LastUse<SessionId>,
}

impl HasId for Session {
    const PLURAL: &'static str = "find_sessions";

    type Id = SessionId;

    fn id(&self) -> SessionId {
        self.id
    }
}

pub(super) fn fields() -> Document {
    doc! { "user": 1, "gen": 1, "name": 1, "created_at": 1, "last_used_at": 1, "expires_at": 1 }
}

/// The sessions of this account that have not ended.
fn alive(account: &Account) -> Document {
    doc! { "user": account.id, "gen": account.generation, "expires_at": { "$gt": DateTime::now() } }
}

/// When the database may delete a session that expires at this time.
fn forgotten_at(expires_at: DateTime) -> DateTime {
    expires_at.saturating_add_duration(SLACK)
}

impl Sessions {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let documents = database.collection(indexes::SESSIONS);
        let by_id = ById::new(documents.clone_with_type(), Document::new(), fields());
        let last_use = LastUse::of(documents.clone());
        Self { documents, by_id: Batches::new(by_id), last_use }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.by_id.collectors()
    }

    pub(super) fn collection(&self) -> &Collection<Document> {
        &self.documents
    }

    /// Stores a new session. With `refresh`, the token of this seed and digest can refresh it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert(
        &self,
        session: &Session,
        refresh: Option<(&Seed, &RefreshDigest)>,
    ) -> Result<(), StoreError> {
        let mut document = doc! {
            "_id": session.id,
            "user": session.user,
            "gen": session.generation,
            "name": &session.name,
            "created_at": session.created_at,
            "last_used_at": session.last_used_at,
            "expires_at": session.expires_at,
            "forgotten_at": forgotten_at(session.expires_at),
        };
        if let Some((seed, digest)) = refresh {
            document.insert("refresh", doc! { "seed": seed.as_stored(), "digest": digest.as_stored() });
            document.insert("refreshable", true);
        }
        inserting(COMMAND, indexes::ID, self.documents.insert_one(document)).await.map(drop)
    }

    /// Finds a session whatever its user and generation, which the guard compares.
    ///
    /// # Errors
    /// Only when the database fails. A missing session is `None`.
    pub async fn find(&self, id: SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        self.by_id.find(id).await
    }

    /// Notes that a request came with a token of this session.
    pub fn note_use(&self, session: &Session) {
        self.last_use.note(session.id, Some(session.last_used_at));
    }

    /// The sessions that have not ended, last used first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, account: &Account) -> Result<Vec<Session>, StoreError> {
        let sessions = self.documents.clone_with_type::<Session>();
        let find = sessions
            .find(alive(account))
            .projection(fields())
            .sort(doc! { "last_used_at": -1, "_id": -1 })
            .limit(i64::from(MOST))
            .max_time(COMMAND);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }

    /// Ends a session of this account. Returns whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end(&self, account: &Account, id: SessionId) -> Result<bool, StoreError> {
        let mut filter = alive(account);
        filter.insert("_id", id);
        Ok(within(COMMAND, self.documents.delete_one(filter)).await?.deleted_count == 1)
    }

    /// Ends the account's sessions beyond [`MOST`], but never this one. It ends those that were unused for longest, and
    /// those that can be refreshed only when no others are left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_excess(&self, newest: &Session) -> Result<(), StoreError> {
        let others = doc! {
            "_id": { "$ne": newest.id },
            "user": newest.user,
            "gen": newest.generation,
            "expires_at": { "$gt": DateTime::now() },
        };
        let find = self
            .documents
            .find(others)
            .projection(doc! { "_id": 1 })
            .sort(doc! { "refreshable": -1, "last_used_at": -1, "_id": -1 })
            .skip(u64::from(MOST) - 1)
            .max_time(COMMAND);
        let excess: Vec<Document> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        let ids: Vec<_> = excess.iter().filter_map(|session| session.get("_id").cloned()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let filter = doc! { "_id": { "$in": ids }, "user": newest.user };
        within(COMMAND, self.documents.delete_many(filter)).await.map(drop)
    }

    /// Deletes the user's sessions of earlier generations, which have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_earlier(&self, user: UserId, generation: i64) -> Result<(), StoreError> {
        let earlier = doc! { "user": user, "gen": { "$lt": generation } };
        within(COMMAND, self.documents.delete_many(earlier)).await.map(drop)
    }

    /// Deletes every session of these users. Safe to repeat.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_all_of(&self, users: &[UserId]) -> Result<(), StoreError> {
        within(BATCH, self.documents.delete_many(doc! { "user": { "$in": users } })).await.map(drop)
    }
}
