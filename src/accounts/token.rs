//! The bearer token: a JWT (RFC 7519), signed with HS256, and what is in it.
//!
//! A token says who the caller is and nothing else. Every request reads from the database whether that user still
//! exists and which role the user has ([`super::guard`]).

use std::time::Duration;

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{hs256, sessions::Session};
use crate::http::{
    ids::{SessionId, UserId},
    problem::Problem,
};

const ISSUER: &str = "movie-bag";
const AUDIENCE: &str = "access";

/// The claims. All but `sid` are required. Times are seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    /// The session. Tokens from before there were sessions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    iat: i64,
    exp: i64,
    jti: String,
    iss: String,
    aud: String,
    /// The user's token generation. Raising it revokes the token.
    r#gen: i64,
}

/// A token that was verified: signed by us, for us, not expired.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    pub user: UserId,
    pub generation: i64,
    /// `None` for a token from before there were sessions.
    pub session: Option<SessionId>,
    /// The token's own id. A token without a session is revoked by it.
    pub jti: String,
    /// Seconds since 1970.
    pub expires_at: i64,
}

/// Issues and verifies tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

impl Tokens {
    #[must_use]
    pub fn new(secret: &SecretString, lifetime: Duration) -> Self {
        hs256::install();
        let key = secret.expose_secret().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The expiry is checked below, last of all: only a token that we issued can be "expired".
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            lifetime,
        }
    }

    /// How long a token lives, unless its session can be refreshed.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Issues a token for a session. The token has the session's generation, which was read together with the verified
    /// password.
    ///
    /// # Errors
    /// 500, if signing fails.
    pub fn issue(&self, session: &Session, lifetime: Duration) -> Result<String, Problem> {
        let now = Utc::now().timestamp();
        let claims = Claims {
            sub: session.user.to_string(),
            sid: Some(session.id.to_string()),
            iat: now,
            exp: now + i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 2),
            jti: ulid::Ulid::new().to_string(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            r#gen: session.generation,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| Problem::Internal(format!("signing a token: {error}").into()))
    }

    /// Verifies form, algorithm, signature, issuer, audience and subject, and then the expiry. There is no leeway: at
    /// `exp` a token is expired (RFC 7519, section 4.1.4).
    ///
    /// # Errors
    /// 401: `invalid-token` or `expired-token`.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, Problem> {
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| Problem::InvalidToken)?;
        // RFC 7515, section 4.1.11: the token has an extension that we would have to understand.
        if decoded.header.crit.is_some() {
            return Err(Problem::InvalidToken);
        }
        let claims = decoded.claims;
        let user = UserId::parse(&claims.sub).ok_or(Problem::InvalidToken)?;
        let session = match claims.sid {
            Some(sid) => Some(SessionId::parse(&sid).ok_or(Problem::InvalidToken)?),
            None => None,
        };
        if claims.exp <= Utc::now().timestamp() {
            return Err(Problem::ExpiredToken);
        }
        Ok(VerifiedToken { user, generation: claims.r#gen, session, jti: claims.jti, expires_at: claims.exp })
    }
}
