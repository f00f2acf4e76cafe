//! How a deleted movie comes back, under its id and as its next version.
//!
//! In a transaction: it leaves the trash and is there again in one step. So of several restores one succeeds, and a
//! slow one does not bring back what has been restored, changed and deleted again meanwhile.

use bson::doc;

use super::{insertion::Unconfirmed, movies::Movies};
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{COMMAND, StoreError, indexes, within},
    movies::{changes::Token, model::MovieDocument},
};

impl Movies {
    /// Restores a movie that this user owned when it was deleted, after `oldest`. `None`: there is no such movie in
    /// the trash.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if another movie has the name in that year; then the movie stays in the trash.
    pub async fn restore(
        &self,
        owner: UserId,
        id: MovieId,
        oldest: &Token,
    ) -> Result<Option<Unconfirmed<MovieDocument>>, StoreError> {
        let _invalidation = self.invalidate_after(&[id]);
        let mut session = self.session().await?;
        let (history, movies) = (self.history.clone(), self.collection().clone());
        let oldest = oldest.clone();
        let restored = session.start_transaction().and_run2(async move |transaction| {
            let Some(deleted) = history.take_from_trash(owner, &oldest, id, transaction).await? else {
                return Ok(None);
            };
            let movie = deleted.restored(owner);
            movies.insert_one(&movie).session(transaction).await?;
            Ok(Some(movie))
        });
        match within(COMMAND, restored).await {
            Ok(Some(movie)) => {
                self.acknowledged.note(&session);
                Ok(Some(Unconfirmed { owner, ids: vec![id], inserted: movie }))
            }
            Ok(None) => Ok(None),
            // The driver does not say which index it was.
            Err(StoreError::Duplicate(_)) => self.why_duplicate(id).await,
            Err(error) => Err(error),
        }
    }

    /// Somebody may have put the movie itself there by hand, with its id.
    async fn why_duplicate<T>(&self, id: MovieId) -> Result<Option<T>, StoreError> {
        let there = self.collection().count_documents(doc! { "_id": id }).limit(1);
        match within(COMMAND, there).await? {
            0 => Err(StoreError::Duplicate(indexes::NAME_YEAR_UNIQUE)),
            _ => Ok(None),
        }
    }
}
