//! What a movie is. Three shapes: [`MovieInput`] (received; lists its fields, refuses others),
//! [`MovieDocument`] (stored) and [`super::view::MovieView`] (answered); and [`MoviePatch`] for a merge patch.

use bson::{DateTime, Document, doc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::{ObjectBuilder, Schema, Type};

use super::folding;
use crate::http::{
    fields::{FieldChange, Fields, FromFields, Integer, List, Rule, Text, Wrong},
    ids::{MovieId, UserId},
};

const NAME: Text = Text::line(300);
pub(super) const CASTS: List = List { may_be_empty: true, max: 500, item: Text::line(200) };
pub(super) const GENRES: List = List { may_be_empty: false, max: 50, item: Text::line(100) };
pub(super) const YEAR: Integer = Integer { min: 1870, max: 2100 };
/// Minutes.
const RUNTIME: Integer = Integer { min: 1, max: 60_000 };
/// Directors, countries, languages.
pub(super) const OTHERS: List = List { may_be_empty: true, max: 50, item: Text::line(200) };
const PLOT: Text = Text { max: 10_000, multiline: true };
const POSTER_URL: WebAddress = WebAddress { text: Text::line(2_048) };
/// Welcome in a body, so that a client can send back what it read; they never take effect.
const SET_BY_THE_SERVER: [&str; 5] = ["id", "added_by", "created_at", "updated_at", "version"];

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

/// What the OpenAPI document promises to be accepted. More is: addresses in place of host names, and host
/// names in every script, whose rules are beyond a regular expression.
const SURE_WEB_ADDRESS: &str = concat!(
    "^[Hh][Tt][Tt][Pp][Ss]?://",
    r"([A-Za-z0-9]+(-[A-Za-z0-9]+)*\.)*[A-Za-z][A-Za-z0-9]*(:[0-9]{1,4})?",
    r#"([/?#][^\s\x00-\x1f\x7f-\x9f"<>\\^`{|}]*)?$"#
);

/// What the document says of every address that is answered.
pub const WEB_ADDRESS: &str = "^[Hh][Tt][Tt][Pp][Ss]?://[^/]";

/// An `http` or `https` URL. The server never fetches it.
struct WebAddress {
    text: Text,
}

impl Rule for WebAddress {
    type Value = String;

    fn parse(&self, value: Value) -> Result<String, Vec<Wrong>> {
        let text = self.text.parse(value)?;
        if !is_web_address(&text) {
            Err(vec![Wrong::new("invalid-url", "must be an http or https URL")])
        } else if names_a_user(&text) {
            Err(vec![Wrong::new("invalid-url", "must not hold a user name or a password")])
        } else {
            Ok(text)
        }
    }

    fn schema(&self) -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::String)
            // Without a format: `uri` knows no `ä` in a path, and `iri` (RFC 3987) refuses characters for
            // private use, which a URL may hold.
            .max_length(Some(self.text.max))
            .pattern(Some(SURE_WEB_ADDRESS))
            .build()
            .into()
    }

    fn is_blank(&self, value: &Value) -> bool {
        self.text.is_blank(value)
    }
}

/// RFC 3986, and not only what a browser makes of it: `http:x` and `http:///x` have no host, and the
/// excluded characters would have to be escaped.
fn is_web_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let Some(scheme) = ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme)) else {
        return false;
    };
    let excluded =
        |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    !text[scheme.len()..].starts_with('/') && !text.contains(excluded) && url::Url::parse(text).is_ok()
}

/// Whether a web address has something before its host. It would be shown to everybody, and every browser
/// that loads the poster would send it.
fn names_a_user(web_address: &str) -> bool {
    web_address.split(['/', '?', '#']).nth(2).is_some_and(|authority| authority.contains('@'))
}

/// A whole movie, as a client sends it.
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
        // All are read before any is missed: so every broken one is named.
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

impl MovieInput {
    /// What no two movies share.
    #[must_use]
    pub fn unique_key(&self) -> (&str, Option<i32>) {
        (&self.name, self.year)
    }

    /// The movie as it is stored first.
    #[must_use]
    pub fn into_document(self, added_by: UserId) -> MovieDocument {
        // Milliseconds, as the database keeps them.
        let now = DateTime::now();
        MovieDocument {
            id: MovieId::new().0,
            typeahead: Typeahead::of(&self.name),
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
        }
    }

    /// The update that replaces every client field and none of the server's.
    #[must_use]
    pub fn into_update(self) -> Document {
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
        .into_update()
    }
}

fn set_or_clear<T>(value: Option<T>) -> FieldChange<T> {
    value.map_or(FieldChange::Clear, FieldChange::Set)
}

/// A merge patch (RFC 7396) of a movie.
#[derive(Debug, Clone)]
pub struct MoviePatch {
    name: FieldChange<String>,
    casts: FieldChange<Vec<String>>,
    genres: FieldChange<Vec<String>>,
    year: FieldChange<i32>,
    runtime: FieldChange<i32>,
    directors: FieldChange<Vec<String>>,
    countries: FieldChange<Vec<String>>,
    languages: FieldChange<Vec<String>>,
    plot: FieldChange<String>,
    poster_url: FieldChange<String>,
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

impl MoviePatch {
    /// One update of one document: the version grows also when nothing else changes.
    #[must_use]
    pub fn into_update(self) -> Document {
        let mut set = doc! { "updated_at": DateTime::now() };
        let mut unset = Document::new();
        if let FieldChange::Set(name) = &self.name {
            let Typeahead { whole, phrases } = Typeahead::of(name);
            set.insert("typeahead", doc! { "whole": whole, "phrases": phrases });
        }
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
        let mut update = doc! { "$set": set, "$inc": { "version": 1_i64 } };
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        update
    }
}

fn scalar<T: Into<bson::Bson>>(set: &mut Document, unset: &mut Document, name: &str, change: FieldChange<T>) {
    match change {
        FieldChange::Keep => {}
        FieldChange::Clear => drop(unset.insert(name, true)),
        // `$literal` is not needed: in an update document, values are never expressions.
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
    /// Made from the name, for the index alone: never read back.
    #[serde(skip_deserializing)]
    pub typeahead: Typeahead,
}

/// What a text in BSON has beside it: a type, a length, two ends, and a place in its list.
const BESIDE_A_TEXT: usize = 10;

impl MovieDocument {
    /// About as many as the database is sent: the texts, and what is beside each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lists = [&self.casts, &self.genres, &self.directors, &self.countries, &self.languages];
        let texts = lists.into_iter().chain([&self.typeahead.phrases]).flatten();
        let texts =
            texts.chain([&self.name, &self.typeahead.whole]).chain(&self.plot).chain(&self.poster_url);
        texts.map(|text| text.len() + BESIDE_A_TEXT).sum()
    }
}

/// What a name is found by while it is typed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Typeahead {
    /// The beginning of the name, folded, with its punctuation.
    whole: String,
    /// Its words from each word on.
    phrases: Vec<String>,
}

impl Typeahead {
    fn of(name: &str) -> Self {
        let phrases = folding::phrases(name).iter().map(|phrase| folding::cut(phrase).to_owned()).collect();
        Self { whole: folding::cut(&folding::plain(name)).to_owned(), phrases }
    }
}
