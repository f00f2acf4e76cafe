//! Stems of words, by the languages of a movie.
//!
//! A stem carries the mark of its language in the index, so that a French stem never meets a German one. Who
//! searches names no language, so a word is looked for in the stems of all of them.

use std::collections::BTreeSet;

use frostem::{Algorithm, Stemmer};

use super::tokens::{Group, folded};

/// As the catalogue names them, and their marks in the index. The marks are kept on disk.
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

/// Names and plots are often in English whatever is spoken, so every movie has its stems.
const ALWAYS: char = 'a';
/// More than a movie has but for a few: each costs room in the index.
const MOST: usize = 4;

/// The marks of the languages by which a movie's words are stemmed.
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

/// The stems of a word in these languages, each with its mark. Words that a sign joins have those of each part, too.
pub fn stems(group: &Group, marks: &str) -> BTreeSet<String> {
    let languages = LANGUAGES.iter().filter(|(_, mark, _)| marks.contains(*mark));
    let joined = (group.written.len() > 1).then(|| group.joined());
    let words: Vec<&String> = group.written.iter().chain(&joined).collect();
    languages
        .flat_map(|(_, mark, algorithm)| words.iter().flat_map(|word| of_word(word, *mark, *algorithm)))
        .collect()
}

/// The stems by which a word is looked for, in every language: of words that a sign joins, those of the whole.
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
    // A client may leave out the accents by which a stemmer knows an ending.
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
    fn a_word_has_stems_of_the_movies_languages() {
        assert_eq!(named(&["French", "American English", "Klingon"]), "ab");
        assert!(share("Films", "film", &[]));
        assert!(share("Häuser", "haus", &["German"]));
        assert!(share("chevaux", "cheval", &["French"]));
        assert!(!share("chevaux", "cheval", &["German"]));
        assert!(share("Schindler's", "schindlers", &["English"]));
    }

    /// Of any letters, and of those that stemmers know.
    const TEXTS: &str = concat!(
        r"\PC{0,40}|[a-zà-ÿčęğőşž]{1,20}|[α-ωά-ώ]{1,20}|[а-я]{1,20}",
        r"|[\u{600}-\u{6ff}]{1,20}|[\u{900}-\u{97f}]{1,20}"
    );

    proptest! {
        // What panics here would panic again at every start, for as long as the movie is there.
        #[test]
        fn every_text_has_words_stems_and_a_place(text in TEXTS) {
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
