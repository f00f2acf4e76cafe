//! Where the settings come from, in this order: the built-in `Rocket.toml`, the one in the working
//! directory, `.env`, the environment. A later one wins.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

use figment::{
    Figment, Profile,
    providers::{Format, Serialized, Toml},
    value::Value,
};

use super::{
    Settings, SettingsError,
    keys::{Kind, kind_of},
};

/// The defaults, in the same file that operators read.
const DEFAULTS: &str = include_str!("../../Rocket.toml");
const PREFIX: &str = "MOVIE_BAG_";
const ROCKET_PREFIX: &str = "ROCKET_";
/// For the tests' own settings, which the server ignores.
const TEST_PREFIX: &str = "MOVIE_BAG_TEST_";

/// The settings as they were found.
#[derive(Debug)]
pub struct Sources {
    pub figment: Figment,
    /// The `ROCKET_` variables that are not settings of Rocket's. They have no effect.
    pub ignored: Vec<String>,
}

/// Lays the sources over one another: the built-in `Rocket.toml`, the one in the working
/// directory, `.env`, the environment.
///
/// # Errors
/// A variable with our prefix that names no setting, or an unreadable `.env`.
pub fn read() -> Result<Sources, SettingsError> {
    let mut variables = dotenv()?;
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => variables.push((name, value)),
            (name, _) => {
                let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
                if name.starts_with(PREFIX) || name.starts_with(ROCKET_PREFIX) {
                    return Err(SettingsError(format!("{name}: is not UTF-8")));
                }
            }
        }
    }
    let file = match std::env::var_os("ROCKET_CONFIG") {
        Some(named) if !Path::new(&named).is_file() => {
            return Err(SettingsError("ROCKET_CONFIG: there is no such file".to_owned()));
        }
        Some(named) => Toml::file_exact(PathBuf::from(named)),
        // Only the file in the working directory, never one in another directory.
        None if Path::new("Rocket.toml").is_file() => Toml::file_exact("Rocket.toml"),
        None => Toml::string(""),
    };
    layered(file.nested(), variables)
}

