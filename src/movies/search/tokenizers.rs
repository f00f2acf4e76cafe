//! How the index splits texts: into words, into stems, or not at all.

use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};

use super::{
    languages,
    tokens::{self, Group},
};

pub const WORDS: &str = "words";
pub const STEMS: &str = "stems";
/// Keeps a value whole. Columns use this name for it.
pub const EXACT: &str = "raw";

/// Separates the marks of the languages from the text in a field of stems. No text contains it.
const MARKS_END: char = '\0';

pub fn all() -> TokenizerManager {
    // Include the library's own tokenizers: the library looks one up even for fields without text.
    let manager = TokenizerManager::default();
    manager.register(WORDS, TextAnalyzer::builder(Words).build());
    manager.register(STEMS, TextAnalyzer::builder(Stems).build());
    manager
}

/// A text for a field of stems, with the marks of its languages.
pub fn with_marks(marks: &str, text: &str) -> String {
    format!("{marks}{MARKS_END}{text}")
}

/// The word for a sign, if it has one: the `&` of `Fast & Furious`.
pub fn spoken(part: &str) -> Option<&'static str> {
    (part == "&").then_some("and")
}

#[derive(Clone)]
struct Words;

#[derive(Clone)]
struct Stems;

/// Words and their positions, all computed before the first one is read.
struct Made {
    words: std::vec::IntoIter<(usize, String)>,
    token: Token,
}

impl Made {
    fn new(words: Vec<(usize, String)>) -> Self {
        Self { words: words.into_iter(), token: Token::default() }
    }
}

impl TokenStream for Made {
    fn advance(&mut self) -> bool {
        let Some((position, text)) = self.words.next() else { return false };
        self.token.position = position;
        self.token.text = text;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

impl Tokenizer for Words {
    type TokenStream<'a> = Made;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Made {
        let mut words = Vec::new();
        let mut position = 0;
        for group in tokens::groups(text) {
            let joined = (group.parts.len() > 1).then(|| group.joined());
            let start = position;
            for part in group.parts {
                let spoken = spoken(&part);
                words.push((position, part));
                words.extend(spoken.map(|word| (position, word.to_owned())));
                if position == start {
                    words.extend(joined.as_ref().map(|joined| (position, joined.clone())));
                }
                position += 1;
            }
        }
        Made::new(words)
    }
}

impl Tokenizer for Stems {
    type TokenStream<'a> = Made;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Made {
        let (marks, text) = text.split_once(MARKS_END).unwrap_or_default();
        let of_group = |(position, group): (usize, Group)| {
            let stems = languages::stems(&group, marks);
            stems.into_iter().map(move |stem| (position, stem))
        };
        Made::new(tokens::groups(text).into_iter().enumerate().flat_map(of_group).collect())
    }
}
