//! How new movies are inserted: those of several callers in one command, or those of an import. Each movie has its
//! own outcome. Also how they are taken back.

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

use super::{movies::Movies, names};
use crate::{
    accounts::{Belongings, Users},
    http::ids::{MovieId, UserId},
    mongo::{BATCH, COMMAND, StoreError, batches::Command, patiently, within},
    movies::{
        changes::Acknowledged,
        model::{MovieDocument, MovieInput},
    },
};

/// The outcome for a new movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Yes,
    /// Another movie has its name and year.
    Duplicate,
}

/// The outcome, or why the database rejected the movie.
pub(super) type Outcome = Result<Inserted, StoreError>;

/// Inserts every movie that can be inserted. Returns the outcome of each, by its position.
///
/// # Errors
/// When the outcome of some movie is unknown. Some movies may have been inserted.
pub(super) async fn insert_each(
    collection: &Collection<MovieDocument>,
    acknowledged: &Acknowledged,
    movies: &[&MovieDocument],
    limit: Duration,
) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = vec![Ok(Inserted::Yes); movies.len()];
    let mut session = within(limit, collection.client().start_session()).await?;
    // Unordered, so that a rejected movie does not keep the ones after it out.
    let insert = collection.insert_many(movies.iter().copied()).ordered(false).session(&mut session);
    let inserted = tokio::time::timeout(limit, insert.into_future()).await;
    acknowledged.note(&session);
    match inserted {
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
        // The id is new, so only the name can exist already.
        StoreError::Duplicate(_) => Ok(Inserted::Duplicate),
        error => Err(error),
    }
}

/// A movie that waits to be inserted. No two of these are equal.
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

/// Inserts single movies.
pub(super) struct Insert {
    pub movies: Collection<MovieDocument>,
    pub acknowledged: Acknowledged,
}

impl Command for Insert {
    type Key = NewMovie;
    /// A rejected movie fails only its own caller.
    type Value = Outcome;

    const NAME: &'static str = "insert_movies";
    const KEYS: usize = 100;
    /// The caller of a small movie waits for the large movies of others no longer than this many bytes take.
    const BYTES: usize = 1024 * 1024;
    /// While one command waits for the journal, the next one is in flight.
    const RUNS: usize = 2;
    const MOST_RUNS: usize = 4;
    /// Fewer than the readers may be, because each of these holds a body.
    const CALLERS: usize = 512;
    const LIMIT: Duration = COMMAND;

    fn bytes(movie: &NewMovie) -> usize {
        movie.bytes
    }

    /// The driver itself retries the command once, under its own transaction number, so the database never applies it
    /// twice. We never retry.
    async fn run(&self, movies: Vec<NewMovie>) -> Result<HashMap<NewMovie, Outcome>, StoreError> {
        let documents: Vec<&MovieDocument> = movies.iter().map(|movie| &*movie.document).collect();
        let outcomes = insert_each(&self.movies, &self.acknowledged, &documents, COMMAND).await?;
        Ok(movies.into_iter().zip(outcomes).collect())
    }
}

/// Inserted movies. The server may not answer before it knows that the owner exists ([`Movies::confirm`]).
#[derive(Debug)]
#[must_use = "an insert counts only once its owner is confirmed"]
pub struct Unconfirmed<T> {
    pub(super) owner: UserId,
    pub(super) ids: Vec<MovieId>,
    pub(super) inserted: T,
}

/// Another movie has that name and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameTaken {
    pub by: MovieId,
}

/// The owner of an insert was deleted. The inserted movies have been taken back.
#[derive(Debug)]
pub struct OwnerGone;

impl Movies {
    /// # Errors
    /// When the database fails. The inner error names the movie that has the name in that year.
    pub async fn insert(
        &self,
        movie: MovieDocument,
    ) -> Result<Result<Unconfirmed<Arc<MovieDocument>>, NameTaken>, StoreError> {
        let (id, owner) = (MovieId(movie.id), UserId(movie.added_by));
        let movie = Arc::new(movie);
        for _ in 0..names::TRIES {
            match self.inserts.ask(NewMovie::new(&movie)).await?.transpose()? {
                Some(Inserted::Yes) => {
                    return Ok(Ok(Unconfirmed { owner, ids: vec![id], inserted: movie }));
                }
                Some(Inserted::Duplicate) => match self.what_refused(&movie).await? {
                    // An attempt that seemed lost has arrived after all.
                    Some(by) if by == id => {
                        return Ok(Ok(Unconfirmed { owner, ids: vec![id], inserted: movie }));
                    }
                    Some(by) => return Ok(Err(NameTaken { by })),
                    // The other movie was deleted since.
                    None => {}
                },
                None => {
                    return Err(StoreError::Unavailable(
                        "the insert reported nothing about the movie".to_owned(),
                    ));
                }
            }
        }
        Err(names::taken_by_turns())
    }

