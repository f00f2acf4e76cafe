//! Confirms an address with the link that was mailed last. The link is in the user's own document.

use std::time::Duration;

use bson::doc;
use mongodb::options::ReturnDocument;

use super::users::{Users, account_fields};
use crate::{
    accounts::{mail_token::MailDigest, model::Account},
    http::ids::UserId,
    mongo::{COMMAND, StoreError, within},
};

/// How long a link is valid.
pub const VERIFICATION_LIFETIME: Duration = Duration::from_hours(72);

impl Users {
    /// Keeps a new link in place of the old one. False if there is nothing to confirm: the address is already
    /// confirmed, or is no longer the account's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_verification(&self, account: &Account, link: &MailDigest) -> Result<bool, StoreError> {
        let filter = doc! { "_id": account.id, "email": &account.email, "email_verified": { "$ne": true } };
        let email = doc! { "$literal": &account.email };
        let verification = doc! { "digest": link.as_stored(), "email": email, "issued_at": "$$NOW" };
        let update = vec![doc! { "$set": { "verification": verification } }];
        Ok(within(COMMAND, self.collection().update_one(filter, update)).await?.matched_count == 1)
    }

    /// Uses a link: confirms the address that it was sent to, if that is still the account's. `None` if the link is not
    /// valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify(&self, link: &MailDigest) -> Result<Option<UserId>, StoreError> {
        let lifetime = i64::try_from(VERIFICATION_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        let young = doc! { "$gt": ["$verification.issued_at", { "$subtract": ["$$NOW", lifetime] }] };
        let filter = doc! {
            "verification.digest": link.as_stored(),
            "$expr": { "$and": [{ "$eq": ["$verification.email", "$email"] }, young] },
        };
        let update = doc! { "$set": { "email_verified": true }, "$unset": { "verification": "" } };
        let accounts = self.collection().clone_with_type::<Account>();
        let verifying = accounts
            .find_one_and_update(filter, update)
            .projection(account_fields())
            .return_document(ReturnDocument::After);
        Ok(within(COMMAND, verifying).await?.map(|account| account.id))
    }
}
