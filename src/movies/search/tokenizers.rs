//! How the index cuts texts: into words, into their stems, and not at all.

use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};

use super::{
    languages,
    tokens::{self, Group},
};

pub const WORDS: &str = "words";
pub const STEMS: &str = "stems";
/// A value as it is. Columns know it by this name.
pub const EXACT: &str = "raw";

/// Between the marks of the languages and the text, where stems are made. No text has it.
const MARKS_END: char = '\0';

pub fn all() -> TokenizerManager {
    // With those of the library: it looks for one even where a field has no text.
    let manager = TokenizerManager::default();
    manager.register(WORDS, TextAnalyzer::builder(Words).build());
    manager.register(STEMS, TextAnalyzer::builder(Stems).build());
    manager
}

/// A text for the field of stems: with the languages that it has.
pub fn with_marks(marks: &str, text: &str) -> String {
    format!("{marks}{MARKS_END}{text}")
}

/// How a sign is read aloud, if it is: `Fast & Furious`.
pub fn spoken(part: &str) -> Option<&'static str> {
    (part == "&").then_some("and")
}

#[derive(Clone)]
struct Words;

#[derive(Clone)]
struct Stems;

/// Words and their positions, made before the first is taken.
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
