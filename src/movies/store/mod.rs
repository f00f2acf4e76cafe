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
//! | how lists are read | [`catalogue`], [`pages`], and [`plan`] for the choice of an index |
//! | names while somebody types | [`suggestions`] |
//! | what is counted, and how many may count | [`facets`], [`counting`] |
//! | what is kept in memory | [`cache`] |
//! | what a user owns of it | [`belongings`] |

mod belongings;
mod cache;
pub mod catalogue;
mod changes;
mod counting;
pub mod facets;
pub mod insertion;
pub mod movies;
pub mod pages;
mod plan;
mod restoration;
pub mod suggestions;

pub use movies::Movies;
