//! The collection `movies`, and reading single movies. [`super::insertion`] adds movies, [`super::changes`] changes
//! them, [`super::catalogue`] reads lists.

use std::{collections::HashMap, num::NonZero, sync::Arc};

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::{ClientSession, Collection, Database};
use prometheus::core::Collector;
use rocket::Shutdown;

use super::{
    cache::{Cache, Look},
    counting::Counting,
    insertion::Insert,
    keys::Keys,
    pages::Pages,
};
use crate::{
    http::ids::MovieId,
    mongo::{
        COMMAND, StoreError,
        batches::Batches,
        by_id::{ById, HasId},
        indexes, within,
    },
    movies::{
        changes::{Acknowledged, ChangeStore, Changes},
        model::MovieDocument,
        view::ReadMovie,
    },
};

/// The movies. Clones share their batches and the cache.
#[derive(Clone)]
pub struct Movies {
    documents: Collection<MovieDocument>,
    by_id: Batches<ById<ReadMovie>>,
    pub(super) pages: Batches<Pages>,
    pub(super) inserts: Batches<Insert>,
    pub(super) counting: Counting,
    pub(super) acknowledged: Acknowledged,
    pub(super) history: ChangeStore,
    pub(super) keys: Keys,
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
        let acknowledged = Acknowledged::default();
        Self {
            // Read whole documents: leaving out `typeahead` costs the database more than sending it.
            by_id: Batches::new(ById::new(movies.clone_with_type(), Document::new(), Document::new())),
            pages: Batches::new(Pages::new(movies.clone())),
            inserts: Batches::new(Insert { movies: movies.clone(), acknowledged: acknowledged.clone() }),
            counting: Counting::new(),
            acknowledged,
            history: ChangeStore::new(database),
            keys: Keys::new(database),
            cache: None,
            documents: movies,
        }
    }

    /// The same, with up to `most` movies kept in memory; 0 keeps none.
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

    /// Keeps the cache up to date, if there is one, until the shutdown.
    pub async fn keep_cache_true(&self, changes: &Changes, shutdown: Shutdown) {
        if let Some(cache) = &self.cache {
            cache.follow(changes, shutdown).await;
        }
    }

    /// Hold this while these movies are changed. When it is dropped, the cache invalidates them, whatever the
    /// outcome.
    pub(super) fn invalidate_after(&self, ids: &[MovieId]) -> impl Drop + use<> {
        Invalidation { cache: self.cache.clone(), ids: ids.to_vec() }
    }

    /// The collection, for the other files of this feature.
    pub(in crate::movies) fn collection(&self) -> &Collection<MovieDocument> {
        &self.documents
    }

    /// The idempotency keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The writes that this process has acknowledged, for the readers of the log.
    #[must_use]
    pub fn acknowledged(&self) -> &Acknowledged {
        &self.acknowledged
    }

    /// A session for one write. It knows the time at which the database completed the write.
    pub(super) async fn session(&self) -> Result<ClientSession, StoreError> {
        within(COMMAND, self.documents.client().start_session()).await
    }

    /// The current state of a movie, never from the cache, and the session of the read, which knows its time.
    ///
    /// # Errors
    /// Only when the database fails. A missing movie is `None`.
    pub async fn find_with_session(
        &self,
        id: MovieId,
    ) -> Result<(Option<MovieDocument>, ClientSession), StoreError> {
        let mut session = self.session().await?;
        let find = self.documents.find_one(doc! { "_id": id }).session(&mut session);
        let found = within(COMMAND, find).await?;
        Ok((found, session))
    }

    /// The current state of those of these movies that exist, never from the cache. A document that is not a movie
    /// (somebody put it there by hand) counts as missing: it must not fail everyone else's requests.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_several(
        &self,
        ids: impl IntoIterator<Item = MovieId>,
    ) -> Result<HashMap<MovieId, Arc<ReadMovie>>, StoreError> {
        let ids: Vec<MovieId> = ids.into_iter().collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let documents = self.documents.clone_with_type::<RawDocumentBuf>();
        let find = documents.find(doc! { "_id": { "$in": ids } });
        let found: Vec<RawDocumentBuf> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        let read = |document: &RawDocumentBuf| {
            let movie = bson::deserialize_from_slice::<ReadMovie>(document.as_bytes());
            movie.inspect_err(|error| tracing::warn!(%error, "skipping a document that is not a movie")).ok()
        };
        Ok(found.iter().filter_map(read).map(|movie| (MovieId(movie.id), Arc::new(movie))).collect())
    }

    /// # Errors
    /// Only when the database fails. A missing movie is `None`.
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
