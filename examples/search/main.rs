//! Shows what the search index finds in your own films, and how fast.
//!
//! ```sh
//! cargo run --example search -- relevance films.ndjson.gz relevance.json
//! cargo run --example search -- find films.ndjson.gz "godfahter" "spider man"
//! cargo run --release --example search -- speed films.ndjson.gz
//! ```
//!
//! `films.ndjson.gz` has one film per line, in the format of `movie-bag import`. `relevance.json` is a list of
//! expectations: `{"query", "k", "must_have": [{"name", "year"}], "any"?, "every_name_has"?}`. The first `k` results
//! must contain every film in `must_have` (or `any` of them), and every name in them must contain the word
//! `every_name_has`.

mod films;
mod relevance;
mod speed;

use std::{env, error::Error, path::Path, process::ExitCode};

/// The share of expectations that must hold.
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
