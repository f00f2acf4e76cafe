//! Deleted movies, as far as they can come back; and how the log forgets what movies were.

use std::{collections::BTreeSet, time::Duration};

use bson::{Document, doc, oid::ObjectId};
use futures::TryStreamExt;

use super::{
    entry::{Entry, Kind},
    follower::Changes,
    store::ChangeStore,
    token::Token,
};
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, within},
};

/// How long a deleted movie can be restored, if the log is kept for so long.
const RESTORABLE: Duration = Duration::from_hours(30 * 24);
/// How many deleted movies of an account are kept.
const KEPT: u64 = 1_000;

fn restorable(owner: UserId) -> Document {
    let oldest = chrono::Utc::now() - RESTORABLE;
    let oldest = Token::before_second(u64::try_from(oldest.timestamp()).unwrap_or(0));
    doc! { "owner": owner, "document": { "$exists": true }, "_id": { "$gt": oldest.as_str() } }
}

impl ChangeStore {
    /// The deletions that this user can take back, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deletions_of(
        &self,
        owner: UserId,
        before: Option<&Token>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut filter = restorable(owner);
        if let Some(before) = before {
            filter.insert("$and", vec![doc! { "_id": { "$lt": before.as_str() } }]);
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = self.entries().find(filter).sort(doc! { "_id": -1 }).limit(limit);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }

    /// The newest deletion of a movie, if this user can take it back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deletion(&self, owner: UserId, movie: MovieId) -> Result<Option<Entry>, StoreError> {
        let mut filter = restorable(owner);
        filter.insert("movie", movie);
        within(COMMAND, self.entries().find_one(filter).sort(doc! { "_id": -1 })).await
    }

    /// The movie is back: its deletions lead nowhere any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_deletions(&self, movie: MovieId) -> Result<(), StoreError> {
        let deletions = doc! { "movie": movie, "document": { "$exists": true } };
        let forget = doc! { "$unset": { "document": true } };
        within(COMMAND, self.documents().update_many(deletions, forget)).await.map(drop)
    }

    /// Erases what these movies were: the account that owned them is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_movies(&self, movies: &[MovieId]) -> Result<(), StoreError> {
        self.erase(doc! { "movie": { "$in": movies } }).await
    }

    /// Erases what these users' movies were when they were deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_deletions_of(&self, owners: &[UserId]) -> Result<(), StoreError> {
        self.erase(doc! { "owner": { "$in": owners }, "document": { "$exists": true } }).await
    }

    async fn erase(&self, whose: Document) -> Result<(), StoreError> {
        let erase = doc! { "$unset": { "document": true, "former": true } };
        within(BATCH, self.documents().update_many(whose, erase)).await.map(drop)
    }

    /// Forgets what new entries put beyond the limits: old versions, and old deletions.
    pub(super) async fn bound(&self, entries: &[Entry]) -> Result<(), StoreError> {
        for entry in entries.iter().filter(|entry| entry.kind == Kind::Updated) {
            self.bound_versions(entry).await?;
        }
        let deletions = entries.iter().filter(|entry| entry.document.is_some());
        let owners: BTreeSet<ObjectId> = deletions.filter_map(|entry| entry.owner).collect();
        for owner in owners {
            self.bound_trash(owner).await?;
        }
        Ok(())
    }

    /// Keeps the newest deletions of an account.
    async fn bound_trash(&self, owner: ObjectId) -> Result<(), StoreError> {
        let mut deletions = doc! { "owner": owner, "document": { "$exists": true } };
        let documents = self.documents();
        let newest_first = documents.find_one(deletions.clone()).sort(doc! { "_id": -1 });
        let beyond = within(COMMAND, newest_first.skip(KEPT).projection(doc! { "_id": 1 })).await?;
        let Some(beyond) = beyond else { return Ok(()) };
        deletions.insert("_id", doc! { "$lte": beyond.get_str("_id").unwrap_or_default() });
        let forget = doc! { "$unset": { "document": true } };
        within(BATCH, self.documents().update_many(deletions, forget)).await.map(drop)
    }
}

impl Changes {
    /// The cascade deletes the movies of a deleted account before it erases the log's entries about them, and these
    /// deletions are written later: without what the movies were.
    pub(super) async fn drop_images_of_deleted_accounts(
        &self,
        group: &mut [Entry],
    ) -> Result<(), StoreError> {
        let with_image = group.iter().filter(|entry| entry.document.is_some());
        let owners: BTreeSet<ObjectId> = with_image.filter_map(|entry| entry.owner).collect();
        for owner in owners {
            if !self.0.users.is_alive(UserId(owner)).await? {
                group.iter_mut().filter(|entry| entry.owner == Some(owner)).for_each(|entry| {
                    entry.document = None;
                    entry.former = None;
                });
            }
        }
        Ok(())
    }
}
