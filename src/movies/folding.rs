//! Names folded for typeahead: without case and accents, and with one space between words.
//!
//! [`phrases`] makes the phrases of a name, so that "the beginning of any word" is a range of an index.

/// How many characters of a phrase are in the index. Hardly anybody types more before choosing.
pub const PHRASE: usize = 48;

/// How many characters of a text are folded: the length of the longest name. Folding may turn one letter into twenty
/// (U+FDFA is a sentence), so a name of such letters could become hundreds of phrases.
const FOLDED: usize = 300;

/// A text without case and accents, but with its punctuation: `$9.99`, `...and justice for all`.
#[must_use]
pub fn plain(text: &str) -> String {
    let latin = deunicode::deunicode(text);
    first(&latin, FOLDED).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Only the words of a plain text. Any character that is not a letter or a digit separates words.
#[must_use]
pub fn words(text: &str) -> String {
    let plain = plain(text);
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The rest of a name, from each of its words on.
pub fn phrases(name: &str) -> Vec<String> {
    let words = words(name);
    let starts = words.match_indices(' ').map(|(at, _)| at + 1);
    let starts = std::iter::once(0).chain(starts).filter(|at| *at < words.len());
    starts.map(|at| words[at..].to_owned()).collect()
}

/// A text, cut to the length that the index keeps.
#[must_use]
pub fn cut(text: &str) -> &str {
    first(text, PHRASE)
}

fn first(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_folded_with_and_without_its_punctuation() {
        for (name, expected_plain, expected_words) in [
            ("Amélie", "amelie", "amelie"),
            ("The  Godfather: Part II", "the godfather: part ii", "the godfather part ii"),
            ("Schindler's List", "schindler's list", "schindler s list"),
            ("Œuvre ßøł", "oeuvre ssol", "oeuvre ssol"),
            ("...And Justice", "...and justice", "and justice"),
            ("$9.99", "$9.99", "9 99"),
            ("$", "$", ""),
        ] {
            assert_eq!((plain(name).as_str(), words(name).as_str()), (expected_plain, expected_words));
        }
    }

    #[test]
    fn a_phrase_begins_at_each_word() {
        assert_eq!(phrases("The God-Father"), ["the god father", "god father", "father"]);
        assert_eq!(phrases("$"), [""; 0]);
        assert_eq!(phrases(&"w ".repeat(150)).len(), 150);
        assert_eq!(cut(&"é".repeat(60)).chars().count(), PHRASE);
    }

    #[test]
    fn letters_that_fold_to_many_make_no_more_keys_than_others() {
        let size = |name: &str| phrases(name).iter().map(|phrase| cut(phrase).len()).sum::<usize>();
        let (usual, long) = ("w ".repeat(150), "\u{fdfa}".repeat(300));
        assert!(size(&long) <= size(&usual), "{} bytes", size(&long));
        assert!(plain(&long).starts_with(&plain("\u{fdfa}")) && !plain("\u{fdfa}").is_empty());
    }
}
