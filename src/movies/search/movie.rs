//! A movie as the index sees it.

use bson::oid::ObjectId;

/// A movie as the index sees it. The index returns only the id; answers come from the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedMovie {
    pub id: ObjectId,
    pub name: String,
    pub year: Option<i32>,
    pub casts: Vec<String>,
    pub genres: Vec<String>,
    pub directors: Vec<String>,
    pub countries: Vec<String>,
    pub languages: Vec<String>,
    pub plot: Option<String>,
    pub added_by: ObjectId,
    /// Milliseconds since 1970.
    pub created_at: i64,
}
