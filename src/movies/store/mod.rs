//! How movies are stored.
//!
//! May import `mongo`, `accounts` for who owns a movie, and of `http` only the ids: a store knows no request
//! and no answer.
//!
//! | question | file |
//! | --- | --- |
//! | the collection, and one movie | [`movies`] |
//! | how new movies get in | [`insertion`] |
//! | how the owner changes one | [`changes`] |
//! | how a deleted one comes back | [`restoration`] |
//! | how lists are read | [`catalogue`], [`pages`] |
//! | what the database answers alone where there is no search index | [`suggestions`], [`facets`] |
//! | how many may look at every movie at once | [`counting`] |
//! | what is kept in memory | [`cache`] |
//! | what a user owns of it | [`belongings`] |

mod belongings;
mod cache;
pub mod catalogue;
mod changes;
mod counting;
mod facets;
pub mod insertion;
pub mod movies;
pub mod pages;
mod restoration;
pub mod suggestions;

pub use movies::Movies;
