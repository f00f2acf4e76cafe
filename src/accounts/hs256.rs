//! HS256 (RFC 7518, section 3.2) for jsonwebtoken: HMAC with SHA-256, and nothing else.
//!
//! The crate's own `rust_crypto` provider also has RSA and elliptic curves, with which no token here may be signed. It
//! needs 27 crates, and one of them has an advisory without a fix (RUSTSEC-2023-0071).

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Signer, Verifier},
};
use sha2::Sha256;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key: &EncodingKey| {
        Ok(Box::new(hs256(*algorithm, key.family(), key.as_bytes())?))
    },
    verifier_factory: |algorithm, key: &DecodingKey| {
        Ok(Box::new(hs256(*algorithm, key.family(), key.try_get_as_bytes()?)?))
    },
    // For keys in JWK form, which are never read here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes jsonwebtoken use this cryptography in this process. Safe to repeat.
pub fn install() {
    // This fails only if a provider is already installed, which is this one.
    let _ = PROVIDER.install_default();
}

struct Hs256(Hmac<Sha256>);

fn hs256(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> Result<Hs256> {
    if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Hs256(Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?))
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// Compares the whole signature, in constant time. A shorter one is wrong.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use jsonwebtoken::crypto::{sign, verify};

    use super::*;

    /// The example of RFC 7515, appendix A.1.
    #[test]
    fn the_example_of_the_rfc_is_signed_and_verified() {
        install();
        let key = BASE64_URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
            .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
            .as_bytes();
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(sign(message, &EncodingKey::from_secret(&key), Algorithm::HS256).unwrap(), signature);
        let verified = |signature, key: &[u8]| {
            verify(signature, message, &DecodingKey::from_secret(key), Algorithm::HS256).unwrap()
        };
        assert!(verified(signature, &key));
        assert!(!verified(signature, b"another key"));
        for wrong in ["", "dBjf", &signature.replace('d', "e")] {
            assert!(!verified(wrong, &key), "{wrong}");
        }
    }

    #[test]
    fn there_is_no_other_algorithm() {
        install();
        for algorithm in
            [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
        {
            assert!(sign(b"x", &EncodingKey::from_secret(b"key"), algorithm).is_err(), "{algorithm:?}");
            assert!(verify("", b"x", &DecodingKey::from_secret(b"key"), algorithm).is_err(), "{algorithm:?}");
        }
        // A public key is not a secret, whatever the header says.
        assert!(sign(b"x", &EncodingKey::from_rsa_der(b"key"), Algorithm::HS256).is_err());
        assert!(verify("", b"x", &DecodingKey::from_rsa_der(b"key"), Algorithm::HS256).is_err());
    }
}
