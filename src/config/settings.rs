//! The settings: every key, with its type.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use figment::Figment;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::{
    mail::MailSettings,
    oidc::OidcSettings,
    words::{self, readable},
};

/// A setting that cannot be used. The text names the key and never contains a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(super) String);

impl SettingsError {
    /// For a setting that is checked elsewhere.
    #[must_use]
    pub fn of(key: &str, reason: &str) -> Self {
        Self(format!("{key}: {reason}"))
    }
}

/// All settings but Rocket's own.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    pub mongodb: MongodbSettings,
    pub data_dir: PathBuf,
    pub jwt: JwtSettings,
    pub password: PasswordSettings,
    pub accounts: AccountsSettings,
    pub mail: MailSettings,
    pub throttle: ThrottleSettings,
    pub cors: CorsSettings,
    pub metrics: MetricsSettings,
    pub log: LogSettings,
    pub events: EventsSettings,
    pub cache: CacheSettings,
    pub history: HistorySettings,
    pub search: SearchSettings,
    /// Other providers to sign in with, by their ids.
    #[serde(default)]
    pub oidc: BTreeMap<String, OidcSettings>,
    /// Where a sign-in with one of them may return to. If empty, it returns to this server's own web client.
    pub oidc_return_to: Vec<String>,
    /// Where clients reach this server, without a path. Unset: at the address on which it listens.
    #[serde(default, deserialize_with = "unless_blank")]
    pub public_url: Option<String>,
    pub http: HttpSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MongodbSettings {
    /// Unset: the server runs its own mongod.
    #[serde(default, deserialize_with = "unless_blank")]
    pub uri: Option<SecretString>,
    pub database: String,
    /// The mongod to embed.
    #[serde(default, deserialize_with = "unless_blank")]
    pub mongod: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    #[serde(default, deserialize_with = "unless_blank")]
    pub secret: Option<SecretString>,
    #[serde(deserialize_with = "duration")]
    pub lifetime: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSettings {
    pub bcrypt_cost: u32,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signup {
    /// Anyone.
    Open,
    /// Nobody. Accounts are made only on the command line.
    Closed,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsSettings {
    pub signup: Signup,
    /// Whether only users with a confirmed address may add and change movies.
    pub require_verified_email: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleSettings {
    pub enabled: bool,
    /// How many requests under `/api` an address may make; 0 means no limit. Does not depend on `enabled`.
    pub reads_per_second: u32,
    /// How many movies an account may add and change; 0 means no limit. Does not depend on `enabled`.
    pub writes_per_minute: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    pub origins: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    pub public: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
    pub level: LogLevel,
}

/// The engine that answers searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchEngine {
    /// The index if the database has change streams, otherwise MongoDB's text index.
    Auto,
    /// An index that this server keeps in its data folder.
    Index,
    /// MongoDB's own text index.
    Text,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchSettings {
    pub engine: SearchEngine,
}

/// The lowest level that is logged. There is none below `info`: there, the libraries' own lines would show headers, and
/// with them tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsSettings {
    /// How many clients may listen at once.
    pub listeners: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    pub movies: usize,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// How long shared caches may keep public answers.
    #[serde(deserialize_with = "duration")]
    pub public_max_age: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistorySettings {
    /// How long changes of movies are kept.
    #[serde(deserialize_with = "duration")]
    pub keep: Duration,
}

/// `MOVIE_BAG_MONGODB__URI=` in a compose file means "not set".
pub(super) fn unless_blank<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|_| serde::de::Error::custom(words::DURATION))
}

impl Settings {
    /// Reads and checks all settings, Rocket's own included.
    ///
    /// # Errors
    /// The first setting that cannot be used, by its key.
    pub fn extract(figment: &Figment) -> Result<Self, SettingsError> {
        let settings: Self = figment.extract().map_err(|error| readable(&error))?;
        let rocket: rocket::Config = figment.extract().map_err(|error| readable(&error))?;
        if rocket.workers == 0 {
            return Err(SettingsError("workers: must be at least 1".to_owned()));
        }
        settings.check()?;
        settings.check_oidc(rocket.address)?;
        Ok(settings)
    }
}
