//! The collection `movies`: what writes it, and what looks at one movie. [`super::catalogue`] reads lists.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bson::{Document, doc, oid::ObjectId};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database,
    options::{Hint, ReturnDocument},
};

use super::{
    catalogue::Pages,
    insertion::{self, Insert, Inserted, NewMovie},
    model::{MovieDocument, MovieInput, MoviePatch},
    ownership::{self, Owned, Refusal},
};
use crate::{
    conditional::IfMatch,
    ids::{MovieId, UserId},
    mongo::{
        BATCH, COMMAND, StoreError,
        batches::Batches,
        by_id::{ById, Identified},
        indexes, patiently, within,
    },
};

/// How many movies go in one step of a cascade: some ten milliseconds' work.
const CASCADE_BATCH: i64 = 1_000;

/// The movies. Clones share what they ask of the database.
#[derive(Clone)]
pub struct Movies {
    movies: Collection<MovieDocument>,
    by_id: Batches<ById<MovieDocument>>,
    pub(super) pages: Batches<Pages>,
    inserts: Batches<Insert>,
}

impl Identified for MovieDocument {
    type Id = MovieId;

    fn id(&self) -> MovieId {
        MovieId(self.id)
    }
}

/// What was inserted and may not be answered before its owner is known to stand
/// ([`crate::users::Cascade::confirm`]).
#[derive(Debug)]
#[must_use = "an insert counts only once its owner is confirmed"]
pub struct Unconfirmed<T> {
    owner: UserId,
    ids: Vec<ObjectId>,
    inserted: T,
}

impl<T> Unconfirmed<T> {
    /// Who added them.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// For the cascade only, once it has looked.
    pub(crate) fn confirmed(self) -> T {
        self.inserted
    }
}

/// What is never read back.
pub(super) fn without_typeahead() -> Document {
    doc! { "typeahead": 0 }
}

