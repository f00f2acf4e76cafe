//! Which movie has a name in a year. The server asks this after the index rejected a write, and in a rehearsal. It
//! never asks before a write, because only the unique index decides.

use std::collections::HashMap;

use bson::{Document, doc};
use futures::TryStreamExt;
use serde::Deserialize;

use super::movies::Movies;
use crate::{
    http::ids::MovieId,
    mongo::{BATCH, COMMAND, StoreError, within},
};

/// How often a write is tried if its name is taken, and then nobody has it because the other movie was just deleted
/// or renamed.
pub(super) const TRIES: u32 = 4;

/// The name and the year. No two movies share both.
pub type Name = (String, Option<i32>);

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "_id")]
    id: MovieId,
    name: String,
    year: Option<i32>,
}

/// The error if other movies keep taking the name and giving it up.
pub(super) fn taken_by_turns() -> StoreError {
    StoreError::Unavailable("other movies took the name and gave it up again".to_owned())
}

impl Movies {
    /// The movie that has this name.
    pub(super) async fn holder_of(
        &self,
        (name, year): (&str, Option<i32>),
    ) -> Result<Option<MovieId>, StoreError> {
        let named = self.collection().clone_with_type::<Named>();
        let find = named.find_one(doc! { "name": name, "year": year });
        let found = within(COMMAND, find.projection(doc! { "name": 1, "year": 1 })).await?;
        Ok(found.map(|movie| movie.id))
    }

    /// The movies that have these names. A free name has none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holders_of(
        &self,
        names: &[(&str, Option<i32>)],
    ) -> Result<HashMap<Name, MovieId>, StoreError> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let any: Vec<Document> =
            names.iter().map(|(name, year)| doc! { "name": *name, "year": *year }).collect();
        let movies = self.collection().clone_with_type::<Named>();
        let find = movies.find(doc! { "$or": any }).projection(doc! { "name": 1, "year": 1 });
        let found: Vec<Named> = within(BATCH, async { find.await?.try_collect().await }).await?;
        Ok(found.into_iter().map(|movie| ((movie.name, movie.year), movie.id)).collect())
    }

    /// The name of a movie as it is now.
    pub(super) async fn name_of(&self, id: MovieId) -> Result<Option<Name>, StoreError> {
        let named = self.collection().clone_with_type::<Named>();
        let find = named.find_one(doc! { "_id": id }).projection(doc! { "name": 1, "year": 1 });
        Ok(within(COMMAND, find).await?.map(|movie| (movie.name, movie.year)))
    }
}
