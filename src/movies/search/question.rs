//! Questions to the index, and its answers.

use bson::oid::ObjectId;

use super::{cursor::Cursor, words::Words};
use crate::movies::sort::Sort;

/// A field that holds exact values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exact {
    Genre,
    Cast,
    Director,
    Country,
    Language,
}

/// Selects movies. A movie must meet all conditions.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    pub words: Words,
    /// A movie must have all of these values.
    pub exact: Vec<(Exact, String)>,
    pub name: Option<String>,
    /// The movie must be one of these.
    pub ids: Option<Vec<ObjectId>>,
    pub year: Option<i32>,
    pub year_min: Option<i32>,
    pub year_max: Option<i32>,
    pub added_by: Option<ObjectId>,
}

/// A request for a page.
#[derive(Debug, Clone)]
pub struct PageQuestion {
    pub meant: Meant,
    pub sort: Sort,
    pub limit: usize,
    /// Where the previous page ended. It must belong to the same words and the same order.
    pub after: Option<Cursor>,
    /// Whether to count all matching movies.
    pub count: bool,
}

/// A movie that was found, and where a page after it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub id: ObjectId,
    pub cursor: Cursor,
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Whether more movies follow the last one.
    pub more: bool,
    /// No movie has every word: these lack one or two of the words.
    pub relaxed: bool,
    /// How many movies match, if the request asked for it.
    pub total: Option<u64>,
}

/// One value and how many movies have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    pub value: T,
    pub count: u64,
}

/// The facets. The most frequent value of each comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    pub genres: Vec<Entry<String>>,
    /// 1990 stands for the years from 1990 to 1999.
    pub decades: Vec<Entry<i32>>,
    pub languages: Vec<Entry<String>>,
    pub countries: Vec<Entry<String>>,
}
