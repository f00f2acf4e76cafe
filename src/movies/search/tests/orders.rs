//! Compares filters, orders, counts and facets with a scan of every movie.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use icu_collator::{
    Collator, CollatorBorrowed,
    options::{CollatorOptions, Strength},
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::movies::{
    search::{Entry, Exact, Hit},
    sort::Direction::{self, Ascending, Descending},
};

/// Short words, so that none has a stem or a typo, or is the beginning of another.
const WORDS: [&str; 6] = ["ab", "AB", "áb", "cd", "ef", "gh"];
const GENRES: [&str; 4] = ["Drama", "drama", "Western", "Drama\u{ad}"];

/// Movies that have many values in common.
fn catalogue() -> Vec<IndexedMovie> {
    let pick = |number: u32, of: &[&str], every: u32| {
        let many = number / every % 3;
        (0..many)
            .map(|step| of[((number / (step + 1) + step) as usize) % of.len()].to_owned())
            .collect::<BTreeSet<_>>()
    };
    (1..=150_u32)
        .map(|number| {
            let names = [WORDS[number as usize % 6], WORDS[number as usize / 7 % 6]];
            IndexedMovie {
                year: (number % 4 > 0).then_some(1_985 + (number % 11).cast_signed()),
                genres: pick(number, &GENRES, 1).into_iter().collect(),
                casts: pick(number, &["Xy Ij", "Kl"], 2).into_iter().collect(),
                directors: pick(number, &["Xy Ij", "Mn"], 3).into_iter().collect(),
                countries: pick(number, &["France", "Peru"], 2).into_iter().collect(),
                languages: pick(number, &["French", "Quechua"], 4).into_iter().collect(),
                plot: number.is_multiple_of(5).then(|| "op ab".to_owned()),
                added_by: id(number % 3),
                created_at: i64::from(number / 4),
                ..movie(number, &names.join(if number.is_multiple_of(2) { " " } else { "-" }))
            }
        })
        .collect()
}

/// An index of the catalogue, built by several commits that also changed and deleted movies.
async fn stocked(all: &[IndexedMovie]) -> (TempDir, MovieIndex) {
    let old: Vec<_> =
        all.iter().map(|movie| IndexedMovie { name: "cd old".into(), ..movie.clone() }).collect();
    let (folder, index) = index_of(&old[..100]).await;
    for (part, number) in all.chunks(40).zip(2..) {
        let gone: Vec<_> = (900..910).map(|number| movie(number, "ab gone")).collect();
        let deletes: Vec<_> = gone.iter().map(|movie| movie.id).collect();
        let (upserts, none) = ([part, &gone].concat(), Vec::new());
        for (upserts, deletes) in [(upserts, none.clone()), (Vec::new(), deletes)] {
            apply(&index, Batch { upserts, deletes, number, ..Batch::default() }).await;
        }
    }
    // The last batch has its own number.
    apply(&index, Batch { deletes: vec![id(900)], number: 99, ..Batch::default() }).await;
    (folder, index)
}

#[derive(Debug, Clone)]
struct Question {
    words: Vec<&'static str>,
    genres: Vec<&'static str>,
    cast: Option<&'static str>,
    country: Option<&'static str>,
    years: (Option<i32>, Option<i32>),
    year: Option<i32>,
    owner: Option<u32>,
    sort: Sort,
    limit: usize,
}

fn questions() -> impl Strategy<Value = Question> {
    let sorts = vec![
        Sort::CreatedAt(Ascending),
        Sort::CreatedAt(Descending),
        Sort::Name(Ascending),
        Sort::Name(Descending),
        Sort::Year(Ascending),
        Sort::Year(Descending),
        Sort::Relevance,
    ];
    let maybe = |of: Vec<&'static str>| proptest::option::weighted(0.2, select(of));
    let year = || proptest::option::weighted(0.3, 1_984..1_998_i32);
    let user = |most: u32| proptest::option::weighted(0.2, 0..most);
    let words = prop_oneof![2 => Just(Vec::new()), 3 => subsequence(vec!["ab", "cd", "ef", "gh", "op", "xy", "qq"], 1..4)];
    let texts = (
        words,
        subsequence(GENRES.to_vec(), 0..2),
        maybe(vec!["Kl", "Xy Ij", "kl"]),
        maybe(vec!["France", "Peru"]),
    );
    let numbers = ((year(), year()), proptest::option::weighted(0.1, 1_984..1_998_i32), user(4));
    (texts, numbers, select(sorts), 1..40_usize).prop_map(
        |((words, genres, cast, country), (years, year, owner), sort, limit)| Question {
            words,
            genres,
            cast,
            country,
            years,
            year,
            owner,
            sort,
            limit,
        },
    )
}

