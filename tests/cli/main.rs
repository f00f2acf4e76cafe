//! The tests of the command line: the real binary as a process, with its embedded mongod.

mod admin;
mod audit;
mod import;
mod mail;
mod serve;
mod settings;
#[path = "../support/smtp.rs"]
mod smtp;
#[path = "../support/process.rs"]
mod support;
