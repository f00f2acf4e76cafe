//! What a session is, in two shapes: [`Session`], which is read from the database, and [`SessionView`], which a client
//! reads.

use bson::DateTime;
use serde::{Deserialize, Serialize};

use crate::http::{
    ids::{SessionId, UserId},
    timestamp::Timestamp,
};

/// The longest name, in characters.
pub const NAME_CHARACTERS: usize = 100;

/// A session as it is stored, without what proves who may refresh it.
#[derive(Debug, Clone, Deserialize)]
pub struct Session {
    #[serde(rename = "_id")]
    pub id: SessionId,
    pub user: UserId,
    /// The user's token generation at the login. A session of an earlier generation has ended, even if it is not
    /// deleted yet.
    #[serde(rename = "gen")]
    pub generation: i64,
    pub name: String,
    pub created_at: DateTime,
    /// Accurate to a few minutes: see [`crate::accounts::last_use`].
    pub last_used_at: DateTime,
    pub expires_at: DateTime,
}

/// A session as its user reads it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    id: SessionId,
    /// The name that the login gave, or one from the `User-Agent` of the login.
    #[schema(max_length = 100, example = "Firefox on the laptop")]
    name: String,
    created_at: Timestamp,
    /// Accurate to 10 minutes.
    last_used_at: Timestamp,
    expires_at: Timestamp,
    /// Whether the request came with a token of this session.
    current: bool,
}

impl SessionView {
    #[must_use]
    pub fn new(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            name: session.name,
            created_at: Timestamp(session.created_at),
            last_used_at: Timestamp(session.last_used_at),
            expires_at: Timestamp(session.expires_at),
            current: current == Some(session.id),
        }
    }
}
