//! A movie belongs to one user: the one who added it, or the one to whom it was transferred. Only the owner and the
//! editors whom the owner has invited may change it. Only the owner may delete it, invite editors and transfer it.
//!
//! The rule is part of the filter of the write itself, which is one atomic step, so nothing can happen between a
//! check and the write. If the write matched nothing, a second read finds out why.

use bson::{Document, doc};
use serde::Deserialize;

use super::model::MovieDocument;
use crate::http::ids::{MovieId, UserId};

/// Which versions of a movie a write applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    AnyVersion,
    /// One of these versions. No version meets an empty list.
    OneOf(Vec<i64>),
}

/// The role that a caller needs.
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

/// The fields that the second read needs.
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

    /// In the order in which they accepted.
    #[must_use]
    pub fn editors(&self) -> &[UserId] {
        &self.editors
    }

    /// Whether the caller has the needed role.
    #[must_use]
    pub fn allow(&self, caller: UserId, needed: Role) -> bool {
        self.added_by == caller || needed == Role::OwnerOrEditor && self.editors.contains(&caller)
    }
}

/// Why a write did not happen. The order matters: a missing movie has no owner, and a stranger must not learn the
/// version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NotThere,
    /// The caller does not have the needed role.
    Not(Role),
    VersionDiffers,
    /// This movie already has that name and year.
    NameTaken(MovieId),
}

/// Why a write with [`writable`] as its filter matched nothing.
#[must_use]
pub fn refusal(found: Option<&Rights>, caller: UserId, needed: Role) -> Refusal {
    match found {
        None => Refusal::NotThere,
        Some(movie) if !movie.allow(caller, needed) => Refusal::Not(needed),
        // Only the version remains as the reason. Or, between the two steps, the movie was restored or the rights
        // changed.
        Some(_) => Refusal::VersionDiffers,
    }
}
