//! The providers that the operator has set up, and how a browser is sent to one.

use std::collections::HashSet;

use openidconnect::{
    AuthType, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    core::{CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::{
    client::{ClientError, ProviderClient},
    codes::ExchangeCodes,
    metadata::{Discovery, Metadata, Unusable},
    start::{Sealing, Start},
};
use crate::config::{OidcProvider, Settings, SettingsError};

/// How many sign-ins may wait for one provider at a time. Anyone can send a made-up code to the callback.
const AT_ONCE: usize = 64;

/// Everything that signing in with a provider needs.
pub struct Oidc {
    providers: Vec<Provider>,
    /// Where a sign-in may return to. If empty, it returns to this server's own web client.
    pub return_to: Vec<String>,
    /// Where clients reach this server. `None` means where it listens.
    pub public_url: Option<String>,
    pub sealing: Sealing,
    pub codes: ExchangeCodes,
}

/// One provider.
pub struct Provider {
    pub settings: OidcProvider,
    pub discovery: Discovery,
    pub client: ProviderClient,
    pub places: Semaphore,
}

/// A client of the provider, made from the provider's metadata.
pub(super) type FlowClient = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why the providers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error(transparent)]
    Setting(#[from] SettingsError),
    #[error("cannot make the client for providers: {0}")]
    Client(#[from] ClientError),
}

impl Oidc {
    /// Does not ask the providers for anything: the first use does.
    ///
    /// # Errors
    /// When a setting or TLS cannot be used.
    pub fn new(settings: &Settings, secret: &SecretString, codes: ExchangeCodes) -> Result<Self, OidcError> {
        let configured = settings.oidc_providers()?;
        let mut providers = Vec::new();
        // A client reads all certificates of the system, so a server without providers makes none.
        if !configured.is_empty() {
            let client = ProviderClient::new()?;
            for settings in configured {
                providers.push(Provider::new(settings, &client)?);
            }
        }
        Ok(Self {
            providers,
            return_to: settings.oidc_return_to.clone(),
            public_url: settings.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            sealing: Sealing::new(secret),
            codes,
        })
    }

    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.settings.id == id)
    }

    /// The issuers with which users can sign in now.
    #[must_use]
    pub fn issuers(&self) -> Vec<&str> {
        let all: HashSet<&str> =
            self.providers.iter().map(|provider| provider.settings.issuer.as_str()).collect();
        all.into_iter().collect()
    }
}

impl Provider {
    fn new(settings: OidcProvider, client: &ProviderClient) -> Result<Self, OidcError> {
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| {
            SettingsError::of(&format!("oidc.{}.issuer", settings.id), &error.to_string())
        })?;
        Ok(Self {
            settings,
            discovery: Discovery::new(issuer, client.clone()),
            client: client.clone(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    pub(super) fn flow(&self, metadata: &Metadata, redirect: String) -> Result<FlowClient, Unusable> {
        let redirect = RedirectUrl::new(redirect)
            .map_err(|error| Unusable(format!("the redirect address is not valid: {error}")))?;
        let secret = ClientSecret::new(self.settings.client_secret.expose_secret().to_owned());
        let id = ClientId::new(self.settings.client_id.clone());
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, Some(secret));
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_some_and(|methods| methods.contains(&method));
        // Every provider takes basic authentication, unless it says that it takes only the other method.
        let only_post =
            takes(CoreClientAuthMethod::ClientSecretPost) && !takes(CoreClientAuthMethod::ClientSecretBasic);
        let auth = if only_post { AuthType::RequestBody } else { AuthType::BasicAuth };
        Ok(client.set_redirect_uri(redirect).set_auth_type(auth))
    }

    /// The address at the provider to which a browser is sent.
    ///
    /// # Errors
    /// When the provider cannot be used.
    pub async fn authorization(&self, start: &Start, redirect: String) -> Result<String, Unusable> {
        let metadata = self.discovery.metadata().await?;
        let verifier = PkceCodeVerifier::new(start.verifier.clone());
        let (state, nonce) = (CsrfToken::new(start.state.clone()), Nonce::new(start.nonce.clone()));
        let flow = self.flow(&metadata, redirect)?;
        let request = flow
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let (address, ..) = request.url();
        Ok(address.into())
    }
}
