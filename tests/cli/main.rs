//! The tests of the command line: the real binary as a process, with its embedded mongod.

mod admin;
mod import;
mod serve;
mod settings;
mod support;
