//! The settings: where they come from, their types, their limits.
//!
//! They are read once, at the start, and checked as a whole: see section "Settings" of the README
//! for the list. Nothing reads the environment later. Secrets are [`SecretString`]s, which do not
//! print.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use figment::Figment;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

mod mail;
mod sources;

pub use self::mail::{MailSettings, Smtp};
use self::sources::readable;
pub use self::sources::{defaults, figment};

/// RFC 7518, section 3.2: an HS256 key has at least the size of the hash.
pub const SECRET_BYTES: usize = 32;

/// A setting that cannot be used. The text names the key and never holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

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

    fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key: &str, reason: &str| Err(SettingsError(format!("{key}: {reason}")));
        if let Some(secret) = &self.jwt.secret
            && secret.expose_secret().len() < SECRET_BYTES
        {
            return wrong("jwt.secret", "needs 32 bytes at least (try: openssl rand -base64 48)");
        }
        if !(Duration::from_secs(1)..=Duration::from_hours(24 * 366)).contains(&self.jwt.lifetime) {
            return wrong("jwt.lifetime", "must be between 1s and 366d");
        }
        if !(10..=16).contains(&self.password.bcrypt_cost) {
            return wrong("password.bcrypt_cost", "must be 10 to 16");
        }
        // https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
        let database = &self.mongodb.database;
        if database.is_empty()
            || database.len() > 63
            || database.contains(['/', '\\', '.', ' ', '"', '$', '\0'])
        {
            return wrong("mongodb.database", "must be 1 to 63 bytes without any of /\\. \"$");
        }
        if let Some(uri) = &self.mongodb.uri {
            let uri = uri.expose_secret();
            if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
                return wrong("mongodb.uri", "must begin with mongodb:// or mongodb+srv://");
            }
        }
        if let Some(mongod) = &self.mongodb.mongod
            && !is_executable(mongod)
        {
            return wrong("mongodb.mongod", "there is no such program");
        }
        if self.data_dir.as_os_str().is_empty() {
            return wrong("data_dir", "must not be empty");
        }
        if self.events.listeners == 0 {
            return wrong("events.listeners", "must be at least 1");
        }
        self.mail.smtp()?;
        for origin in &self.cors.origins {
            let has_star = origin.strip_suffix(":*").unwrap_or(origin).contains('*');
            if origin != "*" && (has_star || !is_origin(origin.strip_suffix(":*").unwrap_or(origin))) {
                return wrong("cors.origins", "each must be scheme://host[:port], scheme://host:* or *");
            }
        }
        Ok(())
    }
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    let may_run = |metadata: std::fs::Metadata| {
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
    };
    #[cfg(not(unix))]
    let may_run = |_| true;
    path.is_file() && path.metadata().is_ok_and(may_run)
}

/// RFC 6454, section 6.2: scheme, host and port, nothing else.
fn is_origin(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == text)
}

#[cfg(test)]
mod tests {
    use figment::providers::{Format, Toml};

    use super::*;
    use crate::config::sources::layered;

