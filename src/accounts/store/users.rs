//! The collection `users`. Credentials have a file of their own: [`super::credentials`].
//!
//! A deleted account leaves a *tombstone*: a document with its id and the time, and nothing personal. Every filter here
//! skips tombstones. Only [`crate::accounts::deletion`] asks for them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bson::{DateTime, Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Database};
use prometheus::core::Collector;
use serde::Deserialize;

use crate::{
    accounts::{email::EmailAddress, mail_token::MailDigest, model::Account, password::PasswordHash},
    http::ids::UserId,
    mongo::{
        BATCH, COMMAND, StoreError,
        batches::Batches,
        by_id::{ById, HasId},
        indexes, inserting,
        keyset::{Position, newest_first, older_than},
        within,
    },
};

/// How long a tombstone stays: longer than any insert can be in flight.
const TOMBSTONE_LIFETIME: Duration = Duration::from_hours(24);

/// The accounts. Clones share their queries.
#[derive(Clone)]
pub struct Users {
    users: Collection<Document>,
    by_id: Batches<ById<Account>>,
}

impl HasId for Account {
    const PLURAL: &'static str = "find_users";

    type Id = UserId;

    fn id(&self) -> UserId {
        self.id
    }
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

/// The account with this id, unless it is a tombstone.
pub(super) fn alive(id: UserId) -> Document {
    doc! { "_id": id, "deleted_at": { "$exists": false } }
}

/// The fields that are read of an account, without its credentials.
pub(super) fn account_fields() -> Document {
    let has_password = doc! { "$gt": ["$password_hash", bson::Bson::Null] };
    doc! { "email": 1, "created_at": 1, "gen": 1, "email_verified": 1, "has_password": has_password }
}

impl Users {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let no_tombstone = doc! { "deleted_at": { "$exists": false } };
        let by_id = ById::new(database.collection(indexes::USERS), no_tombstone, account_fields());
        Self { users: database.collection(indexes::USERS), by_id: Batches::new(by_id) }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.by_id.collectors()
    }

    pub(super) fn collection(&self) -> &Collection<Document> {
        &self.users
    }

    /// Stores an account whose address is not confirmed. `verification` is the link that confirms it.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if the email is taken.
    pub async fn insert(
        &self,
        email: EmailAddress,
        hash: &PasswordHash,
        verification: &MailDigest,
    ) -> Result<Account, StoreError> {
        let account = Account {
            id: UserId::new(),
            email: email.to_string(),
            created_at: DateTime::now(),
            generation: 0,
            email_verified: false,
            has_password: true,
        };
        let document = doc! {
            "_id": account.id,
            "email": &account.email,
            "password_hash": hash.as_stored(),
            "gen": account.generation,
            "created_at": account.created_at,
            "email_verified": false,
            "verification": {
                "digest": verification.as_stored(),
                "email": &account.email,
                "issued_at": account.created_at,
            },
        };
        inserting(COMMAND, indexes::EMAIL_UNIQUE, self.users.insert_one(document)).await?;
        Ok(account)
    }

    /// Stores an account with a confirmed address and without a password. The operator vouches for the address.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if the email is taken.
    pub async fn insert_confirmed(&self, email: &EmailAddress) -> Result<UserId, StoreError> {
        let id = UserId::new();
        let document = doc! {
            "_id": id,
            "email": email.as_str(),
            "gen": 0_i64,
            "created_at": DateTime::now(),
            "email_verified": true,
        };
        inserting(COMMAND, indexes::EMAIL_UNIQUE, self.users.insert_one(document)).await?;
        Ok(id)
    }

    /// # Errors
    /// Only when the database fails. A missing account is `None`.
    pub async fn find(&self, id: UserId) -> Result<Option<Arc<Account>>, StoreError> {
        self.by_id.find(id).await
    }

    /// The accounts with these ids that exist, read from the primary.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_several(&self, ids: &[UserId]) -> Result<HashMap<UserId, Account>, StoreError> {
        within(COMMAND, self.several(ids)).await
    }

    /// Like [`Users::find_several`], but with the driver's own error, for a caller within a transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn several(&self, ids: &[UserId]) -> mongodb::error::Result<HashMap<UserId, Account>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let accounts = self.users.clone_with_type::<Account>();
        let filter = doc! { "_id": { "$in": ids }, "deleted_at": { "$exists": false } };
        let found = accounts.find(filter).projection(account_fields()).max_time(COMMAND).await?;
        found.map_ok(|account| (account.id, account)).try_collect().await
    }

    /// # Errors
    /// Only when the database fails. A missing account is `None`.
    pub async fn find_by_email(&self, email: &EmailAddress) -> Result<Option<Account>, StoreError> {
        let accounts = self.users.clone_with_type::<Account>();
        let filter = doc! { "email": email.as_str() };
        within(COMMAND, accounts.find_one(filter).projection(account_fields())).await
    }

    /// Accounts, newest first: one more than `limit`, if there are that many.
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
            .projection(account_fields())
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

    /// Whether the account exists and is not a tombstone, read from the primary.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_alive(&self, id: UserId) -> Result<bool, StoreError> {
        self.find(id).await.map(|found| found.is_some())
    }

    /// Replaces the account with its tombstone: nothing personal stays, every token is refused from here on, and the
    /// email is free. Safe to repeat. Returns whether this call has done it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bury(&self, id: UserId) -> Result<bool, StoreError> {
        // The whole document is replaced, so that fields of future releases are deleted too.
        let tombstone = vec![doc! { "$replaceWith": { "_id": "$_id", "deleted_at": "$$NOW" } }];
        Ok(within(COMMAND, self.users.update_one(alive(id), tombstone)).await?.modified_count == 1)
    }

    /// The ids of the accounts that are tombstones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tombstones(&self) -> Result<Vec<UserId>, StoreError> {
        let ids = self.users.clone_with_type::<Id>();
        let find = ids.find(doc! { "deleted_at": { "$exists": true } }).projection(doc! { "_id": 1 });
        within(BATCH, async { find.await?.map_ok(|found| found.id).try_collect().await }).await
    }

    /// Deletes the tombstones among these that are older than [`TOMBSTONE_LIFETIME`] by the database's clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_old_tombstones(&self, ids: &[UserId]) -> Result<(), StoreError> {
        let lifetime = i64::try_from(TOMBSTONE_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        let filter = doc! {
            "_id": { "$in": ids },
            "deleted_at": { "$exists": true },
            "$expr": { "$lt": ["$deleted_at", { "$subtract": ["$$NOW", lifetime] }] },
        };
        within(BATCH, self.users.delete_many(filter)).await.map(drop)
    }
}
