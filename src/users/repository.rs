//! The collection `users`.
//!
//! An account that is deleted is *marked*: everything goes from its document but the id and the
//! time. Every filter here looks past the marked; only the cascade asks for them.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Database};
use serde::Deserialize;

use super::model::{Account, Credentials, EmailAddress};
use crate::{
    auth::password::PasswordHash,
    ids::UserId,
    mongo::{BATCH, COMMAND, StoreError, indexes, within},
    page::{Position, newest_first, older_than},
};

/// How long a mark stays: longer than any insert may be stalled on its way.
const MARK_LIFETIME: Duration = Duration::from_hours(24);

/// The accounts.
#[derive(Clone)]
pub struct Users {
    users: Collection<Document>,
}

/// Which accounts to list.
#[derive(Debug)]
pub struct UserFilter {
    /// The beginning of the email, in lower case.
    pub email_prefix: Option<String>,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: UserId,
}

fn alive(id: UserId) -> Document {
    doc! { "_id": id, "deleted_at": { "$exists": false } }
}

impl Users {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self { users: database.collection(indexes::USERS) }
    }

    /// # Errors
    /// [`StoreError::Duplicate`] if the email is taken.
    pub async fn insert(&self, email: EmailAddress, hash: &PasswordHash) -> Result<Account, StoreError> {
        let account = Account {
            id: UserId::new(),
            email: email.to_string(),
            created_at: DateTime::now(),
            generation: 0,
        };
        let document = doc! {
            "_id": account.id,
            "email": &account.email,
            "password_hash": hash.as_stored(),
            "gen": account.generation,
            "created_at": account.created_at,
        };
        within(COMMAND, self.users.insert_one(document)).await?;
        Ok(account)
    }

    /// # Errors
    /// Only when the database fails: not there is `None`.
    pub async fn find(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        let accounts = self.users.clone_with_type::<Account>();
        within(COMMAND, accounts.find_one(alive(id)).projection(doc! { "password_hash": 0 })).await
    }

    /// # Errors
    /// Only when the database fails: not there is `None`.
    pub async fn find_by_email(&self, email: &EmailAddress) -> Result<Option<Account>, StoreError> {
        let accounts = self.users.clone_with_type::<Account>();
        let filter = doc! { "email": email.as_str() };
        within(COMMAND, accounts.find_one(filter).projection(doc! { "password_hash": 0 })).await
    }

    /// Hash and generation in one read: a token of a login that raced a new password dies with it.
    ///
    /// # Errors
    /// Only when the database fails: not there is `None`.
    pub async fn find_credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, StoreError> {
        #[derive(Deserialize)]
        struct Stored {
            #[serde(rename = "_id")]
            id: UserId,
            password_hash: String,
            r#gen: i64,
        }
        let stored = self.users.clone_with_type::<Stored>();
        let found = within(COMMAND, stored.find_one(doc! { "email": email.as_str() })).await?;
        Ok(found.map(|found| Credentials {
            id: found.id,
            password_hash: PasswordHash::from_stored(found.password_hash),
            generation: found.r#gen,
        }))
    }

    /// Stores the same password's dearer hash, unless the password has changed since it was verified.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_hash(&self, verified: &Credentials, renewed: &PasswordHash) -> Result<(), StoreError> {
        let mut filter = alive(verified.id);
        filter.insert("password_hash", verified.password_hash.as_stored());
        let update = doc! { "$set": { "password_hash": renewed.as_stored() } };
        within(COMMAND, self.users.update_one(filter, update)).await.map(drop)
    }

    /// One more than `limit`, newest first, if there are as many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        filter: &UserFilter,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<Account>, StoreError> {
        let mut condition = doc! { "email": { "$exists": true } };
        if let Some(prefix) = &filter.email_prefix {
            let end = format!("{prefix}{}", char::MAX);
            condition.insert("email", doc! { "$gte": prefix, "$lt": end });
        }
        if let Some(after) = after {
            condition.extend(older_than(after));
        }
        let accounts = self.users.clone_with_type::<Account>();
        let find = accounts
            .find(condition)
            .projection(doc! { "password_hash": 0 })
            .sort(newest_first())
            .limit(i64::from(limit) + 1)
            .max_time(COMMAND);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }

    /// How many accounts there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self) -> Result<u64, StoreError> {
        within(COMMAND, self.users.count_documents(doc! { "email": { "$exists": true } })).await
    }

    /// Whether the account is neither marked nor missing, asked of the primary.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_alive(&self, id: UserId) -> Result<bool, StoreError> {
        let find = self.users.find_one(alive(id)).projection(doc! { "_id": 1 });
        within(COMMAND, find).await.map(|found| found.is_some())
    }

    /// Marks the account: nothing personal stays, every token is refused from here on, and the email
    /// is free. Safe to do again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark(&self, id: UserId) -> Result<(), StoreError> {
        // The whole document is replaced, so that a field added one day goes too.
        let mark = vec![doc! { "$replaceWith": { "_id": "$_id", "deleted_at": "$$NOW" } }];
        within(COMMAND, self.users.update_one(alive(id), mark)).await.map(drop)
    }

    /// The marked accounts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn marked(&self) -> Result<Vec<UserId>, StoreError> {
        let ids = self.users.clone_with_type::<Id>();
        let find = ids.find(doc! { "deleted_at": { "$exists": true } }).projection(doc! { "_id": 1 });
        within(BATCH, async { find.await?.map_ok(|found| found.id).try_collect().await }).await
    }

    /// Forgets a mark that is older than [`MARK_LIFETIME`] by the database's clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_old_mark(&self, id: UserId) -> Result<(), StoreError> {
        let lifetime = i64::try_from(MARK_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        let filter = doc! {
            "_id": id,
            "deleted_at": { "$exists": true },
            "$expr": { "$lt": ["$deleted_at", { "$subtract": ["$$NOW", lifetime] }] },
        };
        within(COMMAND, self.users.delete_one(filter)).await.map(drop)
    }
}
