//! What a movie is, in three shapes: [`MovieInput`] (received; lists its fields, refuses others),
//! [`MovieDocument`] (stored) and [`super::view::MovieView`] (answered); and [`MoviePatch`] for a merge patch.
//!
//! | question | file |
//! | --- | --- |
//! | what is stored, and which fields a client can read | `document.rs` |
//! | a whole movie, as a client sends it | `input.rs` |
//! | several movies in one body | `batch.rs` |
//! | a change of some fields | `patch.rs` |
//! | what a field may hold | `rules.rs`, and `web_address.rs` for the poster |

mod batch;
mod document;
mod input;
mod patch;
mod rules;
mod web_address;

pub use batch::MovieBatch;
pub use document::{FIELDS, MovieDocument};
pub use input::MovieInput;
pub use patch::{MoviePatch, Rename};
pub(super) use rules::{CASTS, GENRES, NAME, OTHERS, YEAR};
pub use web_address::WEB_ADDRESS;
