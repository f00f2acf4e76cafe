//! The keys that the tests' provider signs with.

use std::sync::Arc;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64_URL},
};
use hmac::{Hmac, KeyInit, Mac};
use ring::{
    rand::SystemRandom,
    rsa::{self, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use serde_json::{Value, json};
use sha2::Sha256;

#[derive(Clone)]
enum Pair {
    Es256(Arc<EcdsaKeyPair>),
    EdDsa(Arc<Ed25519KeyPair>),
    Rs256(Arc<rsa::KeyPair>),
}

/// A key with its id.
#[derive(Clone)]
pub struct Key {
    id: String,
    pair: Pair,
}

impl Key {
    pub fn es256(id: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair: Pair::Es256(Arc::new(pair)) }
    }

    pub fn eddsa(id: &str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap();
        Self { id: id.to_owned(), pair: Pair::EdDsa(Arc::new(pair)) }
    }

    /// This key is always the same, because ring cannot generate RSA keys. It signs nothing outside the tests.
    pub fn rs256(id: &str) -> Self {
        let text = include_str!("../../fixtures/provider_rsa_key.pem");
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = rsa::KeyPair::from_pkcs8(&BASE64_STANDARD.decode(base64).unwrap()).unwrap();
        Self { id: id.to_owned(), pair: Pair::Rs256(Arc::new(pair)) }
    }

    /// The same key under another id.
    pub fn renamed(&self, id: &str) -> Self {
        Self { id: id.to_owned(), pair: self.pair.clone() }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::EdDsa(_) => "EdDSA",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// The key in the form that the provider publishes.
    pub fn public(&self) -> Value {
        let mut key = match &self.pair {
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": BASE64_URL.encode(x), "y": BASE64_URL.encode(y) })
            }
            Pair::EdDsa(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL.encode(pair.public_key()) })
            }
            Pair::Rs256(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = PublicKeyComponents::from(pair.public());
                json!({ "kty": "RSA", "n": BASE64_URL.encode(n), "e": BASE64_URL.encode(e) })
            }
        };
        (key["kid"], key["use"], key["alg"]) =
            (self.id.as_str().into(), "sig".into(), self.algorithm().into());
        key
    }

    /// The public part of the key.
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Es256(pair) => pair.public_key().as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rs256(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

pub fn hs256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mac: Hmac<Sha256> = Hmac::new_from_slice(secret).unwrap();
    mac.chain_update(message).finalize().into_bytes().to_vec()
}
