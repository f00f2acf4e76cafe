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
    layered(Toml::string(""), variables).map(|sources| sources.figment)
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
    assert!(settings.oidc.is_empty() && settings.public_url.is_none());
    assert_eq!(settings.oidc_return_to, [""; 0]);
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
        ("MOVIE_BAG_OIDC_RETURN_TO", "https://app.example.com", "oidc_return_to"),
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

/// A provider with one of its settings changed, and some other settings.
fn with_provider(key: &str, value: &str, others: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let mut variables = vec![
        ("MOVIE_BAG_OIDC__ACME1__ISSUER", "https://id.example.com/acme"),
        ("MOVIE_BAG_OIDC__ACME1__CLIENT_ID", "movie-bag"),
        ("MOVIE_BAG_OIDC__ACME1__CLIENT_SECRET", "123456"),
        ("MOVIE_BAG_OIDC__ACME1__NAME", " Acme "),
    ];
    variables.push((key, value));
    variables.extend(others);
    with(&variables)
}

#[test]
fn a_provider_has_all_of_its_settings_and_each_is_checked() {
    let settings = with_provider("MOVIE_BAG_TEST_X", "", &[]).unwrap();
    let providers = settings.oidc_providers().unwrap();
    let [provider] = providers.as_slice() else { panic!("{providers:?}") };
    assert_eq!((provider.id.as_str(), provider.name.as_str()), ("acme1", "Acme"));
    assert_eq!(provider.client_secret.expose_secret(), "123456");
    for issuer in
        ["https://id.example.com", "http://127.0.0.1:9000/x/", "http://localhost:9000", "http://[::1]:9000"]
    {
        with_provider("MOVIE_BAG_OIDC__ACME1__ISSUER", issuer, &[]).unwrap();
    }
    for (name, value) in [
        ("ISSUER", "http://id.example.com"),
        ("ISSUER", "http://localhost.example.com"),
        ("ISSUER", "https://id.example.com/?x=1"),
        ("ISSUER", "https://id.example.com/#x"),
        ("ISSUER", "https://ann:secret@id.example.com"),
        ("ISSUER", "ftp://127.0.0.1"),
        ("ISSUER", "id.example.com"),
        ("ISSUER", ""),
        ("CLIENT_ID", ""),
        ("CLIENT_ID", "é"),
        ("CLIENT_SECRET", ""),
        ("CLIENT_SECRET", "topsecret\u{7}"),
        ("NAME", ""),
        ("NAME", " "),
        ("NAME", "a\u{202e}\nb"),
    ] {
        let error =
            with_provider(&format!("MOVIE_BAG_OIDC__ACME1__{name}"), value, &[]).unwrap_err().to_string();
        let key = format!("oidc.acme1.{}: ", name.to_ascii_lowercase());
        assert!(error.starts_with(&key) && !error.contains('\n'), "{name}={value}: {error}");
        assert!(!error.contains("secret@") && !error.contains("topsecret"), "{error}");
    }
    let long = "a".repeat(33);
    for id in ["my_idp", "my-idp", long.as_str()] {
        let error = with(&[(&format!("MOVIE_BAG_OIDC__{id}__NAME"), "x")]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("oidc.{id}: ")), "{error}");
    }
    for unknown in
        ["MOVIE_BAG_OIDC", "MOVIE_BAG_OIDC__ACME1", "MOVIE_BAG_OIDC__ACME1__SCOPE", "MOVIE_BAG_OIDC____NAME"]
    {
        let error = with_provider(unknown, "x", &[]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{unknown}: ")), "{error}");
    }
}

#[test]
fn a_provider_with_only_blank_settings_is_left_out() {
    let blank =
        ["ISSUER", "CLIENT_ID", "CLIENT_SECRET", "NAME"].map(|name| format!("MOVIE_BAG_OIDC__ACME1__{name}"));
    let blank: Vec<(&str, &str)> = blank.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(with(&blank).unwrap().oidc_providers().unwrap().len(), 0);
}

#[test]
fn a_public_url_is_an_origin_that_nobody_can_eavesdrop_on() {
    let public = |url| with(&[("MOVIE_BAG_PUBLIC_URL", url)]).map(drop).map_err(|error| error.to_string());
    for good in [
        "",
        "https://movies.example.com",
        "https://movies.example.com:8443/",
        "http://127.0.0.1:8000",
        "http://localhost",
    ] {
        public(good).unwrap();
    }
    for wrong in [
        "http://movies.example.com",
        "https://movies.example.com/bag",
        "https://movies.example.com/?a",
        "https://movies.example.com/#a",
        "https://ann@movies.example.com",
        "movies.example.com",
    ] {
        assert!(public(wrong).unwrap_err().starts_with("public_url: "), "{wrong}");
    }
    // Without it a provider returns to the address on which the server listens.
    let everywhere = [("ROCKET_ADDRESS", "0.0.0.0")];
    with(&everywhere).unwrap();
    let error = with_provider("MOVIE_BAG_TEST_X", "", &everywhere).unwrap_err().to_string();
    assert!(error.starts_with("public_url: is required"), "{error}");
    with_provider("MOVIE_BAG_PUBLIC_URL", "https://movies.example.com", &everywhere).unwrap();
}

#[test]
fn a_sign_in_returns_to_where_nobody_can_listen_in() {
    let returning = |address: &str| {
        let list = format!("[\"https://app.example.com\", \"{address}\"]");
        with(&[("MOVIE_BAG_OIDC_RETURN_TO", &list)]).map(drop).map_err(|error| error.to_string())
    };
    for good in [
        "https://app.example.com/in?a=b",
        "http://127.0.0.1:4000/in",
        "http://[::1]/in",
        "com.example.app:/signed-in",
        "com.example.app://signed-in",
    ] {
        returning(good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for wrong in [
        "",
        "/in",
        "http://app.example.com/in",
        "https://app.example.com/#in",
        "https://ann:secret@app.example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "app:/signed-in",
        "https://app.example.com/a b",
        "https://app.example.com/é",
        "https://app.example.com/\\r\\nX: y",
    ] {
        let error = returning(wrong).map_or_else(|error| error, |()| format!("{wrong} is taken"));
        assert!(error.starts_with("oidc_return_to: ") && !error.contains("secret"), "{wrong}: {error}");
    }
}

#[test]
fn secrets_do_not_print() {
    let secret = "correct-horse-battery-staple-0000";
    let uri = format!("mongodb://user:{secret}@127.0.0.1");
    let others = [("MOVIE_BAG_JWT__SECRET", secret), ("MOVIE_BAG_MONGODB__URI", &uri)];
    let settings = with_provider("MOVIE_BAG_OIDC__ACME1__CLIENT_SECRET", secret, &others).unwrap();
    assert!(!format!("{settings:?} {:?}", settings.oidc_providers()).contains(secret));
}

#[test]
fn the_error_of_a_file_that_is_not_toml_does_not_show_its_contents() {
    for broken in ["[default.jwt]\nsecret = \"topsecret", "[default.jwt]\nsecret = 1234567890123456789012"] {
        let settings = layered(Toml::string(broken).nested(), Vec::new())
            .and_then(|all| Settings::extract(&all.figment));
        let error = settings.unwrap_err().to_string();
        assert!(!error.contains("topsecret") && !error.contains("12345") && !error.contains('\n'), "{error}");
    }
}
