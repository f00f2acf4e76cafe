//! The tests of the API, over real TCP and on a real MongoDB. The tree follows the URLs.

mod account;
mod admin;
mod attack;
mod auth;
mod batches;
mod cache;
mod cascade;
mod catalogue;
mod changes;
mod cors;
mod erasure;
mod errors;
mod events;
mod faults;
mod indexes;
mod limits;
mod matrix;
mod metrics;
mod movies;
mod openapi;
mod personal_tokens;
mod races;
mod refresh;
mod reset;
mod revocation;
mod sessions;
#[path = "../support/smtp.rs"]
mod smtp;
mod support;
mod throttle;
mod tokens;
mod trash;
mod users;
mod verification;
mod versions;
mod web;
