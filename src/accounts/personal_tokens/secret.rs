//! What a personal access token is made of: a prefix by which people and secret scanners recognise it, and 256 random
//! bits. The database keeps only a digest, which needs no salt, since the bits cannot be guessed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub const PREFIX: &str = "mbp_";
const BYTES: usize = 32;

/// A token as its user has it. `Debug` does not show it.
#[derive(Debug)]
pub struct PersonalSecret(SecretString);

/// The digest of a token, which is stored and looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(transparent)]
pub struct PersonalDigest(String);

impl From<PersonalDigest> for bson::Bson {
    fn from(digest: PersonalDigest) -> Self {
        digest.0.into()
    }
}

impl PersonalSecret {
    /// A new token.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)).into()))
    }

    /// A text that a client sent as a token. `None` if it cannot be one.
    #[must_use]
    pub fn claimed(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (bytes.len() == BYTES).then(|| Self(text.into()))
    }

    #[must_use]
    pub fn digest(&self) -> PersonalDigest {
        PersonalDigest(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose_secret())))
    }

    /// The token itself, for the only answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_bits_and_is_kept_as_a_digest_only() {
        let (token, other) = (PersonalSecret::random().unwrap(), PersonalSecret::random().unwrap());
        assert_ne!(token.expose(), other.expose());
        let claimed = PersonalSecret::claimed(token.expose()).unwrap();
        assert_eq!(claimed.digest(), token.digest());
        assert_ne!(token.digest(), other.digest());
        assert!(!token.expose().contains(&token.digest().0) && !token.digest().0.contains(token.expose()));
        assert!(!format!("{token:?}").contains(token.expose()));
        let cut = &token.expose()[..token.expose().len() - 1];
        for wrong in ["", "mbp_", "mbp_none", cut, &format!("{}A", token.expose()), &token.expose()[4..]] {
            assert!(PersonalSecret::claimed(wrong).is_none(), "{wrong}");
        }
    }
}
