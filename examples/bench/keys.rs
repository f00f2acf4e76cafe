//! Asks for a first page and for a far page, in each order and with some filters, and prints what the database's
//! profiler recorded: the keys and documents examined, and the plan.

use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::Database;

use crate::{Outcome, client::Client};

const SORTS: [&str; 6] = ["-created_at", "created_at", "name", "-name", "year", "-year"];
const FILTERS: [&str; 8] = [
    "",
    "genre=Drama",
    "genre=Music",
    "country=France",
    "cast=Bruce%20Willis",
    "genre=Drama&country=France",
    "year=1999",
    "year_min=1990&year_max=1999",
];
/// What the server reads for a page of 20: one more movie, to know whether there is a next page.
const LIMIT: usize = 20;

pub async fn run(address: &str, database: &Database, page: usize) -> Outcome<()> {
    let client = Client::new(address)?;
    println!(
        "| sort | filter | page 1: keys | documents | plan | page {page}: keys | documents | plan |\n\
         | --- | --- | ---: | ---: | --- | ---: | ---: | --- |"
    );
    for filter in FILTERS {
        for sort in SORTS {
            let query = format!("sort={sort}&limit={LIMIT}&{filter}");
            let cursors = client.cursors(&query, page - 1).await?;
            let first = profiled(&client, database, &query).await?;
            let (far, note) = match cursors.last() {
                Some(cursor) => {
                    let note = if cursors.len() + 1 == page {
                        String::new()
                    } else {
                        format!(" (page {}, the last)", cursors.len() + 1)
                    };
                    (profiled(&client, database, &format!("{query}&after={cursor}")).await?, note)
                }
                None => ("– | – | –".to_owned(), String::new()),
            };
            let filter = if filter.is_empty() { "–" } else { filter };
            println!("| `{sort}` | {filter} | {first} | {far}{note} |");
        }
    }
    Ok(())
}

/// Asks once, and returns the cost. The profiler records every command of the database, so the server must be
/// otherwise idle.
async fn profiled(client: &Client, database: &Database, query: &str) -> Outcome<String> {
    let profile = database.collection::<Document>("system.profile");
    database.run_command(doc! { "profile": 0 }).await?;
    profile.drop().await?;
    database.run_command(doc! { "profile": 2 }).await?;
    let answer = client.read(&format!("/api/movies?{query}")).await;
    database.run_command(doc! { "profile": 0 }).await?;
    let movies = format!("{}.movies", database.name());
    let entries: Vec<Document> = profile
        .find(doc! { "ns": movies, "op": "query" })
        .sort(doc! { "ts": 1 })
        .await?
        .try_collect()
        .await?;
    profile.drop().await?;
    if let Err(error) = answer {
        return Ok(format!("– | – | {error}"));
    }
    let total = |field: &str| -> i64 { entries.iter().map(|entry| number(entry, field)).sum() };
    let mut plans: Vec<String> = entries.iter().map(plan).collect();
    plans.dedup();
    Ok(format!("{} | {} | {}", total("keysExamined"), total("docsExamined"), plans.join("; ")))
}

fn number(entry: &Document, field: &str) -> i64 {
    entry.get_i32(field).map(i64::from).or_else(|_| entry.get_i64(field)).unwrap_or_default()
}

/// The first field of the index, and whether the database had to sort.
fn plan(entry: &Document) -> String {
    let summary = entry.get_str("planSummary").unwrap_or("?");
    let index = summary.split(['{', ':']).nth(1).unwrap_or(summary).trim();
    let sorted = if entry.get_bool("hasSortStage").unwrap_or(false) { " + sort" } else { "" };
    format!("{index}{sorted}")
}
