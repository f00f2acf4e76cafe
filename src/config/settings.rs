//! The settings: every key, with its type.

use std::{path::PathBuf, time::Duration};

use figment::Figment;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{mail::MailSettings, sources::readable};

/// A setting that cannot be used. The text names the key and never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(super) String);

/// Everything that can be set, but for Rocket's own settings.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    pub mongodb: MongodbSettings,
    pub data_dir: PathBuf,
    pub jwt: JwtSettings,
    pub password: PasswordSettings,
    pub mail: MailSettings,
    pub throttle: ThrottleSettings,
    pub cors: CorsSettings,
    pub metrics: MetricsSettings,
    pub log: LogSettings,
    pub events: EventsSettings,
    pub cache: CacheSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MongodbSettings {
    /// Unset: the server runs its own mongod.
    pub uri: Option<SecretString>,
    pub database: String,
    /// The mongod to embed.
    pub mongod: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    pub secret: Option<SecretString>,
    #[serde(deserialize_with = "duration")]
    pub lifetime: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSettings {
    pub bcrypt_cost: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleSettings {
    pub enabled: bool,
    /// Movies that an account may add and change; 0: no limit. Whatever `enabled` says.
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

/// The least important lines that are written. There is nothing below `info`: the libraries' own lines
/// would show headers, and with them tokens.
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
    /// How many may listen at once.
    pub listeners: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    pub movies: usize,
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(serde::de::Error::custom)
}

impl Settings {
    /// Reads and checks all settings, Rocket's own included.
    ///
    /// # Errors
    /// The first setting that cannot be used, by its key.
    pub fn extract(figment: &Figment) -> Result<Self, SettingsError> {
        let mut settings: Self = figment.extract().map_err(|error| readable(&error))?;
        let rocket: rocket::Config = figment.extract().map_err(|error| readable(&error))?;
        if rocket.workers == 0 {
            return Err(SettingsError("workers: must be at least 1".to_owned()));
        }
        settings.drop_blank();
        settings.check()?;
        Ok(settings)
    }

    /// `MOVIE_BAG_MONGODB__URI=` in a compose file means "not set".
    fn drop_blank(&mut self) {
        for secret in [&mut self.mongodb.uri, &mut self.jwt.secret, &mut self.mail.smtp_url] {
            if secret.as_ref().is_some_and(|secret| secret.expose_secret().is_empty()) {
                *secret = None;
            }
        }
        for text in [&mut self.mail.from, &mut self.mail.link_base] {
            if text.as_ref().is_some_and(String::is_empty) {
                *text = None;
            }
        }
        if self.mongodb.mongod.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            self.mongodb.mongod = None;
        }
    }
}
