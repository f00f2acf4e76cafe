//! Fills an empty catalogue with movies derived from the demo films, in the form that the server stores.

use std::time::Instant;

use bson::{DateTime, Document};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use mongodb::{Collection, Database};
use movie_bag::{
    accounts::{EmailAddress, Users},
    http::{fields::Fields, ids::UserId},
    mongo::{index_builds, indexes},
    movies::model::{MovieDocument, MovieInput},
};

use crate::{Outcome, films::Films};

const BATCH: usize = 2_000;
/// Batches in flight: one is prepared while another is stored.
const AT_ONCE: usize = 2;
/// The time between two movies, as if people had added them over years, so that few share a time.
const APART_MILLISECONDS: i64 = 60_000;

pub async fn run(database: &Database, films: &Films, movies: usize, email: &str) -> Outcome<()> {
    let account = Users::new(database).find_by_email(&EmailAddress::claimed(email)).await?;
    let owner = account.ok_or_else(|| format!("there is no user {email}: sign up first"))?.id;
    let collection: Collection<MovieDocument> = database.collection(indexes::MOVIES);
    if collection.estimated_document_count().await? > 0 {
        return Err("the catalogue is not empty: use another data_dir or mongodb.database".into());
    }
    drop_indexes(&collection).await?;
    let begun = Instant::now();
    let bar = ProgressBar::new(movies as u64);
    let places = (0..movies).step_by(BATCH).map(|first| first..movies.min(first + BATCH));
    let batches = places.map(|places| {
        let count = places.len() as u64;
        let documents: Outcome<Vec<MovieDocument>> =
            places.map(|place| movie(films, place, movies, owner)).collect();
        let (collection, bar) = (&collection, &bar);
        async move {
            collection.insert_many(documents?).ordered(false).await?;
            bar.inc(count);
            Outcome::Ok(())
        }
    });
    stream::iter(batches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    bar.finish_and_clear();
    println!("{movies} movies inserted in {:.0} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    index_builds::ensure(database).await?;
    println!("indexes built in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Drops all indexes except the unique ones: building an index over existing movies is much faster than updating it
/// with every insert. If this program ends early, the server builds the indexes when it starts.
async fn drop_indexes(collection: &Collection<MovieDocument>) -> Outcome<()> {
    let indexes: Vec<_> = collection.list_indexes().await?.try_collect().await?;
    for index in indexes {
        let options = index.options.unwrap_or_default();
        let (name, unique) = (options.name.unwrap_or_default(), options.unique.unwrap_or_default());
        if !unique && index.keys != id_alone() {
            collection.drop_index(name).await?;
        }
    }
    Ok(())
}

fn id_alone() -> Document {
    bson::doc! { "_id": 1 }
}

/// The movie at this place, of `movies` in all.
fn movie(films: &Films, place: usize, movies: usize, owner: UserId) -> Outcome<MovieDocument> {
    let mut film = films.0[place % films.0.len()].clone();
    let round = place / films.0.len() + 1;
    if round > 1 {
        film["name"] = format!("{} ({round})", film["name"].as_str().unwrap_or_default()).into();
    }
    let input: MovieInput = Fields::read(film).map_err(|errors| format!("a film is invalid: {errors:?}"))?;
    let mut movie = input.into_document(owner);
    let ago = i64::try_from(movies - place)? * APART_MILLISECONDS;
    movie.created_at = DateTime::from_millis(movie.created_at.timestamp_millis() - ago);
    movie.updated_at = movie.created_at;
    Ok(movie)
}
