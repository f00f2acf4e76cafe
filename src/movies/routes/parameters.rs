//! What the OpenAPI document says of the queries about movies.

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
    let words = "Words to look for in name, cast, directors and plot: all of them, with their stems and a typo here and \
                 there. \"Quotes\" make a phrase; a word after `-` must not be there.";
    let mut all = vec![optional("q", words, RefOr::T(search))];
    all.extend(EXACT.iter().map(|Exact { parameter, field, length, .. }| {
        let values = ArrayBuilder::new().items(RefOr::T(text(Some(*length)))).max_items(Some(MAX_VALUES));
        let description = format!("An exact value of `{field}`. Given more than once: all of them.");
        optional(parameter, &description, values)
    }));
    let ids = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^[0-9a-f]{{24}}(,[0-9a-f]{{24}}){{0,{}}}$", MAX_IDS - 1)))
        .max_length(Some(25 * MAX_IDS - 1));
    let year = || integer(i32::MIN, i32::MAX);
    all.extend([
        optional("name", "The exact name. With `year`: the one movie that has it.", text(Some(NAME.max))),
        optional("ids", "Up to 100 ids with commas between them: those of them that exist.", ids),
        optional("year", "Made in this year.", year()),
        optional("year_min", "Not made before this year.", year()),
        optional("year_max", "Not made after this year.", year()),
        optional("added_by", "Added by this user.", UserId::schema()),
    ]);
    all
}

fn selection() -> Parameter {
    let names = FIELDS.join("|");
    let list = ObjectBuilder::new()
        .schema_type(Type::String)
        // The part in front: no name that comes again behind a later comma.
        .pattern(Some(format!(r"^(?!(?:.*,)?([^,]+),(?:.*,)?\1(?:,|$))({names})(,({names}))*$")))
        // All of them, each once.
        .max_length(Some(FIELDS.join(",").len()))
        .examples(["name,year"]);
    optional(
        "fields",
        "Which fields to answer with, each once, with commas between them; `id` is always there.",
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
                "The order; `-` turns it round. `relevance` needs `q`. Default: `relevance` with `q`, else `-created_at`. Movies without a year come last either way.",
                sort,
            ),
            selection(),
            optional("count", "Whether to count all that match.", count),
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
            .chain([optional("role", "What the caller is to the movies.", role)])
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
                "How a word of the name begins, whatever the case and the accents.",
                text(None),
            ),
            optional("limit", "How many to answer at most.", limit),
        ]
    }
}
