//! How a deleted movie is restored, under its id and as its next version.
//!
//! A transaction takes it out of the trash and inserts it in one step. So only one of several restores succeeds, and
//! a slow one never brings back a movie that was restored, changed and deleted again in the meantime.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    insertion::{NameTaken, OwnerGone, Unconfirmed},
    movies::Movies,
    names,
};
use crate::{
    accounts::Users,
    http::ids::{MovieId, UserId},
    mongo::{COMMAND, StoreError, within},
    movies::{changes::Token, model::MovieDocument},
};

/// Why a movie was not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrestored {
    /// It is not in the trash of this user.
    NotThere,
    NameTaken(NameTaken),
}

impl Movies {
    /// Restores a movie that was deleted after `oldest` and that this user owned then.
    ///
    /// # Errors
    /// When the database fails. The inner error means that there is no such movie in the trash, or another movie has
    /// the name in that year. Then the movie stays in the trash.
    pub async fn restore(
        &self,
        users: &Users,
        owner: UserId,
        id: MovieId,
        oldest: &Token,
    ) -> Result<Result<Unconfirmed<MovieDocument>, Unrestored>, StoreError> {
        let _invalidation = self.invalidate_after(&[id]);
        let mut session = self.session().await?;
        for _ in 0..names::TRIES {
            let (history, movies, users) = (self.history.clone(), self.collection().clone(), users.clone());
            let (oldest, name) = (oldest.clone(), Arc::new(Mutex::new(None)));
            let wanted = Arc::clone(&name);
            let restored = session.start_transaction().and_run2(async move |transaction| {
                let Some(deleted) = history.take_from_trash(owner, &oldest, id, transaction).await? else {
                    return Ok(None);
                };
                let mut movie = deleted.restored(owner);
                // An editor's account may have been deleted in the meantime, and its deletion could not leave a movie
                // that did not exist.
                let editors: Vec<UserId> = movie.editors.iter().copied().map(UserId).collect();
                let alive = users.several(&editors).await?;
                movie.editors.retain(|editor| alive.contains_key(&UserId(*editor)));
                *wanted.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((movie.name.clone(), movie.year));
                movies.insert_one(&movie).session(transaction).await?;
                Ok(Some(movie))
            });
            match within(COMMAND, restored).await {
                Ok(Some(movie)) => {
                    self.acknowledged.note(&session);
                    return Ok(Ok(Unconfirmed { owner, ids: vec![id], inserted: movie }));
                }
                Ok(None) => return Ok(Err(Unrestored::NotThere)),
                // The driver does not say which index rejected it.
                Err(StoreError::Duplicate(_)) => {
                    let name = name.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(refusal) = self.why_duplicate(id, name).await? {
                        return Ok(Err(refusal));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(names::taken_by_turns())
    }

    /// Checks, as after an insert, whether the owner still exists, and which of the editors do.
    ///
    /// # Errors
    /// When the database fails. The inner error means that the owner is deleted, and so is the movie.
    pub async fn confirm_restored(
        &self,
        users: &Users,
        restored: Unconfirmed<MovieDocument>,
    ) -> Result<Result<MovieDocument, OwnerGone>, StoreError> {
        let confirmed = self.confirm(users, restored).await?;
        if let Ok(movie) = &confirmed {
            let editors: Vec<UserId> = movie.editors.iter().copied().map(UserId).collect();
            let alive = users.find_several(&editors).await?;
            let gone: Vec<UserId> =
                editors.into_iter().filter(|editor| !alive.contains_key(editor)).collect();
            if !gone.is_empty() {
                self.leave(&[MovieId(movie.id)], &gone).await?;
            }
        }
        Ok(confirmed)
    }

    /// Finds out why the insert was a duplicate: somebody may have put the movie itself there by hand, with its id.
    /// `None` means that the other movie was deleted since.
    async fn why_duplicate(
        &self,
        id: MovieId,
        name: Option<names::Name>,
    ) -> Result<Option<Unrestored>, StoreError> {
        if self.rights(id).await?.is_some() {
            return Ok(Some(Unrestored::NotThere));
        }
        let Some((name, year)) = name else { return Ok(None) };
        Ok(self.holder_of((&name, year)).await?.map(|by| Unrestored::NameTaken(NameTaken { by })))
    }
}
