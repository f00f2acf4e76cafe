//! Asks each kind of request many times, one after the other or several at once, and prints a table.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use tokio::task::JoinSet;

use crate::{
    Outcome,
    client::{Ask, Client},
    films::Films,
    kinds,
};

/// No kind is measured for longer than this, apart from [`AT_LEAST`].
const ENOUGH: Duration = Duration::from_secs(15);
const AT_LEAST: usize = 20;

/// What to ask, and how.
pub struct Plan<'a> {
    /// Requests of each kind.
    pub requests: usize,
    /// How many of them are in flight at the same time.
    pub callers: usize,
    /// Only the kinds whose name holds this text.
    pub only: &'a str,
}

pub async fn run(address: &str, films: &Films, plan: &Plan<'_>) -> Outcome<()> {
    let mut client = Client::new(address)?;
    let user = client.sign_up().await?;
    let client = Arc::new(client);
    println!(
        "| request | asked | p50 ms | p99 ms | worst ms | not answered |\n| --- | ---: | ---: | ---: | ---: | --- |"
    );
    let result = measure(&client, films, &user, plan).await;
    // This also deletes the movies that the account has added.
    client.ask(&Ask { method: Method::DELETE, path: "/api/users/me".to_owned(), body: None }).await?;
    result
}

async fn measure(client: &Arc<Client>, films: &Films, user: &str, plan: &Plan<'_>) -> Outcome<()> {
    let Plan { requests, only, .. } = *plan;
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
        let name = kind.name.clone();
        println!("{}", row(&name, ask_often(client, kind.requests, plan).await?));
    }
    Ok(())
}

/// How long each answer took, and its status.
type Taken = (Duration, u16);

async fn ask_often(client: &Arc<Client>, requests: Vec<Ask>, plan: &Plan<'_>) -> Outcome<Vec<Taken>> {
    let begun = Instant::now();
    let (requests, taken) = (Arc::new(requests), Arc::new(Mutex::new(Vec::new())));
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..plan.callers {
        let (client, requests, taken, next) =
            (Arc::clone(client), Arc::clone(&requests), Arc::clone(&taken), Arc::clone(&next));
        let most = plan.requests;
        callers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= most || (number >= AT_LEAST && begun.elapsed() > ENOUGH) {
                    return Outcome::Ok(());
                }
                let ask = &requests[number % requests.len()];
                let answer = client.ask(ask).await?;
                if answer.status.is_client_error() {
                    return Err(format!("{}: {:?}", ask.path, answer.json().err()).into());
                }
                taken.lock().expect("no caller panics").push((answer.took, answer.status.as_u16()));
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    let taken = std::mem::take(&mut *taken.lock().expect("no caller panics"));
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
