//! The data of a sign-in between its start and the callback. It is sealed in a cookie of the browser, so that the
//! server stores nothing for a stranger.
//!
//! Each start has a cookie of its own, named after its `state`, so that two tabs do not disturb each other. The seal
//! covers the provider and the state, so a cookie is valid for no other sign-in.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::secret::random_text;
use crate::{accounts::identity::Link, config::secret, http::ids::UserId};

/// How long somebody may take at the provider.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub struct Start {
    pub state: String,
    pub nonce: String,
    /// For the provider (RFC 7636).
    pub verifier: String,
    /// The client's challenge, for the exchange.
    pub challenge: String,
    pub return_to: String,
    /// The account to which the identity is to be linked.
    pub link: Option<Link>,
}

/// A start as it is sealed. The state is part of the seal.
#[derive(Serialize, Deserialize)]
struct Sealed {
    n: String,
    v: String,
    c: String,
    r: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    l: Option<(String, i64)>,
    /// When it ends, in seconds since 1970.
    e: i64,
}

/// Seals and opens cookies with AES-256-GCM. The key is derived from the secret, so every server can open them.
pub struct Sealing(LessSafeKey);

impl Start {
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn new(challenge: String, return_to: String, link: Option<Link>) -> Result<Self, getrandom::Error> {
        let (state, nonce, verifier) = (random_text()?, random_text()?, random_text()?);
        Ok(Self { state, nonce, verifier, challenge, return_to, link })
    }
}

/// The name of the cookie of a start.
#[must_use]
pub fn cookie_name(state: &str) -> String {
    format!("oidc-{state}")
}

/// What a seal is bound to.
fn bound_to(provider: &str, state: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("{provider} {state}").into_bytes())
}

impl Sealing {
    /// # Panics
    /// Never: the key has the length that the cipher takes.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let key = secret::derived_key(secret, "movie-bag oidc start 1");
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("BUG: AES-256 takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// # Errors
    /// If the operating system has no random numbers.
    ///
    /// # Panics
    /// Never: a start has a JSON form, and is far shorter than what the cipher takes.
    pub fn seal(&self, provider: &str, start: &Start) -> Result<String, getrandom::Error> {
        let ends_at = Utc::now().timestamp() + i64::try_from(LIFETIME.as_secs()).unwrap_or(i64::MAX / 2);
        self.seal_until(ends_at, provider, start)
    }

    fn seal_until(&self, ends_at: i64, provider: &str, start: &Start) -> Result<String, getrandom::Error> {
        let sealed = Sealed {
            n: start.nonce.clone(),
            v: start.verifier.clone(),
            c: start.challenge.clone(),
            r: start.return_to.clone(),
            l: start.link.map(|link| (link.user.to_string(), link.generation)),
            e: ends_at,
        };
        let mut bytes = serde_json::to_vec(&sealed).expect("BUG: a start has a JSON form");
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce)?;
        let aad = bound_to(provider, &start.state);
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
            .expect("BUG: a start is short");
        Ok(BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// `None` if this service has not sealed the cookie for this provider and state, or if it is too old.
    #[must_use]
    pub fn open(&self, provider: &str, state: &str, cookie: &str) -> Option<Start> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, bound_to(provider, state), &mut sealed).ok()?;
        let Sealed { n, v, c, r, l, e } = serde_json::from_slice(opened).ok()?;
        if e <= Utc::now().timestamp() {
            return None;
        }
        let link = match l {
            Some((user, generation)) => Some(Link { user: UserId::parse(&user)?, generation }),
            None => None,
        };
        Some(Start { state: state.to_owned(), nonce: n, verifier: v, challenge: c, return_to: r, link })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealing(secret: &str) -> Sealing {
        Sealing::new(&secret.into())
    }

    #[test]
    fn a_start_is_opened_for_its_provider_and_state_alone_and_not_when_it_is_too_old() {
        let ours = sealing("the secret of the tests, 32 bytes and more");
        let link = Link { user: UserId::new(), generation: 3 };
        let start = Start::new("challenge".into(), "https://app.example/".into(), Some(link)).unwrap();
        let cookie = ours.seal("google", &start).unwrap();
        let opened = ours.open("google", &start.state, &cookie).unwrap();
        assert_eq!(format!("{opened:?}"), format!("{start:?}"));
        let other = Start::new("challenge".into(), "https://app.example/".into(), None).unwrap();
        assert!(ours.open("other", &start.state, &cookie).is_none());
        assert!(ours.open("google", &other.state, &cookie).is_none());
        let theirs = sealing("another secret of the tests, 32 bytes and more");
        assert!(theirs.open("google", &start.state, &cookie).is_none());
        let late = ours.seal_until(Utc::now().timestamp(), "google", &start).unwrap();
        assert!(ours.open("google", &start.state, &late).is_none());
        for hidden in [&start.nonce, &start.verifier, &start.challenge] {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&cookie).unwrap();
            assert!(!bytes.windows(hidden.len()).any(|part| part == hidden.as_bytes()));
        }
    }

    #[test]
    fn a_cookie_that_is_not_ours_is_not_opened() {
        let ours = sealing("the secret of the tests, 32 bytes and more");
        let start = Start::new("challenge".into(), "https://app.example/".into(), None).unwrap();
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(ours.seal("google", &start).unwrap()).unwrap();
        for place in 0..bytes.len() {
            bytes[place] ^= 1;
            let cookie = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            assert!(ours.open("google", &start.state, &cookie).is_none(), "byte {place}");
            bytes[place] ^= 1;
        }
        for cut in [0, 11, 12, 28, bytes.len() - 1] {
            let cookie = BASE64_URL_SAFE_NO_PAD.encode(&bytes[..cut]);
            assert!(ours.open("google", &start.state, &cookie).is_none(), "{cut} bytes");
        }
        assert!(ours.open("google", &start.state, "é").is_none());
    }
}
