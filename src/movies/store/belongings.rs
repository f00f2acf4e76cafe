//! Movies as what a user owns: how many there are, and how they are deleted with their owner.

use bson::doc;
use futures::TryStreamExt;
use mongodb::options::Hint;
use serde::Deserialize;

use super::movies::Movies;
use crate::{
    accounts::Belongings,
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, within},
};

/// How many movies one command deletes: some ten milliseconds' work.
const REMOVE_BATCH: i64 = 1_000;

/// What is read of a movie that is to be deleted with its owner.
#[derive(Deserialize)]
struct OwnedId {
    #[serde(rename = "_id")]
    id: MovieId,
    #[serde(rename = "added_by")]
    owner: UserId,
}

#[rocket::async_trait]
impl Belongings for Movies {
    async fn count(&self) -> Result<u64, StoreError> {
        // By the keys of an index, of which any would do: to read the movies takes four times as long.
        let hint = Hint::Name("newest_first".to_owned());
        within(COMMAND, self.collection().count_documents(doc! {}).hint(hint)).await
    }

    async fn count_of(&self, owner: UserId) -> Result<u64, StoreError> {
        within(COMMAND, self.collection().count_documents(doc! { "added_by": owner })).await
    }

    async fn remove_batch_of(&self, owners: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let theirs = doc! { "added_by": { "$in": owners } };
        let found = self.collection().clone_with_type::<OwnedId>();
        let find = found.find(theirs).projection(doc! { "added_by": 1 }).limit(REMOVE_BATCH);
        let found: Vec<OwnedId> = within(BATCH, async { find.await?.try_collect().await }).await?;
        let ids: Vec<MovieId> = found.iter().map(|movie| movie.id).collect();
        if ids.is_empty() {
            // After the movies that they own: a transfer makes its former owner an editor. Every sweep comes here: an
            // accept may have been in flight, and the log may get a deletion whose writer had seen the account alive.
            self.leave_every_movie(owners).await?;
            self.history.erase_trash_of(owners).await?;
            self.keys.remove_all_of(owners).await?;
        } else {
            self.remove_owned(&ids, owners).await?;
        }
        Ok(found.into_iter().map(|movie| movie.owner).collect())
    }
}

impl Movies {
    /// Deletes these movies with their history, as far as these users own them now: one that was handed over since stays.
    pub(super) async fn remove_owned(&self, ids: &[MovieId], owners: &[UserId]) -> Result<(), StoreError> {
        let _invalidation = self.invalidate_after(ids);
        // First, since after a crash only the movies lead to their history; and again, for what came in between.
        self.history.erase_movies(ids).await?;
        self.delete(doc! { "_id": { "$in": ids }, "added_by": { "$in": owners } }).await?;
        self.history.erase_movies(ids).await
    }
}
