//! The answers of one state of the index.

use bson::oid::ObjectId;
use tantivy::{Searcher, collector::Count, query::Query};

use super::{
    counting::Counting,
    cursor::{Cursor, Place},
    error::SearchError,
    matching::Matcher,
    names,
    plan::Plan,
    question::{Facets, Found, Hit, Meant, PageQuestion},
    schema::{Fields, id_of_numbers},
    suggestions::Suggester,
    top::{Numbers, Top, TopNames},
};
use crate::movies::sort::{RELEVANCE_DEPTH, Sort};

/// One state of the index.
pub struct Answers<'a> {
    pub fields: &'a Fields,
    pub searcher: &'a Searcher,
}

impl Answers<'_> {
    fn matcher(&self) -> Matcher<'_> {
        Matcher { fields: self.fields, searcher: self.searcher }
    }

    /// Tries the plans of a search, strictest first, until one finds something.
    fn first_that_finds<T>(
        &self,
        meant: &Meant,
        find: impl Fn(&dyn Query) -> tantivy::Result<T>,
        is_something: impl Fn(&T) -> bool,
    ) -> tantivy::Result<(T, Plan)> {
        let matcher = self.matcher();
        let strict = matcher.plan(&meant.words)?;
        let first = find(&*matcher.query(meant, &strict))?;
        if is_something(&first) {
            return Ok((first, strict));
        }
        for plan in std::iter::successors(strict.relaxed(), Plan::relaxed) {
            let found = find(&*matcher.query(meant, &plan))?;
            if is_something(&found) {
                return Ok((found, plan));
            }
        }
        Ok((first, strict))
    }

    /// # Errors
    /// [`SearchError::Cursor`], when the cursor belongs to other words or another order.
    pub fn page(&self, question: &PageQuestion) -> Result<Found, SearchError> {
        let Some(after) = &question.after else {
            let find = |query: &dyn Query| self.places(question, query, None);
            let (places, plan) = self.first_that_finds(&question.meant, find, |places| !places.is_empty())?;
            return self.found(question, plan, places, 0);
        };
        if after.plan.words.len() != question.meant.words.wanted.len() {
            return Err(SearchError::Cursor);
        }
        let is_right = matches!(question.sort, Sort::Name(_)) == matches!(after.place, Place::Name(_));
        if !is_right {
            return Err(SearchError::Cursor);
        }
        let query = self.matcher().query(&question.meant, &after.plan);
        let places = self.places(question, &*query, Some(after))?;
        self.found(question, after.plan.clone(), places, after.shown)
    }

    /// The places of a page, and one more.
    fn places(
        &self,
        question: &PageQuestion,
        query: &dyn Query,
        after: Option<&Cursor>,
    ) -> tantivy::Result<Vec<Place>> {
        let mut limit = question.limit + 1;
        let order = match question.sort {
            Sort::Name(direction) => {
                let after = after.and_then(|after| match &after.place {
                    Place::Name(key) => Some(key.clone()),
                    Place::Numbers(_) => None,
                });
                let found = self.searcher.search(query, &TopNames { direction, after, limit })?;
                return Ok(found.into_iter().map(Place::Name).collect());
            }
            Sort::CreatedAt(direction) => Numbers::CreatedAt(direction),
            Sort::Year(direction) => Numbers::Year(direction),
            Sort::Relevance => {
                let shown = after.map_or(0, |after| after.shown);
                limit = limit.min(depth().saturating_sub(shown));
                if limit == 0 {
                    return Ok(Vec::new());
                }
                Numbers::Relevance
            }
        };
        let after = after.and_then(|after| match &after.place {
            Place::Numbers(key) => Some(*key),
            Place::Name(_) => None,
        });
        let found = self.searcher.search(query, &Top { order, after, limit })?;
        Ok(found.into_iter().map(Place::Numbers).collect())
    }

    fn found(
        &self,
        question: &PageQuestion,
        plan: Plan,
        mut places: Vec<Place>,
        shown: usize,
    ) -> Result<Found, SearchError> {
        let more = places.len() > question.limit;
        places.truncate(question.limit);
        let total = if question.count {
            let query = self.matcher().query(&question.meant, &plan);
            Some(self.searcher.search(&query, &Count)? as u64)
        } else {
            None
        };
        let hits = places.into_iter().zip(shown + 1..).map(|(place, shown)| {
            let id = id_of(question.sort, &place)
                .ok_or_else(|| SearchError::Failed("a movie has no id".into()))?;
            Ok(Hit { id, cursor: Cursor { plan: plan.clone(), shown, place } })
        });
        let relaxed = plan.left_out > 0;
        Ok(Found { hits: hits.collect::<Result<_, SearchError>>()?, more, relaxed, total })
    }

    pub fn count(&self, meant: &Meant) -> Result<u64, SearchError> {
        let find = |query: &dyn Query| self.searcher.search(query, &Count);
        let (count, _) = self.first_that_finds(meant, find, |count| *count > 0)?;
        Ok(count as u64)
    }

    pub fn facets(&self, meant: &Meant) -> Result<Facets, SearchError> {
        let find = |query: &dyn Query| self.searcher.search(query, &Counting);
        let (counts, _) = self.first_that_finds(meant, find, |counts| counts.movies > 0)?;
        Ok(counts.facets())
    }

    pub fn suggest(&self, prefix: &str, limit: usize) -> Result<Vec<ObjectId>, SearchError> {
        Ok(Suggester { fields: self.fields, searcher: self.searcher }.suggest(prefix, limit)?)
    }
}

fn depth() -> usize {
    usize::try_from(RELEVANCE_DEPTH).unwrap_or(usize::MAX)
}

fn id_of(sort: Sort, place: &Place) -> Option<ObjectId> {
    let order = match sort {
        Sort::Name(_) => None,
        Sort::CreatedAt(direction) => Some(Numbers::CreatedAt(direction)),
        Sort::Year(direction) => Some(Numbers::Year(direction)),
        Sort::Relevance => Some(Numbers::Relevance),
    };
    match (place, order) {
        (Place::Name(key), None) => names::id_of(key),
        (Place::Numbers([.., high, low]), Some(order)) => {
            let (high, low) = order.id(*high, *low);
            Some(id_of_numbers(high, low))
        }
        _ => None,
    }
}
