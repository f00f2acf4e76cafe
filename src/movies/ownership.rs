//! A movie belongs to one user: the one who added it, or the one to whom it was handed over. Only that user and the
//! editors whom the owner has invited may change it; only its owner may delete it, invite and hand it over.
//!
//! The rule is the filter of the write itself, one atomic step: nothing can come between a check and
//! the write. When the write matched nothing, a second look says why.

use bson::{Document, doc};
use serde::Deserialize;

use super::model::MovieDocument;
use crate::http::ids::{MovieId, UserId};

/// Which versions of a movie a write is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    AnyVersion,
    /// One of these; an empty list is met by none.
    OneOf(Vec<i64>),
}

/// What a caller must be to a movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Owner,
    OwnerOrEditor,
}

/// The filter of every write to a movie that exists.
#[must_use]
pub fn writable(id: MovieId, caller: UserId, needed: Role, precondition: &Precondition) -> Document {
    let mut filter = match needed {
        Role::Owner => doc! { "_id": id, "added_by": caller },
        Role::OwnerOrEditor => doc! { "_id": id, "$or": [{ "added_by": caller }, { "editors": caller }] },
    };
    if let Precondition::OneOf(versions) = precondition {
        filter.insert("version", doc! { "$in": versions });
    }
    filter
}

/// What the second look reads.
#[derive(Debug, Deserialize)]
pub struct Rights {
    added_by: UserId,
    #[serde(default)]
    editors: Vec<UserId>,
}

impl From<&MovieDocument> for Rights {
    fn from(movie: &MovieDocument) -> Self {
        Self {
            added_by: UserId(movie.added_by),
            editors: movie.editors.iter().copied().map(UserId).collect(),
        }
    }
}

impl Rights {
    #[must_use]
    pub fn owner(&self) -> UserId {
        self.added_by
    }

    /// In the order in which they have accepted.
    #[must_use]
    pub fn editors(&self) -> &[UserId] {
        &self.editors
    }

    /// Whether the caller is that to the movie.
    #[must_use]
    pub fn allow(&self, caller: UserId, needed: Role) -> bool {
        self.added_by == caller || needed == Role::OwnerOrEditor && self.editors.contains(&caller)
    }
}

/// Why a write did not happen. In this order: what is not there has no owner, and a stranger does
/// not learn the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NotThere,
    /// The caller is not what is needed.
    Not(Role),
    VersionDiffers,
    /// This movie has the name in that year.
    NameTaken(MovieId),
}

/// Why a write with [`writable`] as its filter matched nothing.
#[must_use]
pub fn refusal(found: Option<&Rights>, caller: UserId, needed: Role) -> Refusal {
    match found {
        None => Refusal::NotThere,
        Some(movie) if !movie.allow(caller, needed) => Refusal::Not(needed),
        // The version is left. Or the movie has come back since, or the rights have changed.
        Some(_) => Refusal::VersionDiffers,
    }
}
