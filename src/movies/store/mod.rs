//! How movies are stored.
//!
//! May import `mongo`, `accounts` for who owns a movie, and of `http` only the ids: a store knows no request
//! and no answer.
//!
//! | question | file |
//! | --- | --- |
//! | the collection, and one movie | [`movies`] |
//! | how new movies get in | [`insertion`]; several of one caller: [`batch`] |
//! | how one is changed and deleted | [`changes`]; who edits it: [`editors`]; whom its owner invites: [`invitations`] |
//! | who has a name | [`names`] |
//! | what an idempotency key stands for | [`keys`] |
//! | how a deleted one comes back | [`restoration`] |
//! | how lists are read | [`catalogue`], [`pages`] |
//! | what the database answers alone where there is no search index | [`suggestions`], [`facets`] |
//! | how many may look at every movie at once | [`counting`] |
//! | what is kept in memory | [`cache`] |
//! | what a user owns of it | [`belongings`] |

pub mod batch;
mod belongings;
mod cache;
pub mod catalogue;
mod changes;
mod counting;
pub mod editors;
mod facets;
pub mod insertion;
pub mod invitations;
pub mod keys;
pub mod movies;
mod names;
pub mod pages;
pub mod restoration;
pub mod suggestions;

pub use movies::Movies;
