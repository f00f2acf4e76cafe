//! The demo films, and how often each value occurs in them.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use flate2::read::GzDecoder;
use movie_bag::{
    http::fields::Fields,
    movies::{folding, model::MovieInput},
};
use serde_json::Value;

use crate::Outcome;

/// The films that the server's rules accept, without duplicates.
pub struct Films(pub Vec<Value>);

/// Reads the films from a gzipped file.
pub fn read(path: &Path) -> Outcome<Films> {
    let mut films = Vec::new();
    let mut taken = HashSet::new();
    for line in BufReader::new(GzDecoder::new(File::open(path)?)).lines() {
        let film: Value = serde_json::from_str(&line?)?;
        let Ok(input) = Fields::read::<MovieInput>(film.clone()) else { continue };
        let (name, year) = input.unique_key();
        if taken.insert((name.to_owned(), year)) {
            films.push(film);
        }
    }
    Ok(Films(films))
}

/// The texts in a list field.
pub fn texts<'a>(film: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    film[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

impl Films {
    /// The values of a list field, most frequent first.
    pub fn values(&self, field: &str) -> Vec<String> {
        ranked(self.0.iter().flat_map(|film| texts(film, field)).map(str::to_owned))
    }

    /// The words that a search can find, most frequent first.
    pub fn words(&self) -> Vec<String> {
        let texts = self.0.iter().flat_map(|film| {
            let people = ["casts", "directors"].into_iter().flat_map(|field| texts(film, field));
            film["name"].as_str().into_iter().chain(people)
        });
        let words = texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        ranked(words.filter(|word| word.chars().count() > 1).map(str::to_lowercase))
    }

    /// The first `letters` letters of the words in names.
    pub fn beginnings(&self, letters: usize) -> Vec<String> {
        let phrases = self.0.iter().filter_map(|film| film["name"].as_str()).flat_map(folding::phrases);
        ranked(phrases.filter_map(|phrase| {
            let beginning: String = phrase.chars().take(letters).collect();
            (beginning.chars().count() == letters && !beginning.ends_with(' ')).then_some(beginning)
        }))
    }

    /// Pairs of genres that no film has together, beginning with pairs of which each genre is frequent.
    pub fn empty_pairs(&self) -> Vec<(String, String)> {
        let genres = self.values("genres");
        let has = |film: &Value, genre: &str| texts(film, "genres").any(|found| found == genre);
        let mut pairs = Vec::new();
        // Sorted by rank: the rarer genre of a pair decides, which is the later one.
        for (place, rarer) in genres.iter().enumerate() {
            let films: Vec<&Value> = self.0.iter().filter(|film| has(film, rarer)).collect();
            for other in &genres[..place] {
                if !films.iter().any(|film| has(film, other)) {
                    pairs.push((other.clone(), rarer.clone()));
                }
            }
        }
        pairs
    }
}

fn ranked(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut ranked: Vec<(String, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ranked.into_iter().map(|(value, _)| value).collect()
}
