//! Movies kept in memory, if `cache.movies` says so, and kept true by a change stream.
//!
//! What it promises, and how:
//!
//! - *A write through this server is seen at once*: a writer invalidates the movie before the write is
//!   answered ([`Cache::invalidate`]), however the write ends.
//! - *A write through another server is seen after the stream's delay*: its event invalidates the movie. Where
//!   the stream has said nothing for [`SILENCE`], not even that there was nothing, nothing is answered
//!   from here; and when it is heard again, everything is read anew.
//!   So it is when there is another primary.
//! - *What was read before a write is not kept after it*: whoever reads to keep says so before
//!   ([`Cache::look`]), and keeps nothing if the movie was invalidated in between.
//!
//! Only movies that exist are kept. Pages, counts and searches are always read from the database.

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

/// The database says once a second that there was nothing. Beyond this it is away, or the way to it is cut.
const SILENCE: Duration = Duration::from_secs(3);

/// The kept movies. Clones share them.
#[derive(Clone)]
pub struct Cache {
    kept: Arc<Mutex<Kept>>,
    lookups: Lookups,
}

/// How many looks into the cache had which outcome.
#[derive(Clone)]
struct Lookups {
    hits: IntCounter,
    misses: IntCounter,
    closed: IntCounter,
    all: IntCounterVec,
}

impl Lookups {
    fn new() -> Self {
        let help = "Looks into the cache of movies, by what they gave.";
        let values = ["hit", "miss", "closed"];
        let all = counters("movie_bag_cache_lookups_total", help, "result", &values);
        let [hits, misses, closed] = values.map(|value| all.with_label_values(&[value]));
        Self { hits, misses, closed, all }
    }
}

struct Kept {
    movies: LruCache<MovieId, Arc<ReadMovie>>,
    most: NonZero<usize>,
    /// Who is reading in order to keep.
    readers: HashMap<MovieId, Readers>,
    /// When the stream was last heard; `None` while there is none.
    heard: Option<Instant>,
}

impl Kept {
    /// Whether it would be known if something had changed.
    fn is_live(&self) -> bool {
        self.heard.is_some_and(|heard| heard.elapsed() <= SILENCE)
    }
}

/// Those of one movie.
#[derive(Default)]
struct Readers {
    count: usize,
    /// Raised when the movie is invalidated: who has begun before may have read what was then.
    generation: u64,
}

/// What a look into the cache gives.
pub(super) enum Look {
    Hit(Arc<ReadMovie>),
    Miss(Reading),
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
        let kept = Kept { movies, most, readers: HashMap::new(), heard: None };
        Self { kept: Arc::new(Mutex::new(kept)), lookups: Lookups::new() }
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let (counted, live) = (self.clone(), self.clone());
        let movies = read_gauge("movie_bag_cache_movies", "Movies kept in memory.", move || {
            f64::from(u32::try_from(counted.kept().movies.len()).unwrap_or(u32::MAX))
        });
        let help = "1 while movies are answered from memory: the change stream is followed.";
        let live = read_gauge("movie_bag_cache_live", help, move || f64::from(live.kept().is_live()));
        vec![Box::new(self.lookups.all.clone()), Box::new(movies), Box::new(live)]
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half-way.
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

    /// Somebody has changed these, or has tried to.
    pub(super) fn invalidate(&self, ids: &[MovieId]) {
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
        let forgotten = mem::replace(&mut kept.movies, LruCache::unbounded());
        for readers in kept.readers.values_mut() {
            readers.generation += 1;
        }
        kept.heard = heard;
        // There may be many: that takes a while, and nobody need wait for it.
        drop(kept);
        drop(forgotten);
    }
}

impl Reading {
    /// Keeps what was read, unless it was invalidated since.
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
