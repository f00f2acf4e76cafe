//! Reading the records of a file and checking each, by the same rules as the API.

use std::{io, path::Path};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::mpsc;

use super::records;
use crate::{
    http::fields::{FieldError, Fields},
    movies::model::MovieInput,
};

/// How many records are handed over at once.
const BATCH: usize = 500;

/// A record that is not imported, and why: a line of the report.
#[derive(Debug, Serialize)]
pub struct RejectedRecord {
    pub line: u64,
    pub code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl RejectedRecord {
    /// Another movie has its name in its year.
    pub fn duplicate(line: u64) -> Self {
        Self { line, code: "duplicate-movie", errors: Vec::new() }
    }
}

/// A record after its check, and its line.
pub type Checked = (u64, Result<MovieInput, RejectedRecord>);

/// Reads, checks and hands over; blocks.
pub fn read(path: &Path, bar: &ProgressBar, batches: &mpsc::Sender<Vec<Checked>>) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    for record in records::open(path, bar)? {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                // What was whole before is imported.
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
            // The receiver has failed, and reports it.
            return Ok(());
        }
    }
    let _ = batches.blocking_send(batch);
    Ok(())
}
