//! How many movies there are of each genre, decade and language, within the current filters.
//!
//! The database has to look at every movie that matches. For the whole catalogue that is all of them,
//! so callers share: who waits while another asks takes an answer that was begun after they came; and
//! when the look takes long, its answer is kept for a while, so that at most a twentieth of the time is
//! spent looking. A catalogue that is counted quickly is counted anew each time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{Document, doc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::movies::Movies;
use crate::{
    mongo::{StoreError, within},
    movies::filter::MovieFilter,
};

/// How long the look at a broad filter may take.
const LIMIT: Duration = Duration::from_secs(10);
/// A look that takes longer than this is kept.
const QUICK: Duration = Duration::from_millis(250);
/// For this many times as long as it took.
const KEPT: u32 = 20;
/// Entries of each facet.
const ENTRIES: i32 = 50;

/// One value and how many movies have it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry<T> {
    #[serde(rename(deserialize = "_id"))]
    value: T,
    #[schema(minimum = 1)]
    count: i64,
}

/// The facets, each with the most frequent value first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Facets {
    #[schema(inline, max_items = 50)]
    genres: Vec<Entry<String>>,
    /// 1990: the years from 1990 to 1999.
    #[schema(inline, max_items = 50)]
    decades: Vec<Entry<i32>>,
    #[schema(inline, max_items = 50)]
    languages: Vec<Entry<String>>,
}

/// What was counted last of movies that many ask for.
type Shared = Mutex<Option<Kept>>;

struct Kept {
    begun: Instant,
    until: Instant,
    facets: Arc<Facets>,
}

/// Counts, and remembers what was expensive to count.
#[derive(Clone)]
pub struct FacetCounter {
    movies: Movies,
    everything: Arc<Shared>,
    with_a_year: Arc<Shared>,
}

impl FacetCounter {
    #[must_use]
    pub fn new(movies: Movies) -> Self {
        Self { movies, everything: Arc::default(), with_a_year: Arc::default() }
    }

    /// # Errors
    /// When the database fails, or there is too much to look at; [`StoreError::Overloaded`] when too many
    /// count.
    pub async fn count(&self, filter: &MovieFilter) -> Result<Arc<Facets>, StoreError> {
        let shared = if filter.is_everything() {
            &self.everything
        } else if filter.is_any_year() {
            &self.with_a_year
        } else {
            return self.look(filter).await.map(Arc::new);
        };
        let came = Instant::now();
        let mut shared = shared.lock().await;
        if let Some(kept) = &*shared
            && (kept.begun >= came || Instant::now() < kept.until)
        {
            return Ok(Arc::clone(&kept.facets));
        }
        let begun = Instant::now();
        let facets = Arc::new(self.look(filter).await?);
        let took = begun.elapsed();
        let until = begun + took + if took > QUICK { took * KEPT } else { Duration::ZERO };
        *shared = Some(Kept { begun, until, facets: Arc::clone(&facets) });
        Ok(facets)
    }

    async fn look(&self, filter: &MovieFilter) -> Result<Facets, StoreError> {
        let _counting = self.movies.counting.begin()?;
        let decade = doc! { "$subtract": ["$year", { "$mod": ["$year", 10] }] };
        let with_year = doc! { "$match": { "year": { "$gte": i32::MIN } } };
        let each = |field: &str| doc! { "$unwind": field };
        let stages = vec![
            doc! { "$match": filter.condition() },
            doc! { "$project": { "_id": 0, "genres": 1, "languages": 1, "year": 1 } },
            doc! { "$facet": {
                "genres": counted(each("$genres"), "$genres"),
                "decades": counted(with_year, decade),
                "languages": counted(each("$languages"), "$languages"),
            } },
        ];
        let aggregate = self.movies.collection().aggregate(stages).with_type::<Facets>().max_time(LIMIT);
        let facets: Vec<Facets> = within(LIMIT, async { aggregate.await?.try_collect().await }).await?;
        let nothing = Facets { genres: Vec::new(), decades: Vec::new(), languages: Vec::new() };
        Ok(facets.into_iter().next().unwrap_or(nothing))
    }
}

fn counted(first: Document, value: impl Into<bson::Bson>) -> Vec<Document> {
    vec![
        first,
        doc! { "$group": { "_id": value, "count": { "$sum": 1_i64 } } },
        doc! { "$sort": { "count": -1, "_id": 1 } },
        doc! { "$limit": ENTRIES },
    ]
}
