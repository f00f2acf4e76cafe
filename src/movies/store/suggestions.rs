//! Suggestions without the search index: the database scans every name, which takes long for a large catalogue.

use std::{collections::BTreeMap, sync::LazyLock};

use bson::{Document, doc};
use futures::TryStreamExt;
use serde::Deserialize;

use super::movies::Movies;
use crate::{
    http::ids::MovieId,
    mongo::{COMMAND, StoreError, within},
    movies::folding,
};

/// A movie's name, as a suggestion.
#[derive(Debug, Deserialize)]
pub struct Named {
    #[serde(rename = "_id")]
    pub id: MovieId,
    pub name: String,
    pub year: Option<i32>,
}

/// Letters with accents and other marks, grouped by the letter that they fold to.
static VARIANTS: LazyLock<BTreeMap<char, String>> = LazyLock::new(|| {
    // Latin with its extensions, Greek and Cyrillic, and the Latin letters with two marks.
    let letters = ('\u{a1}'..='\u{4ff}').chain('\u{1e00}'..='\u{1eff}');
    let mut variants = BTreeMap::<char, String>::new();
    for letter in letters {
        let folded = folding::plain(&letter.to_string());
        if let (Some(plain), None) = (folded.chars().next(), folded.chars().nth(1)) {
            variants.entry(plain).or_default().push(letter);
        }
    }
    variants
});

/// A pattern that matches a text with any accents. The database itself ignores case.
fn pattern(text: &str) -> String {
    let variants = |letter: char| VARIANTS.get(&letter).map_or("", String::as_str);
    let of = |letter: char| match letter {
        ' ' => r"[^\p{L}\p{N}]+".to_owned(),
        letter if letter.is_alphanumeric() => format!("[{letter}{}]", variants(letter)),
        sign => format!(r"\x{{{:x}}}", u32::from(sign)),
    };
    text.chars().map(of).collect()
}

impl Movies {
    /// Movies with a word in the name that begins with the text. Names that begin with it come first.
    ///
    /// # Errors
    /// When the database fails; [`StoreError::Overloaded`] when too many commands are scanning every movie.
    pub async fn suggest(&self, prefix: &str, limit: usize) -> Result<Vec<Named>, StoreError> {
        let _looking = self.counting.begin()?;
        let (plain, words) = (folding::plain(prefix), folding::words(prefix));
        let mut found = self.named_like(&format!("^{}", pattern(&plain)), limit).await?;
        if found.len() < limit && !words.is_empty() {
            let any_word = format!(r"(?:^|[^\p{{L}}\p{{N}}]){}", pattern(&words));
            let more = self.named_like(&any_word, limit).await?;
            let known: Vec<MovieId> = found.iter().map(|movie| movie.id).collect();
            found.extend(more.into_iter().filter(|movie| !known.contains(&movie.id)));
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn named_like(&self, pattern: &str, limit: usize) -> Result<Vec<Named>, StoreError> {
        let condition = doc! { "name": { "$regex": format!("(*UCP){pattern}"), "$options": "i" } };
        self.named(condition, limit).await
    }

    /// The names of these movies, in any order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn names_of(&self, ids: &[MovieId]) -> Result<Vec<Named>, StoreError> {
        self.named(doc! { "_id": { "$in": ids } }, ids.len()).await
    }

    async fn named(&self, condition: Document, limit: usize) -> Result<Vec<Named>, StoreError> {
        let movies = self.collection().clone_with_type::<Named>();
        let find = movies
            .find(condition)
            .projection(doc! { "name": 1, "year": 1 })
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .max_time(COMMAND);
        within(COMMAND, async { find.await?.try_collect().await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_matches_itself_with_any_accent_and_a_sign_matches_only_itself() {
        assert!(pattern("e").contains('é') && pattern("e").contains('ế'));
        assert!(!pattern("e").contains('a'));
        assert_eq!(pattern("$"), r"\x{24}");
    }
}
