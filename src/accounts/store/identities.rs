//! The identities of an account at other providers. They are in the user's own document, so deleting the account
//! deletes them too. Each change is one conditional update.
//!
//! A provider's issuer and a subject name the account, and a unique index lets only one account have each pair. An
//! email never links anything: the person with that email at a provider may not be the person with that email here.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use serde::Deserialize;

use super::users::{Users, account_fields, alive};
use crate::{
    accounts::{
        email::EmailAddress,
        identity::{Identity, Link},
        model::Account,
    },
    http::ids::UserId,
    mongo::{COMMAND, StoreError, indexes, inserting, within},
};

/// How long a link ticket is valid.
const TICKET_LIFETIME: Duration = Duration::from_mins(1);

/// An identity of an account, as its owner sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct LinkedIdentity {
    pub provider: String,
    pub linked_at: DateTime,
}

#[derive(Deserialize)]
struct Linked {
    #[serde(default)]
    identities: Vec<LinkedIdentity>,
}

/// The result of an unlinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlinking {
    Done,
    NotLinked,
    /// Without this identity the user could no longer sign in.
    LastSignIn,
}

/// The account that has this identity.
fn with(identity: &Identity) -> Document {
    doc! {
        // For the index.
        "identities.subject": &identity.subject,
        "identities": { "$elemMatch": { "issuer": &identity.issuer, "subject": &identity.subject } },
    }
}

fn stored(identity: &Identity, linked_at: DateTime) -> Document {
    let Identity { provider, issuer, subject } = identity;
    doc! { "provider": provider, "issuer": issuer, "subject": subject, "linked_at": linked_at }
}

impl Users {
    /// # Errors
    /// Only when the database fails. An identity without an account is `None`.
    pub async fn find_by_identity(&self, identity: &Identity) -> Result<Option<Account>, StoreError> {
        let accounts = self.collection().clone_with_type::<Account>();
        within(COMMAND, accounts.find_one(with(identity)).projection(account_fields())).await
    }

    /// Stores an account without a password, whose address the provider has confirmed.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if the email is taken, or if another account has the identity by now.
    pub async fn insert_identified(
        &self,
        email: &EmailAddress,
        identity: &Identity,
    ) -> Result<Account, StoreError> {
        let account = Account {
            id: UserId::new(),
            email: email.to_string(),
            created_at: DateTime::now(),
            generation: 0,
            email_verified: true,
            has_password: false,
        };
        let document = doc! {
            "_id": account.id,
            "email": &account.email,
            "gen": account.generation,
            "created_at": account.created_at,
            "email_verified": true,
            "identities": [stored(identity, account.created_at)],
        };
        inserting(COMMAND, indexes::EMAIL_UNIQUE, self.collection().insert_one(document)).await?;
        Ok(account)
    }

    /// Gives the account an identity. `None` if the account already has one of this provider, is deleted, or has
    /// another generation by now.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if another account has the identity.
    pub async fn link(&self, link: Link, identity: &Identity) -> Result<Option<Account>, StoreError> {
        let mut filter = alive(link.user);
        filter.insert("gen", link.generation);
        filter.insert("identities.provider", doc! { "$ne": &identity.provider });
        let added = doc! { "$literal": stored(identity, DateTime::now()) };
        let linked = doc! { "$concatArrays": [{ "$ifNull": ["$identities", []] }, [added]] };
        self.change_one(filter, vec![doc! { "$set": { "identities": linked } }]).await
    }

    /// Whether [`Users::link`] would find the account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_link(&self, link: Link, provider: &str) -> Result<bool, StoreError> {
        let mut filter = alive(link.user);
        filter.insert("gen", link.generation);
        filter.insert("identities.provider", doc! { "$ne": provider });
        let find = self.collection().find_one(filter).projection(doc! { "_id": 1 });
        within(COMMAND, find).await.map(|found| found.is_some())
    }

    /// Takes the identity of a provider from the account, unless the user could no longer sign in without it. `issuers`
    /// are those with which users can sign in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink(
        &self,
        id: UserId,
        provider: &str,
        issuers: &[&str],
    ) -> Result<Unlinking, StoreError> {
        let has_other = doc! {
            "identities": { "$elemMatch": { "provider": { "$ne": provider }, "issuer": { "$in": issuers } } },
        };
        let mut filter = alive(id);
        filter.insert("identities.provider", provider);
        let there = filter.clone();
        filter.insert("$or", vec![doc! { "password_hash": { "$exists": true } }, has_other]);
        let update = doc! { "$pull": { "identities": { "provider": provider } } };
        if within(COMMAND, self.collection().update_one(filter, update)).await?.matched_count == 1 {
            return Ok(Unlinking::Done);
        }
        let find = self.collection().find_one(there).projection(doc! { "_id": 1 });
        let is_linked = within(COMMAND, find).await?.is_some();
        Ok(if is_linked { Unlinking::LastSignIn } else { Unlinking::NotLinked })
    }

    /// The identities of an account, in the order in which they were linked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities(&self, id: UserId) -> Result<Vec<LinkedIdentity>, StoreError> {
        let accounts = self.collection().clone_with_type::<Linked>();
        let fields = doc! { "_id": 0, "identities.provider": 1, "identities.linked_at": 1 };
        let found = within(COMMAND, accounts.find_one(alive(id)).projection(fields)).await?;
        Ok(found.map(|found| found.identities).unwrap_or_default())
    }

    /// Keeps a link ticket, in place of the last one. False if the account has another generation by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_link_ticket(&self, link: Link, digest: &str) -> Result<bool, StoreError> {
        let mut filter = alive(link.user);
        filter.insert("gen", link.generation);
        let ticket = doc! { "digest": digest, "gen": link.generation, "issued_at": "$$NOW" };
        let update = vec![doc! { "$set": { "link_ticket": ticket } }];
        Ok(within(COMMAND, self.collection().update_one(filter, update)).await?.matched_count == 1)
    }

    /// Uses up a link ticket. `None` if it is unknown, used or too old, or older than the account's generation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_link_ticket(&self, user: UserId, digest: &str) -> Result<Option<Link>, StoreError> {
        let lifetime = i64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        let young = doc! { "$gt": ["$link_ticket.issued_at", { "$subtract": ["$$NOW", lifetime] }] };
        let mut filter = alive(user);
        filter.insert("link_ticket.digest", digest);
        filter.insert("$expr", doc! { "$and": [{ "$eq": ["$link_ticket.gen", "$gen"] }, young] });
        let found = self.change_one(filter, vec![doc! { "$unset": "link_ticket" }]).await?;
        Ok(found.map(|account| Link { user: account.id, generation: account.generation }))
    }
}
