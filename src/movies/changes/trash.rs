//! Deleted movies that can still be restored; and how the log forgets the former states of movies.

use std::{collections::BTreeSet, time::Duration};

use bson::{DateTime, Document, doc, oid::ObjectId};
use futures::{TryStreamExt, future::try_join_all};
use mongodb::ClientSession;
use serde::Deserialize;

use super::{
    entry::{Entry, Kind},
    log::Changes,
    store::ChangeStore,
    token::Token,
};
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, within},
    movies::model::MovieDocument,
};

/// How long a deleted movie can be restored, if the log is kept that long.
const RESTORABLE: Duration = Duration::from_hours(30 * 24);
/// How many deleted movies of an account are kept.
const KEPT: u64 = 1_000;
/// How many movies one command erases.
const ERASED_AT_ONCE: i64 = 1_000;

/// A deleted movie that can be restored.
#[derive(Debug, Deserialize)]
pub struct Deletion {
    #[serde(rename = "_id")]
    pub token: Token,
    pub at: DateTime,
    #[serde(rename = "document")]
    pub movie: MovieDocument,
}

/// The part of a deletion that is needed to erase it.
#[derive(Deserialize)]
struct Erasable {
    movie: MovieId,
}

/// Deletions that still hold the deleted movie. A partial index covers them.
fn deletions_of(owner: impl Into<bson::Bson>) -> Document {
    doc! { "owner": owner, "document": { "$exists": true } }
}

impl ChangeStore {
    /// The deletions that this user can undo, newest first: those after `oldest` and before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trash(
        &self,
        owner: UserId,
        oldest: &Token,
        before: Option<&Token>,
        limit: usize,
    ) -> Result<Vec<Deletion>, StoreError> {
        let mut filter = deletions_of(owner);
        let mut place = doc! { "$gt": oldest.as_str() };
        place.extend(before.map(|before| ("$lt".to_owned(), before.as_str().into())));
        filter.insert("_id", place);
        let deletions = self.documents().clone_with_type::<Deletion>();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = deletions.find(filter).sort(doc! { "_id": -1 }).limit(limit);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }

    /// Takes one of this user's movies out of the trash, within the transaction that restores it. Of several
    /// concurrent calls, one gets the movie.
    pub(in crate::movies) async fn take_from_trash(
        &self,
        owner: UserId,
        oldest: &Token,
        movie: MovieId,
        transaction: &mut ClientSession,
    ) -> mongodb::error::Result<Option<MovieDocument>> {
        let mut filter = deletions_of(owner);
        filter.insert("movie", movie);
        filter.insert("_id", doc! { "$gt": oldest.as_str() });
        let deletions = self.documents().clone_with_type::<Deletion>();
        let take = deletions.find_one_and_update(filter, doc! { "$unset": { "document": true } });
        let taken = take.sort(doc! { "_id": -1 }).session(transaction).await?;
        Ok(taken.map(|deletion| deletion.movie))
    }

    /// Erases the former states of these movies, because they cannot be restored or their owner is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_movies(&self, movies: &[MovieId]) -> Result<(), StoreError> {
        let theirs = doc! {
            "movie": { "$in": movies },
            "$or": [{ "former": { "$exists": true } }, { "document": { "$exists": true } }],
        };
        let erase = doc! { "$unset": { "document": true, "former": true } };
        within(BATCH, self.documents().update_many(theirs, erase)).await.map(drop)
    }

    /// Erases the movies that these users have deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_trash_of(&self, owners: &[UserId]) -> Result<(), StoreError> {
        self.erase_all(deletions_of(doc! { "$in": owners }), 0).await
    }

    /// Erases whatever the new entries push beyond the limits: old versions and old deletions.
    pub(super) async fn bound(&self, entries: &[Entry]) -> Result<(), StoreError> {
        for entry in entries.iter().filter(|entry| entry.kind != Kind::Deleted) {
            self.bound_versions(entry).await?;
        }
        for owner in owners_of_images(entries) {
            self.erase_all(deletions_of(owner), KEPT).await?;
        }
        Ok(())
    }

    /// Erases the movies of these deletions, except the newest `kept`. An erased deletion no longer matches.
    async fn erase_all(&self, deletions: Document, kept: u64) -> Result<(), StoreError> {
        let documents = self.documents().clone_with_type::<Erasable>();
        loop {
            let newest_first = documents.find(deletions.clone()).sort(doc! { "owner": 1, "_id": -1 });
            let beyond = newest_first.skip(kept).limit(ERASED_AT_ONCE).projection(doc! { "movie": 1 });
            let beyond: Vec<Erasable> = within(BATCH, async { beyond.await?.try_collect().await }).await?;
            if beyond.is_empty() {
                return Ok(());
            }
            let movies: Vec<MovieId> = beyond.into_iter().map(|deletion| deletion.movie).collect();
            self.erase_movies(&movies).await?;
        }
    }
}

impl Changes {
    /// A deletion before this place cannot be undone.
    #[must_use]
    pub fn oldest_deletion(&self) -> Token {
        let oldest = chrono::Utc::now() - RESTORABLE.min(self.0.keep);
        Token::before_second(u64::try_from(oldest.timestamp()).unwrap_or(0))
    }

    /// Prepares entries that are about to be written. A deletion keeps no image if the document is not a movie, or if
    /// its account is deleted: deleting an account deletes its movies before the log learns of it. A movie without an
    /// image cannot be restored, so its former states are erased too.
    pub(super) async fn forget_what_cannot_come_back(&self, group: &mut [Entry]) -> Result<(), StoreError> {
        let alive = owners_of_images(group).into_iter().map(async |owner| {
            Ok::<_, StoreError>(self.0.users.is_alive(UserId(owner)).await?.then_some(owner))
        });
        let alive: BTreeSet<ObjectId> = try_join_all(alive).await?.into_iter().flatten().collect();
        let mut gone = BTreeSet::new();
        // Newest first: the changes before a deletion come after it in this loop.
        for entry in group.iter_mut().rev() {
            if entry.kind == Kind::Deleted {
                entry.document.take_if(|image| {
                    !entry.owner.is_some_and(|owner| alive.contains(&owner)) || !is_movie(image)
                });
                if entry.document.is_none() {
                    gone.insert(entry.movie);
                }
            } else if gone.contains(&entry.movie) {
                entry.former = None;
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        // Do this before the deletions are written: if this process ends here, the next writer repeats it.
        self.0.store.erase_movies(&gone.into_iter().map(MovieId).collect::<Vec<_>>()).await
    }
}

fn owners_of_images(entries: &[Entry]) -> BTreeSet<ObjectId> {
    entries.iter().filter(|entry| entry.document.is_some()).filter_map(|entry| entry.owner).collect()
}

fn is_movie(image: &Document) -> bool {
    bson::deserialize_from_document::<MovieDocument>(image.clone()).is_ok()
}
