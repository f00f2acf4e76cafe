//! Reads the records of a file, and checks each one by the rules of the API.

use std::{fs::File, io, path::Path};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::mpsc;

use super::records;
use crate::{
    http::fields::{FieldError, Fields},
    movies::model::MovieInput,
};

/// How many records a batch has.
const BATCH: usize = 500;

/// A rejected record, with the reason: a line of the report.
#[derive(Debug, Serialize)]
pub struct RejectedRecord {
    pub line: u64,
    pub code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// The code of a record whose movie is already in the catalogue, or earlier in the file.
pub const DUPLICATE: &str = "duplicate-movie";

impl RejectedRecord {
    /// The rejection of a record whose name another movie of the same year has.
    pub fn duplicate(line: u64) -> Self {
        Self { line, code: DUPLICATE, errors: Vec::new() }
    }
}

/// A record after its check, and its line.
pub type Checked = (u64, Result<MovieInput, RejectedRecord>);

/// Reads and checks the records, and sends them in batches. Blocks.
pub fn read(
    file: File,
    path: &Path,
    bar: &ProgressBar,
    batches: &mpsc::Sender<Vec<Checked>>,
) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    for record in records::read(file, path, bar)? {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                // The records before the damage are imported.
                let _ = batches.blocking_send(batch);
                return Err(error);
            }
        };
        let line = record.line;
        let checked = match record.value.map(Fields::read) {
            Ok(Ok(movie)) => Ok(movie),
            Ok(Err(errors)) => Err(RejectedRecord { line, code: "validation-failed", errors }),
            Err(code) => Err(RejectedRecord { line, code, errors: Vec::new() }),
        };
        batch.push((line, checked));
        if batch.len() == BATCH
            && batches.blocking_send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err()
        {
            // The receiver has failed. It reports the error itself.
            return Ok(());
        }
    }
    let _ = batches.blocking_send(batch);
    Ok(())
}
