//! What a search finds, and in what order.

use super::*;
use crate::movies::sort::Direction;

fn named(names: &[&str]) -> Vec<IndexedMovie> {
    (1..).zip(names).map(|(number, name)| movie(number, name)).collect()
}

/// Asserts what each search finds, as positions in the list of names.
async fn assert_found(movies: &[IndexedMovie], expected: &[(&str, &[u32])]) {
    let (_folder, index) = index_of(movies).await;
    for (words, expected) in expected {
        assert_eq!(found(&index, words).await, *expected, "{words}");
    }
}

#[tokio::test]
async fn odd_names_are_found_as_a_person_types_them() {
    let names = [
        "The Godfather",
        "Schindler's List",
        "WALL·E",
        "8½",
        "Amélie",
        "Spider-Man",
        "$",
        "M*A*S*H",
        "E.T. the Extra-Terrestrial",
        "20,000 Leagues Under the Sea",
        "...",
        "Fast & Furious",
        "千と千尋の神隠し",
        "Сталкер",
        "Huh?",
    ];
    assert_found(
        &named(&names),
        &[
            ("godfahter", &[1]),
            ("godf", &[1]),
            ("schindlers list", &[2]),
            ("schindler", &[2]),
            ("SCHINDLER'S LIST", &[2]),
            ("walle", &[3]),
            ("wall-e", &[3]),
            ("8½", &[4]),
            ("8 1/2", &[4]),
            ("amelie", &[5]),
            ("AMÉLIE", &[5]),
            ("amlie", &[5]),
            ("spiderman", &[6]),
            ("spider man", &[6]),
            ("$", &[7]),
            ("mash", &[8]),
            ("e.t.", &[9]),
            ("et", &[9]),
            ("20000 leagues", &[10]),
            ("...", &[11]),
            ("fast and furious", &[12]),
            ("&", &[12]),
            ("千尋", &[13]),
            ("stalker", &[14]),
            ("?", &[]),
            ("qqqq", &[]),
        ],
    )
    .await;
}

#[tokio::test]
async fn every_word_must_match_in_some_field() {
    let mut movies = named(&["The Godfather", "The Conversation", "Heat"]);
    for movie in &mut movies[..2] {
        movie.directors = texts(&["Francis Ford Coppola"]);
    }
    movies[0].casts = texts(&["Marlon Brando", "Al Pacino"]);
    movies[2].casts = texts(&["Al Pacino", "Robert De Niro"]);
    movies[1].plot = Some("A man hears what he should not.".into());
    let (_folder, index) = index_of(&movies).await;
    assert_eq!(found(&index, "coppola pacino").await, [1]);
    assert_eq!(found(&index, "hears coppola").await, [2]);
    assert_eq!(found(&index, "\"al pacino\"").await, [3, 1]);
    assert_eq!(found(&index, "\"pacino al\"").await, [0; 0]);
    // The end of one name and the beginning of the next are not a phrase.
    assert_eq!(found(&index, "\"brando al\"").await, [0; 0]);
    assert_eq!(found(&index, "pacino -heat").await, [1]);
    assert_eq!(found(&index, "pacino -\"marlon brando\"").await, [3]);
    assert_eq!(found(&index, "-pacino").await, [2]);
    // The beginning of a word does not match in the plot.
    assert_eq!(found(&index, "shou").await, [0; 0]);
    assert_eq!(found(&index, "copp").await, [1, 2]);
    assert!(search(&index, "copp man").await.relaxed);
}

