//! What proves who a user is: the password's hash, the token generation, and the addresses from which the user has
//! logged in. Reset tokens have a file of their own: [`super::resets`]. All of this is in the user's own document, so
//! deleting the account deletes it too. Each change is one conditional update.

use bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::users::{Users, account_fields, alive};
use crate::{
    accounts::{email::EmailAddress, mail_token::MailDigest, model::Account, password::PasswordHash},
    http::ids::UserId,
    mongo::{BATCH, COMMAND, StoreError, within},
};

/// How many addresses are remembered for an account: those that were used last.
const KNOWN_ADDRESSES: i32 = 16;

/// What a login is checked against: hash and generation, read together.
#[derive(Debug, Clone, Deserialize)]
pub struct Credentials {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub email: String,
    /// `None` for an account that was made with a provider or on the command line, until its owner chooses a password.
    pub password_hash: Option<PasswordHash>,
    #[serde(rename = "gen")]
    pub generation: i64,
}

#[derive(Deserialize)]
struct Hashed {
    password_hash: PasswordHash,
}

/// A change that a user makes to their account.
#[derive(Debug)]
pub struct AccountChange {
    /// With the link that confirms the email, if it is a new one.
    pub email: Option<(EmailAddress, MailDigest)>,
    pub password_hash: Option<PasswordHash>,
}

/// The filter of every write after a password was verified, or after it was verified that there is none. It matches
/// only if nothing that was verified has changed since, and if the account is not a tombstone.
fn unchanged(verified: &Credentials) -> Document {
    let mut filter = alive(verified.id);
    match &verified.password_hash {
        Some(hash) => filter.insert("password_hash", hash.as_stored()),
        None => filter.insert("password_hash", doc! { "$exists": false }),
    };
    filter.insert("gen", verified.generation);
    filter
}

/// What a new password changes, for an update with a pipeline. In one, a text that begins with `$` would name a field.
pub(super) fn new_password(hash: &PasswordHash) -> Document {
    doc! { "password_hash": { "$literal": hash.as_stored() }, "gen": { "$add": ["$gen", 1_i64] } }
}

/// What a new email changes: it is not confirmed, its own link replaces the old one, and every reset token is deleted.
/// Setting the same email again changes nothing.
fn new_email(email: &EmailAddress, link: &MailDigest) -> Document {
    let new = doc! { "$literal": email.as_str() };
    let is_same = doc! { "$eq": ["$email", new.clone()] };
    let verification = doc! { "digest": link.as_stored(), "email": new.clone(), "issued_at": "$$NOW" };
    let same = doc! { "$ifNull": ["$verification", "$$REMOVE"] };
    let resets = doc! { "$ifNull": ["$resets", "$$REMOVE"] };
    doc! {
        "email": new,
        "email_verified": { "$and": [is_same.clone(), { "$ifNull": ["$email_verified", false] }] },
        "verification": { "$cond": [is_same.clone(), same, verification] },
        "resets": { "$cond": [is_same, resets, "$$REMOVE"] },
    }
}

impl Users {
    /// Reads hash and generation together. So if a login races a new password, the new password revokes the login's
    /// token. An account without a password is not found, because nobody can log in to it.
    ///
    /// # Errors
    /// Only when the database fails. A missing account is `None`.
    pub async fn find_credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, StoreError> {
        self.credentials(doc! { "email": email.as_str(), "password_hash": { "$exists": true } }).await
    }

    /// # Errors
    /// Only when the database fails. A missing account is `None`.
    pub async fn credentials_of(&self, id: UserId) -> Result<Option<Credentials>, StoreError> {
        self.credentials(alive(id)).await
    }

    async fn credentials(&self, filter: Document) -> Result<Option<Credentials>, StoreError> {
        let stored = self.collection().clone_with_type::<Credentials>();
        let fields = doc! { "email": 1, "password_hash": 1, "gen": 1 };
        within(COMMAND, stored.find_one(filter).projection(fields)).await
    }

    /// The hash with the highest cost, if that is higher than this one. This reads every account, so it is for the
    /// start and not for a request.
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

    /// Changes an account whose password was verified. A new password revokes every token. A new password and a new
    /// email each delete every reset token. `None` if what was verified no longer holds.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if the email is taken.
    pub async fn change(
        &self,
        verified: &Credentials,
        change: &AccountChange,
    ) -> Result<Option<Account>, StoreError> {
        let mut set = Document::new();
        if let Some((email, link)) = &change.email {
            set.extend(new_email(email, link));
        }
        if let Some(hash) = &change.password_hash {
            set.extend(new_password(hash));
            set.insert("resets", "$$REMOVE");
        }
        let update = vec![doc! { "$set": set }];
        self.change_one(unchanged(verified), update).await
    }

    pub(super) async fn change_one(
        &self,
        filter: Document,
        update: Vec<Document>,
    ) -> Result<Option<Account>, StoreError> {
        let accounts = self.collection().clone_with_type::<Account>();
        let changing = accounts
            .find_one_and_update(filter, update)
            .projection(account_fields())
            .return_document(ReturnDocument::After);
        within(COMMAND, changing).await
    }

    /// Revokes every token of this generation, and so every token there is. If two requests do this at once, the second
    /// one does not revoke a token that was issued in between.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_generation(&self, id: UserId, generation: i64) -> Result<(), StoreError> {
        let mut filter = alive(id);
        filter.insert("gen", generation);
        let update = doc! { "$inc": { "gen": 1_i64 } };
        within(COMMAND, self.collection().update_one(filter, update)).await.map(drop)
    }

    /// Remembers an address from which the user has logged in, as the last one. `address` is the throttle's digest, not
    /// the address itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember_address(&self, id: UserId, address: &str) -> Result<(), StoreError> {
        let known = doc! { "$ifNull": ["$known_addresses", []] };
        let mut filter = alive(id);
        // Most logins come from the same address as the last one, and need no write.
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
