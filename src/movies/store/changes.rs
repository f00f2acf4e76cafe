//! How a movie is changed, by its owner and its editors, and deleted, by its owner alone: [`crate::movies::ownership`]
//! has the rule.

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
    /// When the database fails; inside, why the caller may not, or which movie has the new name in that year.
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
            // Named, since the planner would also try the indexes of the owner and of the editors.
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

    /// Who has the name that a movie would have after an update.
    async fn holder_after(&self, id: MovieId, rename: &Rename) -> Result<Option<MovieId>, StoreError> {
        let Some((name, year)) = self.name_of(id).await? else { return Ok(None) };
        let (name, year) = rename.applied_to(name, year);
        Ok(self.holder_of((&name, year)).await?.filter(|holder| *holder != id))
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
        Ok(ownership::refusal(self.rights(id).await?.as_ref(), caller, needed))
    }

    /// Who may do what to a movie, as it is now; `None` if there is no such movie.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rights(&self, id: MovieId) -> Result<Option<Rights>, StoreError> {
        let rights = self.collection().clone_with_type::<Rights>();
        let find = rights.find_one(doc! { "_id": id }).projection(doc! { "added_by": 1, "editors": 1 });
        within(COMMAND, find).await
    }
}

/// The caller may write any version: so the movie came back, or the caller got the right, between the two looks.
fn is_outdated(refusal: Refusal, precondition: &Precondition) -> bool {
    refusal == Refusal::VersionDiffers && *precondition == Precondition::AnyVersion
}
