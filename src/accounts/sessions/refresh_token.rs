//! The refresh token: the session's id, a random seed, and an HMAC of both under a key that is derived from
//! `jwt.secret`.
//!
//! The database keeps a digest, and the seed so that the server can repeat a lost answer. Somebody who reads the
//! database lacks the key, and somebody who has stolen a token lacks the next seed. So neither can make the next token.
//! The server also recognises every token that it has ever made, without a list of the used ones. So a used token ends
//! its session, but an invented one does not.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{config::secret, http::ids::SessionId};

const ID_BYTES: usize = 12;
const SEED_BYTES: usize = 32;

/// The random part of a token, as it is stored.
#[derive(Clone, serde::Deserialize)]
#[serde(transparent)]
pub struct Seed(bson::Binary);

/// The digest of a token, which is stored and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshDigest(String);

/// A token as a client has it. `Debug` does not show it.
#[derive(Debug)]
pub struct RefreshToken(SecretString);

/// A token that this service has made, whether it is still valid or not.
#[derive(Debug)]
pub struct KnownToken {
    pub session: SessionId,
    pub digest: RefreshDigest,
}

/// Makes tokens, and recognises those that it has made.
#[derive(Clone)]
pub struct RefreshTokens(Hmac<Sha256>);

impl Seed {
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; SEED_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes }))
    }

    /// For the database.
    #[must_use]
    pub fn as_stored(&self) -> bson::Binary {
        self.0.clone()
    }
}

impl RefreshDigest {
    fn of(token: &str) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token)))
    }

    /// For the database and its filters.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }
}

impl RefreshToken {
    #[must_use]
    pub fn digest(&self) -> RefreshDigest {
        RefreshDigest::of(self.0.expose_secret())
    }

    /// The token itself, for the answer.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl RefreshTokens {
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        Self(secret::derived(secret, "movie-bag refresh token 1"))
    }

    fn mac(&self, named: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(named)
    }

    /// The token of a session and a seed. It is always the same.
    #[must_use]
    pub fn make(&self, session: SessionId, seed: &Seed) -> RefreshToken {
        let named = [&session.0.bytes(), seed.0.bytes.as_slice()].concat();
        let mac = self.mac(&named).finalize().into_bytes();
        RefreshToken(BASE64_URL_SAFE_NO_PAD.encode([named.as_slice(), &mac].concat()).into())
    }

    /// `None` for a text that this service has never made.
    #[must_use]
    pub fn recognise(&self, claimed: &str) -> Option<KnownToken> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(claimed).ok()?;
        let (named, mac) = bytes.split_at_checked(ID_BYTES + SEED_BYTES)?;
        self.mac(named).verify_slice(mac).ok()?;
        let id: [u8; ID_BYTES] = named.get(..ID_BYTES)?.try_into().ok()?;
        Some(KnownToken { session: SessionId(id.into()), digest: RefreshDigest::of(claimed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_made_with_the_same_secret_is_recognised() {
        let tokens = RefreshTokens::new(&"the secret of the tests, 32 bytes and more".into());
        let (session, seed) = (SessionId::new(), Seed::random().unwrap());
        let token = tokens.make(session, &seed);
        assert_eq!(token.expose(), tokens.make(session, &seed).expose());
        assert_ne!(token.expose(), tokens.make(session, &Seed::random().unwrap()).expose());
        assert_ne!(token.expose(), tokens.make(SessionId::new(), &seed).expose());
        let known = tokens.recognise(token.expose()).unwrap();
        assert_eq!((known.session, known.digest), (session, token.digest()));
        assert!(!format!("{token:?}").contains(token.expose()));

        let other = RefreshTokens::new(&"another secret of the tests, 32 bytes and more".into());
        assert!(other.recognise(token.expose()).is_none());
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token.expose()).unwrap();
        for place in 0..bytes.len() {
            bytes[place] ^= 1;
            assert!(tokens.recognise(&BASE64_URL_SAFE_NO_PAD.encode(&bytes)).is_none(), "byte {place}");
            bytes[place] ^= 1;
        }
        for cut in [0, 12, 44, 75] {
            assert!(tokens.recognise(&BASE64_URL_SAFE_NO_PAD.encode(&bytes[..cut])).is_none(), "{cut} bytes");
        }
        for wrong in ["", "none", "é", &format!("{}A", token.expose()), &format!("{}=", token.expose())] {
            assert!(tokens.recognise(wrong).is_none(), "{wrong}");
        }
    }
}