#[tokio::test]
async fn a_phrase_can_be_unwanted_wherever_its_movies_are() {
    // Most movies have the words of the phrase, and a few have the phrase.
    let name = |number: u32| match number % 7 {
        3 => format!("Dark Knight {number}"),
        5 => format!("Knight Dark {number}"),
        6 => format!("Spider-Man {number}"),
        _ => format!("Day {number}"),
    };
    let movies: Vec<_> = (1..=40).map(|number| movie(number, &name(number))).collect();
    let (_folder, index) = index_of(&movies).await;
    let others = |part: &str| {
        let others: Vec<u32> = (1..=40).filter(|number| !name(*number).contains(part)).collect();
        u64::try_from(others.len()).unwrap()
    };
    for (words, part) in [("-\"dark knight\"", "Dark Knight"), ("-spider-man", "Spider-Man")] {
        assert_eq!(index.count(meant(words)).await.unwrap(), others(part), "{words}");
        let found = index.page(page_of(meant(words), Sort::Name(Direction::Ascending), 100)).await.unwrap();
        assert_eq!(found.total, Some(others(part)), "{words}");
        assert!(found.hits.iter().all(|hit| !name(number(hit.id)).contains(part)), "{words}");
    }
    assert_eq!(search(&index, "knight -\"dark knight\"").await.total, Some(6));
}

#[tokio::test]
async fn words_are_left_out_only_if_no_movie_has_all() {
    let (_folder, index) = index_of(&named(&["red green blue", "red green", "red", "yellow"])).await;
    let all = search(&index, "red green").await;
    assert_eq!((all.relaxed, all.total), (false, Some(2)));
    let one_less = search(&index, "red green black").await;
    assert_eq!((one_less.relaxed, one_less.total), (true, Some(2)));
    assert_eq!(found(&index, "green black white blue").await, [1]);
    let too_many = search(&index, "red black white grey").await;
    assert_eq!((too_many.relaxed, too_many.total), (false, Some(0)));
    assert_eq!(search(&index, "black").await.total, Some(0));
    // The rare word counts more than the frequent one.
    assert_eq!(found(&index, "red yellow").await, [4, 3, 2, 1]);
    assert_eq!(index.count(meant("red green black")).await.unwrap(), 2);
}

#[tokio::test]
async fn typos_are_forgiven_only_where_few_movies_have_the_word() {
    let (_folder, index) = index_of(&named(&["Heat", "Meat", "Heath", "Heat 2", "Elephants", "Eat"])).await;
    // Two movies have the word.
    assert_eq!(found(&index, "heat").await, [1, 4, 3, 2, 6]);
    apply(&index, Batch { upserts: vec![movie(7, "Heat 3")], number: 2, ..Batch::default() }).await;
    // Three movies have it. The last word may still be a beginning.
    assert_eq!(found(&index, "heat").await, [1, 4, 7, 3]);
    // One edit from four letters on, two from eight.
    assert_eq!(found(&index, "meta").await, [2]);
    assert_eq!(found(&index, "elehpnats").await, [5]);
    assert_eq!(found(&index, "elephxnxs").await, [5]);
    assert_eq!(found(&index, "elxxxants").await, [0; 0]);
    assert_eq!(found(&index, "\"meta\"").await, [0; 0]);
    // A word of three letters has no typos.
    assert_eq!(found(&index, "eta").await, [0; 0]);
}

#[tokio::test]
async fn stems_depend_on_the_language_of_the_movie() {
    let mut movies = named(&["Films about Films", "Die Häuser", "Les Chevaux"]);
    movies[1].languages = texts(&["German"]);
    movies[2].languages = texts(&["French"]);
    assert_found(&movies, &[("film about", &[1]), ("haus die", &[2]), ("cheval les", &[3])]).await;
}

#[tokio::test]
async fn better_matches_come_first() {
    let mut movies = named(&["Rain", "The Rain People", "Rains of May", "Rainy Day", "Sun", "Cloud", "Fog"]);
    movies[4].directors = texts(&["Ann Rain"]);
    movies[5].casts = texts(&["Bob Rain"]);
    movies[6].plot = Some("It may rain.".into());
    let (_folder, index) = index_of(&movies).await;
    let order = found(&index, "rain").await;
    // In this order: whole name, name, stem of the name, director, cast, beginning in the name, plot.
    assert_eq!(order, [1, 2, 3, 5, 6, 4, 7]);
    assert_eq!(found(&index, "the rain").await[0], 2);
    assert_eq!(found(&index, "the fog").await[0], 7);
}

