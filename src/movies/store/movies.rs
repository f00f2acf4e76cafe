//! The collection `movies`, and what looks at one movie. [`super::insertion`] adds movies, [`super::changes`]
//! changes them, [`super::catalogue`] reads lists.

use std::{num::NonZero, sync::Arc};

use bson::Document;
use mongodb::{Collection, Database};
use prometheus::core::Collector;
use rocket::Shutdown;

use super::{
    cache::{Cache, Look},
    counting::Counting,
    insertion::Insert,
    pages::Pages,
};
use crate::{
    http::ids::MovieId,
    mongo::{
        StoreError,
        batches::Batches,
        by_id::{ById, HasId},
        indexes,
    },
    movies::{model::MovieDocument, view::ReadMovie},
};

/// The movies. Clones share what they ask of the database.
#[derive(Clone)]
pub struct Movies {
    documents: Collection<MovieDocument>,
    by_id: Batches<ById<ReadMovie>>,
    pub(super) pages: Batches<Pages>,
    pub(super) inserts: Batches<Insert>,
    pub(super) counting: Counting,
    cache: Option<Cache>,
}

impl HasId for ReadMovie {
    const PLURAL: &'static str = "find_movies";

    type Id = MovieId;

    fn id(&self) -> MovieId {
        MovieId(self.id)
    }
}

struct Invalidation {
    cache: Option<Cache>,
    ids: Vec<MovieId>,
}

impl Drop for Invalidation {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            cache.invalidate(&self.ids);
        }
    }
}

impl Movies {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let movies: Collection<MovieDocument> = database.collection(indexes::MOVIES);
        Self {
            // Whole: to leave out `typeahead` costs the database more than to send it.
            by_id: Batches::new(ById::new(movies.clone_with_type(), Document::new(), Document::new())),
            pages: Batches::new(Pages::new(movies.clone())),
            inserts: Batches::new(Insert(movies.clone())),
            counting: Counting::new(),
            cache: None,
            documents: movies,
        }
    }

    /// The same with so many movies kept in memory; 0: none.
    #[must_use]
    pub fn with_cache(self, most: usize) -> Self {
        Self { cache: NonZero::new(most).map(Cache::new), ..self }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let cache = self.cache.as_ref().map(Cache::collectors).unwrap_or_default();
        [self.by_id.collectors(), self.pages.collectors(), self.inserts.collectors(), cache]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Follows what others change, as long as there is a cache, until the shutdown.
    pub async fn keep_cache_true(&self, shutdown: Shutdown) {
        if let Some(cache) = &self.cache {
            cache.follow(&self.documents, shutdown).await;
        }
    }

    /// To be held while these movies are changed: the cache drops them however it ends.
    pub(super) fn invalidate_after(&self, ids: &[MovieId]) -> impl Drop + use<> {
        Invalidation { cache: self.cache.clone(), ids: ids.to_vec() }
    }

    /// For the other files of this feature.
    pub(in crate::movies) fn collection(&self) -> &Collection<MovieDocument> {
        &self.documents
    }

    /// # Errors
    /// Only when the database fails: not there is `None`.
    pub async fn find(&self, id: MovieId) -> Result<Option<Arc<ReadMovie>>, StoreError> {
        let reading = match self.cache.as_ref().map(|cache| cache.look(id)) {
            Some(Look::Hit(movie)) => return Ok(Some(movie)),
            Some(Look::Miss(reading)) => Some(reading),
            Some(Look::Closed) | None => None,
        };
        let found = self.by_id.find(id).await?;
        if let (Some(reading), Some(movie)) = (reading, &found) {
            reading.keep(movie);
        }
        Ok(found)
    }
}
