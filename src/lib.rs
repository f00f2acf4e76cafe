//! Movie Bag: a movie catalogue REST API on MongoDB.
//!
//! Each feature is a folder with the same roles: `model` (types and field rules), `repository`
//! (MongoDB), `routes` (HTTP), and a `mod` with the feature's `stage()`. `docs/ARCHITECTURE.md` is
//! the map; this is its short form:
//!
//! | question | file |
//! | --- | --- |
//! | who may change a movie | [`movies::ownership`] |
//! | how long a token lives, what is in it | [`auth::token`] |
//! | who is calling | [`auth::guard`] |
//! | password rules and cost | [`auth::password`] |
//! | which tokens are revoked | [`auth::revocation`], [`users::credentials`] |
//! | how often something may be attempted | [`auth::throttle`] |
//! | what is mailed | [`mail`] |
//! | what is in the audit log | [`audit`] |
//! | who is admin | [`users::admins`] |
//! | what happens when an account goes | [`users::cascade`] |
//! | every error that can be answered, and what is said of it to a person | [`problem`] |
//! | what the OpenAPI document says, Swagger UI | [`openapi`] |
//! | unique rules and all indexes | [`mongo::indexes`] |
//! | the web client and what its page is allowed | [`web`] |
//! | what is counted, and who may read it | [`metrics`] |
//! | what is logged, and how | [`log`], [`fairings`] |
//! | where mongod comes from, how it is run | [`mongod`] |
//! | which databases this binary takes | [`mongo::schema`] |
//! | what is around every handler | [`deadline`], [`refusal`] |
//! | how long an answer is kept for a client that does not read | [`unread`] |
//! | how the server stops | [`stop`] |

#![warn(clippy::unwrap_used, clippy::dbg_macro, clippy::todo)]

pub mod admin_command;
pub mod audit;
pub mod auth;
pub mod body;
pub mod catchers;
pub mod conditional;
pub mod config;
pub mod cors;
pub mod deadline;
pub mod export;
pub mod fairings;
pub mod fields;
pub mod health;
pub mod html;
pub mod ids;
pub mod import;
pub mod log;
pub mod mail;
pub mod methods;
pub mod metrics;
pub mod mongo;
pub mod mongod;
pub mod movies;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod query;
pub mod refusal;
pub mod reply;
pub mod request_id;
pub mod secret;
pub mod serve;
pub mod stop;
pub mod timestamp;
#[cfg(feature = "otlp")]
pub mod traces;
pub mod unread;
pub mod users;
pub mod web;

use figment::Figment;
use mongodb::Database;
use rocket::{Build, Rocket, shield::Shield};
use secrecy::SecretString;

use crate::{
    auth::{password::Hasher, revocation::RevokedTokens, throttle::Throttle, token::Tokens},
    config::{Settings, SettingsError},
    cors::Cors,
    mail::Mailer,
    metrics::RequestMetrics,
    movies::Movies,
    page::Cursors,
    users::{Cascade, Users, admins::Admins},
};

/// Why the service cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("no threads to hash passwords: {0}")]
    Threads(#[from] std::io::Error),
    #[error(transparent)]
    Setting(#[from] SettingsError),
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
) -> Result<Rocket<Build>, SetupError> {
    let (users, admins, movies) = (
        Users::new(database),
        Admins::new(database),
        Movies::new(database).with_cache(settings.cache.movies),
    );
    let cascade = Cascade::new(users.clone(), admins.clone(), movies.clone());
    let auth = auth::Parts {
        tokens: Tokens::new(secret, settings.jwt.lifetime),
        revoked: RevokedTokens::new(database),
        hasher: Hasher::start(settings.password.bcrypt_cost)?,
        throttle: Throttle::new(database, users.clone(), secret, settings.throttle.enabled),
    };
    let listens: rocket::Config = figment.extract().unwrap_or_default();
    let listens = std::net::SocketAddr::from((listens.address, listens.port));
    // Where the embedded database is, there is one person, who reads the log.
    let alone = settings.mongodb.uri.is_none();
    let mailer = Mailer::new(&settings.mail, alone, &format!("http://{listens}"))?;
    let requests = RequestMetrics::new();
    Ok(rocket::custom(figment)
        // First: all that count hand their counters to it.
        .attach(metrics::stage(settings.metrics.public, &requests))
        // Rocket attaches its own, which makes each header anew, if there is none.
        .attach(Shield::new())
        // Before the envelope, whose line in the log says what was answered in the end.
        .attach(Cors::new(&settings.cors.origins))
        .attach(fairings::Envelope::new(requests.clone()))
        .manage(requests)
        .attach(unread::stage(unread::PATIENCE))
        .register("/", catchers::all())
        .manage(Cursors::new(secret))
        .attach(mail::stage(mailer))
        .attach(auth::stage(auth))
        .attach(users::stage(users, admins, cascade))
        .attach(movies::stage(
            movies,
            movies::Limits {
                listeners: settings.events.listeners,
                writes_per_minute: settings.throttle.writes_per_minute,
            },
        ))
        .attach(health::stage(database.clone()))
        .attach(web::stage())
        .attach(openapi::stage())
        .attach(openapi::swagger_ui::stage())
        .attach(problem::pages::stage())
        .attach(methods::stage()))
}
