//! Reads pages of movies from the database: in an order, or the best matches of its own text search.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bson::doc;
use futures::TryStreamExt;
use mongodb::{Collection, action::Action};
use serde::Deserialize;
use serde_json::json;

use crate::{
    mongo::{COMMAND, StoreError, batches::Command, keyset::Position, within},
    movies::{
        filter::MovieFilter,
        model::MovieDocument,
        search::NameOrder,
        sort::{RELEVANCE_DEPTH, Sort},
        view::ReadMovie,
    },
};

/// A movie, and its position in the requested order.
pub type Placed = (Arc<ReadMovie>, Position);

/// A request for a page.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PageKey {
    pub(super) filter: Arc<MovieFilter>,
    pub(super) sort: Sort,
    pub(super) after: Option<Position>,
    /// One more than the page has, which shows whether there is a next page.
    pub(super) wanted: usize,
}

/// Reads pages. Callers that ask for the same page at the same time share it.
pub struct Pages {
    movies: Collection<MovieDocument>,
    names: NameOrder,
}

impl Command for Pages {
    type Key = PageKey;
    type Value = Arc<Vec<Placed>>;

    const NAME: &'static str = "page_of_movies";
    const KEYS: usize = 1;
    /// More than one, because some pages take much longer than others.
    const RUNS: usize = 4;
    const MOST_RUNS: usize = 24;
    /// A page may take several commands, each with its own time limit.
    const LIMIT: Duration = COMMAND.saturating_mul(4);

    async fn run(&self, pages: Vec<PageKey>) -> Result<HashMap<PageKey, Self::Value>, StoreError> {
        let mut read = HashMap::new();
        for page in pages {
            let movies = self.page(&page.filter, page.sort, page.after.as_ref(), page.wanted).await?;
            read.insert(page, Arc::new(movies));
        }
        Ok(read)
    }
}

impl Pages {
    pub(super) fn new(movies: Collection<MovieDocument>) -> Self {
        Self { movies, names: NameOrder::new() }
    }

    async fn page(
        &self,
        filter: &MovieFilter,
        sort: Sort,
        after: Option<&Position>,
        wanted: usize,
    ) -> Result<Vec<Placed>, StoreError> {
        if sort == Sort::Relevance {
            return self.search(filter, after, wanted).await;
        }
        let mut found: Vec<MovieDocument> = Vec::new();
        for range in sort.ranges(after) {
            let missing = wanted - found.len();
            if missing == 0 {
                break;
            }
            // Both may have a condition on the same field, for example on the year.
            let filters =
                if sort.collation().is_some() { filter.collated_condition() } else { filter.condition() };
            let condition = doc! { "$and": [filters, range.condition] };
            let find = self
                .movies
                .find(condition)
                .sort(range.sort)
                .limit(i64::try_from(missing).unwrap_or(i64::MAX))
                .optional(sort.collation(), mongodb::action::Find::collation)
                .max_time(COMMAND);
            let movies: Vec<MovieDocument> =
                within(COMMAND, async { find.await?.try_collect().await }).await?;
            found.extend(movies);
        }
        Ok(self.placed(sort, found))
    }

    /// Movies in their order, each with its place.
    fn placed(&self, sort: Sort, movies: Vec<MovieDocument>) -> Vec<Placed> {
        let mut places: Vec<Position> = movies.iter().map(|movie| sort.position(movie)).collect();
        for (place, pair) in places.iter_mut().zip(movies.windows(2)) {
            place.is_last_of_key = !self.is_tie(sort, &pair[0], &pair[1]);
        }
        movies.into_iter().map(|movie| Arc::new(movie.into())).zip(places).collect()
    }

    /// Whether the id alone says which of two movies comes first.
    fn is_tie(&self, sort: Sort, one: &MovieDocument, other: &MovieDocument) -> bool {
        match sort {
            Sort::CreatedAt(_) => one.created_at == other.created_at,
            // Compare by the collation, which ignores some characters, for example a soft hyphen.
            Sort::Name(_) => self.names.is_same(&one.name, &other.name),
            Sort::Year(_) => one.year == other.year,
            // The order is by the score, which is not a field of the movie.
            Sort::Relevance => true,
        }
    }

    /// Best match first. A position is the score, and how many movies came before it. The last page is the one that
    /// reaches [`RELEVANCE_DEPTH`].
    async fn search(
        &self,
        filter: &MovieFilter,
        after: Option<&Position>,
        wanted: usize,
    ) -> Result<Vec<Placed>, StoreError> {
        #[derive(Deserialize)]
        struct Scored {
            score: f64,
            #[serde(flatten)]
            movie: MovieDocument,
        }
        let (score, shown) = after.map_or((None, 0), score_and_shown);
        let left = RELEVANCE_DEPTH.saturating_sub(shown);
        if left == 0 {
            return Ok(Vec::new());
        }
        let mut stages = vec![
            doc! { "$match": filter.condition() },
            doc! { "$set": { "score": { "$meta": "textScore" } } },
        ];
        if let (Some(score), Some(after)) = (score, after) {
            let same_but_later = doc! { "score": score, "_id": { "$gt": after.id } };
            stages.push(doc! { "$match": { "$or": [{ "score": { "$lt": score } }, same_but_later] } });
        }
        stages.push(doc! { "$sort": { "score": -1, "_id": 1 } });
        stages.push(
            doc! { "$limit": i64::try_from(wanted as u64).unwrap_or(i64::MAX).min(left.cast_signed()) },
        );
        let aggregate = self.movies.aggregate(stages).with_type::<Scored>().max_time(COMMAND);
        let found: Vec<Scored> = within(COMMAND, async { aggregate.await?.try_collect().await }).await?;
        Ok(found
            .into_iter()
            .zip(shown + 1..)
            .map(|(found, number)| {
                // The bits of the score: a decimal form might not parse to the same number.
                let key = json!([found.score.to_bits(), number]);
                let position = Position::new(key, found.movie.id);
                (Arc::new(found.movie.into()), position)
            })
            .collect())
    }
}

fn score_and_shown(after: &Position) -> (Option<f64>, u64) {
    let number = |index: usize| after.key.get(index).and_then(serde_json::Value::as_u64);
    (number(0).map(f64::from_bits), number(1).unwrap_or(RELEVANCE_DEPTH))
}
