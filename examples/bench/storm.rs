//! What a storm of logins does to clients that only read: the same reads without and with the storm, in one run.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tokio::{task::JoinSet, time::interval};

use crate::{
    Outcome,
    client::{Ask, Client},
    latency::row,
};

/// Reads a second: few enough for a small machine to keep up with, many enough for a 99th percentile.
const READS: u32 = 100;
const LOGINS: u32 = 200;

pub async fn run(address: &str, seconds: u64) -> Outcome<()> {
    let client = Arc::new(Client::new(address)?);
    let read = Ask::get("/api/movies");
    let window = Duration::from_secs(seconds);
    println!(
        "| reads | asked | p50 ms | p99 ms | worst ms | not answered |\n| --- | ---: | ---: | ---: | ---: | --- |"
    );
    // Warm up: open the connections, and let the machine settle.
    at_a_pace(&client, window / 4, READS, |_| read.clone()).await?;
    println!("{}", row("alone", at_a_pace(&client, window, READS, |_| read.clone()).await?));
    let storm = tokio::spawn({
        let client = Arc::clone(&client);
        async move { at_a_pace(&client, window, LOGINS, login).await }
    });
    println!("{}", row("with 200 logins/s", at_a_pace(&client, window, READS, |_| read.clone()).await?));
    let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
    for (_, status) in storm.await?? {
        *answers.entry(status).or_default() += 1;
    }
    println!("\nlogins by status, in {seconds} s: {answers:?}");
    println!("{}", row("alone again", at_a_pace(&client, window, READS, |_| read.clone()).await?));
    Ok(())
}

/// A login with an unknown email takes as much work as one with a known email.
fn login(number: u32) -> Ask {
    let body = json!({ "email": format!("storm-{number}@example.com"), "password": "plum-cake-at-noon" });
    Ask { method: Method::POST, path: "/api/auth/login".to_owned(), body: Some(body) }
}

/// Sends this many requests a second, whether answers arrive or not.
async fn at_a_pace(
    client: &Arc<Client>,
    window: Duration,
    per_second: u32,
    ask: impl Fn(u32) -> Ask,
) -> Outcome<Vec<(Duration, u16)>> {
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    let (begun, mut asked) = (Instant::now(), JoinSet::new());
    for number in 0.. {
        ticks.tick().await;
        if begun.elapsed() >= window {
            break;
        }
        let (client, ask) = (Arc::clone(client), ask(number));
        asked
            .spawn(async move { client.ask(&ask).await.map(|answer| (answer.took, answer.status.as_u16())) });
    }
    let mut taken = Vec::new();
    while let Some(answer) = asked.join_next().await {
        taken.push(answer??);
    }
    Ok(taken)
}
