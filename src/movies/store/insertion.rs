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

/// What became of a new movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Yes,
    /// Another movie has its name in its year.
    Duplicate,
}

/// What became of it, or why the database refused it.
pub(super) type Outcome = Result<Inserted, StoreError>;

/// Inserts what can be inserted, and tells it of each movie, by its place.
///
/// # Errors
/// When there is no news of each movie: then some may be in.
pub(super) async fn insert_each(
    collection: &Collection<MovieDocument>,
    acknowledged: &Acknowledged,
    movies: &[&MovieDocument],
    limit: Duration,
) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = vec![Ok(Inserted::Yes); movies.len()];
    let mut session = within(limit, collection.client().start_session()).await?;
    // Unordered: one that is refused does not keep out those after it.
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
        // Its id is new: only its name can be there already.
        StoreError::Duplicate(_) => Ok(Inserted::Duplicate),
        error => Err(error),
    }
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
pub(super) struct Insert {
    pub movies: Collection<MovieDocument>,
    pub acknowledged: Acknowledged,
}

impl Command for Insert {
    type Key = NewMovie;
    /// A movie that is refused is the misfortune of whoever adds it, and of nobody else.
    type Value = Outcome;

    const NAME: &'static str = "insert_movies";
    const KEYS: usize = 100;
    /// Who adds a small movie waits for the large ones of others no longer than these take.
    const BYTES: usize = 1024 * 1024;
    /// While one waits for the journal, the next is in flight.
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
        let outcomes = insert_each(&self.movies, &self.acknowledged, &documents, COMMAND).await?;
        Ok(movies.into_iter().zip(outcomes).collect())
    }
}

/// What was inserted and may not be answered before its owner is known to exist ([`Movies::confirm`]).
#[derive(Debug)]
#[must_use = "an insert counts only once its owner is confirmed"]
pub struct Unconfirmed<T> {
    pub(super) owner: UserId,
    pub(super) ids: Vec<MovieId>,
    pub(super) inserted: T,
}

/// Another movie has the name in that year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameTaken {
    pub by: MovieId,
}

/// The owner of an insert is deleted; what was inserted has been taken back.
#[derive(Debug)]
pub struct OwnerGone;

impl Movies {
    /// # Errors
    /// When the database fails; inside, which movie has the name in that year.
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
                    // A try that was thought lost has arrived.
                    Some(by) if by == id => {
                        return Ok(Ok(Unconfirmed { owner, ids: vec![id], inserted: movie }));
                    }
                    Some(by) => return Ok(Err(NameTaken { by })),
                    // It has gone since.
                    None => {}
                },
                None => {
                    return Err(StoreError::Unavailable("the insert told nothing of the movie".to_owned()));
                }
            }
        }
        Err(names::taken_by_turns())
    }

    /// Which movie keeps a new one out: the new one itself, if it is there, or the one that has its name.
    async fn what_refused(&self, movie: &MovieDocument) -> Result<Option<MovieId>, StoreError> {
        let documents = self.collection().clone_with_type::<Document>();
        let either = doc! { "$or": [{ "_id": movie.id }, { "name": &movie.name, "year": movie.year }] };
        let find = documents.find(either).projection(doc! { "_id": 1 }).limit(2);
        let found: Vec<Document> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        let ids: Vec<ObjectId> = found.iter().filter_map(|movie| movie.get_object_id("_id").ok()).collect();
        Ok(ids.iter().find(|id| **id == movie.id).or(ids.first()).copied().map(MovieId))
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

    /// A movie may be refused because of itself: an earlier try that was thought lost has arrived after it
    /// was looked which are in.
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

    /// Looks, at the primary and after the insert, whether the owner still exists. `accounts::deletion` says why.
    ///
    /// # Errors
    /// When the database fails: then the movies stay, and if the owner is deleted, the sweep deletes them too.
    /// Inside, when the owner is deleted: then so are the movies.
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

    /// The same for a run of many inserts, which waits for a database that is away. If the owner is deleted,
    /// everything that the owner had is deleted, and with it what the run inserted before.
    ///
    /// # Errors
    /// When the database fails for good.
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
