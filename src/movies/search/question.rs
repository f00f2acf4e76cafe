//! What can be asked of the index.

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

/// Which movies are meant. All conditions hold together.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    pub words: Words,
    /// A movie must have all of them.
    pub exact: Vec<(Exact, String)>,
    pub name: Option<String>,
    /// It is one of these.
    pub ids: Option<Vec<ObjectId>>,
    pub year: Option<i32>,
    pub year_min: Option<i32>,
    pub year_max: Option<i32>,
    pub added_by: Option<ObjectId>,
}

/// A page that is asked for.
#[derive(Debug, Clone)]
pub struct PageQuestion {
    pub meant: Meant,
    pub sort: Sort,
    pub limit: usize,
    /// Where the page before it ended. It belongs to the same words and the same order.
    pub after: Option<Cursor>,
    /// Whether all that match are counted.
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
    /// Whether there is a movie after the last.
    pub more: bool,
    /// No movie has every word: these have all but one, or all but two.
    pub relaxed: bool,
    /// How many match, if that was asked.
    pub total: Option<u64>,
}

/// One value and how many movies have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    pub value: T,
    pub count: u64,
}

/// The facets, each with the most frequent value first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    pub genres: Vec<Entry<String>>,
    /// 1990: the years from 1990 to 1999.
    pub decades: Vec<Entry<i32>>,
    pub languages: Vec<Entry<String>>,
    pub countries: Vec<Entry<String>>,
}
