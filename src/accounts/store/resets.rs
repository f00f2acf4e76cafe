//! A forgotten password: the tokens that reset it, in the user's own document.

use std::time::Duration;

use bson::{Document, doc};

use super::{
    credentials::new_password,
    users::{Users, alive},
};
use crate::{
    accounts::{email::EmailAddress, mail_token::MailDigest, model::Account, password::PasswordHash},
    http::ids::UserId,
    mongo::{COMMAND, StoreError, within},
};

/// How long a reset token is valid.
pub const RESET_LIFETIME: Duration = Duration::from_hours(1);
/// How many reset tokens of one account are valid at a time. While there are that many, no other is made. A new token
/// does not replace an old one: a stranger who asks again and again must not invalidate the link in the owner's
/// mailbox, where all of them arrive.
const RESETS: i32 = 5;

/// Whether a reset token is not too old, by the database's clock.
fn is_young(reset: &str) -> Document {
    let lifetime = i64::try_from(RESET_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    doc! { "$gt": [format!("{reset}.issued_at"), { "$subtract": ["$$NOW", lifetime] }] }
}

/// An account with this reset token.
fn with_reset(token: &MailDigest) -> Document {
    let good = doc! { "$and": [{ "$eq": ["$$reset.digest", token.as_stored()] }, is_young("$$reset")] };
    doc! {
        // For the index.
        "resets.digest": token.as_stored(),
        "$expr": { "$anyElementTrue": { "$map": { "input": "$resets", "as": "reset", "in": good } } },
    }
}

/// The reset tokens of an account that are not too old.
fn good_resets() -> Document {
    let all = doc! { "$ifNull": ["$resets", []] };
    doc! { "$filter": { "input": all, "as": "reset", "cond": is_young("$$reset") } }
}

/// Whether this reset token was mailed to the account's address. A new address drops all reset tokens.
fn was_mailed(token: &MailDigest) -> Document {
    let mailed = doc! { "$ne": ["$$reset.printed", true] };
    let this = doc! { "$and": [{ "$eq": ["$$reset.digest", token.as_stored()] }, mailed] };
    doc! { "$anyElementTrue": { "$map": { "input": "$resets", "as": "reset", "in": this } } }
}

impl Users {
    /// Keeps a reset token for the account that has this email now. `None` if no account has it, or if the account has
    /// enough valid tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_reset(
        &self,
        email: &EmailAddress,
        token: &MailDigest,
    ) -> Result<Option<UserId>, StoreError> {
        let good = good_resets();
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

    /// The owner of this reset token, if the token is valid. This is for a check before the expensive work;
    /// [`Users::reset`] decides.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owner_of_reset(&self, token: &MailDigest) -> Result<Option<EmailAddress>, StoreError> {
        let find = self.collection().find_one(with_reset(token)).projection(doc! { "_id": 0, "email": 1 });
        let found = within(COMMAND, find).await?;
        Ok(found.and_then(|user| user.get_str("email").ok().map(EmailAddress::claimed)))
    }

    /// Uses a reset token: sets the new password, revokes every token, and deletes every reset token, including this
    /// one. A mailed token proves that its user reads the mail of the address, so the address is confirmed, too. `None`
    /// if the token is not valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reset(
        &self,
        token: &MailDigest,
        hash: &PasswordHash,
    ) -> Result<Option<Account>, StoreError> {
        let is_verified = doc! { "$ifNull": ["$email_verified", false] };
        let mut set = new_password(hash);
        set.insert("email_verified", doc! { "$or": [is_verified, was_mailed(token)] });
        let kept = doc! { "$ifNull": ["$verification", "$$REMOVE"] };
        set.insert("verification", doc! { "$cond": [was_mailed(token), "$$REMOVE", kept] });
        let update = vec![doc! { "$set": set }, doc! { "$unset": "resets" }];
        self.change_one(with_reset(token), update).await
    }

    /// Keeps a reset token that the command line prints, and that is not mailed. The operator has a reason to ask for
    /// it, so if there are enough valid ones, the oldest makes room. False if there is no such account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_printed_reset(&self, id: UserId, token: &MailDigest) -> Result<bool, StoreError> {
        let newest = doc! { "$slice": [good_resets(), 1 - RESETS] };
        let reset = doc! { "digest": token.as_stored(), "issued_at": "$$NOW", "printed": true };
        let update = vec![doc! { "$set": { "resets": { "$concatArrays": [newest, [reset]] } } }];
        Ok(within(COMMAND, self.collection().update_one(alive(id), update)).await?.matched_count == 1)
    }
}
