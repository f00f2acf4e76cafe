//! Puts films from a file into an index.

use std::{error::Error, fs::File, io::Read, path::Path, time::Instant};

use bson::oid::ObjectId;
use flate2::read::GzDecoder;
use movie_bag::movies::search::{Batch, IndexedMovie, MovieIndex};
use serde::Deserialize;

/// How many films go into the index together.
const BATCH: usize = 1_000;

#[derive(Deserialize)]
struct Film {
    name: String,
    year: Option<i32>,
    #[serde(default)]
    casts: Vec<String>,
    #[serde(default)]
    genres: Vec<String>,
    #[serde(default)]
    directors: Vec<String>,
    #[serde(default)]
    countries: Vec<String>,
    #[serde(default)]
    languages: Vec<String>,
    plot: Option<String>,
}

/// An id that contains the number of the film.
fn id(number: u64) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

/// The number that an id contains.
pub fn number(id: ObjectId) -> usize {
    let [_, _, _, _, number @ ..] = id.bytes();
    usize::try_from(u64::from_be_bytes(number)).expect("a number that was given here")
}

/// Reads the films of a file.
pub fn read(path: &Path) -> Result<Vec<IndexedMovie>, Box<dyn Error>> {
    let mut text = String::new();
    let opened = File::open(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(opened).read_to_string(&mut text)?;
    } else {
        { opened }.read_to_string(&mut text)?;
    }
    let film = |(number, line): (u64, &str)| {
        let Film { name, year, casts, genres, directors, countries, languages, plot } =
            serde_json::from_str(line)?;
        let (id, added_by, created_at) = (id(number), ObjectId::default(), i64::try_from(number)?);
        Ok(IndexedMovie {
            id,
            name,
            year,
            casts,
            genres,
            directors,
            countries,
            languages,
            plot,
            added_by,
            created_at,
        })
    };
    (0..).zip(text.lines().filter(|line| !line.is_empty())).map(film).collect()
}

/// Makes an index that contains each film `copies` times.
pub async fn index(
    folder: &Path,
    films: &[IndexedMovie],
    copies: usize,
) -> Result<MovieIndex, Box<dyn Error>> {
    let threads = std::thread::available_parallelism()?.get();
    let (index, _) = MovieIndex::open(folder, threads)?;
    let begun = Instant::now();
    let all = films.iter().cycle().take(films.len() * copies).cloned();
    let mut numbered =
        (0..).zip(all).map(|(number, film)| IndexedMovie { id: id(number), ..film }).peekable();
    while numbered.peek().is_some() {
        let upserts = numbered.by_ref().take(BATCH).collect();
        index.apply(Batch { upserts, is_new: true, ..Batch::default() }).await?;
    }
    index.complete("the end of the file".into(), 1).await?;
    println!("{} films indexed in {:.1?}", index.movies(), begun.elapsed());
    Ok(index)
}
