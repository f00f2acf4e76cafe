//! A movie as others read it: [`MovieView`] is what a client gets, [`MovieLine`] is a line of an export.

use std::{ops::Deref, sync::OnceLock};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::model::MovieDocument;
use crate::http::{
    ids::{MovieId, UserId},
    problem::Problem,
    reply::no_json,
    timestamp::Timestamp,
};

/// A movie that was read once for all requests that asked for it. Its JSON is written once.
#[derive(Debug, Deserialize)]
#[serde(from = "MovieDocument")]
pub struct ReadMovie {
    movie: MovieDocument,
    /// The JSON, written by the first of these requests.
    json: OnceLock<String>,
}

impl ReadMovie {
    /// # Errors
    /// 500 if the movie cannot be written as JSON.
    pub fn json(&self) -> Result<&str, Problem> {
        if let Some(json) = self.json.get() {
            return Ok(json);
        }
        let json = serde_json::to_string(&MovieView::from(&self.movie)).map_err(|error| no_json(&error))?;
        Ok(self.json.get_or_init(|| json))
    }
}

impl From<MovieDocument> for ReadMovie {
    fn from(movie: MovieDocument) -> Self {
        Self { movie, json: OnceLock::new() }
    }
}

impl Deref for ReadMovie {
    type Target = MovieDocument;

    fn deref(&self) -> &MovieDocument {
        &self.movie
    }
}

/// The fields that a client can send. `export` writes them and `import` reads them.
#[derive(Debug)]
pub struct MovieLine<'a>(pub &'a MovieDocument);

/// A movie as a client reads it. Lists are always present; optional fields that are not set are left out.
#[derive(Debug)]
pub struct MovieView<'a> {
    movie: &'a MovieDocument,
    /// The chosen fields besides the id; `None` for all.
    only: Option<&'a [&'static str]>,
}

impl<'a> MovieView<'a> {
    #[must_use]
    pub fn only(movie: &'a MovieDocument, fields: &'a [&'static str]) -> Self {
        Self { movie, only: Some(fields) }
    }
}

impl<'a> From<&'a MovieDocument> for MovieView<'a> {
    fn from(movie: &'a MovieDocument) -> Self {
        Self { movie, only: None }
    }
}

/// Writes a movie field by field, without intermediate values: most requests end here.
struct Fields<'a, M> {
    map: M,
    only: Option<&'a [&'static str]>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn field(&mut self, name: &'static str, value: &impl Serialize) -> Result<(), M::Error> {
        if self.only.is_none_or(|only| only.contains(&name)) {
            self.map.serialize_entry(name, value)?;
        }
        Ok(())
    }

    fn optional(&mut self, name: &'static str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.field(name, value))
    }

    fn line(&mut self, movie: &MovieDocument) -> Result<(), M::Error> {
        self.field("name", &movie.name)?;
        self.optional("year", movie.year.as_ref())?;
        self.optional("runtime", movie.runtime.as_ref())?;
        self.field("casts", &movie.casts)?;
        self.field("genres", &movie.genres)?;
        self.field("directors", &movie.directors)?;
        self.field("countries", &movie.countries)?;
        self.field("languages", &movie.languages)?;
        self.optional("plot", movie.plot.as_ref())?;
        self.optional("poster_url", movie.poster_url.as_ref())
    }
}

impl Serialize for MovieLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields { map: serializer.serialize_map(None)?, only: None };
        fields.line(self.0)?;
        fields.map.end()
    }
}

impl Serialize for MovieView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let movie = self.movie;
        let mut fields = Fields { map: serializer.serialize_map(None)?, only: self.only };
        fields.map.serialize_entry("id", &MovieId(movie.id))?;
        fields.line(movie)?;
        fields.field("added_by", &UserId(movie.added_by))?;
        fields.field("created_at", &Timestamp(movie.created_at))?;
        fields.field("updated_at", &Timestamp(movie.updated_at))?;
        fields.field("version", &movie.version)?;
        fields.map.end()
    }
}
