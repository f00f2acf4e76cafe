//! How an editor stops editing a movie: the editor leaves, the owner removes the editor, or the account is deleted.
//! [`super::invitations`] says how a user becomes an editor.
//!
//! A change of the editors makes no version of the movie: none of these writes raises the version, and the change log
//! ignores them.

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

/// How many movies a deleted account leaves in one command.
const LEAVE_BATCH: i64 = 1_000;

/// Why an editor was not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRemoved {
    NotThere,
    /// The caller is neither the movie's owner nor that editor.
    NotAllowed,
    /// That user is not an editor of the movie.
    NoEditor,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: MovieId,
}

impl Movies {
    /// The movies that a user edits. There are few, because an editor accepts each invitation separately.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn edited_by(&self, editor: UserId) -> Result<Vec<ObjectId>, StoreError> {
        let ids = self.collection().clone_with_type::<Id>();
        let find = ids.find(doc! { "editors": editor }).projection(doc! { "_id": 1 });
        let found: Vec<Id> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().map(|movie| movie.id.0).collect())
    }

    /// Removes an editor from a movie. The owner may remove any editor; an editor may leave. `editor` is `None` if
    /// the client's text cannot be the id of a user.
    ///
    /// # Errors
    /// When the database fails. The inner error says why nobody was removed.
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
            // The second read.
            let Some(rights) = self.rights(id).await? else { return Ok(Err(NotRemoved::NotThere)) };
            let is_editor = editor.is_some_and(|editor| rights.editors().contains(&editor));
            let may_remove = rights.allow(caller, Role::Owner) || is_editor && editor == Some(caller);
            if !may_remove {
                return Ok(Err(NotRemoved::NotAllowed));
            }
            if !is_editor {
                return Ok(Err(NotRemoved::NoEditor));
            }
            // The caller gained the right between the write and the second read. Try again.
        }
    }

    /// Removes these users from the editors of every movie, in batches. It is safe to repeat and to resume: a
    /// finished movie no longer matches.
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

    /// Removes these users from the editors of these movies.
    pub(super) async fn leave(&self, movies: &[MovieId], users: &[UserId]) -> Result<(), StoreError> {
        let leave = doc! { "$pull": { "editors": { "$in": users } } };
        within(BATCH, self.collection().update_many(doc! { "_id": { "$in": movies } }, leave)).await.map(drop)
    }
}
