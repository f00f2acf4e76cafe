//! The typeahead: names in which a word begins with a text.

use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::action::Action;
use serde::{Deserialize, Serialize};

use super::movies::Movies;
use crate::{
    http::ids::MovieId,
    mongo::{COMMAND, StoreError, within},
    movies::folding,
};

/// A suggestion of the typeahead.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suggestion {
    #[serde(rename(deserialize = "_id"))]
    id: MovieId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    year: Option<i32>,
}

/// How many movies are compared with a text that is longer than the index knows.
const LONG_PREFIX_CANDIDATES: u32 = 200;

/// The range of texts that begin so, as far as the index knows them.
fn beginning(text: &str) -> Document {
    let text = folding::cut(text);
    doc! { "$gte": text, "$lt": format!("{text}{}", char::MAX) }
}

impl Movies {
    /// Movies in whose names a word begins with the text; first those whose names do.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn suggest(&self, prefix: &str, limit: u32) -> Result<Vec<Suggestion>, StoreError> {
        let (plain, words) = (folding::plain(prefix), folding::words(prefix));
        // The index knows the beginnings only; of a longer text the rest is compared here.
        let is_long = plain.chars().count() > folding::PHRASE;
        let wanted = if is_long { LONG_PREFIX_CANDIDATES } else { limit };
        let sort = doc! { "typeahead.whole": 1 };
        let whole = doc! { "typeahead.whole": beginning(&plain) };
        let mut found = self.suggestions(whole, Some(sort), wanted).await?;
        found.retain(|suggestion| folding::plain(&suggestion.name).starts_with(&plain));
        if found.len() < limit as usize && !words.is_empty() {
            // A range on a list needs `$elemMatch`.
            let any_word = doc! { "typeahead.phrases": { "$elemMatch": beginning(&words) } };
            let known: Vec<MovieId> = found.iter().map(|suggestion| suggestion.id).collect();
            let more = self.suggestions(any_word, None, wanted).await?.into_iter().filter(|suggestion| {
                let phrases = folding::phrases(&suggestion.name);
                !known.contains(&suggestion.id) && phrases.iter().any(|phrase| phrase.starts_with(&words))
            });
            found.extend(more);
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn suggestions(
        &self,
        condition: Document,
        sort: Option<Document>,
        limit: u32,
    ) -> Result<Vec<Suggestion>, StoreError> {
        let suggestions = self.collection().clone_with_type::<Suggestion>();
        let find = suggestions
            .find(condition)
            .projection(doc! { "name": 1, "year": 1 })
            .optional(sort, mongodb::action::Find::sort)
            .limit(limit.into())
            .max_time(COMMAND);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }
}
