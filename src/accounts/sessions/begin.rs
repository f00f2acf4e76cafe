//! Begins a session, and says what the client gets.

use std::time::Duration;

use bson::DateTime;

use super::{
    model::Session,
    refresh_token::{RefreshToken, RefreshTokens, Seed},
    rotation,
    store::Sessions,
};
use crate::{
    accounts::token::Tokens,
    http::{
        ids::{SessionId, UserId},
        problem::Problem,
    },
};

/// How long an access token lives if it can be refreshed.
pub const ACCESS_LIFETIME: Duration = Duration::from_mins(15);

/// An access token. Its fields, except `token`, are named as in RFC 6749, section 5.1.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// For the `Authorization` header, after `Bearer`.
    token: String,
    #[schema(value_type = String, example = "Bearer")]
    token_type: &'static str,
    /// The token expires in this many seconds.
    #[schema(minimum = 1, example = 604_800)]
    expires_in: u64,
    /// For `POST /api/auth/refresh`. It works once. Only with `refresh: true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// The refresh token expires in this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, example = 2_592_000)]
    refresh_expires_in: Option<u64>,
}

/// Who signs in, and what kind of session to begin.
pub struct SignIn {
    pub user: UserId,
    /// Read together with the proof of who the user is. If it has changed since, the session has already ended.
    pub generation: i64,
    pub name: String,
    pub refresh: bool,
}

/// Begins sessions.
#[derive(Clone)]
pub struct SignIns {
    pub sessions: Sessions,
    pub tokens: Tokens,
    pub refresh_tokens: RefreshTokens,
}

impl SignIns {
    /// Stores a session and issues its token.
    ///
    /// # Errors
    /// 503 when the database is unavailable.
    pub async fn begin(&self, sign_in: SignIn) -> Result<(Session, TokenView), Problem> {
        let refresh = sign_in.refresh;
        let session = new_session(sign_in, if refresh { rotation::LIFETIME } else { self.tokens.lifetime() });
        let seed = Seed::random().map_err(no_random_numbers)?;
        let refresh_token = refresh.then(|| self.refresh_tokens.make(session.id, &seed));
        let digest = refresh_token.as_ref().map(RefreshToken::digest);
        self.sessions.insert(&session, digest.as_ref().map(|digest| (&seed, digest))).await?;
        let lifetime = if refresh { ACCESS_LIFETIME } else { self.tokens.lifetime() };
        let view = TokenView {
            token: self.tokens.issue(&session, lifetime)?,
            token_type: "Bearer",
            expires_in: lifetime.as_secs(),
            refresh_token: refresh_token.map(|token| token.expose().to_owned()),
            refresh_expires_in: refresh.then(|| rotation::LIFETIME.as_secs()),
        };
        Ok((session, view))
    }
}

fn new_session(sign_in: SignIn, lifetime: Duration) -> Session {
    let now = DateTime::now();
    Session {
        id: SessionId::new(),
        user: sign_in.user,
        generation: sign_in.generation,
        name: sign_in.name,
        created_at: now,
        last_used_at: now,
        expires_at: now.saturating_add_duration(lifetime),
    }
}

/// The problem when the operating system has no random numbers.
pub fn no_random_numbers(error: getrandom::Error) -> Problem {
    Problem::Internal(format!("no random numbers: {error}").into())
}
