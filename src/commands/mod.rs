//! One file for each command of the command line.

pub mod admin;
pub mod export;
pub mod import;
pub mod serve;
