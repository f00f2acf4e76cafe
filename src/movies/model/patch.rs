//! A change of some fields of a movie, and the update that makes it.

use bson::{DateTime, Document, doc};

use super::rules::{CASTS, GENRES, NAME, OTHERS, PLOT, POSTER_URL, RUNTIME, SET_BY_THE_SERVER, YEAR};
use crate::http::{
    fields::{FieldChange, Fields, FromFields},
    ids::UserId,
};

/// A merge patch (RFC 7396) of a movie.
#[derive(Debug, Clone)]
pub struct MoviePatch {
    pub(super) name: FieldChange<String>,
    pub(super) casts: FieldChange<Vec<String>>,
    pub(super) genres: FieldChange<Vec<String>>,
    pub(super) year: FieldChange<i32>,
    pub(super) runtime: FieldChange<i32>,
    pub(super) directors: FieldChange<Vec<String>>,
    pub(super) countries: FieldChange<Vec<String>>,
    pub(super) languages: FieldChange<Vec<String>>,
    pub(super) plot: FieldChange<String>,
    pub(super) poster_url: FieldChange<String>,
}

impl FromFields for MoviePatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.ignore(&SET_BY_THE_SERVER);
        let name = fields.change("name", &NAME, true);
        let casts = fields.change("casts", &CASTS, true);
        let genres = fields.change("genres", &GENRES, true);
        let year = fields.change("year", &YEAR, false);
        let runtime = fields.change("runtime", &RUNTIME, false);
        let directors = fields.change("directors", &OTHERS, false);
        let countries = fields.change("countries", &OTHERS, false);
        let languages = fields.change("languages", &OTHERS, false);
        let plot = fields.change("plot", &PLOT, false);
        let poster_url = fields.change("poster_url", &POSTER_URL, false);
        Some(Self {
            name: name?,
            casts: casts?,
            genres: genres?,
            year: year?,
            runtime: runtime?,
            directors: directors?,
            countries: countries?,
            languages: languages?,
            plot: plot?,
            poster_url: poster_url?,
        })
    }
}

/// How an update changes the name and the year, which no two movies share.
#[derive(Debug)]
pub struct Rename {
    name: Option<String>,
    year: FieldChange<i32>,
}

impl Rename {
    /// The name and the year of a movie after the update. `name` and `year` are the values before it.
    #[must_use]
    pub fn applied_to(&self, name: String, year: Option<i32>) -> (String, Option<i32>) {
        let year = match self.year {
            FieldChange::Keep => year,
            FieldChange::Clear => None,
            FieldChange::Set(year) => Some(year),
        };
        (self.name.clone().unwrap_or(name), year)
    }
}

impl MoviePatch {
    #[must_use]
    pub fn rename(&self) -> Rename {
        Rename { name: self.name.clone().given(), year: self.year.clone() }
    }

    /// The update of the one document. The version grows even if nothing else changes.
    #[must_use]
    pub fn into_update(self, updated_by: UserId) -> Document {
        let mut set = doc! { "updated_at": DateTime::now(), "updated_by": updated_by };
        // Earlier releases stored the keys for suggestions here.
        let mut unset = doc! { "typeahead": true };
        scalar(&mut set, &mut unset, "name", self.name);
        scalar(&mut set, &mut unset, "year", self.year);
        scalar(&mut set, &mut unset, "runtime", self.runtime);
        scalar(&mut set, &mut unset, "plot", self.plot);
        scalar(&mut set, &mut unset, "poster_url", self.poster_url);
        list(&mut set, "casts", self.casts);
        list(&mut set, "genres", self.genres);
        list(&mut set, "directors", self.directors);
        list(&mut set, "countries", self.countries);
        list(&mut set, "languages", self.languages);
        doc! { "$set": set, "$unset": unset, "$inc": { "version": 1_i64 } }
    }
}

fn scalar<T: Into<bson::Bson>>(set: &mut Document, unset: &mut Document, name: &str, change: FieldChange<T>) {
    match change {
        FieldChange::Keep => {}
        FieldChange::Clear => drop(unset.insert(name, true)),
        // `$literal` is not needed: an update document takes values literally, never as expressions.
        FieldChange::Set(value) => drop(set.insert(name, value)),
    }
}

fn list(set: &mut Document, name: &str, change: FieldChange<Vec<String>>) {
    match change {
        FieldChange::Keep => {}
        FieldChange::Clear => drop(set.insert(name, bson::Array::new())),
        FieldChange::Set(values) => drop(set.insert(name, values)),
    }
}
