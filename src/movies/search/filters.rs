//! The conditions of a search other than words: exact values, names, ids, years and the owner.

use std::ops::Bound;

use tantivy::{
    Term,
    query::{EmptyQuery, RangeQuery},
};

use super::{
    matching::{AnyQuery, any, basic, integer, term},
    question::{Exact, Meant},
    schema::Fields,
};

/// One query for each of these conditions.
pub fn of(fields: &Fields, meant: &Meant) -> Vec<AnyQuery> {
    let mut filters: Vec<AnyQuery> = Vec::new();
    for (exact, value) in &meant.exact {
        let field = match exact {
            Exact::Genre => fields.exact_genres,
            Exact::Cast => fields.exact_casts,
            Exact::Director => fields.exact_directors,
            Exact::Country => fields.exact_countries,
            Exact::Language => fields.exact_languages,
        };
        filters.push(term(field, value));
    }
    filters.extend(meant.name.iter().map(|name| term(fields.exact_name, name)));
    filters
        .extend(meant.ids.iter().map(|ids| any(ids.iter().map(|id| basic(fields.id_term(*id))).collect())));
    filters.extend(meant.year.map(|year| integer(fields.year, year.into())));
    filters.extend(years(fields, meant));
    let owner = meant.added_by.map(|owner| Term::from_field_bytes(fields.added_by, &owner.bytes()));
    filters.extend(owner.map(basic));
    filters
}

fn years(fields: &Fields, meant: &Meant) -> Option<AnyQuery> {
    let bound = |year: Option<i32>| {
        year.map_or(Bound::Unbounded, |year| Bound::Included(Term::from_field_i64(fields.year, year.into())))
    };
    match (meant.year_min, meant.year_max) {
        (None, None) => None,
        (Some(min), Some(max)) if min > max => Some(Box::new(EmptyQuery)),
        (min, max) => Some(Box::new(RangeQuery::new(bound(min), bound(max)))),
    }
}
