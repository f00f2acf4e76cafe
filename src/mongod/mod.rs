//! Downloads, starts, watches and ends the embedded mongod.
//!
//! This folder uses the MongoDB driver and no other folder: it does not know settings, movies or HTTP.
//!
//! A command attaches with [`Embedded::attach`] and leaves with [`Embedded::release`]. The first one starts a
//! supervisor, a process between the commands and mongod. The supervisor ends mongod when its last user has left.
//!
//! | question | file |
//! | --- | --- |
//! | how a command attaches and leaves | [`launch`] |
//! | how a supervisor is started and found | [`spawn`] |
//! | what the supervisor does | [`supervisor`] |
//! | what a running server checks every second | [`watch`] |
//! | which program runs, and from where it is downloaded | [`download`], [`packages`]; how a package is unpacked: [`wheel`] |
//! | which arguments mongod gets | [`command_line`] |
//! | where mongod listens | [`socket`] |
//! | how it becomes a replica set | [`replica_set`] |
//! | which files are in the data folder | [`data_folder`] |
//! | why mongod ended | [`ending`] |

mod command_line;
mod data_folder;
mod download;
mod ending;
mod launch;
mod packages;
mod replica_set;
mod socket;
mod spawn;
pub mod supervisor;
mod watch;
mod wheel;

pub use command_line::program;
pub use data_folder::create_private;
pub use download::find;
pub use launch::{Embedded, EmbeddedError, Options};
