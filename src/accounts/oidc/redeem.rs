//! The provider's answer: the server redeems its code for an ID token, and checks everything that the token says before
//! it believes it (OpenID Connect Core, section 3.1.3.7).

use std::time::Duration;

use openidconnect::{
    AccessToken, AuthorizationCode, ClaimsVerificationError, Nonce, OAuth2TokenResponse, PkceCodeVerifier,
    RequestTokenError, SignatureVerificationError, SubjectIdentifier, TokenResponse,
    core::{CoreIdToken, CoreIdTokenClaims, CoreJwsSigningAlgorithm, CoreUserInfoClaims},
};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    metadata::{Unusable, chain},
    provider::{FlowClient, Provider},
    start::Start,
};
use crate::{
    accounts::{EmailAddress, EmailRule},
    http::fields::Rule,
};

/// How long all requests of one sign-in may take.
const LIMIT: Duration = Duration::from_secs(12);
/// OpenID Connect Core, section 2.
const SUBJECT_CHARACTERS: usize = 255;

/// Why a sign-in with a provider failed, as the client reads it after `#error=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The person or this service refuses the sign-in.
    AccessDenied,
    EmailTaken,
    EmailNotVerified,
    ProviderFailed,
    LinkFailed,
    Overloaded,
}

impl Failure {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access-denied",
            Self::EmailTaken => "email-taken",
            Self::EmailNotVerified => "email-not-verified",
            Self::ProviderFailed => "provider-failed",
            Self::LinkFailed => "link-failed",
            Self::Overloaded => "overloaded",
        }
    }
}

/// What the provider sent to the callback.
pub struct Returned<'a> {
    pub code: Option<&'a str>,
    pub issuer: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// A person whom the provider has named.
pub struct Person {
    pub subject: String,
    address: Address,
    access_token: AccessToken,
}

/// What the provider says about a person's address.
#[derive(Default)]
struct Address {
    email: Option<String>,
    is_verified: Option<bool>,
}

impl Address {
    fn of(claims: &CoreIdTokenClaims) -> Self {
        Self { email: claims.email().map(|email| email.to_string()), is_verified: claims.email_verified() }
    }

    fn is_whole(&self) -> bool {
        self.email.is_some() && self.is_verified.is_some()
    }
}

fn unusable(error: &Unusable, provider: &Provider) -> Failure {
    let provider = &provider.settings.id;
    tracing::warn!(provider, reason = %error, "a sign-in with a provider failed");
    Failure::ProviderFailed
}

impl Provider {
    /// Who has signed in.
    ///
    /// # Errors
    /// What is wrong with the answer or with the provider.
    pub async fn redeem(
        &self,
        start: &Start,
        returned: &Returned<'_>,
        redirect: String,
    ) -> Result<Person, Failure> {
        let Ok(_place) = self.places.try_acquire() else { return Err(Failure::Overloaded) };
        let redeemed = match timeout(LIMIT, self.redeem_in_time(start, returned, redirect)).await {
            Ok(redeemed) => redeemed,
            Err(_) => Err(Unusable("no answer in time".to_owned())),
        };
        redeemed.unwrap_or_else(|error| Err(unusable(&error, self)))
    }

    async fn redeem_in_time(
        &self,
        start: &Start,
        returned: &Returned<'_>,
        redirect: String,
    ) -> Result<Result<Person, Failure>, Unusable> {
        let metadata = self.discovery.metadata().await?;
        // RFC 9207, section 2.4: this comes first, since the answer may be another provider's.
        let announced = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match returned.issuer {
            Some(issuer) if issuer != self.settings.issuer => {
                return Err(Unusable("the answer is from another issuer".to_owned()));
            }
            None if announced => return Err(Unusable("the answer names no issuer".to_owned())),
            _ => {}
        }
        match (returned.error, returned.code) {
            (Some("access_denied"), _) => Ok(Err(Failure::AccessDenied)),
            (Some(error), _) => Err(Unusable(format!("the provider answered {:?}", shortened(error)))),
            (None, None) => Err(Unusable("the answer has no code".to_owned())),
            (None, Some(code)) => {
                let flow = self.flow(&metadata, redirect.clone())?;
                let (token, access_token) = self.token(&flow, code, &start.verifier).await?;
                let nonce = Nonce::new(start.nonce.clone());
                let claims = match verified(&flow, &token, &nonce) {
                    Err(error) if is_of_unknown_key(&error) => {
                        let newer = self.discovery.newer_than(&metadata).await?;
                        verified(&self.flow(&newer, redirect)?, &token, &nonce).cloned()
                    }
                    claims => claims.cloned(),
                };
                let claims = claims
                    .map_err(|error| Unusable(format!("the ID token is not valid: {}", chain(&error))))?;
                let subject = claims.subject().to_string();
                if subject.is_empty() || subject.chars().count() > SUBJECT_CHARACTERS {
                    return Err(Unusable("the subject does not have 1 to 255 characters".to_owned()));
                }
                Ok(Ok(Person { subject, address: Address::of(&claims), access_token }))
            }
        }
    }