    fn figment(variables: &[(&str, &str)]) -> Result<Figment, SettingsError> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        layered(Toml::string(""), variables)
    }

    fn with(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::extract(&figment(variables)?)
    }

    #[test]
    fn the_embedded_database_gets_half_of_the_cores() {
        let workers = |variables| figment(variables).unwrap().extract::<rocket::Config>().unwrap().workers;
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(workers(&[]), (cores / 2).max(1));
        assert_eq!(workers(&[("MOVIE_BAG_MONGODB__URI", "")]), (cores / 2).max(1));
        assert_eq!(workers(&[("MOVIE_BAG_MONGODB__URI", "mongodb://127.0.0.1")]), cores);
        assert_eq!(workers(&[("ROCKET_WORKERS", "7")]), 7);
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = with(&[]).unwrap();
        assert_eq!(settings.mongodb.database, "movie_bag");
        assert!(settings.mongodb.uri.is_none());
        assert_eq!(settings.data_dir, PathBuf::from("data"));
        assert_eq!(settings.jwt.lifetime, Duration::from_hours(168));
        assert_eq!(settings.password.bcrypt_cost, 12);
        assert!(settings.throttle.enabled);
        assert_eq!(settings.throttle.writes_per_minute, 0);
        assert!(!settings.metrics.public);
        assert_eq!(settings.cors.origins, ["http://localhost:*"]);
        assert_eq!(with(&[("ROCKET_PROFILE", "release")]).unwrap().cors.origins, [""; 0]);
        assert_eq!(settings.log.format, LogFormat::Text);
        assert_eq!(settings.log.level, LogLevel::Info);
        assert_eq!(settings.events.listeners, 4_096);
        assert_eq!(settings.cache.movies, 0);
    }

    #[test]
    fn a_variable_wins_over_the_file_and_the_later_over_the_earlier() {
        let settings = with(&[
            ("MOVIE_BAG_MONGODB__DATABASE", "first"),
            ("MOVIE_BAG_MONGODB__DATABASE", "second"),
            ("MOVIE_BAG_PASSWORD__BCRYPT_COST", "10"),
            ("MOVIE_BAG_CORS__ORIGINS", r#"["https://a.example"]"#),
        ])
        .unwrap();
        assert_eq!(settings.mongodb.database, "second");
        assert_eq!(settings.password.bcrypt_cost, 10);
        assert_eq!(settings.cors.origins, ["https://a.example"]);
    }

    #[test]
    fn text_stays_text_whatever_it_looks_like() {
        let digits = "12345678901234567890123456789012";
        let settings = with(&[("MOVIE_BAG_JWT__SECRET", digits)]).unwrap();
        assert_eq!(settings.jwt.secret.unwrap().expose_secret(), digits);
    }

    #[test]
    fn a_misspelt_variable_stops_the_start_but_the_tests_own_do_not() {
        let error = with(&[("MOVIE_BAG_JWT__SECRETT", "x")]).unwrap_err();
        assert!(error.to_string().starts_with("MOVIE_BAG_JWT__SECRETT: "), "{error}");
        with(&[("MOVIE_BAG_TEST_ANYTHING", "x")]).unwrap();
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        for (name, value, key) in [
            ("MOVIE_BAG_JWT__SECRET", "short", "jwt.secret"),
            ("MOVIE_BAG_JWT__LIFETIME", "soon", "jwt.lifetime"),
            ("MOVIE_BAG_JWT__LIFETIME", "0s", "jwt.lifetime"),
            ("MOVIE_BAG_PASSWORD__BCRYPT_COST", "9", "password.bcrypt_cost"),
            ("MOVIE_BAG_PASSWORD__BCRYPT_COST", "17", "password.bcrypt_cost"),
            ("MOVIE_BAG_PASSWORD__BCRYPT_COST", "many", "password.bcrypt_cost"),
            ("MOVIE_BAG_MONGODB__URI", "postgres://x", "mongodb.uri"),
            ("MOVIE_BAG_MONGODB__DATABASE", "a.b", "mongodb.database"),
            ("MOVIE_BAG_MONGODB__MONGOD", "/no/such/file", "mongodb.mongod"),
            ("MOVIE_BAG_THROTTLE__ENABLED", "perhaps", "throttle.enabled"),
            ("MOVIE_BAG_THROTTLE__WRITES_PER_MINUTE", "-1", "throttle.writes_per_minute"),
            ("MOVIE_BAG_METRICS__PUBLIC", "3", "metrics.public"),
            ("MOVIE_BAG_LOG__FORMAT", "xml", "log.format"),
            ("MOVIE_BAG_LOG__LEVEL", "debug", "log.level"),
            ("MOVIE_BAG_EVENTS__LISTENERS", "0", "events.listeners"),
            ("MOVIE_BAG_EVENTS__LISTENERS", "many", "events.listeners"),
            ("MOVIE_BAG_CACHE__MOVIES", "-1", "cache.movies"),
            ("MOVIE_BAG_CORS__ORIGINS", r#"["example.com"]"#, "cors.origins"),
            ("MOVIE_BAG_CORS__ORIGINS", r#"["https://*.example.com"]"#, "cors.origins"),
            ("MOVIE_BAG_MAIL__FROM", "a@example.com", "mail.smtp_url"),
            ("MOVIE_BAG_MAIL__SMTP_URL", "smtp://127.0.0.1", "mail.from"),
            ("ROCKET_PORT", "many", "port"),
            ("ROCKET_WORKERS", "0", "workers"),
        ] {
            let error = with(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{key}: ")), "{name}={value}: {error}");
        }
    }

    #[test]
    fn mail_is_checked_as_a_whole() {
        let mail = |url, from, base| {
            with(&[
                ("MOVIE_BAG_MAIL__SMTP_URL", url),
                ("MOVIE_BAG_MAIL__FROM", from),
                ("MOVIE_BAG_MAIL__LINK_BASE", base),
            ])
            .map(drop)
            .map_err(|error| error.to_string())
        };
        let (url, from, base) = (
            "smtps://ann:pass%20word@mail.example.com",
            "Movie Bag <a@example.com>",
            "https://example.com/m",
        );
        mail(url, from, base).unwrap();
        mail("smtp://127.0.0.1:2525", "a@example.com", "http://localhost:8000/").unwrap();
        mail("smtp://mail.example.com?tls=required", from, base).unwrap();
        for (url, from, base, key) in [
            ("http://secret@mail.example.com", from, base, "mail.smtp_url"),
            ("smtp://secret@mail.example.com?tls=perhaps", from, base, "mail.smtp_url"),
            ("smtp://secret@mail.example.com?tlss=required", from, base, "mail.smtp_url"),
            ("smtp://secret@mail.example.com?tls=required&tls=none", from, base, "mail.smtp_url"),
            (url, from, "https://ann:secret@example.com", "mail.link_base"),
            (url, "Movie Bag", base, "mail.from"),
            (url, from, "example.com", "mail.link_base"),
            (url, from, "ftp://example.com", "mail.link_base"),
            (url, from, "https://example.com/?a=b", "mail.link_base"),
        ] {
            let error = mail(url, from, base).unwrap_err();
            assert!(error.starts_with(&format!("{key}: ")) && !error.contains("secret@"), "{error}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let secret = "correct-horse-battery-staple-0000";
        let uri = format!("mongodb://user:{secret}@127.0.0.1");
        let settings = with(&[("MOVIE_BAG_JWT__SECRET", secret), ("MOVIE_BAG_MONGODB__URI", &uri)]).unwrap();
        assert!(!format!("{settings:?}").contains(secret));
    }

    #[test]
    fn a_file_that_is_no_toml_does_not_print_what_stands_in_it() {
        for broken in
            ["[default.jwt]\nsecret = \"topsecret", "[default.jwt]\nsecret = 1234567890123456789012"]
        {
            let settings =
                layered(Toml::string(broken).nested(), Vec::new()).and_then(|all| Settings::extract(&all));
            let error = settings.unwrap_err().to_string();
            assert!(
                !error.contains("topsecret") && !error.contains("12345") && !error.contains('\n'),
                "{error}"
            );
        }
    }
}
pub mod secret;
