//! How a movie is changed and deleted: by its owner alone, as [`crate::movies::ownership`] has it.

use bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::movies::Movies;
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, within},
    movies::{
        model::{MovieDocument, MovieInput, MoviePatch},
        ownership::{self, Precondition, Refusal, Rights, Role},
    },
};

impl Movies {
    /// Replaces or patches a movie of the caller's.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if another movie has the new name in that year; inside, why the caller
    /// may not.
    async fn update(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &Precondition,
        update: Document,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        let _invalidation = self.invalidate_after(&[id]);
        let filter = ownership::writable(id, caller, Role::OwnerOrEditor, precondition);
        let mut session = self.session().await?;
        loop {
            let command = self.collection().find_one_and_update(filter.clone(), update.clone());
            let command = command.return_document(ReturnDocument::After).session(&mut session);
            if let Some(movie) = within(COMMAND, command).await? {
                self.acknowledged.note(&session);
                return Ok(Ok(movie));
            }
            let refusal = self.why_not(id, caller, Role::OwnerOrEditor).await?;
            if !is_outdated(refusal, precondition) {
                return Ok(Err(refusal));
            }
        }
    }

    /// # Errors
    /// See [`Movies::update`].
    pub async fn replace(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &Precondition,
        movie: MovieInput,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        self.update(id, caller, precondition, movie.into_update(caller)).await
    }

    /// # Errors
    /// See [`Movies::update`].
    pub async fn patch(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &Precondition,
        patch: MoviePatch,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        self.update(id, caller, precondition, patch.into_update(caller)).await
    }

    /// Deletes a movie of the caller's.
    ///
    /// # Errors
    /// When the database fails; inside, why the caller may not.
    pub async fn remove(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &Precondition,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let _invalidation = self.invalidate_after(&[id]);
        let filter = ownership::writable(id, caller, Role::Owner, precondition);
        let mut session = self.session().await?;
        loop {
            let delete = self.collection().delete_one(filter.clone()).session(&mut session);
            if within(COMMAND, delete).await?.deleted_count == 1 {
                self.acknowledged.note(&session);
                return Ok(Ok(()));
            }
            let refusal = self.why_not(id, caller, Role::Owner).await?;
            if !is_outdated(refusal, precondition) {
                return Ok(Err(refusal));
            }
        }
    }

    /// Deletes whatever matches, for those who need not ask whether they may.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn delete(&self, filter: Document) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        within(BATCH, self.collection().delete_many(filter).session(&mut session)).await?;
        self.acknowledged.note(&session);
        Ok(())
    }

    /// The second look, after a write that matched nothing.
    async fn why_not(&self, id: MovieId, caller: UserId, needed: Role) -> Result<Refusal, StoreError> {
        let rights = self.collection().clone_with_type::<Rights>();
        let find = rights.find_one(doc! { "_id": id }).projection(doc! { "added_by": 1, "editors": 1 });
        Ok(ownership::refusal(within(COMMAND, find).await?.as_ref(), caller, needed))
    }
}

/// The caller may write any version: so the movie came back, or the caller got the right, between the two looks.
fn is_outdated(refusal: Refusal, precondition: &Precondition) -> bool {
    refusal == Refusal::VersionDiffers && *precondition == Precondition::AnyVersion
}
