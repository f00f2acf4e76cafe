//! How movies are stored: the collection itself, how they get in, how lists are read and counted, and what
//! is kept in memory.

mod belongings;
mod cache;
pub mod catalogue;
pub mod facets;
pub mod insertion;
pub mod movies;
mod plan;

pub use movies::Movies;
pub mod counting;
