//! Parses the words of a search: words, `"phrases"`, and `-words` that a movie must not have. Every text is valid.

use super::tokens::{self, Group};

/// The number of letters from which the last word also matches longer words that begin with it.
const BEGINNING: usize = 3;

/// A word or a phrase that a movie must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Word {
        group: Group,
        /// Whether longer words that begin with it match too.
        is_beginning: bool,
    },
    /// Words that must follow each other in their exact form.
    Phrase(Vec<String>),
}

impl Wanted {
    fn parts(&self) -> &[String] {
        match self {
            Self::Word { group, .. } => &group.parts,
            Self::Phrase(parts) => parts,
        }
    }
}

/// What a search looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub wanted: Vec<Wanted>,
    /// Phrases, most of them of one word.
    pub unwanted: Vec<Vec<String>>,
    /// All wanted words in order, because they may be a whole name.
    pub all: Vec<Group>,
}

struct Chunk<'a> {
    text: &'a str,
    is_phrase: bool,
    is_unwanted: bool,
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')
}

/// Splits at spaces and quotes. A quote that is not closed extends to the end.
fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let after_minus = rest
            .strip_prefix('-')
            .filter(|after| !after.is_empty() && !after.starts_with(char::is_whitespace));
        let body = after_minus.unwrap_or(rest);
        let phrase = body.strip_prefix(is_quote);
        let inside = phrase.unwrap_or(body);
        let ends = |c: char| is_quote(c) || (phrase.is_none() && c.is_whitespace());
        let end = inside.find(ends).unwrap_or(inside.len());
        found.push(Chunk {
            text: &inside[..end],
            is_phrase: phrase.is_some(),
            is_unwanted: after_minus.is_some(),
        });
        let after = &inside[end..];
        let after = if phrase.is_some() { after.strip_prefix(is_quote).unwrap_or(after) } else { after };
        rest = after.trim_start();
    }
    found
}

fn parts(groups: Vec<Group>) -> Vec<String> {
    groups.into_iter().flat_map(|group| group.parts).collect()
}

impl Words {
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut words = Self::default();
        let is_said = |chunk: &Chunk<'_>| tokens::groups(chunk.text).iter().any(|group| !is_bare(group));
        let chunks = chunks(text);
        // Punctuation between words is ignored. If there is nothing else, the client means the punctuation.
        let only_signs = !chunks.iter().any(is_said);
        if only_signs {
            for group in tokens::groups(text) {
                words.add(Wanted::Phrase(group.parts.clone()), vec![group]);
            }
            return words;
        }
        let last = chunks.len() - 1;
        for (at, chunk) in chunks.iter().enumerate().filter(|(_, chunk)| is_said(chunk)) {
            let groups = tokens::groups(chunk.text);
            if chunk.is_unwanted {
                words.unwanted.push(parts(groups));
            } else if chunk.is_phrase {
                words.add(Wanted::Phrase(parts(groups.clone())), groups);
            } else {
                let ends = groups.len() - 1;
                for (number, group) in groups.into_iter().enumerate() {
                    let is_last = at == last && number == ends;
                    let is_beginning = is_last
                        && group.joined().chars().filter(|c| c.is_alphanumeric()).count() >= BEGINNING;
                    words.add(Wanted::Word { group: group.clone(), is_beginning }, vec![group]);
                }
            }
        }
        words
    }

    fn add(&mut self, wanted: Wanted, groups: Vec<Group>) {
        self.all.extend(groups);
        let same = self.wanted.iter_mut().find(|known| known.parts() == wanted.parts());
        match (same, wanted) {
            // In `new york new`, the word counts once, and may be a beginning.
            (Some(Wanted::Word { is_beginning: known, .. }), Wanted::Word { is_beginning, .. }) => {
                *known |= is_beginning;
            }
            (Some(Wanted::Word { .. }), phrase) => self.wanted.push(phrase),
            (Some(Wanted::Phrase(_)), _) => {}
            (None, wanted) => self.wanted.push(wanted),
        }
    }

    /// Whether the search looks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }
}

/// Whether this is only punctuation, which is a word only in a text that has nothing else.
fn is_bare(group: &Group) -> bool {
    group.written.is_empty() && group.parts.iter().all(|part| part.chars().all(tokens::is_punctuation))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `word`, `begin*`, `"a phrase"`, `-not`.
    fn read(text: &str) -> Vec<String> {
        let words = Words::parse(text);
        let wanted = words.wanted.iter().map(|wanted| match wanted {
            Wanted::Word { group, is_beginning } => {
                group.parts.join("+") + if *is_beginning { "*" } else { "" }
            }
            Wanted::Phrase(parts) => format!("\"{}\"", parts.join(" ")),
        });
        wanted.chain(words.unwanted.iter().map(|parts| format!("-{}", parts.join(" ")))).collect()
    }

    #[test]
    fn words_phrases_and_minus_signs_are_parsed() {
        for (text, expected) in [
            ("godfather Coppola", vec!["godfather", "coppola*"]),
            ("up", vec!["up"]),
            ("the it", vec!["the", "it"]),
            ("\"The Godfather\" part", vec!["part*", "\"the godfather\""]),
            ("star -wars", vec!["star", "-wars"]),
            ("star -\"the clone\" wars", vec!["star", "wars*", "-the clone"]),
            ("spider-man", vec!["spider+man*"]),
            ("\"lord of", vec!["\"lord of\""]),
            ("8½", vec!["8", "1/2"]),
            ("$9.99", vec!["$", "9+99*"]),
            ("fast & furious", vec!["fast", "&", "furious*"]),
            ("good , bad - ugly ?", vec!["good", "bad", "ugly"]),
            ("the the", vec!["the*"]),
            ("?", vec!["\"?\""]),
            ("-", vec!["\"-\""]),
            ("- -", vec!["\"-\""]),
            ("\"\"", vec!["\"\"\"\""]),
            ("-godfather", vec!["-godfather"]),
        ] {
            let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            let mut found = read(text);
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{text}");
        }
        assert!(Words::parse("").is_empty() && Words::parse("  ").is_empty());
    }
}
