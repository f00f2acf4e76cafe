//! What the index reads from the database. The index stores no text: every answer comes from the current movies.

use std::collections::HashSet;

use bson::{DateTime, Document, RawDocumentBuf, doc, oid::ObjectId};
use futures::TryStreamExt;
use mongodb::{Collection, Cursor};
use serde::Deserialize;

use crate::{
    mongo::{BATCH, StoreError, within},
    movies::{Movies, search::IndexedMovie},
};

/// Marks these commands in MongoDB's profiler and log.
const COMMENT: &str = "search index";
/// How many movies the index gets at once.
const BATCH_SIZE: u32 = 500;

/// The fields of a movie that the index needs.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: ObjectId,
    name: String,
    year: Option<i32>,
    casts: Vec<String>,
    genres: Vec<String>,
    directors: Vec<String>,
    countries: Vec<String>,
    languages: Vec<String>,
    plot: Option<String>,
    added_by: ObjectId,
    created_at: DateTime,
}

impl From<Stored> for IndexedMovie {
    fn from(movie: Stored) -> Self {
        Self {
            id: movie.id,
            name: movie.name,
            year: movie.year,
            casts: movie.casts,
            genres: movie.genres,
            directors: movie.directors,
            countries: movie.countries,
            languages: movie.languages,
            plot: movie.plot,
            added_by: movie.added_by,
            created_at: movie.created_at.timestamp_millis(),
        }
    }
}

/// Parses a document. One that is not a movie (somebody put it there by hand) must not stop the building of the
/// index.
fn read(document: &RawDocumentBuf) -> Option<IndexedMovie> {
    let stored = bson::deserialize_from_slice::<Stored>(document.as_bytes());
    stored
        .inspect_err(|error| tracing::warn!(%error, "skipping a document that is not a movie"))
        .ok()
        .map(Into::into)
}

fn documents(movies: &Movies) -> Collection<RawDocumentBuf> {
    movies.collection().clone_with_type()
}

fn needed() -> Document {
    doc! {
        "name": 1, "year": 1, "casts": 1, "genres": 1, "directors": 1, "countries": 1, "languages": 1,
        "plot": 1, "added_by": 1, "created_at": 1,
    }
}

/// Every movie, a batch at a time.
pub(super) struct AllMovies(Cursor<RawDocumentBuf>);

impl AllMovies {
    pub async fn open(movies: &Movies) -> Result<Self, StoreError> {
        let documents = documents(movies);
        let all = documents.find(doc! {}).projection(needed()).sort(doc! { "_id": 1 });
        within(BATCH, all.batch_size(BATCH_SIZE).comment(COMMENT)).await.map(Self)
    }

    /// The next batch; smaller near the end, and empty when no movies are left.
    pub async fn next(&mut self) -> Result<Vec<IndexedMovie>, StoreError> {
        let mut some = Vec::new();
        while some.len() < BATCH_SIZE as usize {
            let Some(document) = within(BATCH, self.0.try_next()).await? else { break };
            some.extend(read(&document));
        }
        Ok(some)
    }
}

/// The movies with these ids that exist, and the ids that do not.
pub(super) async fn as_they_are(
    movies: &Movies,
    ids: HashSet<ObjectId>,
) -> Result<(Vec<IndexedMovie>, Vec<ObjectId>), StoreError> {
    let mut gone = ids;
    let among = doc! { "_id": { "$in": gone.iter().copied().collect::<Vec<_>>() } };
    let documents = documents(movies);
    let find = documents.find(among).projection(needed()).comment(COMMENT);
    let found: Vec<RawDocumentBuf> = within(BATCH, async { find.await?.try_collect().await }).await?;
    let found: Vec<IndexedMovie> = found.iter().filter_map(read).collect();
    for movie in &found {
        gone.remove(&movie.id);
    }
    Ok((found, gone.into_iter().collect()))
}
