//! Asks each kind of request many times, one after the other, and prints a table.

use std::time::{Duration, Instant};

use reqwest::Method;

use crate::{
    Outcome,
    client::{Ask, Client},
    films::Films,
    kinds::{self, Kind},
};

/// No kind is measured for longer than this, apart from [`AT_LEAST`].
const ENOUGH: Duration = Duration::from_secs(15);
const AT_LEAST: usize = 20;

pub async fn run(address: &str, films: &Films, requests: usize, only: &str) -> Outcome<()> {
    let mut client = Client::new(address)?;
    let user = client.sign_up().await?;
    println!(
        "| request | asked | p50 ms | p99 ms | worst ms | not answered |\n| --- | ---: | ---: | ---: | ---: | --- |"
    );
    let result = measure(&client, films, &user, requests, only).await;
    // This also deletes the movies that the account has added.
    client.ask(&Ask { method: Method::DELETE, path: "/api/users/me".to_owned(), body: None }).await?;
    result
}

async fn measure(client: &Client, films: &Films, user: &str, requests: usize, only: &str) -> Outcome<()> {
    // Always add these, whatever `only` selects: the other kinds change them and search for them.
    let mut added = Vec::new();
    let creation = kinds::creation(films, requests);
    let begun = Instant::now();
    let mut taken = Vec::new();
    for ask in &creation.requests {
        let answer = client.ask(ask).await?;
        taken.push((answer.took, answer.status.as_u16()));
        added.push(answer.json()?["id"].as_str().unwrap_or_default().to_owned());
    }
    eprintln!("{} added in {:.1} s", added.len(), begun.elapsed().as_secs_f64());
    if creation.name.contains(only) {
        println!("{}", row(&creation.name, taken));
    }
    let reads = kinds::reads(client, films, user, &added, only).await?;
    for kind in kinds::changes(&added).into_iter().chain(reads).filter(|kind| kind.name.contains(only)) {
        println!("{}", row(&kind.name, ask_often(client, &kind, requests).await?));
    }
    Ok(())
}

/// How long each answer took, and its status.
type Taken = (Duration, u16);

async fn ask_often(client: &Client, kind: &Kind, requests: usize) -> Outcome<Vec<Taken>> {
    let begun = Instant::now();
    let mut taken = Vec::new();
    for ask in kind.requests.iter().cycle().take(requests) {
        if taken.len() >= AT_LEAST && begun.elapsed() > ENOUGH {
            break;
        }
        let answer = client.ask(ask).await?;
        if answer.status.is_client_error() {
            return Err(format!("{} {}: {:?}", kind.name, ask.path, answer.json().err()).into());
        }
        taken.push((answer.took, answer.status.as_u16()));
    }
    Ok(taken)
}

/// A row of the table: the number of requests, and how long they took.
pub fn row(name: &str, mut taken: Vec<Taken>) -> String {
    taken.sort_unstable();
    // The smallest value that this percentage of the requests does not exceed.
    let percentile = |percent: usize| {
        let place = (taken.len() * percent).div_ceil(100).max(1) - 1;
        taken.get(place).map_or(0.0, |(took, _)| took.as_secs_f64() * 1_000.0)
    };
    let asked = taken.len();
    let refused: Vec<u16> = taken.iter().map(|(_, status)| *status).filter(|status| *status >= 500).collect();
    let refused = refused
        .first()
        .map_or_else(String::new, |status| format!("{} of {asked} were {status}", refused.len()));
    let [p50, p99, worst] = [50, 99, 100].map(percentile);
    format!("| {name} | {asked} | {p50:.1} | {p99:.1} | {worst:.1} | {refused} |")
}
