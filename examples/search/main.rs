//! What the search index finds, and how fast, on films of your own.
//!
//! ```sh
//! cargo run --example search -- relevance films.ndjson.gz relevance.json
//! cargo run --example search -- find films.ndjson.gz "godfahter" "spider man"
//! cargo run --release --example search -- speed films.ndjson.gz
//! ```
//!
//! `films.ndjson.gz` has a film a line, as `movie-bag import` takes them. `relevance.json` is a list of expectations:
//! `{"query", "k", "must_have": [{"name", "year"}], "any"?, "every_name_has"?}`. Every film in `must_have` (or `any` of
//! them) is among the first `k`, and every name among these holds a word.

mod films;
mod relevance;
mod speed;

use std::{env, error::Error, path::Path, process::ExitCode};

/// The expectations of which so many hold are enough.
const ENOUGH: f64 = 0.95;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["relevance", films, expectations] => {
            let held = relevance::run(Path::new(films), Path::new(expectations)).await?;
            Ok(if held >= ENOUGH { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        ["find", films, searches @ ..] => {
            relevance::find(Path::new(films), searches).await.map(|()| ExitCode::SUCCESS)
        }
        ["speed", films] => speed::run(Path::new(films), 1).await.map(|()| ExitCode::SUCCESS),
        ["speed", films, copies] => {
            speed::run(Path::new(films), copies.parse()?).await.map(|()| ExitCode::SUCCESS)
        }
        _ => {
            eprintln!(
                "usage: search relevance FILMS EXPECTATIONS | find FILMS SEARCH... | speed FILMS [COPIES]"
            );
            Ok(ExitCode::from(2))
        }
    }
}
