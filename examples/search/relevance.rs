//! Checks how many of a person's expectations the search meets.

use std::{collections::BTreeSet, error::Error, fs, path::Path};

use movie_bag::movies::{
    search::{Meant, PageQuestion, Words},
    sort::Sort,
};
use serde::Deserialize;

use super::films;

#[derive(Deserialize)]
struct Expectation {
    query: String,
    k: usize,
    must_have: Vec<Wanted>,
    /// How many of them are enough.
    any: Option<usize>,
    every_name_has: Option<String>,
    #[serde(default)]
    first: bool,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, Clone, Debug)]
struct Wanted {
    name: String,
    year: Option<i32>,
}

/// Prints what each search finds.
pub async fn find(path: &Path, searches: &[&str]) -> Result<(), Box<dyn Error>> {
    let films = films::read(path)?;
    let folder = tempfile::tempdir()?;
    let index = films::index(folder.path(), &films, 1).await?;
    for search in searches {
        let meant = Meant { words: Words::parse(search), ..Meant::default() };
        let question = PageQuestion { meant, sort: Sort::Relevance, limit: 10, after: None, count: true };
        let found = index.page(question).await?;
        println!(
            "{search}: {}{}",
            found.total.unwrap_or_default(),
            if found.relaxed { ", relaxed" } else { "" }
        );
        for hit in found.hits {
            let film = &films[films::number(hit.id)];
            println!("    {} ({})", film.name, film.year.unwrap_or_default());
        }
    }
    Ok(())
}

/// Prints the expectations that fail, and returns the share that holds.
pub async fn run(path: &Path, expectations: &Path) -> Result<f64, Box<dyn Error>> {
    let expectations: Vec<Expectation> = serde_json::from_str(&fs::read_to_string(expectations)?)?;
    let films = films::read(path)?;
    let folder = tempfile::tempdir()?;
    let index = films::index(folder.path(), &films, 1).await?;
    let (mut held, mut all) = (0_u32, 0_u32);
    for expectation in &expectations {
        let meant = Meant { words: Words::parse(&expectation.query), ..Meant::default() };
        let question =
            PageQuestion { meant, sort: Sort::Relevance, limit: expectation.k, after: None, count: false };
        let found = index.page(question).await?;
        let found: Vec<Wanted> = found
            .hits
            .iter()
            .map(|hit| {
                let film = &films[films::number(hit.id)];
                Wanted { name: film.name.clone(), year: film.year }
            })
            .collect();
        let mut check = |holds: bool, what: String| {
            all += 1;
            held += u32::from(holds);
            if !holds {
                println!("MISSED {:?}: {what}; found {found:?}", expectation.query);
            }
        };
        let there: BTreeSet<&Wanted> =
            expectation.must_have.iter().filter(|wanted| found.contains(wanted)).collect();
        if let Some(any) = expectation.any {
            check(there.len() >= any, format!("{any} of {:?}", expectation.must_have));
        } else {
            for wanted in &expectation.must_have {
                check(there.contains(wanted), format!("{wanted:?}"));
            }
        }
        if expectation.first {
            check(found.first() == expectation.must_have.first(), "the first".into());
        }
        if let Some(word) = &expectation.every_name_has {
            let has = |film: &Wanted| {
                film.name.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|part| part == word)
            };
            check(!found.is_empty() && found.iter().all(has), format!("every name has {word}"));
        }
    }
    println!("{held} of {all} expectations hold");
    Ok(f64::from(held) / f64::from(all))
}
