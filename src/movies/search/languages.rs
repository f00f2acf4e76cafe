//! The stems of words, in the languages of a movie.
//!
//! In the index, a stem carries the mark of its language, so a French stem never matches a German one. A search names
//! no language, so it looks for the stems of a word in all languages.

use std::collections::BTreeSet;

use frostem::{Algorithm, Stemmer};

use super::tokens::{Group, folded};

/// The languages as the catalogue names them, and their marks in the index. The marks are stored on disk.
const LANGUAGES: [(&str, char, Algorithm); 20] = [
    ("english", 'a', Algorithm::English),
    ("french", 'b', Algorithm::French),
    ("spanish", 'c', Algorithm::Spanish),
    ("german", 'd', Algorithm::German),
    ("italian", 'e', Algorithm::Italian),
    ("russian", 'f', Algorithm::Russian),
    ("arabic", 'g', Algorithm::Arabic),
    ("hindi", 'h', Algorithm::Hindi),
    ("swedish", 'i', Algorithm::Swedish),
    ("portuguese", 'j', Algorithm::Portuguese),
    ("danish", 'k', Algorithm::Danish),
    ("dutch", 'l', Algorithm::Dutch),
    ("polish", 'm', Algorithm::Polish),
    ("norwegian", 'n', Algorithm::Norwegian),
    ("romanian", 'o', Algorithm::Romanian),
    ("hungarian", 'p', Algorithm::Hungarian),
    ("czech", 'q', Algorithm::Czech),
    ("turkish", 'r', Algorithm::Turkish),
    ("finnish", 's', Algorithm::Finnish),
    ("greek", 't', Algorithm::Greek),
];

/// Names and plots are often in English, whatever language is spoken, so every movie has English stems.
const ALWAYS: char = 'a';
/// How many languages of a movie are stemmed. Few movies have more, and each costs space in the index.
const MOST: usize = 4;

/// The marks of the languages in which a movie's words are stemmed.
#[must_use]
pub fn marks(languages: &[String]) -> String {
    let known = languages.iter().filter_map(|name| {
        let name = name.to_lowercase();
        LANGUAGES.iter().find(|(known, ..)| name.split(' ').any(|word| word == *known))
    });
    let mut marks: Vec<char> = vec![ALWAYS];
    for (_, mark, _) in known {
        if marks.len() < MOST && !marks.contains(mark) {
            marks.push(*mark);
        }
    }
    marks.into_iter().collect()
}

/// The stems of a word in these languages, each with its mark. For words joined by punctuation, each part has stems
/// too.
pub fn stems(group: &Group, marks: &str) -> BTreeSet<String> {
    let languages = LANGUAGES.iter().filter(|(_, mark, _)| marks.contains(*mark));
    let joined = (group.written.len() > 1).then(|| group.joined());
    let words: Vec<&String> = group.written.iter().chain(&joined).collect();
    languages
        .flat_map(|(_, mark, algorithm)| words.iter().flat_map(|word| of_word(word, *mark, *algorithm)))
        .collect()
}

/// The stems that a search looks for, in every language. For words joined by punctuation, these are only the stems of
/// the joined word.
pub fn all_stems(group: &Group) -> BTreeSet<String> {
    let word = match group.written.as_slice() {
        [] => return BTreeSet::new(),
        [word] => word.clone(),
        _ => group.joined(),
    };
    LANGUAGES.iter().flat_map(|(_, mark, algorithm)| of_word(&word, *mark, *algorithm)).collect()
}

fn of_word(word: &str, mark: char, algorithm: Algorithm) -> [String; 2] {
    let stemmer = Stemmer::new(algorithm);
    // A client may leave out the accents that a stemmer needs to recognize an ending.
    [folded(&stemmer.stem(word)), stemmer.stem(&folded(word)).into_owned()]
        .map(|stem| format!("{mark}{stem}"))
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;
    use proptest::proptest;

    use super::*;
    use crate::movies::search::{names::NameOrder, tokens::groups};

    fn named(languages: &[&str]) -> String {
        marks(&languages.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    fn share(written: &str, asked: &str, languages: &[&str]) -> bool {
        let stems = stems(&groups(written)[0], &named(languages));
        all_stems(&groups(asked)[0]).iter().any(|stem| stems.contains(stem))
    }

    #[test]
    fn a_word_has_stems_in_the_languages_of_the_movie() {
        assert_eq!(named(&["French", "American English", "Klingon"]), "ab");
        assert!(share("Films", "film", &[]));
        assert!(share("Häuser", "haus", &["German"]));
        assert!(share("chevaux", "cheval", &["French"]));
        assert!(!share("chevaux", "cheval", &["German"]));
        assert!(share("Schindler's", "schindlers", &["English"]));
    }

    /// Texts of any letters, and of letters that stemmers know.
    const TEXTS: &str = concat!(
        r"\PC{0,40}|[a-zà-ÿčęğőşž]{1,20}|[α-ωά-ώ]{1,20}|[а-я]{1,20}",
        r"|[\u{600}-\u{6ff}]{1,20}|[\u{900}-\u{97f}]{1,20}"
    );

    proptest! {
        // A movie that causes a panic here would cause it again at every start, for as long as the movie exists.
        #[test]
        fn any_text_gets_words_stems_and_a_place_without_a_panic(text in TEXTS) {
            for group in groups(&text) {
                all_stems(&group);
                let marks: String = LANGUAGES.iter().map(|(_, mark, _)| *mark).collect();
                stems(&group, &marks);
            }
            assert!(!NameOrder::new().key(&text, ObjectId::default()).is_empty());
        }
    }

    #[test]
    fn odd_words_have_stems_too() {
        for text in ["a", "αντιθετε", "ß", "x'y-z", "m*a*s*h", "\u{fdfa}", "हिन्दी", "12"]
        {
            for group in groups(text) {
                assert!(!all_stems(&group).is_empty(), "{text}");
            }
        }
    }
}
