//! By which strategy the database reads a filter in an order that the filter's own index does not have.
//!
//! It can take the filter's index and sort what that finds, or the order's index and leave out what
//! does not match: the first is right for a rare value, the second for a frequent one. Left to itself
//! it remembers the plan that was best for *other* values of the same fields, and holds on to it for
//! up to ten times the work. So we look first how many there are, and name the index.

use std::time::Duration;

use bson::{Document, doc, oid::ObjectId};
use futures::TryStreamExt;
use mongodb::{
    action::{Action, Find},
    options::Hint,
};

use super::catalogue::Pages;
use crate::{
    mongo::{COMMAND, StoreError, within},
    movies::{
        filter::{MovieFilter, Part},
        model::MovieDocument,
        sort::Sort,
    },
};

/// How long the order's index is read before another strategy is tried. Where the matches are spread over
/// the order, a page is full long before; where all stand at its end, it would be read to there.
const WALK: Duration = Duration::from_millis(500);

/// How to read a page.
pub(super) struct Strategy {
    /// The index to use; without it the database chooses.
    index: Option<&'static str>,
    /// All that match one part of the filter.
    among: Option<Vec<ObjectId>>,
    limit: Duration,
}

impl Strategy {
    fn by(index: &'static str, limit: Duration) -> Self {
        Self { index: Some(index), among: None, limit }
    }

    fn chosen_by_the_database(limit: Duration) -> Self {
        Self { index: None, among: None, limit }
    }

    /// By ids, and not by the filter's index: in the order of names that one is of little use, since
    /// it knows no collation.
    fn among(ids: Vec<ObjectId>) -> Self {
        Self { index: Some("_id_"), among: Some(ids), limit: COMMAND }
    }

    fn apply<'a>(
        &self,
        find: impl Fn(Document) -> Find<'a, MovieDocument>,
        condition: &Document,
    ) -> Find<'a, MovieDocument> {
        let condition = match &self.among {
            Some(ids) => doc! { "$and": [{ "_id": { "$in": ids } }, condition] },
            None => condition.clone(),
        };
        let hint = self.index.map(|index| Hint::Name(index.to_owned()));
        find(condition).optional(hint, Find::hint).max_time(self.limit)
    }
}

impl Pages {
    /// The strategies for a page of so many, the most promising first.
    pub(super) async fn strategies(
        &self,
        filter: &MovieFilter,
        sort: Sort,
        wanted: usize,
    ) -> Result<Vec<Strategy>, StoreError> {
        let parts = filter.parts_beside(sort);
        if parts.is_empty() {
            return Ok(vec![Strategy::chosen_by_the_database(COMMAND)]);
        }
        // Spread evenly, as many matches as this are found within as many steps of the order's index.
        let movies = within(COMMAND, self.collection().estimated_document_count()).await?;
        let few = (wanted as u64).saturating_mul(movies).isqrt();
        for part in &parts {
            if let Some(ids) = self.few(part, few).await? {
                return Ok(vec![Strategy::among(ids)]);
            }
        }
        let rest = COMMAND.saturating_sub(WALK);
        let otherwise = match parts.as_slice() {
            [only] => Strategy::by(only.index, rest),
            _ => Strategy::chosen_by_the_database(rest),
        };
        Ok(vec![Strategy::by(sort.index(), WALK), otherwise])
    }

    /// The movies that match, unless they are more than this. Both commands are answered by the index
    /// alone.
    async fn few(&self, part: &Part, most: u64) -> Result<Option<Vec<ObjectId>>, StoreError> {
        let documents = self.collection().clone_with_type::<Document>();
        let find = || {
            let find = documents.find(part.condition.clone()).projection(doc! { "_id": 1 });
            find.hint(Hint::Name(part.index.to_owned())).max_time(COMMAND)
        };
        let one_more = within(COMMAND, async { find().skip(most).limit(1).await?.try_next().await }).await?;
        if one_more.is_some() {
            return Ok(None);
        }
        let found: Vec<Document> = within(COMMAND, async { find().await?.try_collect().await }).await?;
        Ok(Some(found.iter().filter_map(|movie| movie.get_object_id("_id").ok()).collect()))
    }

    /// Reads by the first strategy; when that takes too long, by the next, to which it then keeps.
    pub(super) async fn read<'a>(
        &self,
        strategies: &mut Vec<Strategy>,
        find: impl Fn(Document) -> Find<'a, MovieDocument>,
        condition: &Document,
    ) -> Result<Vec<MovieDocument>, StoreError> {
        loop {
            let Some(strategy) = strategies.first() else { return Ok(Vec::new()) };
            let command = strategy.apply(&find, condition);
            match within(strategy.limit, async { command.await?.try_collect().await }).await {
                Err(StoreError::Unavailable(_)) if strategies.len() > 1 => drop(strategies.remove(0)),
                result => return result,
            }
        }
    }
}
