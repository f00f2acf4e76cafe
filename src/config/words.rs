//! Says in plain words why a value cannot be read. Serde's own texts name Rust types.

use figment::{Error, error::Kind};

use super::SettingsError;

/// What a duration looks like.
pub(super) const DURATION: &str = "must be a duration, such as 30s, 15m, 12h or 7d";

/// One line that begins with the key, or with the file that cannot be read at all. It never shows the value, which may be
/// a secret.
pub(super) fn readable(error: &Error) -> SettingsError {
    let path = &error.path;
    let reason = match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("must be {}", plain(path, expected))
        }
        Kind::UnknownVariant(_, expected) => format!("must be {}", listed(expected)),
        Kind::UnknownField(..) => "there is no such setting".to_owned(),
        Kind::Message(_) if *path == ["address"] => format!("must be {ADDRESS}"),
        // If a file is not TOML, the first line says where the mistake is, and the next ones show the file's content.
        kind => kind.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let key = path.join(".");
    if !key.is_empty() {
        return SettingsError(format!("{key}: {reason}"));
    }
    match error.metadata.as_ref().and_then(|metadata| metadata.source.as_ref()) {
        Some(source) => SettingsError(format!("{source}: {reason}")),
        None => SettingsError(reason),
    }
}

const ADDRESS: &str = "an IP address, such as 127.0.0.1 or ::";

fn plain(path: &[String], expected: &str) -> String {
    let words = match expected {
        // Port 0 means any free port. It is for tests.
        "u16" if path == ["port"] => "a number from 1 to 65535",
        "u8" => "a number from 0 to 255",
        "u16" => "a number from 0 to 65535",
        "u32" => "a number from 0 to 4294967295",
        "u64" | "usize" => "a number that is not negative",
        "a boolean" | "0 or 1" => "true or false",
        "a string" => "text in quotation marks",
        "a sequence" => "a list, such as [\"one\", \"two\"]",
        "a map" => "a table",
        "IP address" => ADDRESS,
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    };
    words.to_owned()
}

/// `a`, `a or b`, `a, b or c`.
fn listed(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use figment::{
        Figment,
        providers::{Format, Toml},
    };

    use super::super::{Settings, sources::layered};

    fn reason(file: &str) -> String {
        let sources = layered(Toml::string(file).nested(), Vec::new()).unwrap();
        Settings::extract(&Figment::from(sources.figment)).unwrap_err().to_string()
    }

    #[test]
    fn no_reason_names_a_type_of_rust() {
        for (line, says) in [
            ("port = \"many\"", "port: must be a number from 1 to 65535"),
            ("port = 70000", "port: must be a number from 1 to 65535"),
            ("keep_alive = -1", "keep_alive: must be a number from 0 to 4294967295"),
            ("workers = \"all\"", "workers: must be a number that is not negative"),
            ("address = \"localhost\"", "address: must be an IP address, such as 127.0.0.1 or ::"),
            ("address = 7", "address: must be an IP address, such as 127.0.0.1 or ::"),
            ("limits = 7", "limits: must be a table"),
            ("throttle = 7", "throttle: must be a table"),
            ("throttle.enabled = 3", "throttle.enabled: must be true or false"),
            (
                "throttle.reads_per_second = 1.5",
                "throttle.reads_per_second: must be a number from 0 to 4294967295",
            ),
            ("jwt.secret = 123456", "jwt.secret: must be text in quotation marks"),
            ("jwt.secrett = \"x\"", "jwt.secrett: there is no such setting"),
            ("jwt.lifetime = \"soon\"", "jwt.lifetime: must be a duration, such as 30s, 15m, 12h or 7d"),
            ("log.format = \"xml\"", "log.format: must be text or json"),
            ("log.level = \"debug\"", "log.level: must be error, warn or info"),
            ("oidc_return_to = \"*\"", "oidc_return_to: must be a list, such as [\"one\", \"two\"]"),
        ] {
            assert_eq!(reason(&format!("[default]\n{line}\n")), says);
        }
    }
}
