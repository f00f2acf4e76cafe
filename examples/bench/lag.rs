//! After how long a search finds a new movie: on the server that acknowledged it, where the first search must, and on
//! another one of the same database, while writers add movies at a steady pace.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};

use crate::{
    Outcome,
    client::{Ask, Client},
    latency::row,
};

/// One of so many movies is looked for: each look asks the other server again and again, which costs the machine more
/// than the write.
const LOOKED_FOR: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// A movie that was looked for.
struct Sighting {
    own: (Duration, u16),
    found_at_once: bool,
    other: (Duration, u16),
}

pub async fn run(writes: &str, reads: &str, per_second: u32, seconds: u64) -> Outcome<()> {
    let mut one = Client::new(writes)?;
    one.sign_up().await?;
    let (one, other) = (Arc::new(one), Arc::new(Client::new(reads)?));
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    let (begun, mut tasks, mut added) = (Instant::now(), JoinSet::new(), 0_u32);
    while begun.elapsed() < Duration::from_secs(seconds) {
        ticks.tick().await;
        // No typo of another one: a search for such a word would look at all that are nearly the same.
        let word = bson::Uuid::new().to_string().replace('-', "");
        let (one, other) = (Arc::clone(&one), Arc::clone(&other));
        let is_looked_for = added.is_multiple_of(LOOKED_FOR);
        added += 1;
        tasks.spawn(async move {
            let id = add(&one, &word).await?;
            if is_looked_for { look(&one, &other, &word, &id).await.map(Some) } else { Ok(None) }
        });
    }
    let mut sightings = Vec::new();
    while let Some(sighting) = tasks.join_next().await {
        sightings.extend(sighting??);
    }
    let rate = f64::from(added) / begun.elapsed().as_secs_f64();
    let at_once = sightings.iter().filter(|sighting| sighting.found_at_once).count();
    println!(
        "{added} added, {rate:.0} a second; {at_once} of {} found at once where they were added\n",
        sightings.len()
    );
    println!(
        "| found | asked | p50 ms | p99 ms | worst ms | not answered |\n| --- | ---: | ---: | ---: | ---: | --- |"
    );
    let (own, other) = sightings.into_iter().map(|sighting| (sighting.own, sighting.other)).unzip();
    println!("{}", row("by the first search of the same server", own));
    println!("{}", row("by the other server, after the 201", other));
    // That deletes the movies, too.
    one.ask(&Ask { method: Method::DELETE, path: "/api/users/me".to_owned(), body: None }).await?;
    Ok(())
}

/// Adds a movie; the answer is its id.
async fn add(server: &Client, word: &str) -> Outcome<String> {
    let body = json!({ "name": format!("A movie {word}"), "year": 1995, "casts": ["Al Pacino"], "genres": ["Crime"] });
    let ask = Ask { method: Method::POST, path: "/api/movies".to_owned(), body: Some(body) };
    let movie = server.ask(&ask).await?.json()?;
    Ok(movie["id"].as_str().unwrap_or_default().to_owned())
}

async fn look(one: &Client, other: &Client, word: &str, id: &str) -> Outcome<Sighting> {
    let acknowledged = Instant::now();
    let search = Ask::get(format!("/api/movies?q={word}&fields=id"));
    let at_once = async {
        let answer = one.ask(&search).await?;
        Outcome::Ok(((answer.took, answer.status.as_u16()), has(&answer.json()?, id)))
    };
    let in_the_end = async {
        loop {
            let answer = other.ask(&search).await?;
            let status = answer.status.as_u16();
            if has(&answer.json()?, id) {
                return Outcome::Ok((acknowledged.elapsed(), status));
            }
            if acknowledged.elapsed() > PATIENCE {
                return Err(format!("{word} was not found within {PATIENCE:?}").into());
            }
            sleep(BETWEEN_LOOKS).await;
        }
    };
    let ((own, found_at_once), other) = tokio::try_join!(at_once, in_the_end)?;
    Ok(Sighting { own, found_at_once, other })
}

/// By its id: a word that no movie has yet finds those with one that is nearly the same.
fn has(page: &serde_json::Value, id: &str) -> bool {
    page["items"].as_array().is_some_and(|items| items.iter().any(|item| item["id"] == id))
}