impl Question {
    fn meant(&self) -> Meant {
        let genres = self.genres.iter().map(|genre| (Exact::Genre, (*genre).to_owned()));
        let cast = self.cast.iter().map(|cast| (Exact::Cast, (*cast).to_owned()));
        let country = self.country.iter().map(|country| (Exact::Country, (*country).to_owned()));
        Meant {
            words: Words::parse(&self.words.join(" ")),
            exact: genres.chain(cast).chain(country).collect(),
            year: self.year,
            year_min: self.years.0,
            year_max: self.years.1,
            added_by: self.owner.map(id),
            ..Meant::default()
        }
    }

    fn keeps(&self, movie: &IndexedMovie) -> bool {
        let holds = |list: &[String], value: &str| list.iter().any(|known| known == value);
        self.genres.iter().all(|genre| holds(&movie.genres, genre))
            && self.cast.is_none_or(|cast| holds(&movie.casts, cast))
            && self.country.is_none_or(|country| holds(&movie.countries, country))
            && self.year.is_none_or(|year| movie.year == Some(year))
            && self.years.0.is_none_or(|min| movie.year.is_some_and(|year| year >= min))
            && self.years.1.is_none_or(|max| movie.year.is_some_and(|year| year <= max))
            && self.owner.is_none_or(|owner| movie.added_by == id(owner))
    }

    fn words_of(movie: &IndexedMovie) -> BTreeSet<String> {
        let texts =
            [&movie.casts, &movie.directors].into_iter().flatten().chain(&movie.plot).chain([&movie.name]);
        let fold = |text: &String| text.to_lowercase().replace('á', "a");
        let words =
            texts.flat_map(move |text| fold(text).split([' ', '-']).map(str::to_owned).collect::<Vec<_>>());
        words.collect()
    }

    /// The expected movies, and whether words were left out.
    fn expected<'a>(&self, all: &'a [IndexedMovie]) -> (Vec<&'a IndexedMovie>, bool) {
        let kept: Vec<_> = all.iter().filter(|movie| self.keeps(movie)).collect();
        for left_out in 0..=2_usize.min(self.words.len().saturating_sub(1)) {
            let has = |movie: &&&IndexedMovie| {
                let there = Self::words_of(movie);
                self.words.iter().filter(|word| there.contains(**word)).count() + left_out >= self.words.len()
            };
            let found: Vec<_> = kept.iter().filter(has).copied().collect();
            if !found.is_empty() {
                return (found, left_out > 0);
            }
        }
        (Vec::new(), false)
    }

    fn compare(&self, names: &CollatorBorrowed<'_>, one: &IndexedMovie, other: &IndexedMovie) -> Ordering {
        let directed =
            |direction, order: Ordering| if direction == Descending { order.reverse() } else { order };
        let (direction, order): (Direction, Ordering) = match self.sort {
            Sort::CreatedAt(direction) => {
                (direction, directed(direction, one.created_at.cmp(&other.created_at)))
            }
            Sort::Name(direction) => (direction, directed(direction, names.compare(&one.name, &other.name))),
            Sort::Year(direction) => {
                let order = match (one.year, other.year) {
                    (Some(one), Some(other)) => directed(direction, one.cmp(&other)),
                    (one, other) => one.is_none().cmp(&other.is_none()),
                };
                (direction, order)
            }
            Sort::Relevance => (Ascending, Ordering::Equal),
        };
        order.then(directed(direction, one.id.cmp(&other.id)))
    }
}

/// Reads every page of a question.
async fn walk(index: &MovieIndex, mut question: PageQuestion) -> (Vec<Hit>, bool, Option<u64>) {
    let (mut hits, mut relaxed) = (Vec::new(), false);
    loop {
        let page = index.page(question.clone()).await.unwrap();
        assert!(page.hits.len() <= question.limit);
        relaxed |= page.relaxed;
        hits.extend(page.hits);
        // In the form in which a client sends it.
        let cursor = hits.last().map(|hit| super::super::Cursor::parse(&hit.cursor.to_text()).unwrap());
        question.after = cursor;
        if !page.more {
            return (hits, relaxed, page.total);
        }
    }
}

