//! `movie-bag import`: a file of movies through the same rules as the API.
//!
//! One thread reads ([`records`], and [`rows`] for CSV) and checks ([`checking`]); the database gets batches, in the order of the lines,
//! so the first of two equal movies wins. What is refused goes into a report; the rest goes in. It is
//! safe to run again: what is there already is refused as a duplicate.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::FutureExt;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    accounts::{EmailAddress, Users},
    http::ids::UserId,
    mongo::{Connection, StoreError, patiently},
    movies::{
        Movies,
        changes::{self, Beginning, Changes, ReadError},
        model::MovieInput,
        store::insertion::{Inserted, OwnerGone},
    },
};

mod checking;
mod records;
mod rows;

use checking::{Checked, RejectedRecord};

/// How long the end of an import waits for the change log.
const LOGGED: Duration = Duration::from_mins(1);

/// What to import, and how.
#[derive(Debug)]
pub struct Options {
    pub file: PathBuf,
    /// The account that adds the movies.
    pub email: String,
    /// Change nothing.
    pub dry_run: bool,
    /// Where the refused lines go.
    pub report: Option<PathBuf>,
}

/// Why an import ended before the end of its file.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("there is no user {0}: sign up first")]
    NoSuchUser(String),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the account was deleted meanwhile; what this run put in has been taken back")]
    OwnerGone,
    #[error("{source} (before that: {summary})")]
    Cut { summary: String, source: Box<ImportError> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct Run {
    owner: UserId,
    movies: Movies,
    users: Users,
    /// In a rehearsal: the digests of the keys that earlier lines would have taken.
    rehearsal: Option<HashSet<[u8; 16]>>,
    report: Option<BufWriter<File>>,
    imported: u64,
    refused: BTreeMap<&'static str, u64>,
}

/// Whether both names lead to one file: a hard link has no other path to compare.
#[cfg(unix)]
fn is_same(report: &Path, input: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino()));
    matches!((identity(report), identity(input)), (Ok(report), Ok(input)) if report == input)
}

#[cfg(not(unix))]
fn is_same(report: &Path, input: &Path) -> bool {
    report.canonicalize().is_ok_and(|report| report == input)
}

/// Imports, with a progress bar and a last line that counts, both on standard error.
///
/// # Errors
/// See [`ImportError`]. A refused line is none.
pub async fn run(options: &Options, connection: &Connection) -> Result<(), ImportError> {
    let (users, movies) = (Users::new(&connection.database), Movies::new(&connection.database));
    let account = users
        .find_by_email(&EmailAddress::claimed(&options.email))
        .await?
        .ok_or_else(|| ImportError::NoSuchUser(options.email.clone()))?;
    let at_file = |source| ImportError::File { path: options.file.clone(), source };
    let input = options.file.canonicalize().map_err(at_file)?;
    let report = match &options.report {
        // Creating it would empty it.
        Some(path) if is_same(path, &input) => {
            return Err(at_file(io::Error::other("cannot be its own report")));
        }
        Some(path) => {
            let created = File::create(path);
            Some(BufWriter::new(created.map_err(|source| ImportError::File { path: path.clone(), source })?))
        }
        None => None,
    };
    let mut run = Run {
        owner: account.id,
        movies,
        users,
        rehearsal: options.dry_run.then(HashSet::new),
        report,
        imported: 0,
        refused: BTreeMap::new(),
    };
    let bar = ProgressBar::new(0);
    // The template is a constant.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let log = if options.dry_run { None } else { Some(Log::begin(connection, &run.movies).await?) };
    let result = run.consume(options, &bar).await;
    bar.finish_and_clear();
    if let Some(log) = log {
        log.end().await;
    }
    match result {
        Ok(()) => {
            // The import is done, even if nobody reads the count.
            let _ = writeln!(io::stderr(), "{}", run.summary());
            Ok(())
        }
        Err(error @ ImportError::OwnerGone) => Err(error),
        Err(error) => Err(ImportError::Cut { summary: run.summary(), source: Box::new(error) }),
    }
}

/// Writes the change log while no server does: what is imported is in it, however long it takes until one starts.
struct Log {
    changes: Changes,
    stop: oneshot::Sender<()>,
    following: JoinHandle<()>,
}

impl Log {
    async fn begin(connection: &Connection, movies: &Movies) -> Result<Self, StoreError> {
        changes::prepare(&connection.database).await?;
        // To delete what is too old is for the servers, whose setting may be another one.
        let changes = Changes::new(&connection.database, movies.acknowledged().clone(), Duration::MAX);
        let (stop, stopped) = oneshot::channel();
        let followed = changes.clone();
        let following =
            tokio::spawn(async move { followed.follow(Beginning::Waits, stopped.map(drop)).await });
        Ok(Self { changes, stop, following })
    }

