//! A secret that works once and for a short time. It has 256 random bits, and the database keeps only a digest.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// The secret as its holder has it. `Debug` does not show it.
#[derive(Debug)]
pub struct ShortSecret(SecretString);

impl ShortSecret {
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(random_text()?.into()))
    }

    /// A text that a client sent as a secret.
    #[must_use]
    pub fn claimed(text: &str) -> Self {
        Self(text.into())
    }

    /// The digest, which is stored and looked up.
    #[must_use]
    pub fn digest(&self) -> String {
        s256(self.0.expose_secret())
    }

    /// The secret itself, for its holder.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// 43 characters of base64url that cannot be guessed.
///
/// # Errors
/// If the operating system has no random numbers.
pub fn random_text() -> Result<String, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// The transformation S256 of RFC 7636, section 4.2.
#[must_use]
pub fn s256(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_256_bits_does_not_print_and_is_kept_as_a_digest() {
        let (secret, other) = (ShortSecret::random().unwrap(), ShortSecret::random().unwrap());
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(secret.expose()).unwrap().len() * 8, 256);
        assert_ne!(secret.digest(), other.digest());
        assert_eq!(ShortSecret::claimed(secret.expose()).digest(), secret.digest());
        assert!(
            !secret.digest().contains(secret.expose()) && !format!("{secret:?}").contains(secret.expose())
        );
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_example_of_the_rfc_has_its_challenge() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(s256(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
