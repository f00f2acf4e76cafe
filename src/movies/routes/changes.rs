//! `GET /api/movies/changes`: what has changed since a client was last here, deletions included.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use rocket::{
    Request, State, get,
    request::{FromRequest, Outcome},
};
use serde::Serialize;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type,
        path::{Parameter, ParameterIn},
    },
};

use crate::{
    http::{
        ids::MovieId,
        openapi::{
            answers::{Answers, answers},
            parameters::{int64, integer, optional},
        },
        problem::{Code, Problem},
        query::{Query, number},
        reply::{Json, Reply},
        timestamp::Timestamp,
    },
    movies::{
        Movies,
        changes::{Changes, Entry, Gone, Kind, ReadError, Token},
        view::{MovieView, ReadMovie},
    },
};

const MAX_LIMIT: u32 = 1_000;
const DEFAULT_LIMIT: u32 = 100;
/// A page ends before it has more bytes than this, but has one change at least.
const MAX_PAGE: usize = 1 << 20;
/// How many entries' movies are read in one step.
const MOVIES: usize = 20;
/// Room for what follows the items: the cursor and its names.
const ENDING: usize = Token::MAX_DIGITS + 64;

answers! {
    Listed => Answers::with_database()
        .json::<ChangePage>(200, "The changes after `since`. Without `since`: no changes, only the current cursor.", &[])
        .problems(&[Code::ChangesGone, Code::NoEvents]);
}

/// `?since=&limit=`
pub struct ChangesQuery {
    since: Option<Token>,
    limit: u32,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for ChangesQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| {
            let since = query.parsed("since", "is not a cursor of this server", Token::parse)?;
            let in_range = |limit: &u32| (1..=MAX_LIMIT).contains(limit);
            let rule = format!("must be a number from 1 to {MAX_LIMIT}");
            let limit = query.parsed("limit", &rule, |text| number(text).filter(in_range))?;
            Ok(Self { since, limit: limit.unwrap_or(DEFAULT_LIMIT) })
        })
    }
}

/// Lists what has changed since a cursor: each change once, oldest first.
///
/// Anyone may call this. Without `since` the answer has no changes, only the current cursor. For a copy of the
/// catalogue, ask for that cursor, read the list of movies, then apply the changes after the cursor. Continue with
/// `next` as `since`; `more` says whether there are more changes already.
///
/// If the server no longer keeps every change after `since`, the answer is 410 `changes-gone`: read the list again. If
/// the database has no change streams, the answer is 501 `no-events`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "list_changes",
    params(ChangesQuery),
    responses(Listed)
)]
#[get("/changes")]
pub(in crate::movies) async fn changes(
    query: ChangesQuery,
    changes: &State<Changes>,
    movies: &State<Movies>,
) -> Result<Reply, Problem> {
    let limit = query.limit as usize;
    let (since, mut entries) = match query.since {
        None => (changes.now().await?, Vec::new()),
        Some(since) => {
            let entries = changes.after(&since, limit + 1).await?.map_err(|Gone| Problem::ChangesGone)?;
            (since, entries)
        }
    };
    let is_more = entries.len() > limit;
    entries.truncate(limit);
    let mut page = Page::after(&since);
    for group in entries.chunks(MOVIES) {
        let ids: BTreeSet<MovieId> = group.iter().map(|entry| MovieId(entry.movie)).collect();
        // The movies are read after the entries, so no movie is older than its last change on this page.
        page.add(group, &movies.find_several(ids).await?)?;
        if page.is_full {
            break;
        }
    }
    page.reply(is_more)
}

/// A page under construction.
struct Page<'a> {
    json: Json,
    /// The cursor after the last change on the page.
    next: &'a Token,
    has_items: bool,
    is_full: bool,
}

impl<'a> Page<'a> {
    fn after(since: &'a Token) -> Self {
        let mut json = Json::default();
        json.text("{\"items\":[");
        Self { json, next: since, has_items: false, is_full: false }
    }

    fn add(&mut self, entries: &'a [Entry], there: &HashMap<MovieId, Arc<ReadMovie>>) -> Result<(), Problem> {
        for entry in entries {
            let before = self.json.size();
            if self.has_items {
                self.json.text(",");
            }
            self.json.view(&ChangeView::from(entry))?;
            // A deletion has the movie too, if it was restored since.
            if let Some(movie) = there.get(&MovieId(entry.movie)) {
                self.json.member("movie", movie.json()?);
            }
            if self.has_items && self.json.size() > MAX_PAGE - ENDING {
                self.json.cut(before);
                self.is_full = true;
                return Ok(());
            }
            self.has_items = true;
            self.next = &entry.token;
        }
        Ok(())
    }

    fn reply(mut self, is_more: bool) -> Result<Reply, Problem> {
        self.json.text("],\"next\":");
        self.json.view(self.next)?;
        self.json.text(",\"more\":");
        self.json.view(&(is_more || self.is_full))?;
        self.json.text("}");
        // A cache must revalidate each time, because the next change may come at any moment.
        Ok(Reply::ok_with(self.json).header("Cache-Control", "no-cache".to_owned()))
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unsupported => Self::NoEvents,
            ReadError::Store(error) => error.into(),
        }
    }
}

/// One change, without the movie.
#[derive(Serialize)]
struct ChangeView {
    r#type: &'static str,
    id: MovieId,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    at: Timestamp,
}

impl From<&Entry> for ChangeView {
    fn from(entry: &Entry) -> Self {
        Self {
            r#type: entry.kind.name(),
            id: MovieId(entry.movie),
            version: entry.version.filter(|_| entry.kind != Kind::Deleted),
            at: Timestamp(entry.at),
        }
    }
}

impl PartialSchema for Token {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(Self::MAX_DIGITS))
            .description(Some("A place in the order of all changes. It is also the `id` of an event."))
            .into()
    }
}

impl ToSchema for Token {}

impl IntoParams for ChangesQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = integer(1, MAX_LIMIT).default(Some(DEFAULT_LIMIT.into()));
        vec![
            optional("since", "The `next` of the previous answer, or the `id` of an event.", Token::schema()),
            optional("limit", "How many changes to return at most.", limit),
        ]
    }
}

/// A change of a movie.
pub struct Change;

impl PartialSchema for Change {
    fn schema() -> RefOr<Schema> {
        let kinds = [Kind::Created, Kind::Updated, Kind::Deleted].map(Kind::name);
        let version = int64(1).description(Some("The version that the change made."));
        ObjectBuilder::new()
            .property("type", ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds)))
            .required("type")
            .property("id", MovieId::schema())
            .required("id")
            .property("version", version)
            .property("at", Timestamp::schema())
            .required("at")
            .property("movie", Ref::from_schema_name(MovieView::name()))
            .description(Some(
                "A change of a movie. `movie` is the movie as it is now; it is absent if the movie is gone.",
            ))
            .into()
    }
}

impl ToSchema for Change {}

/// Some changes, and the cursor with which to continue.
pub struct ChangePage;

impl PartialSchema for ChangePage {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new()
            .items(Ref::from_schema_name(Change::name()))
            .max_items(Some(MAX_LIMIT as usize));
        let more = ObjectBuilder::new().schema_type(Type::Boolean);
        ObjectBuilder::new()
            .property("items", items)
            .required("items")
            .property("next", Token::schema())
            .required("next")
            .property("more", more.description(Some("Whether there are more changes already.")))
            .required("more")
            .into()
    }
}

impl ToSchema for ChangePage {}
