//! The limits of the settings: which values the server accepts.

use std::{path::Path, time::Duration};

use secrecy::ExposeSecret;

use super::{Settings, SettingsError, secret::SECRET_BYTES};

impl Settings {
    /// # Errors
    /// Names the key of the first setting that cannot be used.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key: &str, reason: &str| Err(SettingsError(format!("{key}: {reason}")));
        if let Some(secret) = &self.jwt.secret
            && secret.expose_secret().len() < SECRET_BYTES
        {
            return wrong("jwt.secret", "must have at least 32 bytes (try: openssl rand -base64 48)");
        }
        if !(Duration::from_secs(1)..=Duration::from_hours(24 * 366)).contains(&self.jwt.lifetime) {
            return wrong("jwt.lifetime", "must be between 1s and 366d");
        }
        if !(Duration::from_hours(24)..=Duration::from_hours(24 * 3_650)).contains(&self.history.keep) {
            return wrong("history.keep", "must be between 1d and 3650d");
        }
        if self.http.public_max_age > Duration::from_hours(24) {
            return wrong("http.public_max_age", "must be at most 1d");
        }
        if self.throttle.reads_per_second > 1_000_000 {
            return wrong("throttle.reads_per_second", "must be at most 1000000");
        }
        if !(10..=16).contains(&self.password.bcrypt_cost) {
            return wrong("password.bcrypt_cost", "must be a number from 10 to 16");
        }
        // https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
        let database = &self.mongodb.database;
        if database.is_empty()
            || database.len() > 63
            || database.contains(['/', '\\', '.', ' ', '"', '$', '\0'])
        {
            return wrong(
                "mongodb.database",
                "must have 1 to 63 bytes, without a space or any of / \\ . \" $",
            );
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
            return wrong("mongodb.mongod", "must be the path of a program");
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
