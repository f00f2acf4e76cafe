//! Using up a refresh token: each makes the next, and a used one ends its session (RFC 9700, section 4.14.2).
//!
//! The times are the database's, and each step is one command: two requests with the same token, on one server or on
//! two, meet in the session's document.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::{
    model::Session,
    refresh_token::{KnownToken, RefreshDigest, Seed},
    store::{SLACK, Sessions, fields},
};
use crate::{
    http::ids::UserId,
    mongo::{COMMAND, StoreError, within},
};

/// How long a refresh token is good after its making.
pub const LIFETIME: Duration = Duration::from_hours(24 * 30);
/// How long a session can be refreshed after its login.
const SESSION_LIFETIME: Duration = Duration::from_hours(24 * 365);
/// How long the token that was used last gives its successor again, while that one is unused.
const REPEATED_FOR: Duration = Duration::from_secs(10);

/// The successor of a token that was good.
pub struct Successor {
    pub session: Session,
    /// What it is made of.
    pub seed: Seed,
    pub lifetime: Duration,
}

/// What became of a token.
pub enum Rotation {
    Successor(Box<Successor>),
    /// It was used before: the session of this user has ended.
    Reused(UserId),
    /// Its session has ended.
    Ended,
}

#[derive(Deserialize)]
struct Refreshable {
    #[serde(flatten)]
    session: Session,
    refresh: Refresh,
}

#[derive(Deserialize)]
struct Refresh {
    seed: Seed,
    used_at: DateTime,
}

impl From<Refreshable> for Successor {
    fn from(Refreshable { session, refresh }: Refreshable) -> Self {
        let lifetime = session.expires_at.saturating_duration_since(refresh.used_at);
        Self { session, seed: refresh.seed, lifetime }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn refreshable_fields() -> Document {
    let mut fields = fields();
    fields.extend(doc! { "refresh.seed": 1, "refresh.used_at": 1 });
    fields
}

/// The session whose last used token this is, so recently that its successor is given again.
fn repeated(token: &KnownToken) -> Document {
    let young = doc! { "$gt": ["$refresh.used_at", { "$subtract": ["$$NOW", milliseconds(REPEATED_FOR)] }] };
    doc! { "_id": token.session, "refresh.used": token.digest.as_stored(), "$expr": young }
}

impl Sessions {
    /// Uses up a token. Its successor is the one of this seed, unless another request was first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate(
        &self,
        token: &KnownToken,
        seed: &Seed,
        successor: &RefreshDigest,
    ) -> Result<Rotation, StoreError> {
        if let Some(first) = self.use_up(token, seed, successor).await? {
            return Ok(Rotation::Successor(Box::new(first.into())));
        }
        let sessions = self.collection().clone_with_type::<Refreshable>();
        let again = sessions.find_one(repeated(token)).projection(refreshable_fields());
        if let Some(again) = within(COMMAND, again).await? {
            return Ok(Rotation::Successor(Box::new(again.into())));
        }
        // The token is one of ours, and not the session's present one.
        let reused = doc! {
            "_id": token.session,
            "refresh.digest": { "$ne": token.digest.as_stored() },
            "$nor": [repeated(token)],
        };
        let sessions = self.collection().clone_with_type::<Session>();
        let ended = within(COMMAND, sessions.find_one_and_delete(reused).projection(fields())).await?;
        Ok(ended.map_or(Rotation::Ended, |session| Rotation::Reused(session.user)))
    }

    async fn use_up(
        &self,
        token: &KnownToken,
        seed: &Seed,
        successor: &RefreshDigest,
    ) -> Result<Option<Refreshable>, StoreError> {
        let present = doc! {
            "_id": token.session,
            "refresh.digest": token.digest.as_stored(),
            "$expr": { "$gt": ["$expires_at", "$$NOW"] },
        };
        let sliding = doc! { "$add": ["$$NOW", milliseconds(LIFETIME)] };
        let last = doc! { "$add": ["$created_at", milliseconds(SESSION_LIFETIME)] };
        let refresh = doc! {
            "seed": seed.as_stored(),
            "digest": successor.as_stored(),
            "used": token.digest.as_stored(),
            "used_at": "$$NOW",
        };
        let update = vec![
            doc! { "$set": {
                "refresh": refresh,
                "expires_at": { "$min": [sliding, last] },
                "last_used_at": { "$max": ["$last_used_at", DateTime::now()] },
            } },
            doc! { "$set": { "forgotten_at": { "$add": ["$expires_at", milliseconds(SLACK)] } } },
        ];
        let sessions = self.collection().clone_with_type::<Refreshable>();
        let rotating = sessions
            .find_one_and_update(present, update)
            .projection(refreshable_fields())
            .return_document(ReturnDocument::After);
        within(COMMAND, rotating).await
    }
}
