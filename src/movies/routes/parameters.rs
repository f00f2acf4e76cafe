//! The query parameters for movies in the OpenAPI document.

use utoipa::{
    IntoParams, PartialSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, RefOr, Type,
        path::{Parameter, ParameterIn},
    },
};

use super::{
    queries::{FacetQuery, MovieQuery, MyMovieQuery, MyRole},
    suggest::{MAX_SUGGESTIONS, SUGGESTIONS, SuggestQuery},
};
use crate::{
    http::{
        ids::UserId,
        openapi::parameters::{integer, optional, required, text},
        page::Paging,
    },
    movies::{
        filter::{EXACT, Exact, MAX_IDS, MAX_SEARCH, MAX_VALUES},
        model::{FIELDS, NAME},
        selection::SelectionQuery,
        sort::SORTS,
    },
};

fn filters() -> Vec<Parameter> {
    let search = text(Some(MAX_SEARCH));
    let words = "Words to look for in name, cast, directors and plot. A movie must have all of them, in any form and case; a few \
                 typos are forgiven. \"Quotes\" make a phrase; `-` before a word excludes the movies that have it.";
    let mut all = vec![optional("q", words, RefOr::T(search))];
    all.extend(EXACT.iter().map(|Exact { parameter, field, length, .. }| {
        let values = ArrayBuilder::new().items(RefOr::T(text(Some(*length)))).max_items(Some(MAX_VALUES));
        let description = format!(
            "An exact value of `{field}`. If it is given more than once, a movie must have all of the values."
        );
        optional(parameter, &description, values)
    }));
    let ids = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^[0-9a-f]{{24}}(,[0-9a-f]{{24}}){{0,{}}}$", MAX_IDS - 1)))
        .max_length(Some(25 * MAX_IDS - 1));
    let year = || integer(i32::MIN, i32::MAX);
    all.extend([
        optional("name", "The exact name. With `year`: the one movie that has it.", text(Some(NAME.max))),
        optional("ids", "Up to 100 ids, separated by commas. An id that no movie has is ignored.", ids),
        optional("year", "Made in this year.", year()),
        optional("year_min", "Not made before this year.", year()),
        optional("year_max", "Not made after this year.", year()),
        optional("added_by", "Owned by this user.", UserId::schema()),
    ]);
    all
}

fn selection() -> Parameter {
    let names = FIELDS.join("|");
    let list = ObjectBuilder::new()
        .schema_type(Type::String)
        // The lookahead at the beginning refuses a name that comes again after a later comma.
        .pattern(Some(format!(r"^(?!(?:.*,)?([^,]+),(?:.*,)?\1(?:,|$))({names})(,({names}))*$")))
        // The length of a list that has every field once.
        .max_length(Some(FIELDS.join(",").len()))
        .examples(["name,year"]);
    optional(
        "fields",
        "The fields to answer with, each once, separated by commas; `id` is always present.",
        list,
    )
}

impl IntoParams for MovieQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let sort = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(SORTS));
        let count = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into()));
        let mut all = filters();
        all.extend([
            optional(
                "sort",
                "The order; `-` reverses it. The default is `relevance` with `q` (which it needs), and `-created_at` otherwise. Movies without a year come last either way.",
                sort,
            ),
            selection(),
            optional("count", "Whether to count all movies that match.", count),
        ]);
        all.extend(Paging::parameters());
        all
    }
}

impl IntoParams for MyMovieQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let names = MyRole::ALL.map(MyRole::name);
        let role = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        let role = role.default(Some(MyRole::Owner.name().into()));
        let all = MovieQuery::into_params(place).into_iter();
        all.filter(|parameter| parameter.name != "added_by")
            .chain([optional("role", "Whether the caller owns the movies or edits them.", role)])
            .collect()
    }
}

impl IntoParams for FacetQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        filters()
    }
}

impl IntoParams for SelectionQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![selection()]
    }
}

impl IntoParams for SuggestQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = integer(1, MAX_SUGGESTIONS).default(Some(SUGGESTIONS.into()));
        vec![
            required(
                "prefix",
                "The beginning of a word of the name; case and accents do not count.",
                text(None),
            ),
            optional("limit", "How many suggestions to return at most.", limit),
        ]
    }
}
