//! `POST /api/movies/batch`: up to 100 movies in one request, each with its own outcome.

use std::{mem, sync::Arc, time::Duration};

use rocket::{
    Request, State, post,
    request::{FromRequest, Outcome as Guarded},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema},
};

use super::{
    movie::taken,
    once::{self, Claimed, Once, replayed},
    rate::{WriteRate, Writer},
};
use crate::{
    accounts::{CurrentUser, Users},
    http::{
        body::{self, KeyedBody},
        fields::FieldError,
        idempotency::RequestKey,
        ids::{MovieId, UserId},
        openapi::{
            answers::{Answers, REPLAYED, answers},
            parameters::integer,
        },
        problem::{Problem, ProblemBody},
        query::NoQuery,
        reply::{Json, Reply},
        request_id::RequestId,
    },
    movies::{
        Movies,
        changes::Changes,
        model::{MovieBatch, MovieDocument, MovieInput},
        store::{
            batch::Added,
            insertion::{NameTaken, OwnerGone},
            keys::{Answer, KeyedRequest, Outcome, Reservation},
        },
        view::MovieView,
    },
};

const PATH: &str = "/api/movies/batch";

answers! {
    Done => Answers::with_database()
        .json::<BatchResult>(200, "The outcome of each movie, in the order of the request.", &[REPLAYED])
        .problems(CurrentUser::REFUSALS)
        .problems(Writer::REFUSALS)
        .problems(body::REFUSALS)
        .problems(once::REFUSALS);
}

type Items = Vec<Result<MovieInput, Vec<FieldError>>>;

/// The id of the request. The problem of each rejected movie contains it.
pub(in crate::movies) struct Asker(String);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Asker {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Guarded<Self, Self::Error> {
        Guarded::Success(Self(RequestId::of(request).as_str().to_owned()))
    }
}

/// Adds up to 100 movies. The caller becomes their owner.
///
/// Needs a token. A personal access token needs the scope `movies:write`. The answer is 200, and has an outcome for
/// each movie, in the order of the request. A rejected movie does not affect the others. If the request as a whole
/// is wrong, the answer is a problem and no movie is added.
///
/// With an `Idempotency-Key` you can safely send the request again: each movie is added once. If the operator requires
/// confirmed addresses and the caller's is not confirmed, the answer is 403 `email-not-verified`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "add_movies",
    params(RequestKey),
    request_body = MovieBatch,
    responses(Done),
    security(("token" = []), ("personal_token" = ["movies:write"]))
)]
#[post("/batch", data = "<body>")]
pub(in crate::movies) async fn create(
    writer: Writer,
    _query: NoQuery,
    key: RequestKey,
    asker: Asker,
    movies: &State<Movies>,
    users: &State<Users>,
    changes: &State<Changes>,
    rate: &State<WriteRate>,
    body: KeyedBody<MovieBatch>,
) -> Result<Reply, Problem> {
    let KeyedBody { value: MovieBatch(items), digest } = body;
    let batch = Batch { once: Once { movies, users, changes, rate }, owner: writer.id() };
    if let Some((key, digest)) = key.0.zip(digest) {
        let request = KeyedRequest::new(writer.id(), &key, PATH, &digest);
        return batch.add_once(items, &request, asker).await;
    }
    let reservation = Reservation::unkeyed(items.len());
    let items = batch.numbered(items, &reservation);
    let outcomes = batch.add(&items, &reservation).await?;
    written(&items, &Answer { outcomes, request_id: asker.0 })
}

/// A batch in progress.
struct Batch<'a> {
    once: Once<'a>,
    owner: UserId,
}

/// A movie as it will be stored, or what is wrong with it.
type Numbered = Result<MovieDocument, Vec<FieldError>>;

