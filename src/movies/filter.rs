//! The filters of a list of movies. They are typed and listed; a client can never send an operator.

use super::{
    model::{CASTS, GENRES, NAME, OTHERS, YEAR},
    search::{self, Meant, Words},
    sort::Sort,
};
use crate::http::{
    fields::{has_control, normalized},
    ids::{MovieId, UserId},
    problem::Problem,
    query::{Query, invalid},
};
use bson::{Bson, Document, doc};

/// The longest search text, in characters.
pub(super) const MAX_SEARCH: usize = 200;
/// How many ids a client may give at once.
pub(super) const MAX_IDS: usize = 100;
/// How often a client may give one of [`EXACT`]. Each costs the database a comparison with every movie.
pub(super) const MAX_VALUES: usize = 50;
/// A parameter that a client may give several times.
pub(super) struct Exact {
    pub parameter: &'static str,
    /// The field that must hold all its values.
    pub field: &'static str,
    /// The longest value, in characters. The field has the same limit.
    pub length: usize,
    pub indexed: search::Exact,
}

/// All such parameters.
pub(super) const EXACT: [Exact; 5] = [
    Exact { parameter: "genre", field: "genres", length: GENRES.item.max, indexed: search::Exact::Genre },
    Exact { parameter: "cast", field: "casts", length: CASTS.item.max, indexed: search::Exact::Cast },
    Exact {
        parameter: "director",
        field: "directors",
        length: OTHERS.item.max,
        indexed: search::Exact::Director,
    },
    Exact {
        parameter: "country",
        field: "countries",
        length: OTHERS.item.max,
        indexed: search::Exact::Country,
    },
    Exact {
        parameter: "language",
        field: "languages",
        length: OTHERS.item.max,
        indexed: search::Exact::Language,
    },
];

/// Selects movies. A movie must meet all conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MovieFilter {
    /// Words to find in the name, the cast, the directors or the plot.
    pub search: Option<String>,
    /// Fields, each with the values that it must hold.
    exact: Vec<(&'static str, Vec<String>)>,
    name: Option<String>,
    ids: Option<Vec<MovieId>>,
    year: Option<i32>,
    year_min: Option<i32>,
    year_max: Option<i32>,
    pub added_by: Option<UserId>,
    /// Not a parameter: users can only ask for the movies that they edit themselves.
    pub editor: Option<UserId>,
}

impl MovieFilter {
    pub(super) fn read(query: &mut Query<'_>) -> Result<Self, Problem> {
        let mut exact = Vec::new();
        for Exact { parameter, field, length, .. } in EXACT {
            let given = query.all(parameter);
            if given.len() > MAX_VALUES {
                return Err(invalid(parameter, &format!("is given more than {MAX_VALUES} times")));
            }
            let values = given.into_iter().map(|value| text(parameter, value, length));
            let mut values = values.collect::<Result<Vec<_>, _>>()?;
            values.sort_unstable();
            values.dedup();
            if !values.is_empty() {
                exact.push((field, values));
            }
        }
        let search = query.one("q")?.map(search).transpose()?;
        let year = query.parsed("year", YEAR_RULE, whole)?;
        let (min, max) =
            (query.parsed("year_min", YEAR_RULE, whole)?, query.parsed("year_max", YEAR_RULE, whole)?);
        let (year_min, year_max) = bounds(min, max);
        let name = query.one("name")?.map(|name| text("name", name, NAME.max)).transpose()?;
        let ids = query.parsed("ids", &format!("must be 1 to {MAX_IDS} ids separated by commas"), ids)?;
        Ok(Self {
            search,
            exact,
            name,
            ids,
            year,
            year_min,
            year_max,
            added_by: query.parsed("added_by", "must be a user's id", UserId::parse)?,
            editor: None,
        })
    }

    /// The condition for a query with a collation. Such a query ignores characters that have no place in the order (a
    /// soft hyphen). So each value is also compared byte by byte, with a regular expression, which ignores the
    /// collation.
    #[must_use]
    pub fn collated_condition(&self) -> Document {
        let values =
            self.exact.iter().flat_map(|(field, values)| values.iter().map(move |value| (*field, value)));
        let literally = values.map(|(field, value)| {
            let quoted = value.replace("\\E", "\\E\\\\E\\Q");
            doc! { field: { "$regex": format!("\\A\\Q{quoted}\\E\\z") } }
        });
        doc! { "$and": std::iter::once(self.condition()).chain(literally).collect::<Vec<_>>() }
    }

    /// Whether the filter selects every movie.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The condition for the database. A text search must be the first stage of a pipeline.
    #[must_use]
    pub fn condition(&self) -> Document {
        let mut condition = Document::new();
        if let Some(search) = &self.search {
            condition.insert("$text", doc! { "$search": every_word(search) });
        }
        for (field, values) in &self.exact {
            match values.as_slice() {
                [value] => condition.insert(*field, value),
                values => condition.insert(*field, doc! { "$all": values }),
            };
        }
        if let Some(name) = &self.name {
            condition.insert("name", name);
        }
        if let Some(ids) = &self.ids {
            condition.insert("_id", doc! { "$in": ids });
        }
        let years = self.years();
        if !years.is_empty() {
            condition.insert("year", years);
        }
        if let Some(owner) = self.added_by {
            condition.insert("added_by", owner);
        }
        if let Some(editor) = self.editor {
            condition.insert("editors", editor);
        }
        condition
    }

