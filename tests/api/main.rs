//! The tests of the API, over real TCP and on a real MongoDB. The tree follows the URLs.

mod admin;
mod auth;
mod cascade;
mod catalogue;
mod errors;
mod faults;
mod indexes;
mod matrix;
mod movies;
mod plans;
mod races;
mod support;
mod tokens;
mod users;
