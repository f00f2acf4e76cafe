//! `GET /api/movies/suggest`: suggests names while a person types.

use rocket::{
    Request, State, get,
    http::uri::Origin,
    request::{FromRequest, Outcome},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{described::Suggestions, known::KnownTags};
use crate::{
    http::{
        conditional::IfNoneMatch,
        fields::{has_control, normalized},
        ids::MovieId,
        openapi::answers::{Answers, CACHE_CONTROL, UNCHANGED, WEAK_ETAG, answers},
        problem::Problem,
        query::{Query, invalid, number},
        reply::Reply,
    },
    movies::{finder::Finder, store::suggestions::Named},
};

/// The largest `limit`.
pub(super) const MAX_SUGGESTIONS: u32 = 20;
/// The `limit` if the client gives none.
pub(super) const SUGGESTIONS: u32 = 10;

/// A suggestion of the typeahead.
#[derive(Debug, Serialize, ToSchema)]
pub struct Suggestion {
    id: MovieId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    year: Option<i32>,
}

impl From<Named> for Suggestion {
    fn from(Named { id, name, year }: Named) -> Self {
        Self { id, name, year }
    }
}

/// `?prefix=&limit=`
pub struct SuggestQuery {
    prefix: String,
    limit: u32,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SuggestQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| {
            let rule = "is required, and must not be blank or contain control characters";
            let usable = |text: &str| {
                let text = normalized(text);
                (!text.is_empty() && !has_control(&text, false)).then_some(text)
            };
            let prefix = query.parsed("prefix", rule, usable)?.ok_or_else(|| invalid("prefix", rule))?;
            let in_range = |limit: &u32| (1..=MAX_SUGGESTIONS).contains(limit);
            let rule = format!("must be a number from 1 to {MAX_SUGGESTIONS}");
            let limit = query.parsed("limit", &rule, |text| number(text).filter(in_range))?;
            Ok(Self { prefix, limit: limit.unwrap_or(SUGGESTIONS) })
        })
    }
}

answers! {
    Suggested => Answers::with_search()
        .json::<Suggestions>(200, "Names that fit, the best first.", &[WEAK_ETAG, CACHE_CONTROL])
        .empty(304, UNCHANGED, &[WEAK_ETAG, CACHE_CONTROL]);
}

/// Suggests names of movies while somebody types.
///
/// Anyone may call this. It finds the movies with a word in their name that begins with `prefix`, whatever the case and
/// the accents. Names that begin with it come first. If `If-None-Match` has the ETag of the answer, the answer is 304.
/// While the server builds its search index, the answer may be 503 `search-building`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "suggest_movies",
    params(SuggestQuery, IfNoneMatch),
    responses(Suggested)
)]
#[get("/suggest")]
pub(in crate::movies) async fn suggest(
    query: SuggestQuery,
    condition: IfNoneMatch,
    address: &Origin<'_>,
    finder: &State<Finder>,
    known: &State<KnownTags>,
) -> Result<Reply, Problem> {
    let suggest = async {
        let found = finder.suggest(&query.prefix, query.limit as usize).await?;
        Reply::ok(&found.into_iter().map(Suggestion::from).collect::<Vec<_>>())
    };
    known.unless_known(finder, address, &condition, suggest).await
}
