//! Reading the catalogue: pages in every order, search, typeahead, export. The writes are in
//! [`super::movies`].

use std::{collections::HashMap, sync::Arc, time::Duration};

use bson::{Document, doc};
use futures::{Stream, TryStreamExt};
use mongodb::{Collection, action::Action};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::movies::Movies;
use crate::{
    http::ids::MovieId,
    mongo::{COMMAND, StoreError, batches::Command, keyset::Position, within},
    movies::{
        filter::MovieFilter,
        folding,
        model::MovieDocument,
        sort::{RELEVANCE_DEPTH, Sort},
        view::ReadMovie,
    },
};

/// A movie, and its place in the order that was asked for.
pub type Placed = (ReadMovie, Position);

/// A suggestion of the typeahead.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suggestion {
    #[serde(rename(deserialize = "_id"))]
    id: MovieId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    year: Option<i32>,
}

/// How many movies are compared with a text that is longer than the index knows.
const LONG_PREFIX_CANDIDATES: u32 = 200;

/// The range of texts that begin so, as far as the index knows them.
fn beginning(text: &str) -> Document {
    let text = folding::cut(text);
    doc! { "$gte": text, "$lt": format!("{text}{}", char::MAX) }
}

/// A page that somebody asks for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PageKey {
    filter: Arc<MovieFilter>,
    sort: Sort,
    after: Option<Position>,
    /// One more than the page has: whether there is a next one.
    wanted: usize,
}

/// Reads pages. Who asks for the same one at the same time shares it.
pub struct Pages {
    movies: Collection<MovieDocument>,
}

impl Command for Pages {
    type Key = PageKey;
    type Value = Arc<Vec<Placed>>;

    const NAME: &'static str = "page_of_movies";
    const KEYS: usize = 1;
    /// More than one: pages differ in what they cost.
    const RUNS: usize = 4;
    const MOST_RUNS: usize = 24;
    /// A page may take several commands, each with a limit of its own.
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
        Self { movies }
    }

    /// For the other files of this feature.
    pub(super) fn collection(&self) -> &Collection<MovieDocument> {
        &self.movies
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
        let mut strategies = self.strategies(filter, sort, wanted).await?;
        let mut found: Vec<MovieDocument> = Vec::new();
        for range in sort.rangees(after) {
            let missing = wanted - found.len();
            if missing == 0 {
                break;
            }
            // Both may speak of one field: of the year, say.
            let filters =
                if sort.collation().is_some() { filter.collated_condition() } else { filter.condition() };
            let condition = doc! { "$and": [filters, range.condition] };
            let find = |condition| {
                self.collection()
                    .find(condition)
                    .sort(range.sort.clone())
                    .limit(i64::try_from(missing).unwrap_or(i64::MAX))
                    .optional(sort.collation(), mongodb::action::Find::collation)
            };
            found.extend(self.read(&mut strategies, find, &condition).await?);
        }
        Ok(found
            .into_iter()
            .map(|movie| {
                let place = sort.position(&movie);
                (movie.into(), place)
            })
            .collect())
    }

    /// The best matches first. A position is the score and how many came before it; the last page is
    /// the one that reaches [`RELEVANCE_DEPTH`].
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
            // Less to sort.
            doc! { "$project": { "typeahead": 0 } },
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
        let aggregate = self.collection().aggregate(stages).with_type::<Scored>().max_time(COMMAND);
        let found: Vec<Scored> = within(COMMAND, async { aggregate.await?.try_collect().await }).await?;
        Ok(found
            .into_iter()
            .zip(shown + 1..)
            .map(|(found, number)| {
                // The bits: a decimal form might not come back as the same number.
                let key = json!([found.score.to_bits(), number]);
                let position = Position { key, id: found.movie.id };
                (found.movie.into(), position)
            })
            .collect())
    }
}

impl Movies {
    /// One more than `limit`, if there are as many.
    ///
    /// # Errors
    /// When the database fails, or the search takes too long.
    pub async fn list(
        &self,
        filter: &Arc<MovieFilter>,
        sort: Sort,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Arc<Vec<Placed>>, StoreError> {
        let page = PageKey { filter: Arc::clone(filter), sort, after, wanted: limit as usize + 1 };
        self.pages.ask(page).await.map(Option::unwrap_or_default)
    }

    /// How many movies match: an exact count, which takes longer the more there are.
    ///
    /// # Errors
    /// When the database fails, or the count takes too long; [`StoreError::Overloaded`] when too many count.
    pub async fn count_matching(&self, filter: &MovieFilter) -> Result<u64, StoreError> {
        let _counting = self.counting.begin()?;
        if filter.is_everything() {
            return self.count().await;
        }
        within(COMMAND, self.collection().count_documents(filter.condition()).max_time(COMMAND)).await
    }

    /// Movies in whose names a word begins with the text; first those whose names do.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn suggest(&self, prefix: &str, limit: u32) -> Result<Vec<Suggestion>, StoreError> {
        let (plain, words) = (folding::plain(prefix), folding::words(prefix));
        // The index knows the beginnings only; of a longer text the rest is compared here.
        let is_long = plain.chars().count() > folding::PHRASE;
        let wanted = if is_long { LONG_PREFIX_CANDIDATES } else { limit };
        let sort = doc! { "typeahead.whole": 1 };
        let whole = doc! { "typeahead.whole": beginning(&plain) };
        let mut found = self.suggestions(whole, Some(sort), wanted).await?;
        found.retain(|suggestion| folding::plain(&suggestion.name).starts_with(&plain));
        if found.len() < limit as usize && !words.is_empty() {
            // A range on a list needs `$elemMatch`.
            let any_word = doc! { "typeahead.phrases": { "$elemMatch": beginning(&words) } };
            let known: Vec<MovieId> = found.iter().map(|suggestion| suggestion.id).collect();
            let more = self.suggestions(any_word, None, wanted).await?.into_iter().filter(|suggestion| {
                let phrases = folding::phrases(&suggestion.name);
                !known.contains(&suggestion.id) && phrases.iter().any(|phrase| phrase.starts_with(&words))
            });
            found.extend(more);
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn suggestions(
        &self,
        condition: Document,
        sort: Option<Document>,
        limit: u32,
    ) -> Result<Vec<Suggestion>, StoreError> {
        let suggestions = self.collection().clone_with_type::<Suggestion>();
        let find = suggestions
            .find(condition)
            .projection(doc! { "name": 1, "year": 1 })
            .optional(sort, mongodb::action::Find::sort)
            .limit(limit.into())
            .max_time(COMMAND);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }

    /// Every movie, in the order in which they were added, as a stream.
    ///
    /// # Errors
    /// When the database fails, at once or later in the stream.
    pub async fn all(
        &self,
    ) -> Result<impl Stream<Item = Result<MovieDocument, StoreError>> + use<>, StoreError> {
        let find = self.collection().find(doc! {}).sort(doc! { "_id": 1 });
        Ok(within(COMMAND, find).await?.map_err(StoreError::from))
    }
}

fn score_and_shown(after: &Position) -> (Option<f64>, u64) {
    let number = |index: usize| after.key.get(index).and_then(serde_json::Value::as_u64);
    (number(0).map(f64::from_bits), number(1).unwrap_or(RELEVANCE_DEPTH))
}
