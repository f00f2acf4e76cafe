//! Tests of the index as a whole, with hand-made movies.

mod changes;
mod damage;
mod orders;
mod searches;

use std::time::Duration;

use bson::oid::ObjectId;
use tempfile::TempDir;

use super::{Batch, Found, IndexedMovie, Meant, MovieIndex, PageQuestion, Words};
use crate::movies::sort::Sort;

fn id(number: u32) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

fn number(id: ObjectId) -> u32 {
    let [.., a, b, c, d] = id.bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A movie with only a name. A higher number means a later creation time.
fn movie(number: u32, name: &str) -> IndexedMovie {
    IndexedMovie {
        id: id(number),
        name: name.into(),
        year: None,
        casts: Vec::new(),
        genres: Vec::new(),
        directors: Vec::new(),
        countries: Vec::new(),
        languages: Vec::new(),
        plot: None,
        added_by: id(0),
        created_at: i64::from(number),
    }
}

/// Longer than any step takes on a busy machine.
const LONG: Duration = Duration::from_mins(1);

/// Applies a batch and waits until it is visible.
async fn apply(index: &MovieIndex, batch: Batch) {
    let number = batch.number;
    index.apply(batch).await.unwrap();
    index.visible_within(number, LONG).await.unwrap();
}

/// An index of these movies.
async fn index_of(movies: &[IndexedMovie]) -> (TempDir, MovieIndex) {
    let folder = tempfile::tempdir().unwrap();
    let (index, position) = MovieIndex::open(folder.path(), 2).unwrap();
    assert_eq!(position, None);
    let upserts = movies.to_vec();
    index.apply(Batch { upserts, is_new: true, ..Batch::default() }).await.unwrap();
    index.complete("all".into(), 1).await.unwrap();
    (folder, index)
}

fn meant(words: &str) -> Meant {
    Meant { words: Words::parse(words), ..Meant::default() }
}

fn page_of(meant: Meant, sort: Sort, limit: usize) -> PageQuestion {
    PageQuestion { meant, sort, limit, after: None, count: true }
}

async fn search(index: &MovieIndex, words: &str) -> Found {
    index.page(page_of(meant(words), Sort::Relevance, 20)).await.unwrap()
}

/// The numbers of the movies that a search finds, the best first.
async fn found(index: &MovieIndex, words: &str) -> Vec<u32> {
    search(index, words).await.hits.iter().map(|hit| number(hit.id)).collect()
}
