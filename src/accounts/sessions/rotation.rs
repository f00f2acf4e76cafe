//! Uses up a refresh token. Each token makes the next one, and a used token ends its session (RFC 9700, section
//! 4.14.2).
//!
//! The times are the database's, and each step is one command. So two requests with the same token meet in the
//! session's document, even on two servers.

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

/// How long a refresh token is valid after it was made.
pub const LIFETIME: Duration = Duration::from_hours(24 * 30);
/// How long a session can be refreshed after its login.
const SESSION_LIFETIME: Duration = Duration::from_hours(24 * 365);
/// How long the last used token gives its successor again, while the successor is unused.
const REPEATED_FOR: Duration = Duration::from_secs(10);

/// The successor of a token that was valid.
pub struct Successor {
    pub session: Session,
    /// What the successor is made of.
    pub seed: Seed,
    pub lifetime: Duration,
}

/// What happened to a token.
pub enum Rotation {
    Successor(Box<Successor>),
    /// The token was used before, so the session of this user has ended.
    Reused(UserId),
    /// The token's session has ended.
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

/// The session whose last used token this is, if it was used so recently that its successor may be given again.
fn repeated(token: &KnownToken) -> Document {
    let young = doc! { "$gt": ["$refresh.used_at", { "$subtract": ["$$NOW", milliseconds(REPEATED_FOR)] }] };
    doc! { "_id": token.session, "refresh.used": token.digest.as_stored(), "$expr": young }
}

impl Sessions {
    /// Uses up a token. Its successor is made from this seed, unless another request was first.
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
        // We have made this token, but it is not the session's present one.
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
