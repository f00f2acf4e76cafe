//! How the owner and the editors change a movie, and how the owner deletes it. [`crate::movies::ownership`] has the
//! rule.

use bson::{Document, doc};
use mongodb::options::{Hint, ReturnDocument};

use super::{movies::Movies, names};
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, indexes, within},
    movies::{
        model::{MovieDocument, MovieInput, MoviePatch, Rename},
        ownership::{self, Precondition, Refusal, Rights, Role},
    },
};

impl Movies {
    /// Changes a movie.
    ///
    /// # Errors
    /// When the database fails. The inner error says why the caller may not, or which movie has the new name in that
    /// year.
    pub async fn patch(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &Precondition,
        patch: MoviePatch,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        let _invalidation = self.invalidate_after(&[id]);
        let filter = ownership::writable(id, caller, Role::OwnerOrEditor, precondition);
        let rename = patch.rename();
        let update = patch.into_update(caller);
        let mut session = self.session().await?;
        let mut taken = 0;
        loop {
            let command = self.collection().find_one_and_update(filter.clone(), update.clone());
            // Name the index: otherwise the planner also tries the indexes on owner and editors.
            let command = command.hint(Hint::Name(indexes::ID.to_owned()));
            let command = command.return_document(ReturnDocument::After).session(&mut session);
            match within(COMMAND, command).await {
                Ok(Some(movie)) => {
                    self.acknowledged.note(&session);
                    return Ok(Ok(movie));
                }
                Ok(None) => {}
                Err(StoreError::Duplicate(indexes::NAME_YEAR_UNIQUE)) if taken < names::TRIES => {
                    taken += 1;
                    if let Some(holder) = self.holder_after(id, &rename).await? {
                        return Ok(Err(Refusal::NameTaken(holder)));
                    }
                    continue;
                }
                Err(StoreError::Duplicate(indexes::NAME_YEAR_UNIQUE)) => return Err(names::taken_by_turns()),
                Err(error) => return Err(error),
            }
            let refusal = self.why_not(id, caller, Role::OwnerOrEditor).await?;
            if !is_outdated(refusal, precondition) {
                return Ok(Err(refusal));
            }
        }
    }

    /// Replaces every client field of a movie.
    ///
    /// # Errors
    /// See [`Movies::patch`].
    pub async fn replace(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &Precondition,
        movie: MovieInput,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        self.patch(id, caller, precondition, movie.into_patch()).await
    }

    /// The movie that has the name which this movie would have after an update.
    async fn holder_after(&self, id: MovieId, rename: &Rename) -> Result<Option<MovieId>, StoreError> {
        let Some((name, year)) = self.name_of(id).await? else { return Ok(None) };
        let (name, year) = rename.applied_to(name, year);
        Ok(self.holder_of((&name, year)).await?.filter(|holder| *holder != id))
    }

    /// Deletes one of the caller's movies.
    ///
    /// # Errors
    /// When the database fails. The inner error says why the caller may not.
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

    /// Deletes all movies that match, for callers that need no permission.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn delete(&self, filter: Document) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        within(BATCH, self.collection().delete_many(filter).session(&mut session)).await?;
        self.acknowledged.note(&session);
        Ok(())
    }

    /// The second read, after a write that matched nothing.
    async fn why_not(&self, id: MovieId, caller: UserId, needed: Role) -> Result<Refusal, StoreError> {
        Ok(ownership::refusal(self.rights(id).await?.as_ref(), caller, needed))
    }

    /// The current owner and editors of a movie; `None` if there is no such movie.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rights(&self, id: MovieId) -> Result<Option<Rights>, StoreError> {
        let rights = self.collection().clone_with_type::<Rights>();
        let find = rights.find_one(doc! { "_id": id }).projection(doc! { "added_by": 1, "editors": 1 });
        within(COMMAND, find).await
    }
}

/// Whether the movie was restored, or the caller gained the right, between the write and the second read. There is no
/// other explanation if the write accepts any version.
fn is_outdated(refusal: Refusal, precondition: &Precondition) -> bool {
    refusal == Refusal::VersionDiffers && *precondition == Precondition::AnyVersion
}
