//! The tests of the command line: the real binary as a process, with its embedded mongod.

mod admin;
mod audit;
mod backup;
#[path = "../support/change_log.rs"]
mod change_log;
mod changes;
mod closed;
mod command_page;
mod disk;
mod first_minute;
mod help;
mod import;
mod keeper;
#[path = "../api/oidc/keys.rs"]
#[expect(dead_code, reason = "the tests of the API need more of it")]
mod keys;
mod links;
mod log;
mod mail;
#[path = "../support/movie.rs"]
mod movie;
mod neighbour;
mod oidc;
#[path = "../api/oidc/provider.rs"]
#[expect(dead_code, reason = "the tests of the API need more of it")]
mod provider;
mod repeats;
mod schema;
mod serve;
mod settings;
#[path = "../support/smtp.rs"]
mod smtp;
mod start;
mod stop;
#[path = "../support/process.rs"]
mod support;
mod tours;
mod upgrade;
mod user;
mod version;
