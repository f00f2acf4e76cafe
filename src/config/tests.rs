//! The settings as a whole: defaults, sources, limits, and what errors may show.

use std::{path::PathBuf, time::Duration};

use figment::{
    Figment,
    providers::{Format, Toml},
};
use secrecy::ExposeSecret;

use super::{LogFormat, LogLevel, Settings, SettingsError, Signup, sources::layered};

fn figment(variables: &[(&str, &str)]) -> Result<Figment, SettingsError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
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
    assert_eq!(settings.accounts.signup, Signup::Open);
    assert!(!settings.accounts.require_verified_email);
    assert!(settings.throttle.enabled);
    assert_eq!(settings.throttle.writes_per_minute, 0);
    assert_eq!(settings.throttle.reads_per_second, 0);
    assert!(!settings.metrics.public);
    assert_eq!(settings.cors.origins, ["http://localhost:*"]);
    assert_eq!(with(&[("ROCKET_PROFILE", "release")]).unwrap().cors.origins, [""; 0]);
    assert_eq!(settings.log.format, LogFormat::Text);
    assert_eq!(settings.log.level, LogLevel::Info);
    assert_eq!(settings.events.listeners, 4_096);
    assert_eq!(settings.cache.movies, 0);
    assert_eq!(settings.http.public_max_age, Duration::ZERO);
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
        ("MOVIE_BAG_ACCOUNTS__SIGNUP", "perhaps", "accounts.signup"),
        ("MOVIE_BAG_ACCOUNTS__REQUIRE_VERIFIED_EMAIL", "perhaps", "accounts.require_verified_email"),
        ("MOVIE_BAG_THROTTLE__ENABLED", "perhaps", "throttle.enabled"),
        ("MOVIE_BAG_THROTTLE__READS_PER_SECOND", "1000001", "throttle.reads_per_second"),
        ("MOVIE_BAG_THROTTLE__WRITES_PER_MINUTE", "-1", "throttle.writes_per_minute"),
        ("MOVIE_BAG_METRICS__PUBLIC", "3", "metrics.public"),
        ("MOVIE_BAG_LOG__FORMAT", "xml", "log.format"),
        ("MOVIE_BAG_LOG__LEVEL", "debug", "log.level"),
        ("MOVIE_BAG_EVENTS__LISTENERS", "0", "events.listeners"),
        ("MOVIE_BAG_EVENTS__LISTENERS", "many", "events.listeners"),
        ("MOVIE_BAG_CACHE__MOVIES", "-1", "cache.movies"),
        ("MOVIE_BAG_HTTP__PUBLIC_MAX_AGE", "soon", "http.public_max_age"),
        ("MOVIE_BAG_HTTP__PUBLIC_MAX_AGE", "25h", "http.public_max_age"),
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
    let (url, from, base) =
        ("smtps://ann:pass%20word@mail.example.com", "Movie Bag <a@example.com>", "https://example.com/m");
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
    for broken in ["[default.jwt]\nsecret = \"topsecret", "[default.jwt]\nsecret = 1234567890123456789012"] {
        let settings =
            layered(Toml::string(broken).nested(), Vec::new()).and_then(|all| Settings::extract(&all));
        let error = settings.unwrap_err().to_string();
        assert!(!error.contains("topsecret") && !error.contains("12345") && !error.contains('\n'), "{error}");
    }
}
