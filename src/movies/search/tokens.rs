//! Splits texts into words. The index and a search do it in the same way.
//!
//! A word is folded: it has no case and no accents (`Amélie` becomes `amelie`). Words that a sign joins
//! (`Spider-Man`, `Schindler's`, `M*A*S*H`) are found by their parts and as one word. Signs that are not punctuation
//! (`$`, `½`) are words of their own. Punctuation is a word only in a text that has nothing else.

use deunicode::deunicode_char;
use unicode_normalization::char::is_combining_mark;

/// One word, or several that a sign joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// In lower case with accents, which is what a stemmer needs.
    pub written: Vec<String>,
    /// Folded.
    pub parts: Vec<String>,
}

impl Group {
    fn sign(text: String) -> Self {
        Self { written: Vec::new(), parts: vec![text] }
    }

    fn of_runs(runs: Vec<String>) -> Self {
        let written: Vec<String> = runs.into_iter().map(|run| run.to_lowercase()).collect();
        let parts = written.iter().flat_map(|run| fold(run)).collect();
        Self { written, parts }
    }

    /// The word without the signs between its parts.
    #[must_use]
    pub fn joined(&self) -> String {
        self.parts.concat()
    }
}

/// The folded words of one run of letters. A character may become several words (`千` is `qian`).
fn fold(run: &str) -> Vec<String> {
    if run.is_ascii() {
        return vec![run.to_owned()];
    }
    let mut latin = String::new();
    for c in run.chars() {
        let letters = deunicode_char(c).unwrap_or_default();
        // A sign that is a word by itself, even between letters.
        if letters.ends_with(' ') {
            latin.push(' ');
        }
        latin.push_str(letters);
    }
    let latin = latin.to_lowercase();
    let words = latin.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    // Text without a Latin form stays as it is.
    if words.is_empty() { vec![run.to_owned()] } else { words }
}

/// One folded word. It is for stems, which keep their accents until they are cut.
#[must_use]
pub fn folded(word: &str) -> String {
    fold(word).concat()
}

fn is_fraction(c: char) -> bool {
    matches!(c, '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{215e}' | '\u{2189}')
}

fn in_word(c: char) -> bool {
    (c.is_alphanumeric() || is_combining_mark(c)) && !is_fraction(c)
}

/// Whether the sign joins two words if it is between two letters. Elsewhere it is punctuation.
fn joins(c: char) -> bool {
    matches!(
        c,
        '-' | '\'' | '.' | '*' | '/' | '_' | '\u{b7}' | '\u{2010}'
            ..='\u{2014}' | '\u{2018}' | '\u{2019}' | '\u{2022}'
    )
}

pub fn is_punctuation(c: char) -> bool {
    joins(c)
        || matches!(
            c,
            ',' | ';' | ':' | '!' | '?' | '"' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '\\' | '|' | '~' | '`' | '^'
                | '\u{a1}' | '\u{bf}' | '\u{ab}' | '\u{bb}' | '\u{b4}' | '\u{201a}'..='\u{201f}' | '\u{2026}' | '\u{2039}'
                | '\u{203a}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{fe0e}' | '\u{fe0f}' | '\u{200b}'..='\u{200f}'
        )
}

