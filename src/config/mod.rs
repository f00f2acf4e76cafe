//! The settings: where they come from, their types, their limits.
//!
//! They are read once, at the start, and checked as a whole: see section "Settings" of the README
//! for the list. Nothing reads the environment later. Secrets are [`SecretString`]s, which do not
//! print.

mod checks;
mod keys;
mod mail;
pub mod secret;
mod settings;
mod sources;
#[cfg(test)]
mod tests;

pub use mail::{MailSettings, Smtp};
pub use settings::{
    CacheSettings, CorsSettings, EventsSettings, JwtSettings, LogFormat, LogLevel, LogSettings,
    MetricsSettings, MongodbSettings, PasswordSettings, Settings, SettingsError, ThrottleSettings,
};
pub use sources::{defaults, figment};
