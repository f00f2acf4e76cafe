//! `movie-bag import`: imports a file of movies by the rules of the API.
//!
//! One thread reads ([`records`], and [`rows`] for CSV) and checks ([`checking`]). The database gets batches, in the order
//! of the lines, so the first of two equal movies wins. Refused lines are written to a report ([`files`]). It is safe to
//! import a file again: movies that are there already are refused as duplicates.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use futures::FutureExt;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
};

use super::progress::Progress;
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
mod files;
mod records;
mod rows;

use checking::{Checked, DUPLICATE, RejectedRecord};
use files::Report;

/// How long the end of an import waits for the change log.
const LOGGED: Duration = Duration::from_mins(1);

/// What to import, and how.
#[derive(Debug)]
pub struct Options {
    pub file: PathBuf,
    /// The account that will own the movies.
    pub email: String,
    /// Change nothing.
    pub dry_run: bool,
    /// Where the refused lines are written.
    pub report: Option<PathBuf>,
}

/// Why an import failed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0} has no account: sign up first")]
    NoSuchUser(String),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the account was deleted during the import, and with it the movies that were imported")]
    OwnerGone,
    /// The file was read to its end, but its lines are not movies.
    #[error("nothing was imported: {summary}")]
    Nothing { summary: String },
    #[error("{source} (before that: {summary})")]
    Cut { summary: String, source: Box<ImportError> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct Run {
    owner: UserId,
    movies: Movies,
    users: Users,
    /// In a dry run: the digests of the keys that earlier lines would have taken.
    rehearsal: Option<HashSet<[u8; 16]>>,
    report: Option<Report>,
    imported: u64,
    refused: BTreeMap<&'static str, u64>,
}

/// Imports the file. Standard error gets the progress, and a last line with the counts.
///
/// # Errors
/// See [`ImportError`]. A refused line is not an error.
pub async fn run(options: &Options, connection: &Connection) -> Result<(), ImportError> {
    let (users, movies) = (Users::new(&connection.database), Movies::new(&connection.database));
    let account = users
        .find_by_email(&EmailAddress::claimed(&options.email))
        .await?
        .ok_or_else(|| ImportError::NoSuchUser(options.email.clone()))?;
    let path = options.file.clone();
    let opened = spawn_blocking(move || files::open(&path)).await.map_err(io::Error::other);
    let at_file = |source| ImportError::File { path: files::name(&options.file), source };
    let input = opened.flatten().map_err(at_file)?;
    let report = options.report.as_deref().map(|path| Report::create(path, &input)).transpose()?;
    let mut run = Run {
        owner: account.id,
        movies,
        users,
        rehearsal: options.dry_run.then(HashSet::new),
        report,
        imported: 0,
        refused: BTreeMap::new(),
    };
    let progress = Progress::begin("{bar:40} {bytes}/{total_bytes} {elapsed} {msg}");
    let log = if options.dry_run { None } else { Some(Log::begin(connection, &run.movies).await?) };
    let result = run.consume(input, options, &progress).await;
    drop(progress);
    if let Some(log) = log {
        log.end().await;
    }
    match result {
        Ok(()) if run.has_nothing_but_errors() => Err(ImportError::Nothing { summary: run.summary() }),
        Ok(()) => {
            // The import is done, even if nobody reads the count.
            let _ = writeln!(io::stderr(), "{}", run.summary());
            Ok(())
        }
        Err(error @ ImportError::OwnerGone) => Err(error),
        Err(error) => Err(ImportError::Cut { summary: run.summary(), source: Box::new(error) }),
    }
}

/// Writes the change log if no server does, so that the imported movies are in it.
struct Log {
    changes: Changes,
    stop: oneshot::Sender<()>,
    following: JoinHandle<()>,
}

impl Log {
    async fn begin(connection: &Connection, movies: &Movies) -> Result<Self, StoreError> {
        changes::prepare(&connection.database).await?;
        // Only servers delete old entries, because their `history.keep` may differ from ours.
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
                tracing::warn!(%error, "the change log is not complete yet; the next server will complete it");
            }
        }
        let _ = self.stop.send(());
        if let Err(error) = self.following.await {
            tracing::warn!(%error, "the task that writes the change log ended with an error");
        }
    }
}

impl Run {
    async fn consume(
        &mut self,
        input: File,
        options: &Options,
        progress: &Progress,
    ) -> Result<(), ImportError> {
        let (sender, mut batches) = mpsc::channel(2);
        let (path, bar) = (options.file.clone(), progress.bar().clone());
        let reader = spawn_blocking(move || checking::read(input, &path, &bar, &sender));
        progress.bar().set_message(self.count());
        let mut result = Ok(());
        while let Some(batch) = batches.recv().await {
            result = self.store(batch).await;
            if result.is_err() {
                break;
            }
            progress.bar().set_message(self.count());
        }
        // The reader stops when nobody takes its batches any more.
        drop(batches);
        let read = reader.await.map_err(io::Error::other).flatten();
        if let Some(report) = &mut self.report {
            report.finish()?;
        }
        let path = files::name(&options.file);
        let read = read.map_err(|source| ImportError::File { path, source });
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
                report.write(&record)?;
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

    /// Duplicates are not errors: if an import is run again, every line is one.
    fn has_nothing_but_errors(&self) -> bool {
        self.imported == 0 && self.refused.keys().any(|code| *code != DUPLICATE)
    }

    fn count(&self) -> String {
        let done = if self.rehearsal.is_some() { "would be imported" } else { "imported" };
        format!("{} {done}", self.imported)
    }

    fn summary(&self) -> String {
        let total: u64 = self.refused.values().sum();
        let kinds: Vec<String> = self.refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        format!("{}, {total} refused{kinds}", self.count())
    }
}

/// A short digest of a name and a year. A dry run keeps one for each line of the file.
fn digest((name, year): (&str, Option<i32>)) -> [u8; 16] {
    let hash = Sha256::new().chain_update(format!("{year:?} ")).chain_update(name).finalize();
    std::array::from_fn(|index| hash[index])
}
