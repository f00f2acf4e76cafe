//! `GET /api/movies/events`, the route.

use rocket::{
    Request, Response, Shutdown, State, get,
    http::Header,
    request::{FromRequest, Outcome},
    response::{self, Responder, stream},
};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::Events;
use crate::{
    http::{
        openapi::{
            answers::{Answers, answers},
            parameters::header,
        },
        problem::{Code, Problem},
        query::NoQuery,
    },
    movies::changes::Token,
};

answers! {
    Followed => Answers::events(
        "Server-sent events: `created`, `updated` and `deleted`, each with data `{ \"id\", \"version\"?, \"movie\"? }` \
         (`movie` if it still exists and has 16 KB at most), and an `id` to resume after. `reset`, if you missed more than the \
         log keeps: read the catalogue again.",
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
            "The `id` of the last event that was seen: the stream goes on after it.",
        )]
    }
}

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

/// Follows the catalogue. The server cuts off a client that does not read; it may come back with the last id.
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
