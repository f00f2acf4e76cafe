//! What users own, as far as accounts know it. Deleting an account deletes its belongings, yet this folder knows no
//! movie: each feature whose documents have an owner implements [`Belongings`], and `server` hands it in.

use crate::{http::ids::UserId, mongo::StoreError};

/// Documents that each have one user as their owner.
#[rocket::async_trait]
pub trait Belongings: Send + Sync {
    /// How many there are, of all users.
    ///
    /// # Errors
    /// When the database fails.
    async fn count(&self) -> Result<u64, StoreError>;

    /// How many this user owns.
    ///
    /// # Errors
    /// When the database fails.
    async fn count_of(&self, owner: UserId) -> Result<u64, StoreError>;

    /// Deletes some of what these users own, and at last what is remembered of it. Returns the owner of each deleted
    /// document: nothing, once nothing is left. Safe to do again.
    ///
    /// # Errors
    /// When the database fails: then some may be deleted.
    async fn remove_batch_of(&self, owners: &[UserId]) -> Result<Vec<UserId>, StoreError>;
}
