//! Movies kept in memory, if `cache.movies` says so, and kept true by a change stream.
//!
//! What it promises, and how:
//!
//! - *A write through this server is seen at once*: whoever writes forgets the movie before the write is
//!   answered ([`Cache::forget`]), however the write ends.
//! - *A write through another server is seen after the stream's delay*: its event makes us forget. Where
//!   the stream has said nothing for [`SILENCE`], not even that there was nothing, nothing is answered
//!   from here; and when it is heard again, everything is read anew.
//!   So it is when there is another primary.
//! - *What was read before a write is not kept after it*: whoever reads to keep says so before
//!   ([`Cache::look`]), and keeps nothing if the movie was forgotten in between.
//!
//! Only movies that exist are kept. Pages, counts and searches are always read from the database.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bson::{Bson, Document, doc};
use lru::LruCache;
use mongodb::{
    Collection,
    change_stream::event::{ChangeStreamEvent, OperationType},
};
use rocket::Shutdown;
use tokio::time::{Instant, sleep};

use super::{model::MovieDocument, view::ReadMovie};
use crate::{
    ids::MovieId,
    mongo::{StoreError, error},
};

/// The database says once a second that there was nothing. Beyond this it is away, or the way to it is cut.
const SILENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether the primary is still the same.
const LOOK: Duration = Duration::from_secs(1);
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The kept movies. Clones share them.
#[derive(Clone)]
pub struct Cache(Arc<Mutex<Kept>>);

struct Kept {
    movies: LruCache<MovieId, Arc<ReadMovie>>,
    most: NonZero<usize>,
    /// Who is reading in order to keep.
    readers: HashMap<MovieId, Readers>,
    /// When the stream was last heard; `None` while there is none.
    heard: Option<Instant>,
}

/// Those of one movie.
#[derive(Default)]
struct Readers {
    count: usize,
    /// Raised when the movie is forgotten: who has begun before may have read what was then.
    generation: u64,
}

/// What a look into the cache gives.
pub(super) enum Look {
    Kept(Arc<ReadMovie>),
    Missing(Reading),
    /// Nothing can be answered from here now.
    Closed,
}

/// Somebody reads a movie, to keep it.
pub(super) struct Reading {
    cache: Cache,
    id: MovieId,
    generation: u64,
}

impl Cache {
    #[must_use]
    pub(super) fn new(most: NonZero<usize>) -> Self {
        // It grows as it is filled: the setting may be larger than the catalogue.
        let movies = LruCache::unbounded();
        Self(Arc::new(Mutex::new(Kept { movies, most, readers: HashMap::new(), heard: None })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look(&self, id: MovieId) -> Look {
        let mut kept = self.kept();
        if kept.heard.is_none_or(|heard| heard.elapsed() > SILENCE) {
            return Look::Closed;
        }
        if let Some(movie) = kept.movies.get(&id) {
            return Look::Kept(Arc::clone(movie));
        }
        let readers = kept.readers.entry(id).or_default();
        readers.count += 1;
        let generation = readers.generation;
        drop(kept);
        Look::Missing(Reading { cache: self.clone(), id, generation })
    }

    /// Somebody has changed these, or has tried to.
    pub(super) fn forget(&self, ids: &[MovieId]) {
        let mut kept = self.kept();
        for id in ids {
            kept.movies.pop(id);
            if let Some(readers) = kept.readers.get_mut(id) {
                readers.generation += 1;
            }
        }
    }

    /// Nothing is known any more; from `heard` on changes are heard of.
    fn begin_anew(&self, heard: Option<Instant>) {
        let mut kept = self.kept();
        kept.movies.clear();
        for readers in kept.readers.values_mut() {
            readers.generation += 1;
        }
        kept.heard = heard;
    }

    /// Follows the changes until the shutdown.
    pub(super) async fn follow(&self, movies: &Collection<MovieDocument>, mut shutdown: Shutdown) {
        loop {
            let followed = tokio::select! {
                followed = self.follow_once(movies) => followed,
                () = &mut shutdown => return,
            };
            self.begin_anew(None);
            match followed {
                Err(error) if error::code(&error) == Some(error::NOT_A_REPLICA_SET) => {
                    tracing::warn!("cache.movies has no effect: a standalone MongoDB has no change streams");
                    return;
                }
                Err(error) => tracing::warn!(
                    error = %StoreError::from(error),
                    "the cache is not in use: its change stream broke off"
                ),
                Ok(()) => {}
            }
            tokio::select! {
                () = sleep(RETRY_DELAY) => {}
                () = &mut shutdown => return,
            }
        }
    }

    async fn follow_once(&self, movies: &Collection<MovieDocument>) -> mongodb::error::Result<()> {
        let pipeline = [doc! { "$project": { "operationType": 1, "documentKey": 1, "ns": 1 } }];
        let documents = movies.clone_with_type::<Document>();
        let mut stream = documents.watch().pipeline(pipeline).await?;
        let primary = Primary::of(movies).await?;
        let (mut heard, mut seen) = (Instant::now(), Instant::now());
        self.begin_anew(Some(heard));
        while stream.is_alive() {
            // What it says was so when it was asked, or later.
            let asked = Instant::now();
            let event = stream.next_if_any().await?;
            // A member that is primary no more may go on telling that there was nothing, and what it had may
            // have been rolled back.
            if seen.elapsed() > LOOK {
                if Primary::of(movies).await? != primary {
                    return Ok(());
                }
                seen = Instant::now();
            }
            if heard.elapsed() > SILENCE {
                // The driver has resumed it: there may be more to come of what happened meanwhile.
                return Ok(());
            }
            heard = asked;
            match event.as_ref().map(|event| (event, changed(event))) {
                Some((_, Some(id))) => self.forget(&[id]),
                // The collection was dropped or renamed.
                Some((event, None)) if event.operation_type != OperationType::Insert => return Ok(()),
                _ => {}
            }
            self.kept().heard = Some(heard);
        }
        Ok(())
    }
}

/// Which member is primary, by which election.
#[derive(PartialEq)]
struct Primary {
    election: Option<Bson>,
    is_writable: bool,
}

impl Primary {
    async fn of(movies: &Collection<MovieDocument>) -> mongodb::error::Result<Self> {
        let hello = movies.client().database("admin").run_command(doc! { "hello": 1 }).await?;
        let is_writable = hello.get_bool("isWritablePrimary").unwrap_or(false);
        Ok(Self { election: hello.get("electionId").cloned(), is_writable })
    }
}

fn changed(event: &ChangeStreamEvent<Document>) -> Option<MovieId> {
    Some(MovieId(event.document_key.as_ref()?.get_object_id("_id").ok()?))
}

impl Reading {
    /// Keeps what was read, unless it was forgotten since.
    pub(super) fn keep(&self, movie: &Arc<ReadMovie>) {
        let mut kept = self.cache.kept();
        if kept.readers.get(&self.id).is_some_and(|readers| readers.generation == self.generation) {
            kept.movies.put(self.id, Arc::clone(movie));
            if kept.movies.len() > kept.most.get() {
                kept.movies.pop_lru();
            }
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut kept = self.cache.kept();
        if let Some(readers) = kept.readers.get_mut(&self.id) {
            readers.count -= 1;
            if readers.count == 0 {
                kept.readers.remove(&self.id);
            }
        }
    }
}
