//! What proves who somebody is: the password's hash, the token generation, reset tokens, and the
//! addresses from which they have logged in. All of it stands in the user's own document, so a
//! deletion takes it along, and each change is one conditional update.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::users::{Users, account_fields, alive};
use crate::{
    accounts::{
        email::EmailAddress,
        model::Account,
        password::{PasswordHash, reset_token::ResetDigest},
    },
    http::ids::UserId,
    mongo::{BATCH, COMMAND, StoreError, within},
};

/// How long a reset token is good.
pub const RESET_LIFETIME: Duration = Duration::from_hours(1);
/// Reset tokens of one account that are good at a time; until one of them is too old there is no other.
/// More than one, and no new one for an old one: a stranger who asks again and again must not spoil the
/// link in the owner's mailbox, where all of them arrive.
const RESETS: i32 = 5;
/// Addresses that are remembered of one account: those that were used last.
const KNOWN_ADDRESSES: i32 = 16;

/// What a login is checked against: hash and generation, read together.
#[derive(Debug, Clone, Deserialize)]
pub struct Credentials {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub email: String,
    pub password_hash: PasswordHash,
    #[serde(rename = "gen")]
    pub generation: i64,
}

#[derive(Deserialize)]
struct Hashed {
    password_hash: PasswordHash,
}

/// What somebody changes of their account.
#[derive(Debug)]
pub struct AccountChange {
    pub email: Option<EmailAddress>,
    pub password_hash: Option<PasswordHash>,
}

/// The filter of every write that follows from a verified password: nothing that was verified has
/// changed since, and the account is no tombstone.
fn unchanged(verified: &Credentials) -> Document {
    let mut filter = alive(verified.id);
    filter.insert("password_hash", verified.password_hash.as_stored());
    filter.insert("gen", verified.generation);
    filter
}

