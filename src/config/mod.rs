//! Reads the settings and the secret once, at the start, and checks them.
//!
//! Settings come from these sources; later ones override earlier ones: the `Rocket.toml` in the binary, the one in
//! the working directory, `.env`, the environment. `docs/reference/settings.md` lists them. Nothing reads the
//! environment later. A secret is a [`secrecy::SecretString`], which does not print.
//!
//! This folder imports no other folder.
//!
//! | question | file |
//! | --- | --- |
//! | which settings there are, and of which type | [`settings`]; those of the mail: [`mod@mail`]; of other providers: [`oidc`] |
//! | which values the server accepts | [`checks`] |
//! | where a value comes from | [`sources`] |
//! | how a variable finds its setting | [`keys`] |
//! | what is said of a value that has the wrong type | [`words`] |
//! | where the secret comes from, and which keys are derived from it | [`secret`] |
//!
//! To add a setting, add a field to its struct in `settings.rs` and a line to `Rocket.toml` and `.env.example`. The
//! tests name the file that you forgot.

mod checks;
mod keys;
mod mail;
mod oidc;
#[cfg(test)]
mod page_tests;
pub mod secret;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod words;

pub use mail::{MailSettings, Smtp};
pub use oidc::{OidcProvider, OidcSettings, is_loopback, is_safe};
pub use settings::{
    AccountsSettings, CacheSettings, CorsSettings, EventsSettings, HistorySettings, JwtSettings, LogFormat,
    LogLevel, LogSettings, MetricsSettings, MongodbSettings, PasswordSettings, SearchEngine, SearchSettings,
    Settings, SettingsError, Signup, ThrottleSettings,
};
pub use sources::{Sources, defaults, read};
