//! Checks that the change log has every change of every movie, each once and in order. It reads the database
//! directly.

use std::collections::{BTreeMap, HashMap};

use bson::{Document, doc, oid::ObjectId};
use futures::TryStreamExt;
use mongodb::Database;

/// What is wrong with the log, if anything. The log must be complete since the first movie.
pub async fn flaw(database: &Database) -> Option<String> {
    let movies = versions(database).await;
    let mut steps: BTreeMap<ObjectId, Vec<Document>> = BTreeMap::new();
    let entries = database.collection::<Document>("changes");
    let entries = entries.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
    for entry in entries.try_collect::<Vec<_>>().await.unwrap() {
        steps.entry(entry.get_object_id("movie").unwrap()).or_default().push(entry);
    }
    if let Some(missing) = movies.keys().find(|movie| !steps.contains_key(*movie)) {
        return Some(format!("no change of {missing} is in the log"));
    }
    steps.iter().find_map(|(movie, steps)| {
        let told = follow(steps).map_err(|flaw| format!("{movie}: {flaw}")).err();
        let end = steps.last().and_then(state_after);
        let is = movies.get(movie).copied();
        told.or_else(|| (end != is).then(|| format!("{movie} has version {is:?}, and in the log {end:?}")))
    })
}

async fn versions(database: &Database) -> HashMap<ObjectId, i64> {
    let movies = database.collection::<Document>("movies");
    let movies = movies.find(doc! {}).projection(doc! { "version": 1 });
    let movies: Vec<Document> = movies.await.unwrap().try_collect().await.unwrap();
    let known = |movie: &Document| (movie.get_object_id("_id").unwrap(), movie.get_i64("version").unwrap());
    movies.iter().map(known).collect()
}

/// The version of the movie after this change; `None` if the movie is deleted.
fn state_after(step: &Document) -> Option<i64> {
    let is_deletion = step.get_str("kind").unwrap() == "deleted";
    (!is_deletion).then(|| step.get_i64("version").unwrap())
}

/// Checks that each change follows from the previous one.
fn follow(steps: &[Document]) -> Result<(), String> {
    let (mut exists, mut version) = (false, 0);
    for step in steps {
        let kind = step.get_str("kind").unwrap();
        match (kind, exists) {
            ("created", false) | ("updated", true) => {
                let next = step.get_i64("version").unwrap();
                if next != version + 1 {
                    return Err(format!("version {next} after {version}"));
                }
                (exists, version) = (true, next);
            }
            ("deleted", true) => exists = false,
            _ => {
                return Err(format!("{kind}, and it {}", if exists { "was there" } else { "was not there" }));
            }
        }
    }
    Ok(())
}
