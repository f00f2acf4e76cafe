//! The token of a mailed link, to choose a new password or to confirm an address. It has 256 random bits, and the
//! database keeps only a digest. So somebody who reads the database cannot use the link. The digest needs no salt,
//! since the bits cannot be guessed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// OWASP ASVS 5.0, 6.3 asks for 112 bits at least.
const BYTES: usize = 32;

/// A token as the link has it. `Debug` does not show it.
#[derive(Debug)]
pub struct MailToken(SecretString);

/// The digest of a token, which is stored and looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailDigest(String);

impl MailToken {
    /// A new token.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// A text that a client sent as a token.
    #[must_use]
    pub fn claimed(text: String) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn digest(&self) -> MailDigest {
        MailDigest(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose_secret())))
    }

    /// For the link.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl MailDigest {
    /// For the database and its filters.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_bits_and_is_kept_as_a_digest_only() {
        let (token, other) = (MailToken::random().unwrap(), MailToken::random().unwrap());
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(token.expose()).unwrap().len() * 8, 256);
        assert_ne!(token.expose(), other.expose());
        assert_eq!(token.digest(), MailToken::claimed(token.expose().to_owned()).digest());
        assert_ne!(token.digest(), other.digest());
        assert!(!token.digest().as_stored().contains(token.expose()));
        assert!(!format!("{token:?}").contains(token.expose()));
    }
}