/// Every word of a text.
#[must_use]
pub fn groups(text: &str) -> Vec<Group> {
    let chars: Vec<char> = text.chars().collect();
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let goes_on = |at: usize| {
        let sign = chars[at];
        let thousands = sign == ',' && at > 0 && digit(at - 1) && digit(at + 1);
        (joins(sign) || thousands) && chars.get(at + 1).is_some_and(|next| in_word(*next))
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let first = chars[at];
        if !in_word(first) {
            if is_fraction(first) {
                // `½` and `1/2` are the same.
                found.push(Group::sign(deunicode_char(first).unwrap_or_default().trim().to_owned()));
            } else if !first.is_whitespace() && !first.is_control() && !is_punctuation(first) {
                found.push(Group::sign(first.to_string()));
            }
            at += 1;
            continue;
        }
        let (start, mut runs) = (at, Vec::new());
        loop {
            let end = (at..chars.len()).find(|at| !in_word(chars[*at])).unwrap_or(chars.len());
            runs.push(chars[at..end].iter().collect());
            at = end;
            if end == chars.len() || !goes_on(end) {
                break;
            }
            at += 1;
        }
        let is_fraction = at - start == 3 && digit(start) && chars[start + 1] == '/' && digit(start + 2);
        found.push(if is_fraction {
            Group::sign(chars[start..at].iter().collect())
        } else {
            Group::of_runs(runs)
        });
    }
    if found.is_empty() {
        found.extend(text.split_whitespace().map(|signs| Group::sign(signs.to_owned())));
    }
    found
}

/// The key for comparing a whole name with a whole search: its words, without what is between them.
#[must_use]
pub fn key(groups: &[Group]) -> String {
    groups.iter().flat_map(|group| &group.parts).map(String::as_str).collect()
}

const ARTICLES: [&str; 17] = [
    "the", "a", "an", "le", "la", "les", "un", "une", "der", "die", "das", "ein", "eine", "el", "los", "las",
    "il",
];

/// Without an article at the beginning, unless the article is all there is.
#[must_use]
pub fn without_article(groups: &[Group]) -> &[Group] {
    match groups {
        [first, rest @ ..] if !rest.is_empty() && ARTICLES.contains(&first.joined().as_str()) => rest,
        all => all,
    }
}

/// The part before a subtitle, if there is one: `Léon` for `Léon: The Professional`.
#[must_use]
pub fn main_title(name: &str) -> Option<&str> {
    let ends = [": ", " - ", " \u{2013} ", " \u{2014} ", " ("].iter().filter_map(|end| name.find(end));
    ends.min().map(|end| &name[..end]).filter(|title| !title.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_into_folded_words() {
        for (text, expected) in [
            ("Amélie", vec![vec!["amelie"]]),
            ("The Godfather: Part II", vec![vec!["the"], vec!["godfather"], vec!["part"], vec!["ii"]]),
            ("Schindler's List", vec![vec!["schindler", "s"], vec!["list"]]),
            ("WALL·E", vec![vec!["wall", "e"]]),
            ("M*A*S*H", vec![vec!["m", "a", "s", "h"]]),
            ("8½", vec![vec!["8"], vec!["1/2"]]),
            ("8 1/2", vec![vec!["8"], vec!["1/2"]]),
            ("9/11", vec![vec!["9", "11"]]),
            ("20,000 Leagues, 2", vec![vec!["20", "000"], vec!["leagues"], vec!["2"]]),
            ("$9.99", vec![vec!["$"], vec!["9", "99"]]),
            ("$", vec![vec!["$"]]),
            ("...", vec![vec!["..."]]),
            ("Huh?", vec![vec!["huh"]]),
            ("Fast & Furious", vec![vec!["fast"], vec!["&"], vec!["furious"]]),
            ("千と千尋", vec![vec!["qian", "to", "qian", "xun"]]),
            ("Œuvre ßøł", vec![vec!["oeuvre"], vec!["ssol"]]),
            ("- ' -", vec![vec!["-"], vec!["'"], vec!["-"]]),
            ("", vec![]),
        ] {
            let found: Vec<Vec<String>> = groups(text).into_iter().map(|group| group.parts).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_whole_name_is_compared_without_what_is_between_its_words() {
        assert_eq!(key(&groups("WALL-E")), key(&groups("walle")));
        assert_eq!(key(without_article(&groups("The Terminator"))), "terminator");
        assert_eq!(key(without_article(&groups("A"))), "a");
        assert_eq!(main_title("Léon: The Professional"), Some("Léon"));
        assert_eq!(main_title("Up"), None);
    }
}
