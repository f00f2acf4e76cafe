//! Signing in with another provider, against a provider that does what a test tells it to do. `tests/browser` tests
//! against a real provider.

mod browser;
mod flow;
mod identities;
mod keys;
mod lies;
mod passwordless;
mod provider;

use movie_bag::config::{OidcSettings, Settings};

use self::provider::{CLIENT_ID, CLIENT_SECRET, Provider};
use crate::support::TestApp;

/// The settings of an operator for a provider.
fn settings_of(provider: &Provider) -> OidcSettings {
    OidcSettings {
        issuer: Some(provider.issuer.clone()),
        client_id: Some(CLIENT_ID.to_owned()),
        client_secret: Some(CLIENT_SECRET.into()),
        name: Some("The Fake".to_owned()),
    }
}

/// A server with one provider, `fake`.
async fn app_with(provider: &Provider) -> TestApp {
    app_set(provider, |_| {}).await
}

async fn app_set(provider: &Provider, change: impl FnOnce(&mut Settings)) -> TestApp {
    let fake = settings_of(provider);
    TestApp::set(|settings| {
        settings.oidc.insert("fake".to_owned(), fake);
        change(settings);
    })
    .await
}
