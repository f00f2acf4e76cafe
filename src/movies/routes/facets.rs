//! `GET /api/movies/facets`: how many movies there are of each genre, decade and language.

use rocket::{State, get};

use super::queries::FacetQuery;
use crate::{
    http::{
        openapi::answers::{Answers, answers},
        problem::Problem,
        reply::Reply,
    },
    movies::store::facets::{FacetCounter, Facets},
};

answers! {
    FacetsCounted => Answers::with_database().json::<Facets>(200, "The counts, the most frequent value first.", &[]);
}

/// How many movies there are of each genre, decade and language, within the filters.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "count_movies",
    params(FacetQuery),
    responses(FacetsCounted)
)]
#[get("/facets")]
pub(in crate::movies) async fn facets(
    query: FacetQuery,
    counter: &State<FacetCounter>,
) -> Result<Reply, Problem> {
    Reply::ok(&*counter.count(&query.0).await?)
}
