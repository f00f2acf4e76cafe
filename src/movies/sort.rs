//! The orders in which movies are listed, and how a page continues the previous one.
//!
//! Each order is an index read in one direction (`mongo/indexes.rs`), and each ends with the id, so that every movie
//! has exactly one place. Reading a page takes one or two *ranges*: movies without a year come last in both
//! directions, and no index gives that in a single pass.

use bson::{Bson, DateTime, Document, doc};
use mongodb::options::Collation;
use serde_json::Value;

use super::model::MovieDocument;
use crate::mongo::{indexes::name_collation, keyset::Position};

/// How many movies a search by relevance shows, over all its pages.
pub const RELEVANCE_DEPTH: u64 = 1_000;

/// The values of the parameter `sort`.
pub const SORTS: [&str; 7] = ["created_at", "-created_at", "name", "-name", "year", "-year", "relevance"];

/// An order of movies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    CreatedAt(Direction),
    /// Alphabetical, as a person expects it: case and accents only break ties.
    Name(Direction),
    Year(Direction),
    /// The best match of the search first.
    Relevance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    Ascending,
    Descending,
}

use Direction::{Ascending, Descending};

/// A part of an order that one `find` can read.
#[derive(Clone)]
pub struct Range {
    /// A condition to add to the filter.
    pub condition: Document,
    pub sort: Document,
}

impl Sort {
    /// Reads the parameter `sort`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, direction) = text.strip_prefix('-').map_or((text, Ascending), |name| (name, Descending));
        match (name, direction) {
            ("created_at", direction) => Some(Self::CreatedAt(direction)),
            ("name", direction) => Some(Self::Name(direction)),
            ("year", direction) => Some(Self::Year(direction)),
            ("relevance", Ascending) => Some(Self::Relevance),
            _ => None,
        }
    }

    /// The parameter that parses to this.
    #[must_use]
    pub fn parameter(self) -> String {
        let (name, direction) = match self {
            Self::CreatedAt(direction) => ("created_at", direction),
            Self::Name(direction) => ("name", direction),
            Self::Year(direction) => ("year", direction),
            Self::Relevance => ("relevance", Ascending),
        };
        format!("{}{name}", if direction == Descending { "-" } else { "" })
    }

    /// The collation of the query. Without it, the database would not use the index on names.
    #[must_use]
    pub fn collation(self) -> Option<Collation> {
        matches!(self, Self::Name(_)).then(name_collation)
    }

    /// The index that has this order.
    #[must_use]
    pub fn index(self) -> &'static str {
        match self {
            Self::CreatedAt(_) => "newest_first",
            Self::Name(_) => "by_name",
            Self::Year(_) => "by_year",
            Self::Relevance => "search",
        }
    }

    /// The position of a movie in this order.
    #[must_use]
    pub fn position(self, movie: &MovieDocument) -> Position {
        let key = match self {
            Self::CreatedAt(_) | Self::Relevance => movie.created_at.timestamp_millis().into(),
            Self::Name(_) => movie.name.as_str().into(),
            Self::Year(_) => movie.year.map_or(Value::Null, Value::from),
        };
        Position::new(key, movie.id)
    }

    /// The ranges to read after a position, in order.
    #[must_use]
    pub fn ranges(self, after: Option<&Position>) -> Vec<Range> {
        match self {
            Self::CreatedAt(direction) => order("created_at", direction, after),
            Self::Name(direction) => order("name", direction, after),
            Self::Year(direction) => {
                let with_year = match after {
                    Some(position) if position.key.is_null() => Vec::new(),
                    None => vec![range("year", direction, doc! { "year": { "$gte": i32::MIN } })],
                    after => order("year", direction, after),
                };
                let mut without_year = doc! { "year": null };
                if let Some(position) = after.filter(|position| position.key.is_null()) {
                    without_year.insert("_id", beyond(direction, position.id.into()));
                }
                [with_year, vec![range("year", direction, without_year)]].concat()
            }
            // The search itself reads these: only it knows the scores.
            Self::Relevance => Vec::new(),
        }
    }
}

/// The order by one field and the id, after a position.
fn order(field: &'static str, direction: Direction, after: Option<&Position>) -> Vec<Range> {
    let Some(position) = after else { return vec![range(field, direction, Document::new())] };
    let key = bson_key(field, &position.key);
    let same = doc! { field: key.clone(), "_id": beyond(direction, position.id.into()) };
    let same = (!position.is_last_of_key).then(|| range(field, direction, same));
    let others = range(field, direction, doc! { field: beyond(direction, key) });
    same.into_iter().chain([others]).collect()
}

fn range(field: &'static str, direction: Direction, condition: Document) -> Range {
    Range { condition, sort: doc! { field: sign(direction), "_id": sign(direction) } }
}

fn sign(direction: Direction) -> i32 {
    match direction {
        Ascending => 1,
        Descending => -1,
    }
}

fn beyond(direction: Direction, key: Bson) -> Document {
    match direction {
        Ascending => doc! { "$gt": key },
        Descending => doc! { "$lt": key },
    }
}

fn bson_key(field: &str, key: &Value) -> Bson {
    match (field, key) {
        ("created_at", key) => DateTime::from_millis(key.as_i64().unwrap_or_default()).into(),
        (_, Value::String(text)) => text.as_str().into(),
        (_, key) => key.as_i64().unwrap_or_default().into(),
    }
}
