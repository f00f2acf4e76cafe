//! How movies are stored.
//!
//! May import `mongo`, `accounts` for the owners of movies, and only the ids of `http`: a store does not know
//! requests and answers.
//!
//! | question | file |
//! | --- | --- |
//! | the collection, and one movie | [`movies`] |
//! | how new movies are inserted | [`insertion`]; several of one caller: [`batch`] |
//! | how a movie is changed and deleted | [`changes`]; who edits it: [`editors`]; whom its owner invites: [`invitations`] |
//! | which movie has a name | [`names`] |
//! | what an idempotency key stands for | [`keys`] |
//! | how a deleted movie is restored | [`restoration`] |
//! | how lists are read | [`catalogue`], [`pages`] |
//! | what the database answers if there is no search index | [`suggestions`], [`facets`] |
//! | how many commands may scan every movie at once | [`counting`] |
//! | which movies are kept in memory | [`cache`] |
//! | which movies a user owns | [`belongings`] |

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
