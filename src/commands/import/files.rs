//! The two files of an import: the one that is read, and the report of what was refused.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::{ImportError, checking::RejectedRecord};
use crate::commands::is_standard;

/// Opens what is imported. Waits for the writer of a named pipe, so it blocks.
///
/// # Errors
/// The system's.
pub fn open(path: &Path) -> io::Result<File> {
    if is_standard(path) {
        // A file of its own: it tells how long it is, and whether the report would overwrite it.
        return Ok(io::stdin().as_fd().try_clone_to_owned()?.into());
    }
    File::open(path)
}

/// The name of what is imported, in an error.
pub fn name(path: &Path) -> PathBuf {
    if is_standard(path) { PathBuf::from("standard input") } else { path.to_owned() }
}

/// The refused lines, a JSON object each.
pub struct Report {
    path: PathBuf,
    /// Gone once nobody reads it any more: the import goes on without.
    sink: Option<BufWriter<Box<dyn Write + Send>>>,
}

impl Report {
    /// # Errors
    /// The system's, and that the report would overwrite what is imported.
    pub fn create(path: &Path, input: &File) -> Result<Self, ImportError> {
        let at = |source| ImportError::File { path: path.to_owned(), source };
        let sink: Box<dyn Write + Send> = if is_standard(path) {
            Box::new(io::stdout())
        } else if is_same(path, input) {
            return Err(at(io::Error::other("the report would overwrite the file that is imported")));
        } else {
            Box::new(File::create(path).map_err(at)?)
        };
        Ok(Self { path: path.to_owned(), sink: Some(BufWriter::new(sink)) })
    }

    pub fn write(&mut self, record: &RejectedRecord) -> Result<(), ImportError> {
        self.with(|sink| {
            serde_json::to_writer(&mut *sink, record)?;
            sink.write_all(b"\n")
        })
    }

    pub fn finish(&mut self) -> Result<(), ImportError> {
        self.with(Write::flush)
    }

    fn with(
        &mut self,
        write: impl FnOnce(&mut BufWriter<Box<dyn Write + Send>>) -> io::Result<()>,
    ) -> Result<(), ImportError> {
        match self.sink.as_mut().map_or(Ok(()), write) {
            // The reader has read enough (`--report - | head`).
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                // What it still holds could not be written either.
                self.sink = None;
                Ok(())
            }
            written => written.map_err(|source| ImportError::File { path: self.path.clone(), source }),
        }
    }
}

/// Whether the name leads to this file. Paths cannot tell: a hard link has another one.
fn is_same(report: &Path, input: &File) -> bool {
    let identity = |file: std::fs::Metadata| (file.dev(), file.ino());
    let of_report = report.metadata().map(identity).ok();
    of_report.is_some() && of_report == input.metadata().map(identity).ok()
}
