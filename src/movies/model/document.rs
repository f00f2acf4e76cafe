//! A movie as it is stored.

use bson::DateTime;
use serde::{Deserialize, Serialize};

use crate::http::ids::UserId;

/// Every field that a client can read.
pub const FIELDS: [&str; 15] = [
    "id",
    "name",
    "year",
    "runtime",
    "casts",
    "genres",
    "directors",
    "countries",
    "languages",
    "plot",
    "poster_url",
    "added_by",
    "created_at",
    "updated_at",
    "version",
];

/// A movie as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MovieDocument {
    #[serde(rename = "_id")]
    pub id: bson::oid::ObjectId,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<i32>,
    pub casts: Vec<String>,
    pub genres: Vec<String>,
    pub directors: Vec<String>,
    pub countries: Vec<String>,
    pub languages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poster_url: Option<String>,
    pub added_by: bson::oid::ObjectId,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub version: i64,
    /// The users whom the owner lets change the movie. Never in an answer: the editors are not public.
    #[serde(default)]
    pub editors: Vec<bson::oid::ObjectId>,
    /// Who made this version; unset if the release that made it did not record this. Never in an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<bson::oid::ObjectId>,
}

/// What BSON stores beside a text: its type, its length, two end marks, and its place in the list.
const BESIDE_A_TEXT: usize = 10;

impl MovieDocument {
    /// The approximate size of the document that is sent to the database: its texts, and what BSON adds to each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lists = [&self.casts, &self.genres, &self.directors, &self.countries, &self.languages];
        let texts = lists.into_iter().flatten().chain([&self.name]).chain(&self.plot).chain(&self.poster_url);
        texts.map(|text| text.len() + BESIDE_A_TEXT).sum()
    }

    /// The next version of a movie that was deleted. It keeps its fields, its owner, its editors and its creation
    /// time.
    #[must_use]
    pub fn restored(self, by: UserId) -> Self {
        Self { version: self.version + 1, updated_at: DateTime::now(), updated_by: Some(by.0), ..self }
    }
}
