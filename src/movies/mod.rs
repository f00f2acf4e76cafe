//! The catalogue: who may change a movie, and how movies are stored, searched, listed and followed.
//!
//! May import every folder but `server` and `commands`.
//!
//! | question | file |
//! | --- | --- |
//! | what a movie is: its fields and their rules | [`model`] |
//! | who may change it | [`ownership`] |
//! | what a client can read of a movie | [`view`] |
//! | how a client can filter a list | [`filter`]; how it chooses fields: [`selection`] |
//! | which orders a list has, and where a page begins | [`sort`] |
//! | how movies are stored, read and counted | [`store`] |
//! | how an index finds movies by words, filters them and counts them | [`search`] |
//! | how names are folded for typeahead | [`folding`] |
//! | what has changed: the log | [`changes`] |
//! | how clients follow changes | [`events`] |
//! | which mails there are about a movie | `letters.rs` |
//! | `/api/movies` | [`routes`] |
//! | which routes and state Rocket gets | [`mod@stage`] |

pub mod changes;
pub mod events;
pub mod filter;
pub mod finder;
pub mod folding;
mod letters;
pub mod model;
pub mod ownership;
pub mod routes;
pub mod search;
pub mod selection;
pub mod sort;
mod stage;
pub mod store;
pub mod view;

pub use stage::Limits;
pub use stage::{Documented, stage};
pub use store::Movies;
