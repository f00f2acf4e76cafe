//! Movie Bag: a movie catalogue REST API on MongoDB.
//!
//! Ten folders, each of which may use those above it in this table, and none below; `tests/layers.rs`
//! holds them to it.
//!
//! | folder | what is in it |
//! | --- | --- |
//! | [`config`] | settings, and the secret |
//! | [`mongod`] | the embedded mongod: where it comes from, how it runs and ends |
//! | [`telemetry`] | how lines of the log and numbers leave the process |
//! | [`mongo`] | the driver: connecting, errors, indexes, commands that callers share |
//! | [`http`] | what every route uses: problems, fields of a body, queries, pages, answers |
//! | [`mail`] | delivers letters; knows no account |
//! | [`accounts`] | who somebody is: passwords, tokens, roles, deletion |
//! | [`movies`] | the catalogue |
//! | [`server`] | the service put together, and what holds for every answer |
//! | [`commands`] | one file for each command |
//!
//! Where to look first:
//!
//! | question | file |
//! | --- | --- |
//! | who may change a movie | [`movies::ownership`] |
//! | how long a token lives, what is in it | [`accounts::token`] |
//! | who is calling | [`accounts::guard`] |
//! | what happens when an account is deleted | [`accounts::deletion`] |
//! | every error that can be answered | [`http::problem`] |
//! | what is logged | [`server::envelope`], [`accounts::audit`]; how: [`telemetry::log`] |
//! | where mongod comes from | [`mod@mongod`] |
//! | unique rules and all indexes | [`mongo::indexes`] |

#![warn(clippy::unwrap_used, clippy::dbg_macro, clippy::todo)]

pub mod accounts;
pub mod commands;
pub mod config;
pub mod http;
pub mod mail;
pub mod mongo;
pub mod mongod;
pub mod movies;
pub mod server;
pub mod telemetry;
