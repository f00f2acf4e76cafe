//! `movie-bag export [FILE]`: the client's fields of every movie, one JSON object a line.
//!
//! This is for moving a catalogue: after an import of the file, one account owns the same movies. To keep ids, owners
//! and versions, use `mongodump`.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use futures::TryStreamExt;

use super::{is_standard, progress::Progress};
use crate::{
    mongo::{Connection, StoreError},
    movies::{Movies, view::MovieLine},
};

/// Why an export is not complete.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes to the file, or to standard output. Only one movie at a time is in memory.
///
/// # Errors
/// See [`ExportError`].
pub async fn run(file: Option<PathBuf>, connection: &Connection) -> Result<(), ExportError> {
    match write(file.filter(|file| !is_standard(file)), connection).await {
        // The reader has read enough (`| head`).
        Err(ExportError::File { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

async fn write(file: Option<PathBuf>, connection: &Connection) -> Result<(), ExportError> {
    let path = file.clone().unwrap_or_else(|| PathBuf::from("standard output"));
    let at = |source| ExportError::File { path: path.clone(), source };
    let sink: Box<dyn Write + Send> = match &file {
        Some(file) => Box::new(File::create(file).map_err(at)?),
        None => Box::new(io::stdout()),
    };
    let mut sink = BufWriter::new(sink);
    let mut movies = Box::pin(Movies::new(&connection.database).all().await?);
    // There is no progress if the movies are written to standard output: a pager may show it on the same terminal.
    let progress = file.is_some().then(|| Progress::begin("{spinner} {elapsed} {msg}"));
    let mut exported = 0_u64;
    while let Some(movie) = movies.try_next().await? {
        serde_json::to_writer(&mut sink, &MovieLine(&movie)).map_err(|error| at(error.into()))?;
        sink.write_all(b"\n").map_err(at)?;
        exported += 1;
        if let Some(progress) = &progress
            && exported.is_multiple_of(1_000)
        {
            progress.bar().set_message(format!("{exported} exported"));
        }
    }
    sink.flush().map_err(at)
}