/// Whether a reset token is not too old, by the database's clock.
fn is_young(reset: &str) -> Document {
    let lifetime = i64::try_from(RESET_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    doc! { "$gt": [format!("{reset}.issued_at"), { "$subtract": ["$$NOW", lifetime] }] }
}

/// An account with this reset token.
fn with_reset(token: &ResetDigest) -> Document {
    let good = doc! { "$and": [{ "$eq": ["$$reset.digest", token.as_stored()] }, is_young("$$reset")] };
    doc! {
        // For the index.
        "resets.digest": token.as_stored(),
        "$expr": { "$anyElementTrue": { "$map": { "input": "$resets", "as": "reset", "in": good } } },
    }
}

impl Users {
    /// Hash and generation in one read: a token of a login that raced a new password dies with it.
    ///
    /// # Errors
    /// Only when the database fails: not there is `None`.
    pub async fn find_credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, StoreError> {
        self.credentials(doc! { "email": email.as_str() }).await
    }

    /// # Errors
    /// Only when the database fails: not there is `None`.
    pub async fn credentials_of(&self, id: UserId) -> Result<Option<Credentials>, StoreError> {
        self.credentials(alive(id)).await
    }

    async fn credentials(&self, filter: Document) -> Result<Option<Credentials>, StoreError> {
        let stored = self.collection().clone_with_type::<Credentials>();
        let fields = doc! { "email": 1, "password_hash": 1, "gen": 1 };
        within(COMMAND, stored.find_one(filter).projection(fields)).await
    }

    /// A hash of the highest cost among those that were made at a higher cost than this one, if there are any.
    /// It looks at every account: for the start, not for a request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn costliest_hash(&self, above: u32) -> Result<Option<PasswordHash>, StoreError> {
        let hashes = self.collection().clone_with_type::<Hashed>();
        let costlier = doc! { "password_hash": { "$gte": PasswordHash::beginning(above + 1) } };
        let find = hashes
            .find_one(costlier)
            .sort(doc! { "password_hash": -1 })
            .projection(doc! { "_id": 0, "password_hash": 1 });
        within(BATCH, find).await.map(|found| found.map(|found| found.password_hash))
    }

    /// Stores a more expensive hash of the same password, unless the password has changed since it was verified.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_hash(&self, verified: &Credentials, renewed: &PasswordHash) -> Result<(), StoreError> {
        let update = doc! { "$set": { "password_hash": renewed.as_stored() } };
        within(COMMAND, self.collection().update_one(unchanged(verified), update)).await.map(drop)
    }

    /// Changes an account whose password was verified. A new password revokes every token; both kinds
    /// of change spoil every reset token. `None` if what was verified no longer holds.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if the email is taken.
    pub async fn change(
        &self,
        verified: &Credentials,
        change: &AccountChange,
    ) -> Result<Option<Account>, StoreError> {
        let mut set = Document::new();
        if let Some(email) = &change.email {
            set.insert("email", email.as_str());
        }
        let mut raised = 0_i64;
        if let Some(hash) = &change.password_hash {
            set.insert("password_hash", hash.as_stored());
            raised = 1;
        }
        let update = doc! { "$set": set, "$inc": { "gen": raised }, "$unset": { "resets": "" } };
        self.change_one(unchanged(verified), update).await
    }

    async fn change_one(&self, filter: Document, update: Document) -> Result<Option<Account>, StoreError> {
        let accounts = self.collection().clone_with_type::<Account>();
        let changing = accounts
            .find_one_and_update(filter, update)
            .projection(account_fields())
            .return_document(ReturnDocument::After);
        within(COMMAND, changing).await
    }

    /// Revokes every token of this generation, and so every token there is. Doing it twice, for two
    /// requests at once, does not revoke a token that was issued in between.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_generation(&self, id: UserId, generation: i64) -> Result<(), StoreError> {
        let mut filter = alive(id);
        filter.insert("gen", generation);
        let update = doc! { "$inc": { "gen": 1_i64 } };
        within(COMMAND, self.collection().update_one(filter, update)).await.map(drop)
    }

    /// Keeps a reset token for the account that has this email now. `None` if nobody has it, or if there
    /// are enough good ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_reset(
        &self,
        email: &EmailAddress,
        token: &ResetDigest,
    ) -> Result<Option<UserId>, StoreError> {
        let all = doc! { "$ifNull": ["$resets", []] };
        let good = doc! { "$filter": { "input": all, "as": "reset", "cond": is_young("$$reset") } };
        let filter = doc! {
            "email": email.as_str(),
            "$expr": { "$lt": [{ "$size": good.clone() }, RESETS] },
        };
        let reset = doc! { "digest": token.as_stored(), "issued_at": "$$NOW" };
        let update = vec![doc! { "$set": { "resets": { "$concatArrays": [good, [reset]] } } }];
        let adding = self.collection().find_one_and_update(filter, update).projection(doc! { "_id": 1 });
        let found = within(COMMAND, adding).await?;
        Ok(found.and_then(|user| user.get_object_id("_id").ok()).map(UserId))
    }

    /// Whose reset token this is, if it is good: looked at before the expensive work, and decided by
    /// [`Users::reset`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owner_of_reset(&self, token: &ResetDigest) -> Result<Option<EmailAddress>, StoreError> {
        let find = self.collection().find_one(with_reset(token)).projection(doc! { "_id": 0, "email": 1 });
        let found = within(COMMAND, find).await?;
        Ok(found.and_then(|user| user.get_str("email").ok().map(EmailAddress::claimed)))
    }

    /// Uses a reset token: the new password is set, every token is revoked, and every reset token is
    /// gone, this one first of all. `None` if it is not good (any more).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reset(
        &self,
        token: &ResetDigest,
        hash: &PasswordHash,
    ) -> Result<Option<Account>, StoreError> {
        let update = doc! {
            "$set": { "password_hash": hash.as_stored() },
            "$inc": { "gen": 1_i64 },
            "$unset": { "resets": "" },
        };
        self.change_one(with_reset(token), update).await
    }

    /// Remembers an address from which the user has logged in, as the last one; `address` is what the
    /// throttle makes of one, not the address itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember_address(&self, id: UserId, address: &str) -> Result<(), StoreError> {
        let known = doc! { "$ifNull": ["$known_addresses", []] };
        let mut filter = alive(id);
        // Most logins come from where the last one came from, and need no write.
        filter.insert("$expr", doc! { "$ne": [{ "$last": known.clone() }, address] });
        let others = doc! { "$filter": { "input": known, "cond": { "$ne": ["$$this", address] } } };
        let all = doc! { "$concatArrays": [others, [address]] };
        let update = vec![doc! { "$set": { "known_addresses": { "$slice": [all, -KNOWN_ADDRESSES] } } }];
        within(COMMAND, self.collection().update_one(filter, update)).await.map(drop)
    }

    /// Whether somebody has logged in to the account of this email from this address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knows_address(&self, email: &EmailAddress, address: &str) -> Result<bool, StoreError> {
        let filter = doc! { "email": email.as_str(), "known_addresses": address };
        let find = self.collection().find_one(filter).projection(doc! { "_id": 1 });
        within(COMMAND, find).await.map(|found| found.is_some())
    }
}
