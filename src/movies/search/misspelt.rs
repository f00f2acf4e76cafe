//! Words with typos. Each comparison is compiled once, and used for every field.

use std::{fmt, sync::Arc};

use tantivy::{
    Term,
    query::{AutomatonWeight, DfaWrapper, EnableScoring, FuzzyTermQuery, Query, Weight},
    schema::Field,
};

/// The number of letters from which a word may have one edit, and two edits.
pub const TYPO_LETTERS: [usize; 2] = [4, 8];
/// No real word is longer than this, and comparing a longer one takes long.
pub const LONGEST_TYPO: usize = 60;

/// Matches the words within one edit, and within two edits, of a word. Swapping two letters is one edit.
pub struct Misspelt(Vec<Arc<DfaWrapper>>);

impl Misspelt {
    pub fn new(word: &str) -> Self {
        let letters = word.chars().count();
        let edits = TYPO_LETTERS.into_iter().zip(1..);
        let edits = edits.filter(|(least, _)| (*least..=LONGEST_TYPO).contains(&letters));
        // The comparison does not depend on the field.
        let word = Term::from_field_text(Field::from_field_id(0), word);
        let comparisons = edits.map(|(_, edits)| FuzzyTermQuery::new(word.clone(), edits, true).automaton());
        // The library refuses only more than two edits.
        Self(comparisons.filter_map(Result::ok).map(Arc::new).collect())
    }

    /// Queries for movies with such a word in a field, each with the points that it scores.
    pub fn queries(&self, field: Field, points: [u32; 2]) -> impl Iterator<Item = (Box<dyn Query>, u32)> {
        let near = self.0.iter().map(move |comparison| Near { field, comparison: Arc::clone(comparison) });
        near.zip(points).map(|(query, points)| (Box::new(query) as Box<dyn Query>, points))
    }
}

#[derive(Clone)]
struct Near {
    field: Field,
    comparison: Arc<DfaWrapper>,
}

impl fmt::Debug for Near {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Near").field("field", &self.field).finish_non_exhaustive()
    }
}

impl Query for Near {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(AutomatonWeight::<DfaWrapper>::new(self.field, Arc::clone(&self.comparison))))
    }
}
