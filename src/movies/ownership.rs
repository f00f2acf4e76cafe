//! Only the user who added a movie may change or delete it.
//!
//! The rule is the filter of the write itself, one atomic step: nothing can come between a check and
//! the write. When the write matched nothing, a second look says why.

use bson::{Document, doc};
use serde::Deserialize;

use crate::http::ids::{MovieId, UserId};

/// Which versions of a movie a write is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    AnyVersion,
    /// One of these; an empty list is met by none.
    OneOf(Vec<i64>),
}

/// The filter of every write to a movie that exists.
#[must_use]
pub fn owned(id: MovieId, owner: UserId, precondition: &Precondition) -> Document {
    let mut filter = doc! { "_id": id, "added_by": owner };
    if let Precondition::OneOf(versions) = precondition {
        filter.insert("version", doc! { "$in": versions });
    }
    filter
}

/// What the second look reads.
#[derive(Debug, Deserialize)]
pub struct Owned {
    added_by: UserId,
}

/// Why a write did not happen. In this order: what is not there has no owner, and a stranger does
/// not learn the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NotThere,
    NotOwner,
    VersionDiffers,
}

/// Why a write with [`owned`] as its filter matched nothing.
#[must_use]
pub fn refusal(found: Option<&Owned>, caller: UserId) -> Refusal {
    match found {
        None => Refusal::NotThere,
        Some(movie) if movie.added_by != caller => Refusal::NotOwner,
        // Ids are never used again and owners never change: only the version is left.
        Some(_) => Refusal::VersionDiffers,
    }
}
