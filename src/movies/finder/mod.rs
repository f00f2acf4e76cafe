//! Finding movies: who answers a question, the database or the search index, and how the index is kept true.
//!
//! May import [`super::store`], [`super::search`] and [`super::changes`]; [`super::routes`] asks it.
//!
//! | question | file |
//! | --- | --- |
//! | which engine does this server use? | [`engine`] |
//! | who answers, and how | [`answers`] |
//! | how does the index learn of every movie and every change? | `indexer.rs` |
//! | what does it read of the database? | `reading.rs` |
//! | in which folder are its files? | `slot.rs` |
//!
//! The database answers what one of its indexes holds: the plain orders, each single filter in the default order, and
//! movies by id or by name. The search index answers everything else: words, facets, counts, suggestions, and filters
//! in any combination and any order.

mod answers;
mod engine;
mod indexer;
mod reading;
mod slot;

pub use answers::{FindError, Finder, Found, PageRequest, Standing};
pub use engine::{Engine, EngineError};
