//! The first movies of an order after a place.

use std::collections::BinaryHeap;

use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::{BytesColumn, Column, TermOrdHit},
};

use super::{cursor::Key, points::STANDINGS_PER_POINT, schema::columns};
use crate::movies::sort::Direction;

/// An order that is given by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    CreatedAt(Direction),
    /// Movies without a year come last either way.
    Year(Direction),
    /// Ties: newer years, then the id.
    Relevance,
}

impl Numbers {
    /// The numbers of an id as the order needs them. Applying this twice gives the original numbers.
    pub fn id(self, high: u64, low: u64) -> (u64, u64) {
        match self {
            Self::CreatedAt(Direction::Descending) | Self::Year(Direction::Descending) => (!high, !low),
            _ => (high, low),
        }
    }
}

/// Collects the first movies of an order.
pub struct Top {
    pub order: Numbers,
    pub after: Option<Key>,
    pub limit: usize,
}

pub struct TopOfSegment {
    order: Numbers,
    after: Option<Key>,
    limit: usize,
    /// The last one of them is on top.
    found: BinaryHeap<Key>,
    id_high: Column<u64>,
    id_low: Column<u64>,
    created_at: Column<i64>,
    year: Column<i64>,
    standing: Column<u64>,
}

/// Maps a signed number to an unsigned one that sorts the same.
fn ordered(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

fn directed(number: u64, direction: Direction) -> u64 {
    match direction {
        Direction::Ascending => number,
        Direction::Descending => !number,
    }
}

impl TopOfSegment {
    /// The first number of a key.
    fn first(&self, doc: DocId, score: Score) -> u64 {
        match self.order {
            Numbers::CreatedAt(direction) => {
                directed(ordered(self.created_at.first(doc).unwrap_or_default()), direction)
            }
            Numbers::Year(direction) => {
                self.year.first(doc).map_or(u64::MAX, |year| directed(ordered(year), direction))
            }
            Numbers::Relevance => {
                // A score is a sum of whole numbers.
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "points are whole and not negative"
                )]
                let points = score as u64;
                !(points * STANDINGS_PER_POINT + self.standing.first(doc).unwrap_or_default())
            }
        }
    }

    fn second(&self, doc: DocId) -> u64 {
        match self.order {
            Numbers::Relevance => self.year.first(doc).map_or(u64::MAX, |year| !ordered(year)),
            _ => 0,
        }
    }
}

impl SegmentCollector for TopOfSegment {
    type Fruit = Vec<Key>;

    fn collect(&mut self, doc: DocId, score: Score) {
        let first = self.first(doc, score);
        let is_full = self.found.len() == self.limit;
        if is_full && self.found.peek().is_some_and(|last| last[0] < first) {
            return;
        }
        if self.after.is_some_and(|after| first < after[0]) {
            return;
        }
        let id = |column: &Column<u64>| column.first(doc).unwrap_or_default();
        let (high, low) = self.order.id(id(&self.id_high), id(&self.id_low));
        let key = [first, self.second(doc), high, low];
        if self.after.is_none_or(|after| key > after) {
            self.found.push(key);
            if is_full {
                self.found.pop();
            }
        }
    }

    fn harvest(self) -> Vec<Key> {
        self.found.into_vec()
    }
}

impl Collector for Top {
    type Fruit = Vec<Key>;
    type Child = TopOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<TopOfSegment> {
        let fast = segment.fast_fields();
        Ok(TopOfSegment {
            order: self.order,
            after: self.after,
            limit: self.limit,
            found: BinaryHeap::with_capacity(self.limit + 1),
            id_high: fast.u64(columns::ID_HIGH)?,
            id_low: fast.u64(columns::ID_LOW)?,
            created_at: fast.i64(columns::CREATED_AT)?,
            year: fast.i64(columns::YEAR)?,
            standing: fast.u64(columns::STANDING)?,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.order == Numbers::Relevance
    }

    fn merge_fruits(&self, found: Vec<Vec<Key>>) -> tantivy::Result<Vec<Key>> {
        let mut found = found.concat();
        found.sort_unstable();
        found.truncate(self.limit);
        Ok(found)
    }
}

/// Collects the first movies in the order of names.
pub struct TopNames {
    pub direction: Direction,
    pub after: Option<Vec<u8>>,
    pub limit: usize,
}

pub struct TopNamesOfSegment {
    direction: Direction,
    limit: usize,
    names: Option<BytesColumn>,
    /// Ordinals in this segment, reversed if the order is descending.
    found: BinaryHeap<u64>,
    /// The least ordinal that counts, if any does.
    from: Option<u64>,
}

impl SegmentCollector for TopNamesOfSegment {
    type Fruit = Vec<Vec<u8>>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let Some(place) = self.names.as_ref().and_then(|names| names.ords().first(doc)) else { return };
        let place = directed(place, self.direction);
        if self.from.is_some_and(|from| place >= from)
            && (self.found.len() < self.limit || self.found.peek().is_some_and(|last| place < *last))
        {
            self.found.push(place);
            if self.found.len() > self.limit {
                self.found.pop();
            }
        }
    }

    fn harvest(self) -> Self::Fruit {
        let Some(names) = self.names else { return Vec::new() };
        let key = |place: u64| {
            let mut key = Vec::new();
            names
                .ord_to_bytes(directed(place, self.direction), &mut key)
                .is_ok_and(|is_there| is_there)
                .then_some(key)
        };
        self.found.into_iter().filter_map(key).collect()
    }
}

impl TopNames {
    /// The first ordinal of a segment after the place where the previous page ended. `None` if nothing is left.
    fn from(&self, names: &BytesColumn) -> tantivy::Result<Option<u64>> {
        let Some(after) = &self.after else { return Ok(Some(0)) };
        Ok(match (names.dictionary().term_ord_or_next(after)?, self.direction) {
            (TermOrdHit::Exact(found), direction) => directed(found, direction).checked_add(1),
            (TermOrdHit::Next(next), Direction::Ascending) => Some(next),
            (TermOrdHit::Next(next), direction) => {
                let before = next.min(names.num_terms() as u64).checked_sub(1);
                before.map(|place| directed(place, direction))
            }
        })
    }
}

impl Collector for TopNames {
    type Fruit = Vec<Vec<u8>>;
    type Child = TopNamesOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<TopNamesOfSegment> {
        let names = segment.fast_fields().bytes(columns::NAME_KEY)?;
        Ok(TopNamesOfSegment {
            direction: self.direction,
            limit: self.limit,
            from: names.as_ref().map(|names| self.from(names)).transpose()?.flatten(),
            names,
            found: BinaryHeap::with_capacity(self.limit + 1),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, found: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        let mut found = found.concat();
        found.sort_unstable();
        if self.direction == Direction::Descending {
            found.reverse();
        }
        found.truncate(self.limit);
        Ok(found)
    }
}