fn dotenv() -> Result<Vec<(String, String)>, SettingsError> {
    match dotenvy::from_path_iter(".env") {
        Ok(pairs) => pairs.collect::<Result<_, _>>(),
        Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
    // The error's own text would show the line, which may hold a secret.
    .map_err(|_| SettingsError(".env: cannot be read; each line must be NAME=value".to_owned()))
}

/// Only the built-in settings, without files and variables.
#[must_use]
pub fn defaults() -> Figment {
    with_workers(built_in())
}

/// The built-in settings without the number of workers, which depends on other settings.
fn built_in() -> Figment {
    let rocket = Value::serialize(rocket::Config::default());
    let mut rocket = rocket.ok().and_then(Value::into_dict).unwrap_or_default();
    rocket.remove("workers");
    Figment::from(Serialized::defaults(rocket))
        .merge(Toml::string(DEFAULTS).nested())
        .select(rocket::Config::DEFAULT_PROFILE)
}

/// The default number of workers: one for each core, or one for every other core with the embedded database, which uses
/// the rest. With more workers, requests wander between cores that mongod could use better.
fn with_workers(figment: Figment) -> Figment {
    let uri = figment.find_value("mongodb.uri").ok().and_then(Value::into_string);
    let has_all = uri.is_some_and(|uri| !uri.is_empty());
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = if has_all { cores } else { (cores / 2).max(1) };
    figment.join(Serialized::default("workers", workers))
}

/// Later `variables` override earlier ones.
pub(super) fn layered(
    file: impl figment::Provider,
    variables: Vec<(String, String)>,
) -> Result<Sources, SettingsError> {
    let mut figment = built_in().merge(file);
    let mut ignored = Vec::new();
    for (name, value) in variables {
        if name == "ROCKET_PROFILE" {
            figment = figment.select(Profile::new(&value));
        } else if name.starts_with(TEST_PREFIX) || name == "ROCKET_CONFIG" {
            // This is not a setting.
        } else if let Some(key) = name.strip_prefix(PREFIX) {
            let key = key.to_ascii_lowercase().replace("__", ".");
            let value = match kind_of::<Settings>(&key) {
                Kind::Text => value.into(),
                Kind::Typed => typed(&value),
                Kind::Table(_) | Kind::Map | Kind::Unknown => {
                    return Err(SettingsError(format!("{name}: there is no such setting")));
                }
            };
            figment = figment.merge(Serialized::global(&key, value));
        } else if let Some(key) = name.strip_prefix(ROCKET_PREFIX) {
            let key = key.to_ascii_lowercase();
            if rocket::Config::PARAMETERS.contains(&key.as_str()) {
                figment = figment.merge(Serialized::global(&key, typed(&value)));
            } else {
                ignored.push(name);
            }
        }
    }
    Ok(Sources { figment: with_workers(figment), ignored })
}

fn typed(value: &str) -> Value {
    // Infallible: a text that is not a TOML value is a string.
    value.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every key that a variable can set.
    fn known_keys() -> BTreeSet<String> {
        fn below(key: &str) -> Vec<String> {
            let names = match kind_of::<Settings>(key) {
                Kind::Table(names) => names,
                // The files use this id as an example.
                Kind::Map => &["google"],
                _ => return vec![key.to_owned()],
            };
            let inside =
                |name: &&str| if key.is_empty() { (*name).to_owned() } else { format!("{key}.{name}") };
            names.iter().map(inside).flat_map(|key| below(&key)).collect()
        }
        below("").into_iter().collect()
    }

    /// The keys of our own settings in `Rocket.toml`, each with its table. Some are set, and others are only explained
    /// in a comment (`# uri: …`).
    fn written_keys() -> BTreeSet<String> {
        let mut table = String::new();
        let mut keys = BTreeSet::new();
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[') {
                let name = name.trim_end_matches(']');
                table = name.strip_prefix("default").unwrap_or(name).trim_start_matches('.').to_owned();
                continue;
            }
            let line = line.trim_start_matches("# ");
            let Some((name, _)) = line.split_once(" = ").or_else(|| line.split_once(": ")) else { continue };
            let is_value = ["true", "false"].contains(&name);
            if !is_value && name.chars().all(|letter| letter.is_ascii_lowercase() || "_.".contains(letter)) {
                keys.insert(if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") });
            }
        }
        keys
    }

    #[test]
    fn every_known_key_is_a_setting_and_is_in_rocket_toml() {
        let written = written_keys();
        let known = known_keys();
        let missing: Vec<&String> = known.difference(&written).collect();
        assert!(missing.is_empty(), "not in Rocket.toml: {missing:?}");
        // Rocket's own keys are in the file too, at the top or below these.
        let rockets =
            |key: &String| !key.contains('.') || key.starts_with("shutdown.") || key.starts_with("debug.");
        let unknown: Vec<&String> = written.difference(&known).filter(|key| !rockets(key)).collect();
        assert!(unknown.is_empty(), "no variable sets {unknown:?}");
        for key in known {
            let figment = layered(Toml::string(""), vec![(variable(&key), "7".to_owned())]).unwrap().figment;
            // The value may have the wrong type, but the key must not be unknown.
            let error = figment.extract::<Settings>().err().map(|error| error.kind);
            assert!(!matches!(error, Some(figment::error::Kind::UnknownField(..))), "{key}: {error:?}");
        }
    }

    #[test]
    fn every_known_key_is_in_the_example_environment() {
        let example = include_str!("../../.env.example");
        for key in known_keys() {
            let start = format!("{}=", variable(&key));
            let stands = example.lines().any(|line| line.trim_start_matches('#').starts_with(&start));
            assert!(stands, "{start} is not in .env.example");
        }
    }

    fn variable(key: &str) -> String {
        format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
    }
}
