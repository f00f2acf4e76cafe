//! The collection `exchange_codes`: sign-ins that a provider has confirmed, until their client exchanges the code.
//!
//! An attempt deletes the code, whether it succeeds or not. So if several come at once, only one gets it.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::{Collection, Database};
use serde::Deserialize;

use super::secret::{ShortSecret, s256};
use crate::{
    accounts::identity::{Identity, Link},
    http::ids::UserId,
    mongo::{COMMAND, StoreError, indexes, inserting, within},
};

/// How long a code is valid.
const LIFETIME: Duration = Duration::from_mins(1);

/// What a sign-in is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in to the account that the identity belongs to.
    SignIn,
    /// To make an account with this email, which the provider has confirmed.
    SignUp(String),
    /// To link the identity to an account.
    Link(Link),
}

/// A sign-in that the provider has confirmed.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub identity: Identity,
    pub purpose: Purpose,
}

/// The codes.
#[derive(Clone)]
pub struct ExchangeCodes(Collection<Document>);

#[derive(Deserialize)]
struct Kept {
    challenge: String,
    provider: String,
    issuer: String,
    subject: String,
    email: Option<String>,
    user: Option<UserId>,
    #[serde(rename = "gen")]
    generation: Option<i64>,
    expires_at: DateTime,
}

impl ExchangeCodes {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self(database.collection(indexes::EXCHANGE_CODES))
    }

    /// # Errors
    /// When the database fails.
    pub async fn insert(
        &self,
        code: &ShortSecret,
        challenge: &str,
        signed_in: &SignedIn,
    ) -> Result<(), StoreError> {
        let identity = &signed_in.identity;
        let mut document = doc! {
            "_id": code.digest(),
            "challenge": challenge,
            "provider": &identity.provider,
            "issuer": &identity.issuer,
            "subject": &identity.subject,
            "expires_at": DateTime::now().saturating_add_duration(LIFETIME),
        };
        match &signed_in.purpose {
            Purpose::SignIn => {}
            Purpose::SignUp(email) => drop(document.insert("email", email)),
            Purpose::Link(link) => document.extend(doc! { "user": link.user, "gen": link.generation }),
        }
        inserting(COMMAND, indexes::ID, self.0.insert_one(document)).await.map(drop)
    }

    /// Uses up a code. `None` if it is unknown or too old, or if the verifier belongs to another client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&self, code: &ShortSecret, verifier: &str) -> Result<Option<SignedIn>, StoreError> {
        let kept = self.0.clone_with_type::<Kept>();
        let taken = within(COMMAND, kept.find_one_and_delete(doc! { "_id": code.digest() })).await?;
        Ok(taken
            .filter(|kept| kept.expires_at > DateTime::now() && kept.challenge == s256(verifier))
            .map(Into::into))
    }
}

impl From<Kept> for SignedIn {
    fn from(kept: Kept) -> Self {
        let Kept { provider, issuer, subject, email, user, generation, .. } = kept;
        let purpose = match (user.zip(generation), email) {
            (Some((user, generation)), _) => Purpose::Link(Link { user, generation }),
            (None, Some(email)) => Purpose::SignUp(email),
            (None, None) => Purpose::SignIn,
        };
        Self { identity: Identity { provider, issuer, subject }, purpose }
    }
}