    /// The movie that keeps a new one out: the new movie itself, if it exists already, or the one that has its name.
    async fn what_refused(&self, movie: &MovieDocument) -> Result<Option<MovieId>, StoreError> {
        let documents = self.collection().clone_with_type::<Document>();
        let either = doc! { "$or": [{ "_id": movie.id }, { "name": &movie.name, "year": movie.year }] };
        let find = documents.find(either).projection(doc! { "_id": 1 }).limit(2);
        let found: Vec<Document> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        let ids: Vec<ObjectId> = found.iter().filter_map(|movie| movie.get_object_id("_id").ok()).collect();
        Ok(ids.iter().find(|id| **id == movie.id).or(ids.first()).copied().map(MovieId))
    }

    /// Inserts every movie that can be inserted. It waits if the database is unavailable for a while.
    ///
    /// # Errors
    /// When the database fails permanently. Some movies may have been inserted.
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

    /// Tries once. `again` says that an earlier attempt failed without the outcome of each movie: then this first
    /// looks up which of the ids exist.
    async fn try_batch(&self, movies: &[MovieDocument], again: bool) -> Result<Vec<Inserted>, StoreError> {
        let there = if again {
            self.which_exist(movies.iter().map(|movie| movie.id).collect()).await?
        } else {
            Vec::new()
        };
        let missing: Vec<(usize, &MovieDocument)> =
            movies.iter().enumerate().filter(|(_, movie)| !there.contains(&movie.id)).collect();
        let mut outcome = vec![Inserted::Yes; movies.len()];
        if missing.is_empty() {
            return Ok(outcome);
        }
        let documents: Vec<&MovieDocument> = missing.iter().map(|(_, movie)| *movie).collect();
        let inserted = insert_each(self.collection(), &self.acknowledged, &documents, BATCH).await?;
        for ((place, _), inserted) in missing.iter().zip(inserted) {
            outcome[*place] = inserted?;
        }
        self.leave_out_own(movies, &mut outcome).await?;
        Ok(outcome)
    }

    /// Corrects duplicates that are the movie itself: an earlier attempt that seemed lost may arrive after the lookup
    /// of existing ids.
    async fn leave_out_own(
        &self,
        movies: &[MovieDocument],
        outcome: &mut [Inserted],
    ) -> Result<(), StoreError> {
        let refused = movies.iter().zip(outcome.iter()).filter(|(_, of)| **of == Inserted::Duplicate);
        let refused: Vec<ObjectId> = refused.map(|(movie, _)| movie.id).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let own = self.which_exist(refused).await?;
        for (movie, outcome) in movies.iter().zip(outcome) {
            if own.contains(&movie.id) {
                *outcome = Inserted::Yes;
            }
        }
        Ok(())
    }

    pub(super) async fn which_exist(&self, ids: Vec<ObjectId>) -> Result<Vec<ObjectId>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let documents = self.collection().clone_with_type::<Document>();
        let find = documents.find(doc! { "_id": { "$in": ids } }).projection(doc! { "_id": 1 });
        within(BATCH, async {
            let found: Vec<Document> = find.await?.try_collect().await?;
            Ok(found.iter().filter_map(|document| document.get_object_id("_id").ok()).collect())
        })
        .await
    }

    /// Checks, on the primary and after the insert, whether the owner still exists. `accounts::deletion` says why.
    ///
    /// # Errors
    /// When the database fails: then the movies stay, and if the owner is deleted, the sweep deletes them too. The
    /// inner error means that the owner is deleted, and so are the movies.
    pub async fn confirm<T>(
        &self,
        users: &Users,
        inserted: Unconfirmed<T>,
    ) -> Result<Result<T, OwnerGone>, StoreError> {
        if users.is_alive(inserted.owner).await? {
            return Ok(Ok(inserted.inserted));
        }
        self.take_back(&inserted).await?;
        Ok(Err(OwnerGone))
    }

    /// The same for a run of many inserts. It waits if the database is unavailable. If the owner is deleted, every
    /// movie of the owner is deleted, including those that the run inserted before.
    ///
    /// # Errors
    /// When the database fails permanently.
    pub async fn confirm_run<T>(
        &self,
        users: &Users,
        inserted: Unconfirmed<T>,
    ) -> Result<Result<T, OwnerGone>, StoreError> {
        let owner = inserted.owner;
        if patiently(|| users.is_alive(owner)).await? {
            return Ok(Ok(inserted.inserted));
        }
        let owners = [owner];
        while !patiently(|| self.remove_batch_of(&owners)).await?.is_empty() {}
        Ok(Err(OwnerGone))
    }

    async fn take_back<T>(&self, inserted: &Unconfirmed<T>) -> Result<(), StoreError> {
        let _invalidation = self.invalidate_after(&inserted.ids);
        let filter = doc! { "_id": { "$in": &inserted.ids }, "added_by": inserted.owner };
        self.delete(filter).await
    }
}