#[tokio::test]
async fn ties_are_broken_by_newer_years_and_then_the_id() {
    let mut movies = named(&["Hamlet", "Hamlet", "Hamlet", "Hamlet"]);
    (movies[0].year, movies[1].year, movies[3].year) = (Some(1948), Some(1990), Some(1990));
    assert_found(&movies, &[("hamlet", &[2, 4, 1, 3]), ("hamlet 1948", &[1, 2, 4, 3])]).await;
}

#[tokio::test]
async fn a_search_by_relevance_ends_after_a_thousand() {
    let movies: Vec<_> = (1..=1_100).map(|number| movie(number, "Untitled")).collect();
    let (_folder, index) = index_of(&movies).await;
    let mut question = page_of(meant("untitled"), Sort::Relevance, 300);
    let mut shown = Vec::new();
    loop {
        let page = index.page(question.clone()).await.unwrap();
        assert_eq!(page.total, Some(1_100));
        shown.extend(page.hits.iter().map(|hit| number(hit.id)));
        question.after = page.hits.last().map(|hit| hit.cursor.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(shown, (1..=1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_text_is_a_valid_search() {
    let (_folder, index) = index_of(&named(&["The Godfather", "-"])).await;
    let long = "千".repeat(200);
    for words in [
        "",
        " ",
        "-",
        "--",
        "\"",
        "\"\"",
        "-\"",
        "- - -",
        "\"a",
        "a\"b\"c",
        "\\",
        "*",
        "?*",
        "a OR b",
        "name:x",
        "[a TO b]",
        "\u{0}",
        "\u{fdfa}\u{fdfa}",
        "\u{301}",
        "😀",
        "(((",
        "a-",
        "-a-",
        "/",
        "~1",
        "^2",
        "$ne",
        long.as_str(),
        "a a a a a a a a",
    ] {
        let count = search(&index, words).await.total.unwrap();
        assert_eq!(index.count(meant(words)).await.unwrap(), count, "{words}");
        index.facets(meant(words)).await.unwrap();
        index.suggest(words.to_owned(), 5).await.unwrap();
    }
}

#[tokio::test]
async fn a_cursor_of_another_search_is_refused() {
    let (_folder, index) = index_of(&named(&["One", "Two", "Three"])).await;
    let by_name = page_of(Meant::default(), Sort::Name(Direction::Ascending), 1);
    let after = index.page(by_name.clone()).await.unwrap().hits[0].cursor.clone();
    let ask = |question: PageQuestion| {
        let index = index.clone();
        let after = Some(after.clone());
        async move { index.page(PageQuestion { after, ..question }).await }
    };
    assert!(ask(by_name.clone()).await.is_ok());
    let other_words = PageQuestion { meant: meant("one"), ..by_name };
    let other_order = page_of(Meant::default(), Sort::Year(Direction::Ascending), 1);
    for question in [other_words, other_order] {
        assert!(matches!(ask(question).await, Err(crate::movies::search::SearchError::Cursor)));
    }
}

#[tokio::test]
async fn names_are_suggested_from_their_beginning_and_with_a_typo() {
    let names = ["The Godfather", "Godzilla", "Dear God", "godsend", "Amélie", "New York, New York"];
    let (_folder, index) = index_of(&named(&names)).await;
    let suggest = async |prefix: &str, limit| -> Vec<u32> {
        index.suggest(prefix.to_owned(), limit).await.unwrap().into_iter().map(number).collect()
    };
    // Names that begin with the text come first. Each group is in alphabetical order.
    assert_eq!(suggest("god", 10).await, [4, 2, 3, 1]);
    assert_eq!(suggest("GOD", 3).await, [4, 2, 3]);
    assert_eq!(suggest("the god", 10).await, [1]);
    assert_eq!(suggest("ame", 10).await, [5]);
    assert_eq!(suggest("new", 10).await, [6]);
    assert_eq!(suggest("godfaht", 10).await, [1]);
    assert_eq!(suggest("amleie", 10).await, [5]);
    assert_eq!(suggest("gdo", 10).await, [0; 0]);
    assert_eq!(suggest("yrok", 10).await, [6]);
    assert_eq!(suggest("zzzz", 10).await, [0; 0]);
}
