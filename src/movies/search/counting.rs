//! Counts how many matching movies have each genre, decade, language and country.

use std::{cmp::Reverse, collections::BTreeMap};

use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::{Column, StrColumn},
};

use super::{
    question::{Entry, Facets},
    schema::columns,
};

/// How many entries each facet has.
const ENTRIES: usize = 50;
const FIELDS: [&str; 3] = [columns::GENRES, columns::LANGUAGES, columns::COUNTRIES];

/// Counts, by value.
#[derive(Debug, Default)]
pub struct Counts {
    pub movies: u64,
    texts: [BTreeMap<String, u64>; 3],
    decades: BTreeMap<i32, u64>,
}

/// Counts every movie that matches.
pub struct Counting;

struct Counted {
    column: StrColumn,
    places: Vec<u32>,
}

pub struct CountingOfSegment {
    movies: u64,
    texts: [Option<Counted>; 3],
    year: Column<i64>,
    decades: BTreeMap<i64, u64>,
    /// The decade that is being counted, and its count. Most segments hold movies in some order, so the next movie is
    /// often from the same decade.
    decade: (i64, u64),
}

impl SegmentCollector for CountingOfSegment {
    type Fruit = tantivy::Result<Counts>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.movies += 1;
        for text in self.texts.iter_mut().flatten() {
            for place in text.column.ords().values_for_doc(doc) {
                if let Some(count) = usize::try_from(place).ok().and_then(|place| text.places.get_mut(place))
                {
                    *count += 1;
                }
            }
        }
        if let Some(year) = self.year.first(doc) {
            let decade = year.div_euclid(10) * 10;
            if self.decade.0 != decade {
                *self.decades.entry(self.decade.0).or_default() += self.decade.1;
                self.decade = (decade, 0);
            }
            self.decade.1 += 1;
        }
    }

    fn harvest(mut self) -> Self::Fruit {
        *self.decades.entry(self.decade.0).or_default() += self.decade.1;
        let decades = self.decades.into_iter().filter(|(_, count)| *count > 0);
        let mut counts = Counts {
            movies: self.movies,
            decades: decades
                .filter_map(|(decade, count)| Some((i32::try_from(decade).ok()?, count)))
                .collect(),
            ..Counts::default()
        };
        for (text, found) in self.texts.into_iter().zip(&mut counts.texts) {
            let Some(Counted { column, places }) = text else { continue };
            let counted: Vec<(u64, u32)> = (0..).zip(places).filter(|(_, count)| *count > 0).collect();
            let mut value = String::new();
            for (place, count) in counted {
                column.ord_to_str(place, &mut value)?;
                found.insert(value.clone(), count.into());
            }
        }
        Ok(counts)
    }
}

impl Collector for Counting {
    type Fruit = Counts;
    type Child = CountingOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<CountingOfSegment> {
        let fast = segment.fast_fields();
        let counted = |field| -> tantivy::Result<_> {
            let column = fast.str(field)?;
            Ok(column.map(|column| Counted { places: vec![0; column.num_terms()], column }))
        };
        let [genres, languages, countries] = FIELDS.map(counted);
        let texts = [genres?, languages?, countries?];
        let year = fast.i64(columns::YEAR)?;
        Ok(CountingOfSegment { movies: 0, texts, year, decades: BTreeMap::new(), decade: (0, 0) })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Counts>>) -> tantivy::Result<Counts> {
        let mut all = Counts::default();
        for segment in segments {
            let segment = segment?;
            all.movies += segment.movies;
            for (all, segment) in all.texts.iter_mut().zip(segment.texts) {
                add(all, segment);
            }
            add(&mut all.decades, segment.decades);
        }
        Ok(all)
    }
}

fn add<T: Ord>(all: &mut BTreeMap<T, u64>, more: BTreeMap<T, u64>) {
    for (value, count) in more {
        *all.entry(value).or_default() += count;
    }
}

/// Most frequent value first; ties are sorted by value.
fn entries<T: Ord>(counts: BTreeMap<T, u64>) -> Vec<Entry<T>> {
    let mut entries: Vec<Entry<T>> =
        counts.into_iter().map(|(value, count)| Entry { value, count }).collect();
    entries.sort_by_key(|entry| Reverse(entry.count));
    entries.truncate(ENTRIES);
    entries
}

impl Counts {
    pub fn facets(self) -> Facets {
        let [genres, languages, countries] = self.texts.map(entries);
        Facets { genres, decades: entries(self.decades), languages, countries }
    }
}
