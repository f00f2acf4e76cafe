//! What users own, as far as accounts know it. Deleting an account deletes its belongings, but this folder knows
//! nothing about movies. So each feature whose documents have an owner implements [`Belongings`], and `server` passes
//! it in.

use crate::{http::ids::UserId, mongo::StoreError};

/// Documents that each belong to one user.
#[rocket::async_trait]
pub trait Belongings: Send + Sync {
    /// Counts the documents of all users.
    ///
    /// # Errors
    /// When the database fails.
    async fn count(&self) -> Result<u64, StoreError>;

    /// Counts the documents of this user.
    ///
    /// # Errors
    /// When the database fails.
    async fn count_of(&self, owner: UserId) -> Result<u64, StoreError>;

    /// Deletes some of what these users own, and at the end what is remembered of it. Returns the owner of each deleted
    /// document, and an empty list once nothing is left. Safe to repeat.
    ///
    /// # Errors
    /// When the database fails. Some documents may be deleted then.
    async fn remove_batch_of(&self, owners: &[UserId]) -> Result<Vec<UserId>, StoreError>;
}
