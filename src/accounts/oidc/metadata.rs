//! What a provider says about itself (OpenID Connect Discovery 1.0). The server reads it at the first use, keeps it for
//! an hour, and reads it again if it does not know a key.
//!
//! One request at a time asks the provider. Requests that waited for it share its result, even a failure. So a provider
//! that hangs is asked only once in a while, and each caller waits only once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use openidconnect::{
    AdditionalProviderMetadata, IssuerUrl, ProviderMetadata, UserInfoUrl,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::client::ProviderClient;
use crate::config::is_safe;

/// How long the two requests for the metadata may take together.
const LIMIT: Duration = Duration::from_secs(7);
/// How long the metadata is used before it is read again.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// How long after a failure nobody asks again.
const PAUSE: Duration = Duration::from_secs(1);

/// RFC 9207, section 3.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssuerAnnounced {
    /// Whether every answer to the browser names the issuer.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for IssuerAnnounced {}

pub type Metadata = ProviderMetadata<
    IssuerAnnounced,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What is known about one provider.
pub struct Discovery {
    issuer: IssuerUrl,
    client: ProviderClient,
    known: Mutex<Option<Known>>,
    /// Held by the request that asks. The value says when the last request failed.
    asking: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Known {
    metadata: Arc<Metadata>,
    read_at: Instant,
}

/// Why a provider cannot be used: for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

impl Discovery {
    #[must_use]
    pub fn new(issuer: IssuerUrl, client: ProviderClient) -> Self {
        Self { issuer, client, known: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// # Errors
    /// When the metadata is not known, and the provider does not send it in time.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, Unusable> {
        let is_fresh = |known: &Known| known.read_at.elapsed() < FRESH_FOR;
        if let Some(known) = self.known().filter(is_fresh) {
            return Ok(known.metadata);
        }
        self.ask(|known| is_fresh(known)).await.or_else(|error| {
            let Some(known) = self.known() else { return Err(error) };
            tracing::warn!(issuer = self.issuer.as_str(), %error, "a provider's metadata could not be read again; the server uses the old metadata");
            Ok(known.metadata)
        })
    }

    /// Reads the metadata again, unless another request has done so since `old` was read.
    ///
    /// # Errors
    /// When the provider does not send it in time.
    pub async fn newer_than(&self, old: &Arc<Metadata>) -> Result<Arc<Metadata>, Unusable> {
        self.ask(|known| !Arc::ptr_eq(&known.metadata, old)).await
    }

    async fn ask(&self, is_good: impl Fn(&Known) -> bool) -> Result<Arc<Metadata>, Unusable> {
        let mut failed_at = self.asking.lock().await;
        if let Some(known) = self.known().filter(|known| is_good(known)) {
            return Ok(known.metadata);
        }
        if failed_at.is_some_and(|failed_at| failed_at.elapsed() < PAUSE) {
            return Err(Unusable("the last request to the provider failed a moment ago".to_owned()));
        }
        let asked = match timeout(LIMIT, self.discover()).await {
            Ok(asked) => asked,
            Err(_) => Err(Unusable("no answer in time".to_owned())),
        };
        *failed_at = asked.is_err().then(Instant::now);
        let metadata = Arc::new(asked?);
        let known = Known { metadata: Arc::clone(&metadata), read_at: Instant::now() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(metadata)
    }

    async fn discover(&self) -> Result<Metadata, Unusable> {
        let asked = Metadata::discover_async(self.issuer.clone(), &self.client).await;
        let metadata = asked.map_err(|error| Unusable(format!("discovery: {}", chain(&error))))?;
        let needs_tls = self.issuer.url().scheme() == "https";
        let token = metadata
            .token_endpoint()
            .ok_or_else(|| Unusable("the provider has no token endpoint".to_owned()))?;
        let userinfo = metadata.userinfo_endpoint().map(UserInfoUrl::url);
        let others = [metadata.authorization_endpoint().url(), token.url(), metadata.jwks_uri().url()];
        for endpoint in others.into_iter().chain(userinfo) {
            if !is_safe(endpoint) || (needs_tls && endpoint.scheme() != "https") {
                return Err(Unusable("one of the provider's endpoints is not https".to_owned()));
            }
        }
        Ok(metadata)
    }
}

/// An error with its causes. The crate's errors say what is wrong, and none of them repeats the text that was received.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