    /// Whether one index of the database has these movies in this order. If not, the search index answers.
    #[must_use]
    pub fn is_for_the_database(&self, sort: Sort) -> bool {
        if self.search.is_some() {
            return false;
        }
        if self.ids.is_some() || self.name.is_some() {
            // There are few of them, so the database sorts them in memory. Sorting by name uses a collation, which
            // would change what the filters match.
            return !matches!(sort, Sort::Name(_));
        }
        let is_range = self.year_min.is_some() || self.year_max.is_some();
        let values = self.exact.iter().map(|(_, values)| values.len()).sum::<usize>();
        let others = [self.year.is_some(), self.added_by.is_some(), self.editor.is_some()];
        let singles = values + others.into_iter().filter(|given| *given).count();
        match (singles, is_range) {
            (0, false) => true,
            (1, false) => matches!(sort, Sort::CreatedAt(_)),
            (0, true) => matches!(sort, Sort::Year(_)),
            _ => false,
        }
    }

    /// The same filter for the search index, without [`Self::editor`], which the index does not know.
    #[must_use]
    pub fn meant(&self) -> Meant {
        let values =
            self.exact.iter().flat_map(|(field, values)| values.iter().map(move |value| (*field, value)));
        let exact = values.filter_map(|(field, value)| {
            let exact = EXACT.iter().find(|exact| exact.field == field)?;
            Some((exact.indexed, value.clone()))
        });
        Meant {
            words: self.search.as_deref().map(Words::parse).unwrap_or_default(),
            exact: exact.collect(),
            name: self.name.clone(),
            ids: self.ids.as_ref().map(|ids| ids.iter().map(|id| id.0).collect()),
            year: self.year,
            year_min: self.year_min,
            year_max: self.year_max,
            added_by: self.added_by.map(|owner| owner.0),
        }
    }

    fn years(&self) -> Document {
        let years = [("$eq", self.year), ("$gte", self.year_min), ("$lte", self.year_max)];
        years
            .into_iter()
            .filter_map(|(operator, year)| Some((operator.to_owned(), Bson::from(year?))))
            .collect()
    }

    /// The parameters that parse to this filter.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<_> = self.search.iter().map(|search| ("q", search.clone())).collect();
        for exact in EXACT {
            let values =
                self.exact.iter().filter(|(found, _)| *found == exact.field).flat_map(|(_, values)| values);
            all.extend(values.map(|value| (exact.parameter, value.clone())));
        }
        all.extend(self.name.iter().map(|name| ("name", name.clone())));
        all.extend(
            self.ids
                .iter()
                .map(|ids| ("ids", ids.iter().map(MovieId::to_string).collect::<Vec<_>>().join(","))),
        );
        let years = [("year", self.year), ("year_min", self.year_min), ("year_max", self.year_max)];
        all.extend(years.into_iter().filter_map(|(name, year)| Some((name, year?.to_string()))));
        all.extend(self.added_by.map(|owner| ("added_by", owner.to_string())));
        all
    }
}

const YEAR_RULE: &str = "must be a whole number";

/// A bound that every year meets. It still filters: a movie without a year meets no bound.
const ANY_YEAR: i32 = i32::MIN;

/// Makes bounds equal if they allow the same years, so that different ways to ask share an answer.
fn bounds(min: Option<i32>, max: Option<i32>) -> (Option<i32>, Option<i32>) {
    let (all_after, all_before) =
        (min.is_some_and(|min| min <= YEAR.min), max.is_some_and(|max| max >= YEAR.max));
    match (min.filter(|_| !all_after), max.filter(|_| !all_before)) {
        (None, None) if all_after || all_before => (Some(ANY_YEAR), None),
        bounds => bounds,
    }
}

/// Any whole number is a valid year. If no movie is from that year, nothing is found.
fn whole(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// A value in the form that movies store.
fn text(parameter: &str, value: &str, length: usize) -> Result<String, Problem> {
    let value = normalized(value);
    if value.is_empty() {
        Err(invalid(parameter, "must not be blank"))
    } else if has_control(&value, false) {
        Err(invalid(parameter, "must not contain control characters"))
    } else if value.chars().count() > length {
        Err(invalid(parameter, &format!("must have at most {length} characters")))
    } else {
        Ok(value)
    }
}

/// The words of a search. Punctuation stays, because the search interprets it.
fn search(value: &str) -> Result<String, Problem> {
    text("q", value, MAX_SEARCH)
}

fn ids(text: &str) -> Option<Vec<MovieId>> {
    let mut ids = text.split(',').map(MovieId::parse).collect::<Option<Vec<_>>>()?;
    ids.sort_unstable();
    ids.dedup();
    (ids.len() <= MAX_IDS).then_some(ids)
}

/// Rewrites a search for MongoDB's text search, which would accept a movie with any of the words. MongoDB requires
/// every phrase, and treats a word in quotes as a phrase.
fn every_word(search: &str) -> String {
    let quoted = |word: &str| format!("\"{word}\"");
    let word = |word: &str| if word.starts_with('-') { word.to_owned() } else { quoted(word) };
    let parts = search.split('"').enumerate().map(|(number, part)| {
        if number % 2 == 1 {
            // Keep the minus sign before it, if there is one, next to the quote.
            return quoted(part);
        }
        let negates = if part.ends_with('-') { "" } else { " " };
        format!(" {}{negates}", part.split_whitespace().map(word).collect::<Vec<_>>().join(" "))
    });
    parts.collect()
}
