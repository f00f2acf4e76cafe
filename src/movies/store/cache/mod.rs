//! Keeps movies in memory, if `cache.movies` enables it. A change stream keeps them up to date.
//!
//! The cache guarantees this:
//!
//! - *A write through this server is visible at once.* The writer invalidates the movie before the write is answered
//!   ([`Cache::invalidate`]), whatever the outcome of the write.
//! - *A write through another server is visible after the stream's delay.* The event invalidates the movie. If the
//!   stream is silent for [`SILENCE`] (it normally reports even that nothing happened) or that far behind, the cache
//!   answers nothing. When the stream is back, or another member has become primary, the cache starts empty.
//! - *A read from before a write is not kept after it.* A reader announces that it wants to keep a movie
//!   ([`Cache::look`]). If the movie was invalidated in between, it keeps nothing.
//!
//! The cache keeps only movies that exist. Pages, counts and searches are always read from the database.

use std::{
    collections::HashMap,
    mem,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lru::LruCache;
use prometheus::{IntCounter, IntCounterVec, core::Collector};
use tokio::time::Instant;

mod stream;

use crate::{
    http::ids::MovieId,
    movies::view::ReadMovie,
    telemetry::metrics::{counters, read_gauge},
};

/// The database reports several times a second, even without changes. If it is silent for this long, it or the
/// connection is down, or more changes arrive than this server can pass on.
const SILENCE: Duration = Duration::from_secs(3);

/// The kept movies. Clones share them.
#[derive(Clone)]
pub struct Cache {
    kept: Arc<Mutex<Kept>>,
    lookups: Lookups,
}

/// Counts lookups by outcome.
#[derive(Clone)]
struct Lookups {
    hits: IntCounter,
    misses: IntCounter,
    closed: IntCounter,
    all: IntCounterVec,
}

impl Lookups {
    fn new() -> Self {
        let help = "Lookups in the cache of movies, by outcome.";
        let values = ["hit", "miss", "closed"];
        let all = counters("movie_bag_cache_lookups_total", help, "result", &values);
        let [hits, misses, closed] = values.map(|value| all.with_label_values(&[value]));
        Self { hits, misses, closed, all }
    }
}

struct Kept {
    movies: LruCache<MovieId, Arc<ReadMovie>>,
    most: NonZero<usize>,
    /// The readers that want to keep what they read.
    readers: HashMap<MovieId, Readers>,
    /// Changes up to this time are known; `None` while there is no stream.
    heard: Option<Instant>,
}

impl Kept {
    /// Whether the cache would know of a change.
    fn is_live(&self) -> bool {
        self.heard.is_some_and(|heard| heard.elapsed() <= SILENCE)
    }
}

/// The readers of one movie.
#[derive(Default)]
struct Readers {
    count: usize,
    /// Raised when the movie is invalidated. A reader that began earlier may have read the old state.
    generation: u64,
}

/// The result of a lookup.
pub(super) enum Look {
    Hit(Arc<ReadMovie>),
    Miss(Reading),
    /// The cache cannot answer now.
    Closed,
}

/// A read of a movie that is to be kept.
pub(super) struct Reading {
    cache: Cache,
    id: MovieId,
    generation: u64,
}

impl Cache {
    #[must_use]
    pub(super) fn new(most: NonZero<usize>) -> Self {
        // It grows as it fills, because the setting may be larger than the catalogue.
        let movies = LruCache::unbounded();
        let kept = Kept { movies, most, readers: HashMap::new(), heard: None };
        Self { kept: Arc::new(Mutex::new(kept)), lookups: Lookups::new() }
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let (counted, live) = (self.clone(), self.clone());
        let movies = read_gauge("movie_bag_cache_movies", "Movies kept in memory.", move || {
            f64::from(u32::try_from(counted.kept().movies.len()).unwrap_or(u32::MAX))
        });
        let help = "1 while the cache answers, because it follows the change stream.";
        let live = read_gauge("movie_bag_cache_live", help, move || f64::from(live.kept().is_live()));
        vec![Box::new(self.lookups.all.clone()), Box::new(movies), Box::new(live)]
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No code that holds this lock panics half-way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look(&self, id: MovieId) -> Look {
        let mut kept = self.kept();
        if !kept.is_live() {
            self.lookups.closed.inc();
            return Look::Closed;
        }
        if let Some(movie) = kept.movies.get(&id) {
            self.lookups.hits.inc();
            return Look::Hit(Arc::clone(movie));
        }
        self.lookups.misses.inc();
        let readers = kept.readers.entry(id).or_default();
        readers.count += 1;
        let generation = readers.generation;
        drop(kept);
        Look::Miss(Reading { cache: self.clone(), id, generation })
    }

    /// Invalidates movies that somebody has changed, or has tried to change.
    pub(super) fn invalidate(&self, ids: &[MovieId]) {
        let mut kept = self.kept();
        for id in ids {
            kept.movies.pop(id);
            if let Some(readers) = kept.readers.get_mut(id) {
                readers.generation += 1;
            }
        }
    }

    /// Empties the cache. From `heard` on, the stream reports changes.
    fn begin_anew(&self, heard: Option<Instant>) {
        let mut kept = self.kept();
        let forgotten = mem::replace(&mut kept.movies, LruCache::unbounded());
        for readers in kept.readers.values_mut() {
            readers.generation += 1;
        }
        kept.heard = heard;
        // Dropping many movies takes a while, so do it after the lock is released.
        drop(kept);
        drop(forgotten);
    }
}

impl Reading {
    /// Keeps what was read, unless the movie was invalidated since, or another reader has kept a newer version.
    pub(super) fn keep(&self, movie: &Arc<ReadMovie>) {
        let mut kept = self.cache.kept();
        let is_current =
            kept.readers.get(&self.id).is_some_and(|readers| readers.generation == self.generation);
        let is_older = kept.movies.peek(&self.id).is_some_and(|other| other.version > movie.version);
        if is_current && !is_older {
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

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc, oid::ObjectId};

    use super::*;
    use crate::movies::model::MovieDocument;

    fn movie(id: ObjectId, version: i64) -> Arc<ReadMovie> {
        let nothing: [&str; 0] = [];
        let document = doc! {
            "_id": id,
            "name": "Heat",
            "casts": nothing,
            "genres": nothing,
            "directors": nothing,
            "countries": nothing,
            "languages": nothing,
            "added_by": ObjectId::new(),
            "created_at": DateTime::now(),
            "updated_at": DateTime::now(),
            "version": version,
        };
        let document: MovieDocument = bson::deserialize_from_document(document).unwrap();
        Arc::new(document.into())
    }

    #[test]
    fn of_two_readers_the_slow_one_does_not_replace_a_newer_version() {
        let cache = Cache::new(NonZero::new(9).unwrap());
        cache.begin_anew(Some(Instant::now()));
        let id = ObjectId::new();
        let reader = || match cache.look(MovieId(id)) {
            Look::Miss(reading) => reading,
            Look::Hit(_) | Look::Closed => panic!("expected a miss"),
        };
        let (slow, quick) = (reader(), reader());
        quick.keep(&movie(id, 2));
        slow.keep(&movie(id, 1));
        assert!(matches!(cache.look(MovieId(id)), Look::Hit(kept) if kept.version == 2));
        // Nor does it keep anything that was read before a change.
        cache.invalidate(&[MovieId(id)]);
        slow.keep(&movie(id, 1));
        assert!(matches!(cache.look(MovieId(id)), Look::Miss(_)));
    }
}
