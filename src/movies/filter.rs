//! What a list of movies can be asked for: typed and listed, never an operator from the wire.

use super::{
    model::{CASTS, GENRES, OTHERS, YEAR},
    sort::Sort,
};
use crate::http::{
    fields::{has_control, normalized},
    ids::UserId,
    problem::Problem,
    query::{Query, invalid},
};
use bson::{Bson, Document, doc};

/// The longest search text, in characters.
pub(super) const MAX_SEARCH: usize = 200;
/// How often one of [`EXACT`] may be given: each costs the database a comparison with each movie.
pub(super) const MAX_VALUES: usize = 50;
/// A parameter that may be given several times.
pub(super) struct Exact {
    pub parameter: &'static str,
    /// The field that must hold all its values.
    pub field: &'static str,
    /// The longest value, in characters: no longer one is in the field.
    pub length: usize,
}

/// All of these.
pub(super) const EXACT: [Exact; 5] = [
    Exact { parameter: "genre", field: "genres", length: GENRES.item.max },
    Exact { parameter: "cast", field: "casts", length: CASTS.item.max },
    Exact { parameter: "director", field: "directors", length: OTHERS.item.max },
    Exact { parameter: "country", field: "countries", length: OTHERS.item.max },
    Exact { parameter: "language", field: "languages", length: OTHERS.item.max },
];

/// Which movies are meant. All conditions hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MovieFilter {
    /// Words to be found in name, cast, directors or plot.
    pub search: Option<String>,
    /// A field, and values that it must hold.
    exact: Vec<(&'static str, Vec<String>)>,
    year: Option<i32>,
    year_min: Option<i32>,
    year_max: Option<i32>,
    pub added_by: Option<UserId>,
    /// No parameter: a user can ask only for the movies that this user edits.
    pub editor: Option<UserId>,
}

/// A condition on one field, and the index that finds what meets it.
pub(super) struct Part {
    pub index: &'static str,
    pub condition: Document,
}

impl MovieFilter {
    pub(super) fn read(query: &mut Query<'_>) -> Result<Self, Problem> {
        let mut exact = Vec::new();
        for Exact { parameter, field, length } in EXACT {
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
        Ok(Self {
            search,
            exact,
            year,
            year_min,
            year_max,
            added_by: query.parsed("added_by", "must be a user's id", UserId::parse)?,
            editor: None,
        })
    }

    /// The condition for a query with a collation. Its comparisons pass over characters that have no
    /// place in the order (a soft hyphen), so each value is compared once more, byte by byte: a regular
    /// expression knows no collation.
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

    /// Whether every movie is meant.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether every movie is meant that has a year.
    #[must_use]
    pub fn is_any_year(&self) -> bool {
        *self == Self { year_min: Some(ANY_YEAR), ..Self::default() }
    }

    /// The condition for the database. A search must stand first in a pipeline.
    #[must_use]
    pub fn condition(&self) -> Document {
        let mut condition = Document::new();
        if let Some(search) = &self.search {
            condition.insert("$text", doc! { "$search": search });
        }
        for (field, values) in &self.exact {
            match values.as_slice() {
                [value] => condition.insert(*field, value),
                values => condition.insert(*field, doc! { "$all": values }),
            };
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

    fn years(&self) -> Document {
        let years = [("$eq", self.year), ("$gte", self.year_min), ("$lte", self.year_max)];
        years
            .into_iter()
            .filter_map(|(operator, year)| Some((operator.to_owned(), Bson::from(year?))))
            .collect()
    }

    /// The parameters that read as this filter.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<_> = self.search.iter().map(|search| ("q", search.clone())).collect();
        for exact in EXACT {
            let values =
                self.exact.iter().filter(|(found, _)| *found == exact.field).flat_map(|(_, values)| values);
            all.extend(values.map(|value| (exact.parameter, value.clone())));
        }
        let years = [("year", self.year), ("year_min", self.year_min), ("year_max", self.year_max)];
        all.extend(years.into_iter().filter_map(|(name, year)| Some((name, year?.to_string()))));
        all.extend(self.added_by.map(|owner| ("added_by", owner.to_string())));
        all
    }

    /// The parts of the filter, where no index has them in this order, and an index of their own can
    /// be used: a search has its own.
    pub(super) fn parts_beside(&self, sort: Sort) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (field, values) in &self.exact {
            parts.extend(values.iter().map(|value| Part { index: field, condition: doc! { *field: value } }));
        }
        let years = self.years();
        if !years.is_empty() && !matches!(sort, Sort::Year(_)) {
            parts.push(Part { index: "year", condition: doc! { "year": years } });
        }
        if let Some(owner) = self.added_by {
            parts.push(Part { index: "owner_newest_first", condition: doc! { "added_by": owner } });
        }
        if let Some(editor) = self.editor {
            parts.push(Part { index: "editor_newest_first", condition: doc! { "editors": editor } });
        }
        // Each index of a filter goes on with the default order; of several years it has it for each.
        let is_range = self.year.is_none() && (self.year_min.is_some() || self.year_max.is_some());
        let is_served = matches!(sort, Sort::CreatedAt(_)) && (parts.len() > 1 || !is_range);
        if self.search.is_some() || is_served { Vec::new() } else { parts }
    }
}

const YEAR_RULE: &str = "must be a whole number";

/// A bound that every year keeps. It is no filter yet: a movie without a year keeps no bound.
const ANY_YEAR: i32 = i32::MIN;

/// Bounds that hold the same years are the same, so that those who ask in different words share an answer.
fn bounds(min: Option<i32>, max: Option<i32>) -> (Option<i32>, Option<i32>) {
    let (all_after, all_before) =
        (min.is_some_and(|min| min <= YEAR.min), max.is_some_and(|max| max >= YEAR.max));
    match (min.filter(|_| !all_after), max.filter(|_| !all_before)) {
        (None, None) if all_after || all_before => (Some(ANY_YEAR), None),
        bounds => bounds,
    }
}

/// A year may be one in which no movie was made: then nothing is found.
fn whole(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// A value in the form in which movies store it.
fn text(parameter: &str, value: &str, length: usize) -> Result<String, Problem> {
    let value = normalized(value);
    if value.is_empty() {
        Err(invalid(parameter, "must not be blank"))
    } else if has_control(&value, false) {
        Err(invalid(parameter, "must not hold a control character"))
    } else if value.chars().count() > length {
        Err(invalid(parameter, &format!("must have {length} characters at most")))
    } else {
        Ok(value)
    }
}

/// The words of a search. Quotes and minus signs are operators of the database's search; here they
/// are plain text.
fn search(value: &str) -> Result<String, Problem> {
    let value = text("q", value, MAX_SEARCH)?;
    let words: Vec<&str> = value.split(|c: char| c.is_whitespace() || matches!(c, '"' | '-')).collect();
    Ok(words.join(" ").trim().to_owned())
}
