//! A change of a movie, in the form that every listener gets.

use serde_json::json;

use crate::{
    http::ids::MovieId,
    movies::{
        changes::{Entry, Kind, Token},
        model::MovieDocument,
        view::MovieView,
    },
};

/// A larger movie is left out of the event: a change of a few bytes must not send it to every listener.
pub const MAX_MOVIE_BYTES: usize = 16 << 10;

/// The event of a listener that has missed more than the log has.
pub const RESET: &str = "reset";

/// A rendered change. It is rendered once for all listeners.
#[derive(Debug)]
pub struct Change {
    pub id: Token,
    /// `created`, `updated` or `deleted`.
    pub kind: &'static str,
    /// JSON.
    pub data: String,
}

impl Change {
    /// Renders a change, with the movie as it is now if it still exists.
    pub fn of(entry: &Entry, movie: Option<&MovieDocument>) -> Self {
        let data = match entry.kind {
            Kind::Deleted => json!({ "id": MovieId(entry.movie) }).to_string(),
            Kind::Created | Kind::Updated => data(entry, movie),
        };
        Self { id: entry.token.clone(), kind: entry.kind.name(), data }
    }
}

fn data(entry: &Entry, movie: Option<&MovieDocument>) -> String {
    let mut data = json!({ "id": MovieId(entry.movie) });
    if let Some(version) = entry.version {
        data["version"] = version.into();
    }
    if let Some(movie) = movie {
        let whole = json!(MovieView::from(movie));
        if whole.to_string().len() <= MAX_MOVIE_BYTES {
            data["movie"] = whole;
        }
    }
    data.to_string()
}