impl Batch<'_> {
    fn numbered(&self, items: Items, Reservation { movies, at, .. }: &Reservation) -> Vec<Numbered> {
        let numbered = items.into_iter().zip(movies);
        numbered.map(|(item, id)| item.map(|item| item.into_document_of(*id, self.owner, *at))).collect()
    }

    async fn add_once(&self, items: Items, request: &KeyedRequest, asker: Asker) -> Result<Reply, Problem> {
        let reservation = match self.once.claim(self.owner, request, items.len()).await? {
            Claimed::Answered(reservation, answer) => {
                return written(&self.numbered(items, &reservation), &answer).map(replayed);
            }
            Claimed::Begin(reservation) => reservation,
        };
        let items = self.numbered(items, &reservation);
        let outcomes = self.add(&items, &reservation).await;
        let answer = outcomes.map(|outcomes| Answer { outcomes, request_id: asker.0 });
        self.once.settle(&reservation, answer.as_ref()).await;
        written(&items, &answer?)
    }

    /// Adds every movie that can be added, in one command.
    async fn add(&self, items: &[Numbered], reservation: &Reservation) -> Result<Vec<Outcome>, Problem> {
        let before = self.once.added_before(reservation).await?;
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(items.len());
        // The guard has counted one write already.
        let mut is_counted = true;
        for item in items {
            outcomes.push(match item {
                Err(_) => Outcome::Invalid,
                Ok(movie) if before.contains(&MovieId(movie.id)) => Outcome::Added,
                Ok(_) if mem::take(&mut is_counted) => Outcome::Waiting,
                Ok(_) => {
                    self.once.rate.admit(self.owner).map_or_else(Outcome::limited, |()| Outcome::Waiting)
                }
            });
        }
        if is_counted && !before.is_empty() {
            self.once.rate.give_back(self.owner);
        }
        let waiting: Vec<(usize, &MovieDocument)> = items
            .iter()
            .enumerate()
            .filter(|(number, _)| outcomes[*number] == Outcome::Waiting)
            .filter_map(|(number, item)| Some((number, item.as_ref().ok()?)))
            .collect();
        if waiting.is_empty() {
            return Ok(outcomes);
        }
        let Once { movies, users, .. } = self.once;
        let documents: Vec<&MovieDocument> = waiting.iter().map(|(_, movie)| *movie).collect();
        let inserted = movies.insert_all(self.owner, &documents).await?;
        let added = movies.confirm(users, inserted).await?.map_err(|OwnerGone| Problem::RevokedToken)?;
        for ((number, _), added) in waiting.into_iter().zip(added) {
            outcomes[number] = match added {
                Added::Yes => Outcome::Added,
                Added::No(NameTaken { by }) => Outcome::Duplicate { by: by.0 },
                Added::NameGivenUp => Outcome::Unavailable,
                Added::Refused(reason) => {
                    tracing::error!(reason, "the database refused a movie of a batch");
                    Outcome::Failed
                }
            };
        }
        Ok(outcomes)
    }
}

/// Makes the answer from the movies that were sent and the outcome of each.
fn written(items: &[Numbered], answer: &Answer) -> Result<Reply, Problem> {
    let mut json = Json::default();
    json.text("{\"items\":[");
    for (number, (item, outcome)) in items.iter().zip(&answer.outcomes).enumerate() {
        json.text(if number == 0 { "{\"status\":" } else { ",{\"status\":" });
        let problem = match (item, outcome) {
            (Ok(movie), Outcome::Added) => {
                json.text("201,\"movie\":");
                json.view(&MovieView::from(movie))?;
                json.text("}");
                continue;
            }
            (Err(errors), _) => Problem::ValidationFailed(errors.clone()),
            (Ok(_), Outcome::Duplicate { by }) => taken(NameTaken { by: MovieId(*by) }),
            (Ok(_), Outcome::Limited { milliseconds }) => {
                let wait = Duration::from_millis((*milliseconds).try_into().unwrap_or_default());
                Problem::TooManyRequests(wait)
            }
            (Ok(_), Outcome::Unavailable) => Problem::DatabaseUnavailable(Arc::default()),
            (Ok(_), Outcome::Invalid | Outcome::Waiting | Outcome::Failed) => {
                Problem::Internal(Arc::default())
            }
        };
        json.view(&problem.code().kind().status.code)?;
        json.text(",\"problem\":");
        json.view(&problem.view(PATH, &answer.request_id))?;
        json.text("}");
    }
    json.text("]}");
    Ok(Reply::ok_with(json))
}

/// The outcome of one movie of a batch. It is one schema with two optional members. For a choice between two schemas,
/// the generators for Kotlin and Swift make a type that requires both.
pub struct BatchOutcome;

impl PartialSchema for BatchOutcome {
    fn schema() -> RefOr<Schema> {
        let status = integer(201, 599);
        ObjectBuilder::new()
            .property("status", status.description(Some("The status that a request for this movie alone would have.")))
            .required("status")
            .property("movie", Ref::from_schema_name(MovieView::name()))
            .property("problem", Ref::from_schema_name(ProblemBody::name()))
            .description(Some(
                "The outcome of one movie. `status` is 201 with `movie`, the movie as it was added; with `problem`, it is the \
                 status of the problem.",
            ))
            .into()
    }
}

impl ToSchema for BatchOutcome {}

/// The outcome of each movie of a batch.
pub struct BatchResult;

impl PartialSchema for BatchResult {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(BatchOutcome::name()));
        ObjectBuilder::new().property("items", items.max_items(Some(100))).required("items").into()
    }
}

impl ToSchema for BatchResult {}

impl PartialSchema for MovieBatch {
    fn schema() -> RefOr<Schema> {
        crate::http::fields::schema::body_of::<Self>().into()
    }
}

impl ToSchema for MovieBatch {}
