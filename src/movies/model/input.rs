//! A whole movie, as a client sends it.

use bson::DateTime;

use super::{
    document::MovieDocument,
    patch::MoviePatch,
    rules::{CASTS, GENRES, NAME, OTHERS, PLOT, POSTER_URL, RUNTIME, SET_BY_THE_SERVER, YEAR},
};
use crate::http::{
    fields::{FieldChange, Fields, FromFields},
    ids::{MovieId, UserId},
};

/// A parsed movie. Each field meets its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovieInput {
    name: String,
    casts: Vec<String>,
    genres: Vec<String>,
    year: Option<i32>,
    runtime: Option<i32>,
    directors: Vec<String>,
    countries: Vec<String>,
    languages: Vec<String>,
    plot: Option<String>,
    poster_url: Option<String>,
}

impl FromFields for MovieInput {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.ignore(&SET_BY_THE_SERVER);
        // Parse all fields before failing, so that the error names every invalid field.
        let name = fields.required("name", &NAME);
        let casts = fields.required("casts", &CASTS);
        let genres = fields.required("genres", &GENRES);
        let year = fields.optional("year", &YEAR);
        let runtime = fields.optional("runtime", &RUNTIME);
        let directors = fields.optional("directors", &OTHERS);
        let countries = fields.optional("countries", &OTHERS);
        let languages = fields.optional("languages", &OTHERS);
        let plot = fields.optional("plot", &PLOT);
        let poster_url = fields.optional("poster_url", &POSTER_URL);
        Some(Self {
            name: name?,
            casts: casts?,
            genres: genres?,
            year: year?,
            runtime: runtime?,
            directors: directors?.unwrap_or_default(),
            countries: countries?.unwrap_or_default(),
            languages: languages?.unwrap_or_default(),
            plot: plot?,
            poster_url: poster_url?,
        })
    }
}

/// The fields of a stored movie that a client can send.
impl From<MovieDocument> for MovieInput {
    fn from(movie: MovieDocument) -> Self {
        Self {
            name: movie.name,
            casts: movie.casts,
            genres: movie.genres,
            year: movie.year,
            runtime: movie.runtime,
            directors: movie.directors,
            countries: movie.countries,
            languages: movie.languages,
            plot: movie.plot,
            poster_url: movie.poster_url,
        }
    }
}

impl MovieInput {
    /// The name and the year. No two movies share both.
    #[must_use]
    pub fn unique_key(&self) -> (&str, Option<i32>) {
        (&self.name, self.year)
    }

    /// The document of a new movie.
    #[must_use]
    pub fn into_document(self, added_by: UserId) -> MovieDocument {
        // In milliseconds, as in the database.
        self.into_document_of(MovieId::new(), added_by, DateTime::now())
    }

    /// The same, with a given id and time.
    #[must_use]
    pub fn into_document_of(self, id: MovieId, added_by: UserId, now: DateTime) -> MovieDocument {
        MovieDocument {
            id: id.0,
            name: self.name,
            year: self.year,
            runtime: self.runtime,
            casts: self.casts,
            genres: self.genres,
            directors: self.directors,
            countries: self.countries,
            languages: self.languages,
            plot: self.plot,
            poster_url: self.poster_url,
            added_by: added_by.0,
            created_at: now,
            updated_at: now,
            version: 1,
            editors: Vec::new(),
            updated_by: Some(added_by.0),
        }
    }

    /// The patch that replaces every client field.
    #[must_use]
    pub fn into_patch(self) -> MoviePatch {
        MoviePatch {
            name: FieldChange::Set(self.name),
            casts: FieldChange::Set(self.casts),
            genres: FieldChange::Set(self.genres),
            year: set_or_clear(self.year),
            runtime: set_or_clear(self.runtime),
            directors: FieldChange::Set(self.directors),
            countries: FieldChange::Set(self.countries),
            languages: FieldChange::Set(self.languages),
            plot: set_or_clear(self.plot),
            poster_url: set_or_clear(self.poster_url),
        }
    }
}

fn set_or_clear<T>(value: Option<T>) -> FieldChange<T> {
    value.map_or(FieldChange::Clear, FieldChange::Set)
}
