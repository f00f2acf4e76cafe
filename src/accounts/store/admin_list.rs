//! Who is an admin. Once there was an admin, there always is one.
//!
//! One document lists the admins, and every change to it is one conditional update. So any two changes happen one after
//! the other: granting the role, revoking it, and deleting an account.
//!
//! Deleting an account also writes a second document, the user's tombstone. Between the two writes, a grant could
//! make an admin of a user who is being deleted, and the list would count an account that is gone. So a deletion
//! first enters the user under `leaving` and raises `revision`. A grant reads the revision, looks whether the user
//! exists, and writes only if the revision is still the same. So the later of the two always sees the earlier one.

use bson::{Document, doc};
use mongodb::{Collection, Database};
use serde::Deserialize;

use super::users::Users;
use crate::{
    http::ids::UserId,
    mongo::{COMMAND, StoreError, indexes, inserting, within},
};

const ID: &str = "admin";
/// How often a grant is tried if deletions come in between.
const ATTEMPTS: usize = 32;

/// The list of admins.
#[derive(Clone)]
pub struct Admins {
    roles: Collection<Document>,
}

#[derive(Debug, Default, Deserialize)]
struct List {
    members: Vec<UserId>,
    leaving: Vec<UserId>,
    revision: i64,
}

/// The change would leave no admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAdmin;

/// The user does not exist, or no longer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchUser;

impl Admins {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self { roles: database.collection(indexes::ROLES) }
    }

    /// Makes the list at the start if there is none, so that no request has to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ensure(&self) -> Result<(), StoreError> {
        let empty = doc! { "_id": ID, "members": [], "leaving": [], "revision": 0_i64 };
        match inserting(COMMAND, indexes::ID, self.roles.insert_one(empty)).await {
            Ok(_) | Err(StoreError::Duplicate(indexes::ID)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn list(&self) -> Result<List, StoreError> {
        let lists = self.roles.clone_with_type::<List>();
        Ok(within(COMMAND, lists.find_one(doc! { "_id": ID })).await?.unwrap_or_default())
    }

    /// # Errors
    /// When the database fails.
    pub async fn contains(&self, id: UserId) -> Result<bool, StoreError> {
        Ok(self.list().await?.members.contains(&id))
    }

    /// All admins. There are only a few.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(&self) -> Result<Vec<UserId>, StoreError> {
        Ok(self.list().await?.members)
    }

    /// Accounts whose deletion has begun and is not finished.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leaving(&self) -> Result<Vec<UserId>, StoreError> {
        Ok(self.list().await?.leaving)
    }

    /// Makes a user an admin.
    ///
    /// # Errors
    /// When the database fails; inside, when the user is deleted or being deleted.
    pub async fn grant(&self, users: &Users, id: UserId) -> Result<Result<(), NoSuchUser>, StoreError> {
        for _ in 0..ATTEMPTS {
            let list = self.list().await?;
            if list.leaving.contains(&id) || !users.is_alive(id).await? {
                return Ok(Err(NoSuchUser));
            }
            let filter = doc! { "_id": ID, "revision": list.revision };
            let update = doc! { "$addToSet": { "members": id } };
            if self.update(filter, update).await? {
                return Ok(Ok(()));
            }
        }
        Err(StoreError::Unavailable("the list of admins changes too often".to_owned()))
    }

    /// Takes the role from a user, if the user has it.
    ///
    /// # Errors
    /// When the database fails; inside, when this is the last admin.
    pub async fn revoke(&self, id: UserId) -> Result<Result<(), LastAdmin>, StoreError> {
        let update = doc! { "$pull": { "members": id } };
        self.unless_last(id, update).await
    }

    /// The first step of a deletion: takes the role from the user, and prevents another grant.
    ///
    /// # Errors
    /// When the database fails; inside, when this is the last admin.
    pub async fn begin_leaving(&self, id: UserId) -> Result<Result<(), LastAdmin>, StoreError> {
        let update = doc! {
            "$pull": { "members": id },
            "$addToSet": { "leaving": id },
            "$inc": { "revision": 1_i64 },
        };
        self.unless_last(id, update).await
    }

    /// The step after the tombstone. From here on the tombstone itself prevents a grant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_leaving(&self, id: UserId) -> Result<(), StoreError> {
        self.update(doc! { "_id": ID }, doc! { "$pull": { "leaving": id } }).await.map(drop)
    }

    /// The condition is in the update's own filter, so nothing can come in between.
    async fn unless_last(&self, id: UserId, update: Document) -> Result<Result<(), LastAdmin>, StoreError> {
        let not_the_last =
            doc! { "_id": ID, "$or": [{ "members": { "$ne": id } }, { "members.1": { "$exists": true } }] };
        Ok(if self.update(not_the_last, update).await? { Ok(()) } else { Err(LastAdmin) })
    }

    async fn update(&self, filter: Document, update: Document) -> Result<bool, StoreError> {
        Ok(within(COMMAND, self.roles.update_one(filter, update)).await?.matched_count > 0)
    }
}
