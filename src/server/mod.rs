//! Puts the service together, and does what every answer needs, whatever its route.
//!
//! May import every folder but `commands`. [`rocket()`] lists every stage in order; start there.
//!
//! | question | file |
//! | --- | --- |
//! | which headers every answer has, and what the log says of a request | [`envelope`] |
//! | what Rocket itself refuses | [`catchers`]; a wrong method: [`methods`] |
//! | who may call from another origin | [`cors`] |
//! | how long caches keep an answer | [`caching`] |
//! | which answers are compressed | [`compression`] |
//! | how many requests an address may make | [`read_limit`] |
//! | how the server stops | [`stop`] |
//! | `/health`, `/metrics` | [`health`], [`mod@metrics`]; who may read them: [`loopback`] |
//! | the OpenAPI document, Swagger UI | [`openapi`], [`swagger_ui`] |
//! | `/problems/<code>` | [`problem_pages`] |
//! | the web client, and what its page may load | [`web_client`] |
//! | how traces are sent (the cargo feature `otlp`) | `traces.rs` |

pub mod caching;
pub mod catchers;
pub mod compression;
pub mod cors;
pub mod envelope;
pub mod health;
pub mod loopback;
pub mod methods;
pub mod metrics;
pub mod openapi;
pub mod problem_pages;
pub mod read_limit;
pub mod stop;
pub mod swagger_ui;
#[cfg(feature = "otlp")]
pub mod traces;
pub mod web_client;

use std::sync::Arc;

use figment::Figment;
use mongodb::Database;
use rocket::{Build, Rocket, shield::Shield};
use secrecy::SecretString;

use self::cors::Cors;
use crate::{
    accounts::{
        self, Users,
        grants::Grants,
        oidc::{ExchangeCodes, Oidc, provider::OidcError},
        password::Hasher,
        revocation::RevokedTokens,
        sessions::{begin::SignIns, refresh_token::RefreshTokens},
        store::admin_list::Admins,
        throttle::Throttle,
        token::Tokens,
    },
    config::{Settings, SettingsError},
    http::page::Cursors,
    mail::{self, Mailer},
    movies::{
        self, Movies,
        changes::Changes,
        finder::{Engine, Finder},
    },
    telemetry::metrics::RequestMetrics,
};

/// Why the service cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("cannot start the threads that hash passwords: {0}")]
    Threads(#[from] std::io::Error),
    #[error(transparent)]
    Setting(#[from] SettingsError),
    #[error(transparent)]
    Oidc(#[from] OidcError),
}

/// The address on which the server listens, for a link.
fn own_address(figment: &Figment) -> String {
    let listens: rocket::Config = figment.extract().unwrap_or_default();
    format!("http://{}", std::net::SocketAddr::from((listens.address, listens.port)))
}

/// The address at which people reach the service. Links begin with it.
///
/// # Errors
/// When the mail settings cannot be used.
pub fn link_base(figment: &Figment, settings: &Settings) -> Result<String, SettingsError> {
    let smtp = settings.mail.smtp()?;
    Ok(smtp.map_or_else(|| own_address(figment), |smtp| smtp.link_base.to_string()))
}

/// The whole service, as a list of stages.
///
/// # Errors
/// See [`SetupError`].
pub fn rocket(
    figment: &Figment,
    settings: &Settings,
    secret: &SecretString,
    database: &Database,
    engine: Engine,
) -> Result<Rocket<Build>, SetupError> {
    let users = Users::new(database);
    let grants = Grants::new(database);
    let movies = Movies::new(database).with_cache(settings.cache.movies);
    let changes = Changes::new(database, movies.acknowledged().clone(), settings.history.keep);
    let finder = Finder::new(movies.clone(), changes.clone(), engine, &settings.data_dir);
    let accounts = accounts::Parts {
        sign_ins: SignIns {
            sessions: grants.sessions.clone(),
            tokens: Tokens::new(secret, settings.jwt.lifetime),
            refresh_tokens: RefreshTokens::new(secret),
        },
        grants,
        revoked: RevokedTokens::new(database),
        hasher: Hasher::start(settings.password.bcrypt_cost)?,
        throttle: Throttle::new(database, users.clone(), secret, settings.throttle.enabled),
        users,
        admins: Admins::new(database),
        belongings: Arc::new(movies.clone()),
        settings: settings.accounts,
        oidc: Oidc::new(settings, secret, ExchangeCodes::new(database))?,
    };
    // With the embedded database there is probably one person, who reads the log.
    let alone = settings.mongodb.uri.is_none();
    let mailer = Mailer::new(&settings.mail, alone, &own_address(figment))?;
    let requests = RequestMetrics::new();
    Ok(rocket::custom(figment)
        // First, because everything that counts registers its counters here.
        .attach(metrics::stage(settings.metrics.public, &requests))
        // An empty shield. Without one, Rocket attaches its own, which makes every header again for each answer.
        .attach(Shield::new())
        // This comes before the envelope, whose log line reports the final answer.
        .attach(Cors::new(&settings.cors.origins))
        .attach(caching::Caching::new(settings.http.public_max_age))
        .attach(read_limit::ReadLimit::new(settings.throttle.reads_per_second))
        // After everything else that writes `Vary`.
        .attach(compression::Compressing::new(web_client::compressed()))
        .attach(envelope::Envelope::new(requests.clone()))
        .manage(requests)
        .attach(crate::http::unread::stage(crate::http::unread::PATIENCE))
        .register("/", catchers::all())
        .manage(Cursors::new(secret))
        .attach(mail::stage(mailer))
        .attach(accounts::stage(accounts))
        .attach(movies::stage(
            movies,
            changes,
            finder,
            crate::movies::Limits {
                listeners: settings.events.listeners,
                writes_per_minute: settings.throttle.writes_per_minute,
            },
        ))
        .attach(health::stage(database.clone()))
        .attach(web_client::stage())
        .attach(openapi::stage())
        .attach(swagger_ui::stage())
        .attach(problem_pages::stage())
        .attach(methods::stage()))
}
