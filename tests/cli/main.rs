//! The tests of the command line: the real binary as a process, with its embedded mongod.

mod admin;
mod audit;
mod import;
mod log;
mod mail;
mod serve;
mod settings;
#[path = "../support/smtp.rs"]
mod smtp;
mod support;
