//! Measures how long the index takes to answer.

use std::{
    error::Error,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use movie_bag::movies::{
    search::{Batch, Exact, IndexedMovie, Meant, MovieIndex, PageQuestion, Words},
    sort::{Direction, Sort},
};

use super::films;

const ROUNDS: usize = 50;

fn question(words: &str, exact: &[(Exact, &str)], sort: Sort) -> PageQuestion {
    let exact = exact.iter().map(|(field, value)| (*field, (*value).to_owned())).collect();
    let meant = Meant { words: Words::parse(words), exact, ..Meant::default() };
    PageQuestion { meant, sort, limit: 20, after: None, count: false }
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what:48} p50 {:>9.2?}  p99 {:>9.2?}", at(50), at(99));
}

async fn measure<F: Future<Output = ()>>(what: &str, ask: impl Fn() -> F) {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        ask().await;
        times.push(begun.elapsed());
    }
    print(what, times);
}

async fn pages(index: &MovieIndex) {
    for words in [
        "the",
        "love",
        "godfather",
        "godfather coppola",
        "lord of the rings",
        "godfahter",
        "schindlers list",
        "walle",
        "8½",
        "godf",
        "mar",
        "kurosava",
        "\"star wars\"",
        "star -wars",
        "qqqq zzzz xxxx",
    ] {
        let question = question(words, &[], Sort::Relevance);
        let found = index.count(question.meant.clone()).await.expect("a count");
        measure(&format!("q={words} ({found})"), || async {
            index.page(question.clone()).await.expect("a page");
        })
        .await;
    }
    let drama = [(Exact::Genre, "Drama")];
    let pair = [(Exact::Genre, "Drama"), (Exact::Genre, "Western")];
    for (what, question) in [
        ("everything by name", question("", &[], Sort::Name(Direction::Ascending))),
        ("genre=Drama by name", question("", &drama, Sort::Name(Direction::Ascending))),
        ("genre=Drama by year", question("", &drama, Sort::Year(Direction::Descending))),
        ("two genres by name", question("", &pair, Sort::Name(Direction::Ascending))),
        ("q=the genre=Drama", question("the", &drama, Sort::Relevance)),
        ("q=the by name", question("the", &[], Sort::Name(Direction::Descending))),
    ] {
        measure(what, || async {
            index.page(question.clone()).await.expect("a page");
        })
        .await;
    }
}

async fn counts(index: &MovieIndex) {
    let meant = |words: &str, exact: &[(Exact, &str)]| question(words, exact, Sort::Relevance).meant;
    for (what, meant) in [
        ("everything", meant("", &[])),
        ("genre=Drama", meant("", &[(Exact::Genre, "Drama")])),
        ("q=the", meant("the", &[])),
    ] {
        measure(&format!("count of {what}"), || async {
            index.count(meant.clone()).await.expect("a count");
        })
        .await;
        measure(&format!("facets of {what}"), || async {
            index.facets(meant.clone()).await.expect("facets");
        })
        .await;
    }
    for prefix in ["t", "the", "godf", "godfaht", "lord of the r"] {
        measure(&format!("suggest {prefix}"), || async {
            index.suggest(prefix.to_owned(), 10).await.expect("suggestions");
        })
        .await;
    }
}

/// Measures the time from the call until the change is visible.
async fn writes(index: &MovieIndex, film: &IndexedMovie) {
    let mut times = Vec::new();
    for number in 2..102 {
        let begun = Instant::now();
        let changed = IndexedMovie { name: format!("Changed {number}"), ..film.clone() };
        let position = Some(number.to_string());
        index
            .apply(Batch { upserts: vec![changed], position, number, ..Batch::default() })
            .await
            .expect("room");
        index.visible(number).await.expect("it is visible");
        times.push(begun.elapsed());
    }
    print("one change, until it is visible", times);
}

fn size(folder: &Path) -> std::io::Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.metadata()?;
        all += if file.is_dir() { size(&entry.path())? } else { file.len() };
    }
    Ok(all)
}

pub async fn run(path: &Path, copies: usize) -> Result<(), Box<dyn Error>> {
    let films = films::read(path)?;
    let folder = tempfile::tempdir()?;
    let index = films::index(folder.path(), &films, copies).await?;
    println!("{} MB on disk", size(folder.path())? / 1_000_000);
    pages(&index).await;
    counts(&index).await;
    writes(&index, &films[0]).await;
    drop(index);
    let begun = Instant::now();
    let threads = std::thread::available_parallelism()?.get();
    MovieIndex::open(folder.path(), threads)?;
    println!("opened again in {:.1?}", begun.elapsed());
    Ok(())
}