fn counted<'a>(
    movies: &[&'a IndexedMovie],
    values: impl Fn(&'a IndexedMovie) -> &'a [String],
) -> Vec<Entry<String>> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for value in movies.iter().flat_map(|movie| values(movie)) {
        *counts.entry(value).or_default() += 1;
    }
    let mut entries: Vec<_> =
        counts.into_iter().map(|(value, count)| Entry { value: value.to_owned(), count }).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.count));
    entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_equals_a_scan_of_every_movie() {
    let all = catalogue();
    let (_folder, index) = stocked(&all).await;
    let mut options = CollatorOptions::default();
    options.strength = Some(Strength::Tertiary);
    let names = Collator::try_new(icu_locale_core::locale!("en").into(), options).unwrap();
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let answered = runner.run(&questions(), |question| {
        let ask = async {
            let page = PageQuestion {
                meant: question.meant(),
                sort: question.sort,
                limit: question.limit,
                after: None,
                count: true,
            };
            (
                walk(&index, page).await,
                index.count(question.meant()).await.unwrap(),
                index.facets(question.meant()).await.unwrap(),
            )
        };
        let ((hits, relaxed, total), count, facets) =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(ask));
        let (mut expected, expected_relaxed) = question.expected(&all);
        expected.sort_by(|one, other| question.compare(&names, one, other));
        let mut ids: Vec<_> = hits.iter().map(|hit| hit.id).collect();
        if question.sort == Sort::Relevance {
            ids.sort_unstable();
        }
        prop_assert_eq!(ids, expected.iter().map(|movie| movie.id).collect::<Vec<_>>());
        prop_assert_eq!(
            (relaxed, total, count),
            (expected_relaxed, Some(expected.len() as u64), expected.len() as u64)
        );
        prop_assert_eq!(facets.genres, counted(&expected, |movie| &movie.genres));
        prop_assert_eq!(facets.countries, counted(&expected, |movie| &movie.countries));
        prop_assert_eq!(facets.languages, counted(&expected, |movie| &movie.languages));
        let dated = expected.iter().filter(|movie| movie.year.is_some()).count() as u64;
        prop_assert_eq!(facets.decades.iter().map(|entry| entry.count).sum::<u64>(), dated);
        prop_assert!(facets.decades.iter().all(|entry| entry.value == 1980 || entry.value == 1990));
        Ok(())
    });
    answered.unwrap();
}

#[tokio::test]
async fn a_movie_is_found_by_its_id_and_its_exact_name() {
    let all = catalogue();
    let (_folder, index) = stocked(&all).await;
    let by_ids = Meant { ids: Some(vec![id(3), id(900), id(77)]), ..Meant::default() };
    let found = index.page(page_of(by_ids, Sort::CreatedAt(Ascending), 10)).await.unwrap();
    assert_eq!(found.hits.iter().map(|hit| number(hit.id)).collect::<Vec<_>>(), [3, 77]);
    let named = |name: &str| Meant { name: Some(name.into()), ..Meant::default() };
    for name in ["ab-AB", "ab AB", "AB-ab", "ab"] {
        let expected = all.iter().filter(|movie| movie.name == name).count() as u64;
        assert_eq!(index.count(named(name)).await.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_walk_during_changes_visits_each_unchanged_movie_once() {
    let all = catalogue();
    let sorts = [
        Sort::CreatedAt(Descending),
        Sort::Name(Ascending),
        Sort::Name(Descending),
        Sort::Year(Ascending),
        Sort::Year(Descending),
        Sort::Relevance,
    ];
    for sort in sorts {
        let (_folder, index) = index_of(&all).await;
        let mut question = page_of(meant("ab"), sort, 7);
        let stood: BTreeSet<_> = {
            let all = page_of(meant("ab"), sort, 1_000);
            index
                .page(all)
                .await
                .unwrap()
                .hits
                .into_iter()
                .map(|hit| hit.id)
                .filter(|id| !number(*id).is_multiple_of(6))
                .collect()
        };
        let mut visited = Vec::new();
        for number in 2.. {
            let page = index.page(question.clone()).await.unwrap();
            visited.extend(page.hits.iter().map(|hit| hit.id));
            question.after = page.hits.last().map(|hit| hit.cursor.clone());
            if !page.more {
                break;
            }
            // Other movies are added and deleted, so many that a word becomes rarer or more frequent. This ends after
            // a while, because all new movies may come after this page.
            if number > 12 {
                continue;
            }
            let place = u32::try_from(number).unwrap();
            let new = (0..20).map(|step| {
                movie(1_000 + place * 20 + step, ["ab", "zz", "AB cd"][(place + step) as usize % 3])
            });
            let deletes = vec![id(place * 6), id(1_000 + (place - 1) * 20)];
            apply(&index, Batch { upserts: new.collect(), deletes, number, ..Batch::default() }).await;
        }
        let twice = visited.len() - visited.iter().collect::<BTreeSet<_>>().len();
        assert_eq!(twice, 0, "{sort:?}");
        let missed: Vec<_> = stood.iter().filter(|id| !visited.contains(id)).collect();
        assert!(missed.is_empty(), "{sort:?} missed {missed:?}");
    }
}