    async fn end(self) {
        match self.changes.catch_up_within(LOGGED).await {
            // A standalone MongoDB has no log.
            Ok(()) | Err(ReadError::Unsupported) => {}
            Err(error) => {
                tracing::warn!(%error, "the change log is not complete yet: the next server will complete it");
            }
        }
        let _ = self.stop.send(());
        if let Err(error) = self.following.await {
            tracing::warn!(%error, "the change log was not left in order");
        }
    }
}

impl Run {
    async fn consume(&mut self, options: &Options, bar: &ProgressBar) -> Result<(), ImportError> {
        let at_file = |source| ImportError::File { path: options.file.clone(), source };
        let (sender, mut batches) = mpsc::channel(2);
        let (path, reading) = (options.file.clone(), bar.clone());
        let reader = tokio::task::spawn_blocking(move || checking::read(&path, &reading, &sender));
        let mut result = Ok(());
        while let Some(batch) = batches.recv().await {
            result = self.store(batch).await;
            if result.is_err() {
                break;
            }
            bar.set_message(format!("{} imported", self.imported));
        }
        // The reader stops when nobody takes its batches any more.
        drop(batches);
        let read = reader.await.map_err(io::Error::other).and_then(|read| read).map_err(at_file);
        if let Some(report) = &mut self.report {
            let path = options.report.clone().unwrap_or_default();
            report.flush().map_err(|source| ImportError::File { path, source })?;
        }
        result.and(read)
    }

    async fn store(&mut self, batch: Vec<Checked>) -> Result<(), ImportError> {
        let mut rejected = Vec::new();
        let mut lines = Vec::new();
        let mut movies: Vec<MovieInput> = Vec::new();
        let mut in_batch = HashSet::new();
        for (line, checked) in batch {
            match checked {
                Ok(movie) if in_batch.insert(digest(movie.unique_key())) => {
                    lines.push(line);
                    movies.push(movie);
                }
                Ok(_) => rejected.push(RejectedRecord::duplicate(line)),
                Err(record) => rejected.push(record),
            }
        }
        let outcome = if self.rehearsal.is_some() {
            self.rehearse(&movies).await?
        } else {
            let inserted = self.movies.insert_batch(self.owner, movies).await?;
            let confirmed = self.movies.confirm_run(&self.users, inserted).await?;
            confirmed.map_err(|OwnerGone| ImportError::OwnerGone)?
        };
        for (line, inserted) in lines.into_iter().zip(outcome) {
            match inserted {
                Inserted::Yes => self.imported += 1,
                Inserted::Duplicate => rejected.push(RejectedRecord::duplicate(line)),
            }
        }
        rejected.sort_by_key(|record| record.line);
        for record in rejected {
            *self.refused.entry(record.code).or_default() += 1;
            if let Some(report) = &mut self.report {
                serde_json::to_writer(&mut *report, &record)
                    .map_err(io::Error::from)
                    .and_then(|()| report.write_all(b"\n"))
                    .map_err(|source| ImportError::File { path: PathBuf::from("the report"), source })?;
            }
        }
        Ok(())
    }

    async fn rehearse(&mut self, movies: &[MovieInput]) -> Result<Vec<Inserted>, StoreError> {
        let keys: Vec<_> = movies.iter().map(MovieInput::unique_key).collect();
        let taken = patiently(|| self.movies.holders_of(&keys)).await?;
        let taken: HashSet<_> = taken.keys().map(|(name, year)| digest((name, *year))).collect();
        let seen = self.rehearsal.get_or_insert_default();
        let outcome = |key| {
            let digest = digest(key);
            if taken.contains(&digest) || !seen.insert(digest) { Inserted::Duplicate } else { Inserted::Yes }
        };
        Ok(keys.into_iter().map(outcome).collect())
    }

    fn summary(&self) -> String {
        let done = if self.rehearsal.is_some() { "would be imported" } else { "imported" };
        let total: u64 = self.refused.values().sum();
        let kinds: Vec<String> = self.refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        format!("{} {done}, {total} refused{kinds}", self.imported)
    }
}

/// A short stand-in for a name and a year: a rehearsal remembers one for each line of the file.
fn digest((name, year): (&str, Option<i32>)) -> [u8; 16] {
    let hash = Sha256::new().chain_update(format!("{year:?} ")).chain_update(name).finalize();
    std::array::from_fn(|index| hash[index])
}