impl Movies {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let movies: Collection<MovieDocument> = database.collection(indexes::MOVIES);
        Self {
            by_id: Batches::new(ById::new(movies.clone(), Document::new(), without_typeahead())),
            pages: Batches::new(Pages::new(movies.clone())),
            inserts: Batches::new(Insert(movies.clone())),
            movies,
        }
    }

    /// For the other files of this feature.
    pub(super) fn collection(&self) -> &Collection<MovieDocument> {
        &self.movies
    }

    /// # Errors
    /// [`StoreError::Duplicate`] if another movie has the name in that year.
    pub async fn insert(
        &self,
        owner: UserId,
        movie: MovieInput,
    ) -> Result<Unconfirmed<Arc<MovieDocument>>, StoreError> {
        let movie = Arc::new(movie.into_document(owner));
        match self.inserts.ask(NewMovie(Arc::clone(&movie))).await? {
            Some(Inserted::Yes) => Ok(Unconfirmed { owner, ids: vec![movie.id], inserted: movie }),
            Some(Inserted::Duplicate) => Err(StoreError::Duplicate),
            None => Err(StoreError::Unavailable("the insert told nothing of the movie".to_owned())),
        }
    }

    /// Inserts what can be inserted; waits for a database that is away for a while.
    ///
    /// # Errors
    /// When the database fails for good: then some may be in.
    pub async fn insert_batch(
        &self,
        owner: UserId,
        movies: Vec<MovieInput>,
    ) -> Result<Unconfirmed<Vec<Inserted>>, StoreError> {
        let movies: Vec<MovieDocument> = movies.into_iter().map(|movie| movie.into_document(owner)).collect();
        let first = AtomicBool::new(true);
        let try_again = || self.try_batch(&movies, !first.swap(false, Ordering::Relaxed));
        let inserted = patiently(try_again).await?;
        let ids = movies.iter().map(|movie| movie.id).collect();
        Ok(Unconfirmed { owner, ids, inserted })
    }

    /// After a failure without news of each document, those that are in are asked for by their ids.
    async fn try_batch(&self, movies: &[MovieDocument], again: bool) -> Result<Vec<Inserted>, StoreError> {
        let there = if again { self.which_exist(movies).await? } else { Vec::new() };
        let missing: Vec<(usize, &MovieDocument)> =
            movies.iter().enumerate().filter(|(_, movie)| !there.contains(&movie.id)).collect();
        let mut outcome = vec![Inserted::Yes; movies.len()];
        if missing.is_empty() {
            return Ok(outcome);
        }
        let documents: Vec<&MovieDocument> = missing.iter().map(|(_, movie)| *movie).collect();
        let inserted = insertion::insert_each(&self.movies, &documents, BATCH).await?;
        for ((place, _), inserted) in missing.iter().zip(inserted) {
            outcome[*place] = inserted;
        }
        Ok(outcome)
    }

    async fn which_exist(&self, movies: &[MovieDocument]) -> Result<Vec<ObjectId>, StoreError> {
        let ids: Vec<ObjectId> = movies.iter().map(|movie| movie.id).collect();
        let documents = self.movies.clone_with_type::<Document>();
        let find = documents.find(doc! { "_id": { "$in": ids } }).projection(doc! { "_id": 1 });
        within(BATCH, async {
            let found: Vec<Document> = find.await?.try_collect().await?;
            Ok(found.iter().filter_map(|document| document.get_object_id("_id").ok()).collect())
        })
        .await
    }

    /// Which of these names are taken in these years; for a rehearsal, since only an insert decides.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn taken(
        &self,
        keys: &[(&str, Option<i32>)],
    ) -> Result<Vec<(String, Option<i32>)>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let any: Vec<Document> =
            keys.iter().map(|(name, year)| doc! { "name": *name, "year": *year }).collect();
        let documents = self.movies.clone_with_type::<Document>();
        let find = documents.find(doc! { "$or": any }).projection(doc! { "_id": 0, "name": 1, "year": 1 });
        within(BATCH, async {
            let found: Vec<Document> = find.await?.try_collect().await?;
            let key =
                |found: Document| Some((found.get_str("name").ok()?.to_owned(), found.get_i32("year").ok()));
            Ok(found.into_iter().filter_map(key).collect())
        })
        .await
    }

    /// Takes back what was inserted for an owner who is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_back<T>(&self, inserted: &Unconfirmed<T>) -> Result<(), StoreError> {
        let filter = doc! { "_id": { "$in": &inserted.ids }, "added_by": inserted.owner };
        within(BATCH, self.movies.delete_many(filter)).await.map(drop)
    }

    /// # Errors
    /// Only when the database fails: not there is `None`.
    pub async fn find(&self, id: MovieId) -> Result<Option<Arc<MovieDocument>>, StoreError> {
        self.by_id.ask(id).await
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
        let filter = ownership::owned(id, caller, precondition);
        let command = self.movies.find_one_and_update(filter, update).return_document(ReturnDocument::After);
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
        let filter = ownership::owned(id, caller, precondition);
        let deleted = within(COMMAND, self.movies.delete_one(filter)).await?;
        if deleted.deleted_count == 1 { Ok(Ok(())) } else { self.why_not(id, caller).await.map(Err) }
    }

    /// The second look, after a write that matched nothing.
    async fn why_not(&self, id: MovieId, caller: UserId) -> Result<Refusal, StoreError> {
        let owned = self.movies.clone_with_type::<Owned>();
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
        within(COMMAND, self.movies.count_documents(doc! {}).hint(hint)).await
    }

    /// How many movies a user has added.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_of(&self, owner: UserId) -> Result<u64, StoreError> {
        within(COMMAND, self.movies.count_documents(doc! { "added_by": owner })).await
    }

    /// Deletes some of a user's movies; tells how many were found.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_batch_of(&self, owner: UserId) -> Result<usize, StoreError> {
        let documents = self.movies.clone_with_type::<Document>();
        let find =
            documents.find(doc! { "added_by": owner }).projection(doc! { "_id": 1 }).limit(CASCADE_BATCH);
        let found: Vec<Document> = within(BATCH, async { find.await?.try_collect().await }).await?;
        let ids: Vec<ObjectId> =
            found.iter().filter_map(|document| document.get_object_id("_id").ok()).collect();
        if !ids.is_empty() {
            let filter = doc! { "_id": { "$in": &ids }, "added_by": owner };
            within(BATCH, self.movies.delete_many(filter)).await?;
        }
        Ok(ids.len())
    }
}
