//! The typeahead: names with a word that begins with a text.

use std::collections::BTreeSet;

use bson::oid::ObjectId;
use tantivy::{
    DocSet, Searcher, SegmentReader, TERMINATED, Term,
    postings::TermInfo,
    query::FuzzyTermQuery,
    schema::{Field, IndexRecordOption},
};

use super::schema::{Fields, columns, id_of_numbers};
use crate::movies::folding;

/// The number of letters from which one typo is allowed.
const TYPO_LETTERS: usize = 4;
/// How many of the indexed texts that nearly begin with the text are looked at.
const MOST_MISSPELT: usize = 2_000;

struct Movie {
    id: ObjectId,
    standing: u64,
    newest_first: i64,
}

pub struct Suggester<'a> {
    pub fields: &'a Fields,
    pub searcher: &'a Searcher,
}

impl Suggester<'_> {
    /// Names that begin with the text come first, in alphabetical order. Names with a word that begins with it
    /// follow. Only if there are none, this finds names with a word that nearly does, most popular first. The index
    /// knows long names only in part: see [`folding::PHRASE`].
    pub fn suggest(&self, prefix: &str, limit: usize) -> tantivy::Result<Vec<ObjectId>> {
        let (plain, words) = (folding::plain(prefix), folding::words(prefix));
        let mut found = self.beginning(self.fields.name_start, &plain, limit, &[])?;
        if found.len() < limit && !words.is_empty() {
            let more = self.beginning(self.fields.word_start, folding::cut(&words), limit, &found)?;
            found.extend(more);
        }
        let letters = words.chars().filter(|c| *c != ' ').count();
        if found.is_empty() && letters >= TYPO_LETTERS {
            found = self.misspelt(&words)?;
        }
        let mut known = BTreeSet::new();
        found.retain(|id| known.insert(*id));
        found.truncate(limit);
        Ok(found)
    }

    fn beginning(
        &self,
        field: Field,
        text: &str,
        limit: usize,
        known: &[ObjectId],
    ) -> tantivy::Result<Vec<ObjectId>> {
        let mut found = BTreeSet::new();
        for reader in self.searcher.segment_readers() {
            let index = reader.inverted_index(field)?;
            let range = index.terms().range().ge(text).lt(format!("{text}{}", char::MAX));
            let mut terms = range.into_stream()?;
            let mut of_segment = BTreeSet::new();
            // Take all movies of the last text, so that the segment does not decide which ones are shown.
            while of_segment.len() < limit && terms.advance() {
                let movies = movies(reader, field, terms.value())?;
                for Movie { id, newest_first, .. } in
                    movies.into_iter().filter(|movie| !known.contains(&movie.id))
                {
                    of_segment.insert(id);
                    found.insert((terms.key().to_vec(), newest_first, id));
                }
            }
        }
        Ok(found.into_iter().map(|(_, _, id)| id).collect())
    }

    fn misspelt(&self, words: &str) -> tantivy::Result<Vec<ObjectId>> {
        let field = self.fields.word_start;
        let automaton =
            FuzzyTermQuery::new_prefix(Term::from_field_text(field, words), 1, true).automaton()?;
        let mut found = BTreeSet::new();
        for reader in self.searcher.segment_readers() {
            let index = reader.inverted_index(field)?;
            let mut terms = index.terms().search(&automaton).into_stream()?;
            let mut left = MOST_MISSPELT;
            while left > 0 && terms.advance() {
                left -= 1;
                for Movie { id, standing, newest_first } in movies(reader, field, terms.value())? {
                    found.insert((!standing, terms.key().to_vec(), newest_first, id));
                }
            }
        }
        Ok(found.into_iter().map(|(_, _, _, id)| id).collect())
    }
}

/// The movies that have this text.
fn movies(reader: &SegmentReader, field: Field, text: &TermInfo) -> tantivy::Result<Vec<Movie>> {
    let fast = reader.fast_fields();
    let (high, low) = (fast.u64(columns::ID_HIGH)?, fast.u64(columns::ID_LOW)?);
    let (year, standing) = (fast.i64(columns::YEAR)?, fast.u64(columns::STANDING)?);
    let mut docs =
        reader.inverted_index(field)?.read_postings_from_terminfo(text, IndexRecordOption::Basic)?;
    let mut found = Vec::new();
    let mut doc = docs.doc();
    while doc != TERMINATED {
        if !reader.is_deleted(doc) {
            found.push(Movie {
                id: id_of_numbers(high.first(doc).unwrap_or_default(), low.first(doc).unwrap_or_default()),
                standing: standing.first(doc).unwrap_or_default(),
                newest_first: year.first(doc).map_or(i64::MAX, |year| -year),
            });
        }
        doc = docs.advance();
    }
    Ok(found)
}
