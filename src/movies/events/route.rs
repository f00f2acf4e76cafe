//! `GET /api/movies/events`, the route.

use rocket::{
    Request, Response, Shutdown, State, get,
    http::Header,
    request::{FromRequest, Outcome},
    response::{self, Responder, stream},
};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Schema, Type,
        path::{Parameter, ParameterIn},
    },
};

use super::{Events, change::RESET};
use crate::{
    http::{
        ids::MovieId,
        openapi::{
            answers::{Answers, answers},
            parameters::{header, int64},
        },
        problem::{Code, Problem},
        query::NoQuery,
    },
    movies::{
        changes::{Kind, Token},
        view::MovieView,
    },
};

answers! {
    Followed => Answers::events::<MovieEvent>(
        "Server-sent events, each with the fields `event`, `id` and `data`; `data` is the JSON text of the object that the \
         schema describes. The stream does not end by itself.",
    )
        .problems(&[Code::BadRequest, Code::NoEvents]);
}

/// The header of the request, if there is one.
pub struct LastEventId(Option<Token>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEventId {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let mut sent = request.headers().get("Last-Event-ID");
        match (sent.next(), sent.next()) {
            (None | Some(""), None) => Outcome::Success(Self(None)),
            (Some(text), None) if Token::parse(text).is_some() => Outcome::Success(Self(Token::parse(text))),
            _ => Problem::BadRequest.forward(request),
        }
    }
}

impl IntoParams for LastEventId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header(
            "Last-Event-ID",
            "The `id` of the last event that you have seen. The stream continues after it.",
        )]
    }
}

/// An event, as a client reads it.
pub struct MovieEvent;

impl PartialSchema for MovieEvent {
    fn schema() -> RefOr<Schema> {
        let kinds = [Kind::Created, Kind::Updated, Kind::Deleted].map(Kind::name);
        let event = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(kinds.into_iter().chain([RESET])))
            .description(Some(
                "What happened. `reset`: you missed more than the server keeps; read the catalogue again.",
            ));
        let data = ObjectBuilder::new()
            .property("id", MovieId::schema())
            .property("version", int64(1).description(Some("The version that the change made.")))
            .property("movie", Ref::from_schema_name(MovieView::name()))
            .description(Some(
                "The movie that has changed; empty with `reset`. `movie` is the movie as it is now; it is absent if the movie is \
                 gone or has over 16 KB.",
            ));
        ObjectBuilder::new()
            .property("event", event)
            .required("event")
            .property("id", Token::schema())
            .required("id")
            .property("data", data)
            .required("data")
            .description(Some(
                "One event of `GET /api/movies/events`. `id` is the place to resume after, and a cursor of `GET \
                 /api/movies/changes`.",
            ))
            .into()
    }
}

impl ToSchema for MovieEvent {}

/// The stream of events, with a header that keeps proxies from buffering it.
pub struct EventStream<S>(stream::EventStream<S>);

impl<'r, S: futures::Stream<Item = stream::Event> + Send + 'r> Responder<'r, 'r> for EventStream<S> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let mut response: Response<'r> = self.0.respond_to(request)?;
        // Without this header, nginx holds events back until its buffer is full.
        response.set_header(Header::new("X-Accel-Buffering", "no"));
        Ok(response)
    }
}

/// Follows the changes of the catalogue as a stream of events.
///
/// Anyone may call this. The stream is one of server-sent events, as `EventSource` in a browser reads it. Its events
/// are `created`, `updated`, `deleted` and `reset`; see `MovieEvent`. After a disconnect, reconnect with the last `id`
/// as `Last-Event-ID`: you miss nothing, even on a different server. `reset` says that the server no longer keeps what
/// you missed: read the list again.
///
/// The server disconnects a client that does not read. If too many clients are connected, the answer is 503
/// `overloaded`. If the database has no change streams, the answer is 501 `no-events`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "follow_movies",
    params(LastEventId),
    responses(Followed)
)]
#[get("/events")]
pub(in crate::movies) async fn follow(
    _query: NoQuery,
    last: LastEventId,
    events: &State<Events>,
    shutdown: Shutdown,
) -> Result<EventStream<impl futures::Stream<Item = stream::Event>>, Problem> {
    let slot = events.slot()?;
    let listener = events.listen(last.0).await?;
    Ok(EventStream(stream::EventStream::from(listener.start(slot, shutdown)).heartbeat(None)))
}
