//! The versions of a movie. They are computed from the current movie by undoing later changes.

use std::collections::BTreeSet;

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use futures::TryStreamExt;
use mongodb::ClientSession;
use serde::Deserialize;

use super::{
    entry::{Entry, Kind},
    log::Changes,
    reader::ReadError,
    store::ChangeStore,
};
use crate::{
    mongo::{BATCH, COMMAND, StoreError, within},
    movies::model::MovieDocument,
};

/// How many versions of a movie are kept, the current one included.
const KEPT: i64 = 200;
/// Older versions are erased each time the version is a multiple of this. Readers apply [`KEPT`] themselves.
const BOUNDED_EVERY: i64 = 50;

/// One version in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub version: i64,
    pub kind: Kind,
    pub by: Option<ObjectId>,
    pub at: DateTime,
}

/// An entry, and whether it leads back to the previous version.
#[derive(Deserialize)]
struct Step {
    kind: Kind,
    version: i64,
    by: Option<ObjectId>,
    at: DateTime,
    leads_back: bool,
}

/// Several entries together.
#[derive(Deserialize)]
struct Steps {
    entries: i64,
    versions: BTreeSet<i64>,
    lead_back: i64,
    /// The values that these changes replaced. Of several changes to a field, the first counts.
    former: Document,
}

/// Whether an entry leads back to the previous version. A restored movie is the same as when it was deleted.
fn leads_back() -> Document {
    doc! { "$or": [{ "$eq": [{ "$type": "$former" }, "object"] }, { "$eq": ["$kind", Kind::Created.name()] }] }
}

/// The entries that created these versions of a movie.
fn makers_of(movie: &MovieDocument, versions: Document) -> Document {
    doc! { "movie": movie.id, "kind": { "$ne": Kind::Deleted.name() }, "version": versions }
}

impl Changes {
    /// Waits until the log has the change that created this version, if it will ever have it. `seen` is the session
    /// that read the movie. Another server may have made the change, or this one a moment ago.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn catch_up_with_movie(
        &self,
        movie: &MovieDocument,
        seen: &ClientSession,
    ) -> Result<(), ReadError> {
        let documents = self.store().documents();
        let maker = documents.find_one(makers_of(movie, doc! { "$eq": movie.version }));
        if within(COMMAND, maker.projection(doc! { "_id": 1 })).await?.is_some() {
            return Ok(());
        }
        // The change is older than the log, or not in it yet.
        self.catch_up_with(seen).await
    }
}

impl ChangeStore {
    /// The versions of a movie that are kept, newest first. The current one is always included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn versions(&self, movie: &MovieDocument) -> Result<Vec<Version>, StoreError> {
        let steps = self.documents().clone_with_type::<Step>();
        let find = steps
            .find(makers_of(movie, doc! { "$lte": movie.version }))
            .sort(doc! { "version": -1 })
            .projection(doc! { "kind": 1, "version": 1, "by": 1, "at": 1, "leads_back": leads_back() })
            .limit(KEPT);
        let steps: Vec<Step> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        Ok(kept(movie, steps))
    }

    /// The movie as it was in a version; `None` if that version is not kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn at_version(
        &self,
        movie: &MovieDocument,
        version: i64,
    ) -> Result<Option<MovieDocument>, StoreError> {
        if version == movie.version {
            return Ok(Some(movie.clone()));
        }
        if !(movie.version - KEPT + 1..movie.version).contains(&version) {
            return Ok(None);
        }
        let is_later = || doc! { "$gt": ["$version", version] };
        // Merge in the database: together, the changes may have replaced 200 times the size of the movie.
        let merge = vec![
            doc! { "$match": makers_of(movie, doc! { "$gte": version, "$lte": movie.version }) },
            doc! { "$sort": { "version": -1 } },
            doc! { "$group": {
                "_id": null,
                "entries": { "$sum": 1_i64 },
                "versions": { "$addToSet": "$version" },
                "lead_back": { "$sum": {
                    "$cond": [{ "$and": [is_later(), leads_back()] }, 1_i64, 0_i64]
                } },
                // The first change after the version that replaced a field has the value that the field had then.
                "former": { "$mergeObjects": { "$cond": [is_later(), "$former", {}] } },
            } },
        ];
        let documents = self.documents();
        let steps = documents.aggregate(merge).with_type::<Steps>();
        let steps: Vec<Steps> = within(COMMAND, async { steps.await?.try_collect().await }).await?;
        Ok(steps.into_iter().next().and_then(|steps| former_version(movie, version, &steps)))
    }

    /// Erases versions beyond the newest [`KEPT`], from time to time.
    pub(super) async fn bound_versions(&self, newest: &Entry) -> Result<(), StoreError> {
        let Some(version) = newest.version.filter(|version| *version > KEPT && version % BOUNDED_EVERY == 0)
        else {
            return Ok(());
        };
        let beyond = doc! {
            "movie": newest.movie,
            "version": { "$lte": version - KEPT + 1 },
            "former": { "$exists": true },
        };
        let forget = doc! { "$unset": { "former": true } };
        within(BATCH, self.documents().update_many(beyond, forget)).await.map(drop)
    }
}

/// The versions down to the first one that is unknown.
fn kept(movie: &MovieDocument, steps: Vec<Step>) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    let mut leads_back = true;
    for Step { kind, version, by, at, leads_back: leads_on } in steps {
        let expected = versions.last().map_or(movie.version, |last| last.version - 1);
        if !leads_back || version != expected {
            break;
        }
        versions.push(Version { version, kind, by, at });
        leads_back = leads_on;
    }
    if versions.is_empty() {
        // The version is older than the log.
        let kind = if movie.version == 1 { Kind::Created } else { Kind::Updated };
        versions.push(Version { version: movie.version, kind, by: movie.updated_by, at: movie.updated_at });
    }
    versions
}

/// The movie before these changes; `None` if one of them is unknown.
fn former_version(movie: &MovieDocument, version: i64, steps: &Steps) -> Option<MovieDocument> {
    let later = movie.version - version;
    let each_is_known = steps.entries == later + 1
        && steps.lead_back == later
        && steps.versions.iter().copied().eq(version..=movie.version);
    if !each_is_known {
        return None;
    }
    let mut document = bson::serialize_to_document(movie).ok()?;
    for (name, value) in &steps.former {
        if *value == Bson::Null {
            document.remove(name);
        } else {
            document.insert(name, value.clone());
        }
    }
    document.insert("version", version);
    bson::deserialize_from_document(document).ok()
}
