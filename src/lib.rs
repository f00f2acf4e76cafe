//! Movie Bag: a movie catalogue REST API on MongoDB.
//!
//! The crate has ten folders. Each may import those above it in this table and none below it; `tests/layers.rs`
//! fails when an import runs the other way. The first lines of a folder's `mod.rs` say what the folder is for, what
//! it may import, and which file answers which question.
//!
//! | folder | what it is for |
//! | --- | --- |
//! | [`config`] | reads the settings and the secret once, at the start, and checks them |
//! | [`mod@mongod`] | downloads, starts, watches and ends the embedded mongod |
//! | [`telemetry`] | writes log lines, and keeps the registry of metrics |
//! | [`mongo`] | connects to the database, creates the indexes, sorts errors, and lets callers share commands |
//! | [`http`] | what every route uses: problems, body fields, queries, pages, conditional requests |
//! | [`mail`] | delivers letters in the background; does not know accounts |
//! | [`accounts`] | decides who the caller is: passwords, tokens, roles, throttling, and deleting an account |
//! | [`movies`] | the catalogue: who may change a movie, how movies are stored, searched, listed and followed |
//! | [`server`] | assembles the service, and does what all answers have in common |
//! | [`commands`] | `serve`, `import`, `export`, `admin`, `user` and what describes the program, one file each |
//!
//! `main.rs` is the command line. It parses the arguments, starts the log and calls a command.
//!
//! Where to look first:
//!
//! | question | file |
//! | --- | --- |
//! | Who may change a movie? | [`movies::ownership`] |
//! | How long does a token live, and what is in it? | [`accounts::token`] |
//! | Who is calling? | [`accounts::guard`] |
//! | What happens when an account is deleted? | [`accounts::deletion`] |
//! | Which errors can a client get? | [`http::problem`] |
//! | What is logged? | a request: [`server::envelope`]; the audit log: [`accounts::audit`]; how: [`telemetry::log`] |
//! | Where does mongod come from? | [`mod@mongod`] |
//! | Which indexes are there, and which rules are unique? | [`mongo::indexes`] |
//! | Which settings are there? | [`config::Settings`] |
//! | In what order does the server start? | [`commands::serve`], then [`server::rocket()`] |

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
