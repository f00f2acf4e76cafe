//! A change of a movie, as it is written to every listener.

use bson::Document;
use mongodb::change_stream::event::{ChangeStreamEvent, OperationType};
use serde_json::json;

use super::event_id::EventId;
use crate::{
    http::ids::MovieId,
    movies::{model::MovieDocument, view::MovieView},
};

/// A larger movie is left out: a change of a few bytes must not send it to everyone who listens.
pub const MAX_MOVIE_BYTES: usize = 16 << 10;

/// Rendered once.
#[derive(Debug)]
pub struct Change {
    pub id: EventId,
    /// `created`, `updated` or `deleted`.
    pub kind: &'static str,
    /// JSON.
    pub data: String,
}

impl Change {
    /// `None` if it is no change of a movie.
    pub fn of(event: &ChangeStreamEvent<Document>) -> Option<Self> {
        let kind = match event.operation_type {
            OperationType::Insert => "created",
            OperationType::Update | OperationType::Replace => "updated",
            OperationType::Delete => "deleted",
            _ => return None,
        };
        let id = MovieId(event.document_key.as_ref()?.get_object_id("_id").ok()?);
        // Of a movie that is gone by now there is only the id; so of one that somebody has put there by
        // hand and that is none: it must not end the stream for all.
        let movie = event.full_document.clone().and_then(|found| {
            let movie = bson::deserialize_from_document::<MovieDocument>(found);
            movie.inspect_err(|error| tracing::warn!(%id, %error, "a document that is no movie")).ok()
        });
        Some(Self { id: EventId::of(&event.id)?, kind, data: data(id, movie.as_ref()) })
    }
}

fn data(id: MovieId, movie: Option<&MovieDocument>) -> String {
    let Some(movie) = movie else { return json!({ "id": id }).to_string() };
    let whole = json!(MovieView::from(movie));
    if whole.to_string().len() > MAX_MOVIE_BYTES {
        return json!({ "id": id, "version": movie.version }).to_string();
    }
    json!({ "id": id, "version": movie.version, "movie": whole }).to_string()
}
