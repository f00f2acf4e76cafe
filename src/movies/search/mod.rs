//! The search index: finds movies by words, filters and orders, counts them, and suggests names. It gives back ids.
//!
//! The index is a cache in a folder of its own. It can be deleted at any time, and whatever cannot be read is made
//! anew. It knows no HTTP, no database and no change log: who feeds it tells it of every movie and every change.
//!
//! | question | file |
//! | --- | --- |
//! | how is it opened, fed, waited for and asked? | `index.rs` |
//! | what can be asked, and what comes back? | `question.rs` |
//! | what is in it? | `schema.rs`, from `movie.rs` |
//! | how are texts cut into words, and words to stems? | `tokens.rs`, `languages.rs`, `tokenizers.rs` |
//! | how are the words of a search read? | `words.rs` |
//! | which movies match, and what is each find worth? | `matching.rs`, `misspelt.rs`, `filters.rs`, `points.rs` |
//! | what holds for all pages of a search, and where does a page end? | `plan.rs`, `cursor.rs` |
//! | in which order do movies come? | `top.rs`, `names.rs` |
//! | facets and suggestions | `counting.rs`, `suggestions.rs` |
//! | when does a change become visible? | `writer.rs`; has anything become visible? `commits.rs` |
//! | where are its files, and when is it made anew? | `folder.rs`, `files.rs` |

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
