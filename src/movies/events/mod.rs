//! `GET /api/movies/events`: every change of the catalogue, as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! The changes come from a change stream of the database, so those made through another instance are
//! among them. A process follows one, however many listen, and begins when the first one does
//! ([`follower`]). It keeps the last events ([`journal`]); who comes back with `Last-Event-ID` gets what
//! was missed from there, and what is older from the database, once for all who ask. An id is a resume
//! token of the database: it is good on every instance, and after a restart. What is sent to each, and
//! who is cut off, is in [`listener`].

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

mod change;
mod event_id;
mod follower;
mod journal;
mod listener;

pub use super::events::follower::Events;

use super::{events::event_id::EventId, routes::described as answers};
use crate::http::{openapi::parameters::header, problem::Problem, query::NoQuery};

/// The header of the request, if it is there.
pub struct LastEventId(Option<EventId>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEventId {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let mut sent = request.headers().get("Last-Event-ID");
        match (sent.next(), sent.next()) {
            (None | Some(""), None) => Outcome::Success(Self(None)),
            (Some(text), None) if EventId::parse(text).is_some() => {
                Outcome::Success(Self(EventId::parse(text)))
            }
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

/// The stream of events, and what a proxy has to know of it.
pub struct EventStream<S>(stream::EventStream<S>);

impl<'r, S: futures::Stream<Item = stream::Event> + Send + 'r> Responder<'r, 'r> for EventStream<S> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let mut response: Response<'r> = self.0.respond_to(request)?;
        // nginx would keep the events until its buffer is full.
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
    responses(answers::Followed)
)]
#[get("/events")]
pub(super) async fn follow(
    _query: NoQuery,
    last: LastEventId,
    events: &State<Events>,
    shutdown: Shutdown,
) -> Result<EventStream<impl futures::Stream<Item = stream::Event>>, Problem> {
    let slot = events.slot()?;
    let listener = events.listen(last.0).await?;
    Ok(EventStream(stream::EventStream::from(listener.start(slot, shutdown)).heartbeat(None)))
}
