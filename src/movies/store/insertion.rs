//! How new movies get into the collection: those of several callers in one command, or those of an
//! import, each with an outcome of its own; and how they are taken back.

use std::{
    collections::HashMap,
    future::IntoFuture,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::{Document, doc, oid::ObjectId};
use futures::TryStreamExt;
use mongodb::{
    Collection,
    error::{ErrorKind, IndexedWriteError, InsertManyError},
};

use super::movies::Movies;
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, batches::Command, patiently, within},
    movies::model::{MovieDocument, MovieInput},
};

/// What became of a new movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Yes,
    /// Another movie has its name in its year.
    Duplicate,
}

/// What became of it, or why the database refused it.
type Outcome = Result<Inserted, StoreError>;

/// Inserts what can be inserted, and tells it of each movie, by its place.
///
/// # Errors
/// When there is no news of each movie: then some may be in.
async fn insert_each(
    collection: &Collection<MovieDocument>,
    movies: &[&MovieDocument],
    limit: Duration,
) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = vec![Ok(Inserted::Yes); movies.len()];
    // Unordered: one that is refused does not keep out those after it.
    let insert = collection.insert_many(movies.iter().copied()).ordered(false);
    match tokio::time::timeout(limit, insert.into_future()).await {
        Ok(Ok(_)) => Ok(outcomes),
        Ok(Err(error)) => match &*error.kind {
            ErrorKind::InsertMany(InsertManyError {
                write_errors: Some(refused),
                write_concern_error: None,
                ..
            }) => {
                for refused in refused {
                    if let Some(outcome) = outcomes.get_mut(refused.index) {
                        *outcome = outcome_of(refused);
                    }
                }
                Ok(outcomes)
            }
            _ => Err(error.into()),
        },
        Err(_) => Err(StoreError::Unavailable(format!("no answer in {} ms", limit.as_millis()))),
    }
}

fn outcome_of(refused: &IndexedWriteError) -> Outcome {
    match StoreError::from(refused) {
        StoreError::Duplicate if is_own_id(&refused.message) => Ok(Inserted::Yes),
        StoreError::Duplicate => Ok(Inserted::Duplicate),
        error => Err(error),
    }
}

/// Whether what is there already is the document itself: an earlier try that was thought lost has
/// arrived. The text before the key is the server's alone.
fn is_own_id(message: &str) -> bool {
    message.split(" dup key:").next().is_some_and(|before| before.contains("index: _id_"))
}

/// A movie that waits to be inserted. No two are equal.
#[derive(Clone)]
pub(super) struct NewMovie {
    document: Arc<MovieDocument>,
    bytes: usize,
}

impl NewMovie {
    fn new(document: &Arc<MovieDocument>) -> Self {
        Self { document: Arc::clone(document), bytes: document.bytes() }
    }
}

impl PartialEq for NewMovie {
    fn eq(&self, other: &Self) -> bool {
        self.document.id == other.document.id
    }
}

impl Eq for NewMovie {}

impl Hash for NewMovie {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.document.id.hash(state);
    }
}

/// The inserts of single movies.
pub(super) struct Insert(pub Collection<MovieDocument>);

impl Command for Insert {
    type Key = NewMovie;
    /// A movie that is refused is the misfortune of whoever adds it, and of nobody else.
    type Value = Outcome;

    const NAME: &'static str = "insert_movies";
    const KEYS: usize = 100;
    /// Who adds a small movie waits for the large ones of others no longer than these take.
    const BYTES: usize = 1024 * 1024;
    /// While one waits for the journal, the next is on its way.
    const RUNS: usize = 2;
    const MOST_RUNS: usize = 4;
    /// Fewer than of those who read: each of these holds a body.
    const CALLERS: usize = 512;
    const LIMIT: Duration = COMMAND;

    fn bytes(movie: &NewMovie) -> usize {
        movie.bytes
    }

    /// The driver repeats the command itself, once, under its own number, so that the database does
    /// nothing twice; we never do.
    async fn run(&self, movies: Vec<NewMovie>) -> Result<HashMap<NewMovie, Outcome>, StoreError> {
        let documents: Vec<&MovieDocument> = movies.iter().map(|movie| &*movie.document).collect();
        let outcomes = insert_each(&self.0, &documents, COMMAND).await?;
        Ok(movies.into_iter().zip(outcomes).collect())
    }
}

/// What was inserted and may not be answered before its owner is known to stand
/// ([`crate::accounts::Cascade::confirm`]).
#[derive(Debug)]
#[must_use = "an insert counts only once its owner is confirmed"]
pub struct Unconfirmed<T> {
    owner: UserId,
    ids: Vec<MovieId>,
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

impl Movies {
    /// # Errors
    /// [`StoreError::Duplicate`] if another movie has the name in that year.
    pub async fn insert(
        &self,
        owner: UserId,
        movie: MovieInput,
    ) -> Result<Unconfirmed<Arc<MovieDocument>>, StoreError> {
        let movie = Arc::new(movie.into_document(owner));
        match self.inserts.ask(NewMovie::new(&movie)).await?.transpose()? {
            Some(Inserted::Yes) => Ok(Unconfirmed { owner, ids: vec![MovieId(movie.id)], inserted: movie }),
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
        let ids = movies.iter().map(|movie| MovieId(movie.id)).collect();
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
        let inserted = insert_each(self.collection(), &documents, BATCH).await?;
        for ((place, _), inserted) in missing.iter().zip(inserted) {
            outcome[*place] = inserted?;
        }
        Ok(outcome)
    }

    async fn which_exist(&self, movies: &[MovieDocument]) -> Result<Vec<ObjectId>, StoreError> {
        let ids: Vec<ObjectId> = movies.iter().map(|movie| movie.id).collect();
        let documents = self.collection().clone_with_type::<Document>();
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
        let documents = self.collection().clone_with_type::<Document>();
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
        let _invalidation = self.invalidate_after(&inserted.ids);
        let filter = doc! { "_id": { "$in": &inserted.ids }, "added_by": inserted.owner };
        within(BATCH, self.collection().delete_many(filter)).await.map(drop)
    }
}
