//! What an answer costs in each of its forms: as it is, compressed, and as 304.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::{Outcome, client::Client};

const ANSWERS: [(&str, &str); 4] = [
    ("a page of 20", "/api/movies?limit=20"),
    ("a page of 100", "/api/movies?limit=100"),
    ("facets of everything", "/api/movies/facets"),
    ("suggestions for `the`", "/api/movies/suggest?prefix=the"),
];

/// Clock ticks a second, as `/proc` counts processor time: 100 on every Linux.
const TICKS: f64 = 100.0;

/// `server`: its process, for the processor time.
pub async fn run(address: &str, seconds: u64, callers: usize, server: Option<u32>) -> Outcome<()> {
    let client = Arc::new(Client::new(address)?);
    println!(
        "| answer | form | bytes | requests/s | server's CPU, µs each |\n| --- | --- | ---: | ---: | ---: |"
    );
    for (name, path) in ANSWERS {
        let tag = client.get(path, None).await?.tag.ok_or("the answer has no ETag")?;
        for (form, header) in [
            ("as it is", None),
            ("gzip", Some(("Accept-Encoding", "gzip".to_owned()))),
            ("br", Some(("Accept-Encoding", "br".to_owned()))),
            ("304", Some(("If-None-Match", tag))),
        ] {
            let load = Load { client: Arc::clone(&client), path, header, callers };
            // Connections are made, and the machine has settled.
            load.run(Duration::from_secs(1)).await?;
            let (before, begun) = (cpu_seconds(server)?, Instant::now());
            let (count, bytes) = load.run(Duration::from_secs(seconds)).await?;
            let (took, after) = (begun.elapsed().as_secs_f64(), cpu_seconds(server)?);
            let cpu = before.zip(after).map(|(before, after)| (after - before) * 1e6 / f64::from(count));
            let cpu = cpu.map_or_else(|| "–".to_owned(), |cpu| format!("{cpu:.0}"));
            println!("| {name} | {form} | {bytes} | {:.0} | {cpu} |", f64::from(count) / took);
        }
    }
    Ok(())
}

/// Callers that ask the same again and again.
struct Load {
    client: Arc<Client>,
    path: &'static str,
    header: Option<(&'static str, String)>,
    callers: usize,
}

impl Load {
    /// How many answers there were, and the bytes of the body of each.
    async fn run(&self, window: Duration) -> Outcome<(u32, usize)> {
        let expected = match self.header {
            Some(("If-None-Match", _)) => StatusCode::NOT_MODIFIED,
            _ => StatusCode::OK,
        };
        let mut callers = JoinSet::new();
        for _ in 0..self.callers {
            let (client, path, header) = (Arc::clone(&self.client), self.path, self.header.clone());
            callers.spawn(async move {
                let (begun, mut count, mut bytes) = (Instant::now(), 0, 0);
                while begun.elapsed() < window {
                    let answer = client.get(path, header.as_ref()).await?;
                    if answer.status != expected {
                        return Err(format!("{path}: {}", answer.status).into());
                    }
                    count += 1;
                    bytes = answer.size();
                }
                Outcome::Ok((count, bytes))
            });
        }
        let (mut count, mut bytes) = (0, 0);
        while let Some(caller) = callers.join_next().await {
            let (asked, size) = caller??;
            count += asked;
            bytes = size;
        }
        Ok((count, bytes))
    }
}

/// The processor time that a process has taken.
fn cpu_seconds(process: Option<u32>) -> Outcome<Option<f64>> {
    let Some(process) = process else { return Ok(None) };
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // After the name, which may hold spaces: the 12th and 13th are the time in the program and in the kernel.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = fields.map(str::parse).collect::<Result<_, _>>()?;
    Ok(Some(ticks.iter().sum::<f64>() / TICKS))
}
