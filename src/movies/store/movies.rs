//! The collection `movies`: what writes it, and what looks at one movie. [`super::catalogue`] reads lists.

use std::{num::NonZero, sync::Arc};

use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database,
    options::{Hint, ReturnDocument},
};

use prometheus::core::Collector;
use rocket::Shutdown;
use serde::Deserialize;

use super::{
    cache::{Cache, Look},
    catalogue::Pages,
    counting::Counting,
    insertion::Insert,
};
use crate::{
    http::{
        conditional::IfMatch,
        ids::{MovieId, UserId},
    },
    mongo::{
        BATCH, COMMAND, StoreError,
        batches::Batches,
        by_id::{ById, HasId},
        indexes, within,
    },
    movies::{
        model::{MovieDocument, MovieInput, MoviePatch},
        ownership::{self, Owned, Refusal},
        view::ReadMovie,
    },
};

/// How many movies go in one step of a cascade: some ten milliseconds' work.
const CASCADE_BATCH: i64 = 1_000;

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

/// What a cascade reads of a movie.
#[derive(Deserialize)]
struct OwnedId {
    #[serde(rename = "_id")]
    id: MovieId,
    #[serde(rename = "added_by")]
    owner: UserId,
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

    /// Replaces or patches a movie of the caller's.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if another movie has the new name in that year; inside, why the caller
    /// may not.
    async fn update(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &IfMatch,
        update: Document,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        let _invalidation = self.invalidate_after(&[id]);
        let filter = ownership::owned(id, caller, precondition);
        let command =
            self.documents.find_one_and_update(filter, update).return_document(ReturnDocument::After);
        match within(COMMAND, command).await? {
            Some(movie) => Ok(Ok(movie)),
            None => self.why_not(id, caller).await.map(Err),
        }
    }

    /// # Errors
    /// See [`Movies::update`].
    pub async fn replace(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &IfMatch,
        movie: MovieInput,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        self.update(id, caller, precondition, movie.into_update()).await
    }

    /// # Errors
    /// See [`Movies::update`].
    pub async fn patch(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &IfMatch,
        patch: MoviePatch,
    ) -> Result<Result<MovieDocument, Refusal>, StoreError> {
        self.update(id, caller, precondition, patch.into_update()).await
    }

    /// Deletes a movie of the caller's.
    ///
    /// # Errors
    /// When the database fails; inside, why the caller may not.
    pub async fn remove(
        &self,
        id: MovieId,
        caller: UserId,
        precondition: &IfMatch,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let _invalidation = self.invalidate_after(&[id]);
        let filter = ownership::owned(id, caller, precondition);
        let deleted = within(COMMAND, self.documents.delete_one(filter)).await?;
        if deleted.deleted_count == 1 { Ok(Ok(())) } else { self.why_not(id, caller).await.map(Err) }
    }

    /// The second look, after a write that matched nothing.
    async fn why_not(&self, id: MovieId, caller: UserId) -> Result<Refusal, StoreError> {
        let owned = self.documents.clone_with_type::<Owned>();
        let find = owned.find_one(doc! { "_id": id }).projection(doc! { "added_by": 1 });
        Ok(ownership::refusal(within(COMMAND, find).await?.as_ref(), caller))
    }

    /// How many movies there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self) -> Result<u64, StoreError> {
        // By the keys of an index, of which any would do: to read the movies takes four times as long.
        let hint = Hint::Name("newest_first".to_owned());
        within(COMMAND, self.documents.count_documents(doc! {}).hint(hint)).await
    }

    /// How many movies a user has added.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_of(&self, owner: UserId) -> Result<u64, StoreError> {
        within(COMMAND, self.documents.count_documents(doc! { "added_by": owner })).await
    }

    /// Deletes some of these users' movies; returns the owner of each, so nothing when no movie is left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_batch_of(&self, owners: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let theirs = doc! { "added_by": { "$in": owners } };
        let found = self.documents.clone_with_type::<OwnedId>();
        let find = found.find(theirs.clone()).projection(doc! { "added_by": 1 }).limit(CASCADE_BATCH);
        let found: Vec<OwnedId> = within(BATCH, async { find.await?.try_collect().await }).await?;
        let ids: Vec<MovieId> = found.iter().map(|movie| movie.id).collect();
        if !ids.is_empty() {
            let _invalidation = self.invalidate_after(&ids);
            let mut filter = theirs;
            filter.insert("_id", doc! { "$in": &ids });
            within(BATCH, self.documents.delete_many(filter)).await?;
        }
        Ok(found.into_iter().map(|movie| movie.owner).collect())
    }
}