    /// Redeems the provider's code.
    async fn token(
        &self,
        flow: &FlowClient,
        code: &str,
        verifier: &str,
    ) -> Result<(CoreIdToken, AccessToken), Unusable> {
        let request = flow
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| Unusable(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        let answer = request.request_async(&self.client).await.map_err(|error| {
            // None of these texts repeats what was received, which may hold a token.
            Unusable(match error {
                RequestTokenError::ServerResponse(error) => {
                    format!("the token endpoint answered {:?}", shortened(error.error().as_ref()))
                }
                RequestTokenError::Request(error) => format!("the token endpoint: {error}"),
                RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                    "the token endpoint's answer cannot be read".to_owned()
                }
            })
        })?;
        let token = answer.id_token().ok_or_else(|| Unusable("the answer has no ID token".to_owned()))?;
        Ok((token.clone(), answer.access_token().clone()))
    }

    /// The address that the provider has confirmed, from the ID token or from the userinfo endpoint.
    ///
    /// # Errors
    /// When the provider confirms no address.
    pub async fn confirmed_address(&self, person: Person) -> Result<EmailAddress, Failure> {
        let mut address = person.address;
        if !address.is_whole() {
            let asked = timeout(LIMIT, self.ask_for_address(&person.subject, person.access_token)).await;
            let asked = asked.unwrap_or_else(|_| Err(Unusable("no answer in time".to_owned())));
            address = asked.map_err(|error| unusable(&error, self))?.unwrap_or(address);
        }
        let Address { email: Some(email), is_verified: Some(true) } = address else {
            return Err(Failure::EmailNotVerified);
        };
        EmailRule.parse(Value::from(email)).map_err(|_| {
            unusable(
                &Unusable("the confirmed address is not an address that this server accepts".to_owned()),
                self,
            )
        })
    }

    /// `None` if the provider has no userinfo endpoint.
    async fn ask_for_address(
        &self,
        subject: &str,
        access_token: AccessToken,
    ) -> Result<Option<Address>, Unusable> {
        let metadata = self.discovery.metadata().await?;
        if metadata.userinfo_endpoint().is_none() {
            return Ok(None);
        }
        let flow = self.flow(&metadata, self.settings.issuer.clone())?;
        // Section 5.3.2: claims about another subject must not be used.
        let request = flow
            .user_info(access_token, Some(SubjectIdentifier::new(subject.to_owned())))
            .map_err(|error| Unusable(error.to_string()))?;
        let claims: CoreUserInfoClaims = request
            .request_async(&self.client)
            .await
            .map_err(|error| Unusable(format!("the userinfo endpoint: {error}")))?;
        let email = claims.email().map(|email| email.to_string());
        Ok(Some(Address { email, is_verified: claims.email_verified() }))
    }
}

/// The claims of a token that the provider has signed for us and for this sign-in, and that is not expired. Only
/// signatures by public keys count: a key that everybody knows must not be taken for a shared secret, and `none` is not
/// a signature.
fn verified<'t>(
    flow: &FlowClient,
    token: &'t CoreIdToken,
    nonce: &Nonce,
) -> Result<&'t CoreIdTokenClaims, ClaimsVerificationError> {
    let verifier = flow.id_token_verifier().set_allowed_algs([
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        CoreJwsSigningAlgorithm::EdDsa,
    ]);
    token.claims(&verifier, nonce)
}

/// Providers change their keys. If a new key has no id, or the id of an old key, only the signature fails.
fn is_of_unknown_key(error: &ClaimsVerificationError) -> bool {
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_)
        )
    )
}

/// Shortens what somebody has sent, for the log.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
