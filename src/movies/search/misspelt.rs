//! Words that are nearly the same: each comparison is made once, and used for every field.

use std::{fmt, sync::Arc};

use tantivy::{
    Term,
    query::{AutomatonWeight, DfaWrapper, EnableScoring, FuzzyTermQuery, Query, Weight},
    schema::Field,
};

/// Letters from which on a word may have one edit, or two.
pub const TYPO_LETTERS: [usize; 2] = [4, 8];
/// Nobody's word is longer than this. To compare one takes long.
pub const LONGEST_TYPO: usize = 60;

/// Words that are nearly one, by one edit and by two. Swapped letters are one.
pub struct Misspelt(Vec<Arc<DfaWrapper>>);

impl Misspelt {
    pub fn new(word: &str) -> Self {
        let letters = word.chars().count();
        let edits = TYPO_LETTERS.into_iter().zip(1..);
        let edits = edits.filter(|(least, _)| (*least..=LONGEST_TYPO).contains(&letters));
        // The field does not matter to the comparison.
        let word = Term::from_field_text(Field::from_field_id(0), word);
        let comparisons = edits.map(|(_, edits)| FuzzyTermQuery::new(word.clone(), edits, true).automaton());
        // Only more than two edits would be refused.
        Self(comparisons.filter_map(Result::ok).map(Arc::new).collect())
    }

    /// Movies that have such a word in a field, and what that is worth.
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
