//! The change log: every accepted change of a movie, in the same order on all servers, kept for `history.keep`.
//!
//! Everything that must learn of a change reads it from here: delta sync, live events, versions, the trash.
//!
//! May import `mongo`, `accounts` to know which users are deleted, only the ids of `http`, and [`super::model`].
//!
//! | question | file |
//! | --- | --- |
//! | what an entry holds, and how it is made from an event of the database | [`entry`] |
//! | a place in the order | [`token`] |
//! | how the log begins | [`beginning`] |
//! | how entries are stored | [`store`]; how far the log is complete, and who writes it: [`state`] |
//! | how the change stream is read | [`feed`] |
//! | the log as the rest of the process sees it | [`log`] |
//! | who writes, and who learns of a change | [`follower`]; how far a process has come: [`progress`]; whether it asks the right member: [`primary`] |
//! | what this server has acknowledged | [`acknowledged`]; whether anything has changed at all: [`generation`] |
//! | how a page is read | [`reader`] |
//! | how former versions and deleted movies are found | [`versions`], [`trash`] |
//!
//! The log is fed by a change stream, and not by the code that writes movies. So it contains the changes of every
//! server and every person, and a crash between a write and its entry loses nothing. The server that holds a lease
//! writes the log; the others follow the same stream for their own listeners. The lease only saves work: an entry's
//! id is its place in the stream, so two writers write the same entries.

mod acknowledged;
mod beginning;
mod entry;
mod feed;
mod follower;
mod generation;
mod log;
mod primary;
mod progress;
mod reader;
mod state;
mod store;
mod token;
mod trash;
mod versions;

pub use acknowledged::Acknowledged;
pub use beginning::prepare;
pub use entry::{Entry, Kind};
pub use follower::Beginning;
pub use generation::Generation;
pub use log::Changes;
pub(in crate::movies) use progress::Progress;
pub use reader::ReadError;
pub use store::{ChangeStore, Gone};
pub use token::Token;
pub use trash::Deletion;
pub use versions::Version;
