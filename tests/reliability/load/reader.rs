//! A client that reads the catalogue page by page, again and again.

use std::{collections::HashSet, sync::atomic::Ordering, time::Duration};

use super::client::{Ask, Client};

/// Reads pages of the whole catalogue, or of one user's movies in the order of names.
pub async fn walk(client: &Client, number: usize, pause: Duration, standing: usize, owner: &str) {
    let first = match number % 2 {
        0 => "/api/movies?limit=40&fields=name".to_owned(),
        _ => format!("/api/movies?limit=40&fields=name&sort=name&added_by={owner}"),
    };
    let mut turn = number;
    loop {
        let (mut seen, mut found_standing) = (HashSet::new(), 0);
        let mut path = first.clone();
        loop {
            if client.is_over() {
                return;
            }
            turn += 1;
            let (answer, _) = client.persist(Ask::get(turn, &path)).await;
            if answer.status != 200 {
                client.object(format!("GET {path}: {} {}", answer.status, answer.body));
                return;
            }
            for movie in answer.body["items"].as_array().into_iter().flatten() {
                if !seen.insert(movie["id"].as_str().unwrap_or_default().to_owned()) {
                    client.object(format!("visited twice: {movie}"));
                }
                found_standing +=
                    usize::from(movie["name"].as_str().is_some_and(|name| name.starts_with("Standing ")));
            }
            tokio::time::sleep(pause).await;
            match answer.body["next"].as_str() {
                Some(next) => path = format!("{first}&after={next}"),
                None => break,
            }
        }
        if found_standing != standing {
            client.object(format!("{found_standing} of {standing} were visited: {first}"));
        }
        client.walks.fetch_add(1, Ordering::SeqCst);
    }
}
