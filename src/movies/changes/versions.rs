//! The versions of a movie: made from the movie as it is, by taking back one change after the other.

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use futures::TryStreamExt;
use serde::Deserialize;

use super::{
    entry::{Entry, Kind},
    store::ChangeStore,
};
use crate::{
    mongo::{BATCH, COMMAND, StoreError, within},
    movies::model::MovieDocument,
};

/// How many versions of a movie are kept, the current one included.
const KEPT: i64 = 200;
/// At every such version the older ones are forgotten. Readers look at [`KEPT`] themselves.
const BOUNDED_EVERY: i64 = 50;

/// What a list says of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub version: i64,
    pub kind: Kind,
    pub by: Option<ObjectId>,
    pub at: DateTime,
}

/// An entry, with whether it leads back to the version before it.
#[derive(Deserialize)]
struct Step {
    kind: Kind,
    version: i64,
    by: Option<ObjectId>,
    at: DateTime,
    leads_back: bool,
}

impl ChangeStore {
    /// The versions of a movie that are kept, newest first. The current one is always among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn versions(&self, movie: &MovieDocument) -> Result<Vec<Version>, StoreError> {
        let steps = self.documents().clone_with_type::<Step>();
        let find = steps
            .find(doc! { "movie": movie.id, "kind": { "$ne": "deleted" }, "version": { "$lte": movie.version } })
            .sort(doc! { "version": -1 })
            .projection(doc! {
                "kind": 1, "version": 1, "by": 1, "at": 1,
                // A movie that came back is what it was when it was deleted.
                "leads_back": { "$or": [
                    { "$eq": [{ "$type": "$former" }, "object"] },
                    { "$eq": ["$kind", "created"] },
                ] },
            })
            .limit(KEPT);
        let steps: Vec<Step> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        Ok(kept(movie, steps))
    }

    /// The movie as it was in a version; `None` if that is not kept.
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
        let find = self
            .entries()
            .find(doc! {
                "movie": movie.id,
                "kind": { "$ne": "deleted" },
                "version": { "$gte": version, "$lte": movie.version },
            })
            .sort(doc! { "version": -1 });
        let entries: Vec<Entry> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        Ok(former_version(movie, version, &entries))
    }

    /// Forgets what is beyond the newest versions, now and then.
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

/// The versions down to the first that is not known.
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
        // It is older than the log.
        let kind = if movie.version == 1 { Kind::Created } else { Kind::Updated };
        versions.push(Version { version: movie.version, kind, by: movie.updated_by, at: movie.updated_at });
    }
    versions
}

/// Takes back one change after the other, from the newest on; `None` if one of them is not known.
fn former_version(movie: &MovieDocument, version: i64, entries: &[Entry]) -> Option<MovieDocument> {
    let mut document = bson::serialize_to_document(movie).ok()?;
    let mut at = movie.version;
    for entry in entries {
        if entry.version != Some(at) {
            return None;
        }
        if at == version {
            document.insert("version", version);
            return bson::deserialize_from_document(document).ok();
        }
        match (&entry.former, entry.kind) {
            (Some(former), _) => take_back(&mut document, former),
            (None, Kind::Created) => {}
            (None, _) => return None,
        }
        at -= 1;
    }
    None
}

fn take_back(document: &mut Document, former: &Document) {
    for (name, value) in former {
        if *value == Bson::Null {
            document.remove(name);
        } else {
            document.insert(name, value.clone());
        }
    }
}
