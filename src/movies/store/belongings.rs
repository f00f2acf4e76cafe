//! Movies as the belongings of a user: how they are counted, and deleted with their owner.

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

/// How many movies one command deletes: some ten milliseconds of work.
const REMOVE_BATCH: i64 = 1_000;

/// The part of a movie that is needed to delete it with its owner.
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
        // Count the keys of an index (any would do): reading the movies takes four times as long.
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
            // Do this after deleting the movies that they own, because a transfer makes the former owner an editor.
            // Every sweep comes through here: an accept may have been in flight, and the log may get a deletion whose
            // writer saw the account alive.
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
    /// Deletes these movies and their history, if these users still own them. A movie that was transferred since
    /// stays.
    pub(super) async fn remove_owned(&self, ids: &[MovieId], owners: &[UserId]) -> Result<(), StoreError> {
        let _invalidation = self.invalidate_after(ids);
        // Erase the history first: after a crash, only the movies lead to it. Erase it again afterwards, for changes
        // in between.
        self.history.erase_movies(ids).await?;
        self.delete(doc! { "_id": { "$in": ids }, "added_by": { "$in": owners } }).await?;
        self.history.erase_movies(ids).await
    }
}
