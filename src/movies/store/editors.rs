//! How an editor leaves a movie: on its own, by the owner, or with its account. [`super::invitations`] says how one
//! becomes an editor.
//!
//! Who edits a movie is no version of it: none of these writes raises the version, and the change log passes over them.

use bson::{doc, oid::ObjectId};
use futures::TryStreamExt;
use mongodb::options::Hint;
use serde::Deserialize;

use super::movies::Movies;
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, indexes, within},
    movies::ownership::Role,
};

/// How many movies a deleted account is taken out of by one command.
const LEAVE_BATCH: i64 = 1_000;

/// Why an editor was not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRemoved {
    NotThere,
    /// The caller is neither the movie's owner nor that editor.
    NotAllowed,
    /// That user is no editor of the movie.
    NoEditor,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: MovieId,
}

impl Movies {
    /// The movies that a user edits. An editor has accepted each by itself, so they are few.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn edited_by(&self, editor: UserId) -> Result<Vec<ObjectId>, StoreError> {
        let ids = self.collection().clone_with_type::<Id>();
        let find = ids.find(doc! { "editors": editor }).projection(doc! { "_id": 1 });
        let found: Vec<Id> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().map(|movie| movie.id.0).collect())
    }

    /// Removes an editor from a movie: the owner may remove any, and an editor itself. `editor`: `None` if it cannot be
    /// the id of a user.
    ///
    /// # Errors
    /// When the database fails; inside, why nothing was removed.
    pub async fn remove_editor(
        &self,
        id: MovieId,
        caller: UserId,
        editor: Option<UserId>,
    ) -> Result<Result<(), NotRemoved>, StoreError> {
        loop {
            if let Some(editor) = editor {
                let mut filter = doc! { "_id": id, "editors": editor };
                if editor != caller {
                    filter.insert("added_by", caller);
                }
                let leave = self.collection().update_one(filter, doc! { "$pull": { "editors": editor } });
                let leave = leave.hint(Hint::Name(indexes::ID.to_owned()));
                if within(COMMAND, leave).await?.matched_count == 1 {
                    return Ok(Ok(()));
                }
            }
            // The second look.
            let Some(rights) = self.rights(id).await? else { return Ok(Err(NotRemoved::NotThere)) };
            let is_editor = editor.is_some_and(|editor| rights.editors().contains(&editor));
            let may_remove = rights.allow(caller, Role::Owner) || is_editor && editor == Some(caller);
            if !may_remove {
                return Ok(Err(NotRemoved::NotAllowed));
            }
            if !is_editor {
                return Ok(Err(NotRemoved::NoEditor));
            }
            // The caller has got the right between the two looks.
        }
    }

    /// Takes these users out of the editors of every movie, in batches. Safe to do again, and to begin again where it
    /// was left: a movie that is done is found no more.
    pub(super) async fn leave_every_movie(&self, users: &[UserId]) -> Result<(), StoreError> {
        let theirs = doc! { "editors": { "$in": users } };
        let found = self.collection().clone_with_type::<Id>();
        loop {
            let find = found.find(theirs.clone()).projection(doc! { "_id": 1 }).limit(LEAVE_BATCH);
            let batch: Vec<Id> = within(BATCH, async { find.await?.try_collect().await }).await?;
            if batch.is_empty() {
                return Ok(());
            }
            self.leave(&batch.iter().map(|movie| movie.id).collect::<Vec<_>>(), users).await?;
        }
    }

    /// Takes these users out of the editors of these movies.
    pub(super) async fn leave(&self, movies: &[MovieId], users: &[UserId]) -> Result<(), StoreError> {
        let leave = doc! { "$pull": { "editors": { "$in": users } } };
        within(BATCH, self.collection().update_many(doc! { "_id": { "$in": movies } }, leave)).await.map(drop)
    }
}
