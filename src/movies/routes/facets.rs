//! `GET /api/movies/facets`: how many movies there are of each genre, decade, language and country.

use rocket::{State, get, http::uri::Origin};
use serde::Serialize;
use utoipa::ToSchema;

use super::{known::KnownTags, queries::FacetQuery};
use crate::{
    http::{
        conditional::IfNoneMatch,
        openapi::answers::{Answers, CACHE_CONTROL, UNCHANGED, WEAK_ETAG, answers},
        problem::Problem,
        reply::Reply,
    },
    movies::{finder::Finder, search},
};

/// One value and how many movies have it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry<T> {
    value: T,
    #[schema(minimum = 1)]
    count: u64,
}

/// The facets, each with the most frequent value first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Facets {
    #[schema(inline, max_items = 50)]
    genres: Vec<Entry<String>>,
    /// Each decade by its first year: 1990 means the years from 1990 to 1999.
    #[schema(inline, max_items = 50)]
    decades: Vec<Entry<i32>>,
    #[schema(inline, max_items = 50)]
    languages: Vec<Entry<String>>,
    #[schema(inline, max_items = 50)]
    countries: Vec<Entry<String>>,
}

fn entries<T>(counted: Vec<search::Entry<T>>) -> Vec<Entry<T>> {
    counted.into_iter().map(|entry| Entry { value: entry.value, count: entry.count }).collect()
}

impl From<search::Facets> for Facets {
    fn from(facets: search::Facets) -> Self {
        Self {
            genres: entries(facets.genres),
            decades: entries(facets.decades),
            languages: entries(facets.languages),
            countries: entries(facets.countries),
        }
    }
}

answers! {
    FacetsCounted => Answers::with_search()
        .json::<Facets>(200, "The counts, the most frequent value first.", &[WEAK_ETAG, CACHE_CONTROL])
        .empty(304, UNCHANGED, &[WEAK_ETAG, CACHE_CONTROL]);
}

/// Counts the movies of each genre, decade, language and country.
///
/// Anyone may call this. It counts the movies that match the filters, and returns the 50 most frequent values of each
/// kind. If `If-None-Match` has the ETag of the answer, the answer is 304. While the server builds its search index,
/// the answer may be 503 `search-building`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "count_movies",
    params(FacetQuery, IfNoneMatch),
    responses(FacetsCounted)
)]
#[get("/facets")]
pub(in crate::movies) async fn facets(
    query: FacetQuery,
    condition: IfNoneMatch,
    address: &Origin<'_>,
    finder: &State<Finder>,
    known: &State<KnownTags>,
) -> Result<Reply, Problem> {
    let count = async { Reply::ok(&Facets::from(finder.facets(&query.0).await?)) };
    known.unless_known(finder, address, &condition, count).await
}
