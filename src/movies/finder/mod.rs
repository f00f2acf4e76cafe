//! Finding movies: whether the database or the search index answers, and how the index is kept up to date.
//!
//! May import [`super::store`], [`super::search`] and [`super::changes`]; [`super::routes`] calls it.
//!
//! | question | file |
//! | --- | --- |
//! | which engine does this server use? | [`engine`] |
//! | which engine answers a question, and how? | [`answers`] |
//! | how is the index opened, or built from every movie? | `opening.rs` |
//! | how does it learn of every change? | `indexer.rs` |
//! | what does the index read from the database? | `reading.rs` |
//! | in which folder are its files? | `slot.rs` |
//!
//! The database answers questions that one of its own indexes covers: the plain orders, each single filter in the
//! default order, and movies by id or by name. The search index answers everything else: words, facets, counts,
//! suggestions, and filters in any combination and any order.

mod answers;
mod engine;
mod indexer;
mod opening;
mod reading;
mod slot;

pub use answers::{FindError, Finder, Found, PageRequest, Standing};
pub use engine::{Engine, EngineError};
