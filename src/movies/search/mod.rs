//! The search index. It finds movies by words, filters and orders, counts them, and suggests names. It returns only
//! ids.
//!
//! The index is a cache in its own folder. It can be deleted at any time, and a damaged one is rebuilt. It does not
//! know HTTP, the database or the change log: its caller passes it every movie and every change.
//!
//! | question | file |
//! | --- | --- |
//! | how is it opened, updated, waited for and searched? | `index.rs` |
//! | what can be asked, and what comes back? | `question.rs` |
//! | what is in it? | `schema.rs`, from `movie.rs` |
//! | how are texts split into words, and words reduced to stems? | `tokens.rs`, `languages.rs`, `tokenizers.rs` |
//! | how is a search parsed? | `words.rs` |
//! | which movies match, and how do they score? | `matching.rs`, `misspelt.rs`, `unwanted.rs`, `filters.rs`, `points.rs` |
//! | what stays the same for all pages of a search, and where does a page end? | `plan.rs`, `cursor.rs` |
//! | how are movies ordered? | `top.rs`, `names.rs` |
//! | facets and suggestions | `counting.rs`, `suggestions.rs` |
//! | when does a change become visible? | `writer.rs`; whether anything has: `commits.rs` |
//! | where are its files, and when is it rebuilt? | `folder.rs`, `files.rs` |

mod answers;
mod commits;
mod counting;
mod cursor;
mod error;
mod files;
mod filters;
mod folder;
mod index;
mod languages;
mod matching;
mod misspelt;
mod movie;
mod names;
mod plan;
mod points;
mod question;
mod schema;
mod suggestions;
#[cfg(test)]
mod tests;
mod threads;
mod tokenizers;
mod tokens;
mod top;
mod unwanted;
mod words;
mod writer;

pub use commits::Commit;
pub use cursor::Cursor;
pub use error::SearchError;
pub use index::MovieIndex;
pub use movie::IndexedMovie;
pub use names::NameOrder;
pub use question::{Entry, Exact, Facets, Found, Hit, Meant, PageQuestion};
pub use words::Words;
pub use writer::{Batch, State};
