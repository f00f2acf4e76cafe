//! Reads the change log from a cursor to its end, and prints a row for each tenth of the pages: a page must not cost
//! more the further on it is.

use std::time::Duration;

use crate::{
    Outcome,
    client::{Ask, Client},
    latency::row,
};

const TENTHS: usize = 10;

pub async fn run(address: &str, since: String, limit: usize) -> Outcome<()> {
    let client = Client::new(address)?;
    let (mut taken, mut changes): (Vec<(Duration, u16)>, usize) = (Vec::new(), 0);
    let mut since = since;
    loop {
        let answer =
            client.ask(&Ask::get(format!("/api/movies/changes?since={since}&limit={limit}"))).await?;
        taken.push((answer.took, answer.status.as_u16()));
        let page = answer.json()?;
        changes += page["items"].as_array().map_or(0, Vec::len);
        page["next"].as_str().unwrap_or_default().clone_into(&mut since);
        if page["more"] != true {
            break;
        }
    }
    println!("{changes} changes on {} pages\n", taken.len());
    println!(
        "| pages | asked | p50 ms | p99 ms | worst ms | not answered |\n| --- | ---: | ---: | ---: | ---: | --- |"
    );
    for (place, tenth) in taken.chunks(taken.len().div_ceil(TENTHS)).enumerate() {
        println!("{}", row(&format!("tenth {}", place + 1), tenth.to_vec()));
    }
    Ok(())
}
