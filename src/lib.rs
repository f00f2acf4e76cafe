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
//! | who is admin | [`users::admins`] |
//! | what happens when an account goes | [`users::cascade`] |
//! | every error that can be answered | [`problem`] |
//! | unique rules and all indexes | [`mongo::indexes`] |
//! | the web client and what its page is allowed | [`web`] |
//! | where mongod comes from, how it is run | [`mongo::mongod`], [`mongo::embedded`] |

#![warn(clippy::unwrap_used, clippy::dbg_macro, clippy::todo)]

pub mod admin_command;
pub mod auth;
pub mod body;
pub mod catchers;
pub mod conditional;
pub mod config;
pub mod deadline;
pub mod export;
pub mod fairings;
pub mod fields;
pub mod health;
pub mod ids;
pub mod import;
pub mod log;
pub mod methods;
pub mod mongo;
pub mod movies;
pub mod page;
pub mod problem;
pub mod query;
pub mod reply;
pub mod request_id;
pub mod secret;
pub mod serve;
pub mod timestamp;
pub mod users;
pub mod web;

use figment::Figment;
use mongodb::Database;
use rocket::{Build, Rocket};
use secrecy::SecretString;

use crate::{
    auth::{password::Hasher, token::Tokens},
    config::Settings,
    movies::Movies,
    page::Cursors,
    users::{Cascade, Users, admins::Admins},
};

/// The whole service, as a list of stages.
///
/// # Errors
/// The operating system's, if it refuses the threads that hash passwords.
pub fn rocket(
    figment: &Figment,
    settings: &Settings,
    secret: &SecretString,
    database: &Database,
) -> std::io::Result<Rocket<Build>> {
    let (users, admins, movies) = (Users::new(database), Admins::new(database), Movies::new(database));
    let cascade = Cascade::new(users.clone(), admins.clone(), movies.clone());
    Ok(rocket::custom(figment)
        .attach(fairings::Envelope)
        .register("/", catchers::all())
        .manage(Cursors::new(secret))
        .attach(auth::stage(
            Tokens::new(secret, settings.jwt.lifetime),
            Hasher::start(settings.password.bcrypt_cost)?,
        ))
        .attach(users::stage(users, admins, cascade))
        .attach(movies::stage(movies))
        .attach(health::stage(database.clone()))
        .attach(web::stage())
        .attach(methods::stage()))
}
