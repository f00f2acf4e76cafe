//! Names folded for typeahead: no case, no accents, one space between words.
//!
//! A movie stores what [`phrases`] makes of its name, so that "the beginning of any word" is a range
//! of an index.

/// Characters of a phrase in the index: hardly anybody types more before they choose.
pub const PHRASE: usize = 48;

/// Characters of a text that are folded: as many as the longest name has. One letter may become twenty
/// (U+FDFA is a sentence), and a name of such letters hundreds of phrases.
const FOLDED: usize = 300;

/// A text without case and accents, but with its punctuation: `$9.99`, `...and justice for all`.
#[must_use]
pub fn plain(text: &str) -> String {
    let latin = deunicode::deunicode(text);
    first(&latin, FOLDED).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A plain text's words alone: what is no letter or digit separates them.
#[must_use]
pub fn words(text: &str) -> String {
    let plain = plain(text);
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The words of a name from each word on.
pub fn phrases(name: &str) -> Vec<String> {
    let words = words(name);
    let starts = words.match_indices(' ').map(|(at, _)| at + 1);
    let starts = std::iter::once(0).chain(starts).filter(|at| *at < words.len());
    starts.map(|at| words[at..].to_owned()).collect()
}

/// A text as long as it is in the index at most.
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
    fn a_name_is_folded_with_its_punctuation_and_to_words() {
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
    fn letters_that_become_many_have_no_more_keys_than_others() {
        let size = |name: &str| phrases(name).iter().map(|phrase| cut(phrase).len()).sum::<usize>();
        let (usual, long) = ("w ".repeat(150), "\u{fdfa}".repeat(300));
        assert!(size(&long) <= size(&usual), "{} bytes", size(&long));
        assert!(plain(&long).starts_with(&plain("\u{fdfa}")) && !plain("\u{fdfa}").is_empty());
    }
}
