//! Signing in with another provider (OpenID Connect Core 1.0): the authorization code flow, with PKCE, `state` and
//! `nonce`.
//!
//! A sign-in has three steps. `start` sends the browser to the provider and keeps nothing but a sealed cookie. The
//! callback redeems the provider's code, and hands the client a code of our own. The exchange of that code does
//! what the sign-in is for: it signs in, makes an account or links one. Only the client that began the sign-in has the
//! verifier that the exchange asks for, so a link that somebody else began does nothing.
//!
//! | question | file |
//! | --- | --- |
//! | which providers there are, and how the browser is sent to one | [`provider`] |
//! | what a provider says about itself, and how its keys are kept up to date | [`metadata`] |
//! | what is checked in a provider's answer | [`redeem`] |
//! | which requests go to a provider, and within which limits | [`client`] |
//! | what the cookie holds, and how it is sealed | [`start`] |
//! | the code of the exchange | [`codes`]; how it and a link ticket are made: [`secret`] |
//! | which account an identity belongs to | [`super::store::identities`] |
//! | which linked providers a client sees | [`super::routes::identities`] |
//! | the routes of the three steps | [`super::routes::start`], [`super::routes::callback`], [`super::routes::exchange`] |

pub mod client;
pub mod codes;
pub mod metadata;
pub mod provider;
pub mod redeem;
pub mod secret;
pub mod start;

pub use codes::{ExchangeCodes, Purpose, SignedIn};
pub use provider::{Oidc, Provider};
pub use redeem::Failure;
pub use start::Start;
