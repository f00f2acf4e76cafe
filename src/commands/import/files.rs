//! The two files of an import: the one that it reads, and the report of the refused lines.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::{ImportError, checking::RejectedRecord};
use crate::commands::is_standard;

/// Opens the file to import. It waits for the writer of a named pipe, so it blocks.
///
/// # Errors
/// Those of the operating system.
pub fn open(path: &Path) -> io::Result<File> {
    if is_standard(path) {
        // A `File` knows its length, and can be compared with the report, which must not overwrite it.
        return Ok(io::stdin().as_fd().try_clone_to_owned()?.into());
    }
    File::open(path)
}

/// The name of the imported file, for an error.
pub fn name(path: &Path) -> PathBuf {
    if is_standard(path) { PathBuf::from("standard input") } else { path.to_owned() }
}

/// The report: a JSON object for each refused line.
pub struct Report {
    path: PathBuf,
    /// `None` once nobody reads the report any more. The import continues without it.
    sink: Option<BufWriter<Box<dyn Write + Send>>>,
}

impl Report {
    /// # Errors
    /// Those of the operating system, and one if the report would overwrite the imported file.
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
                // The buffered rest could not be written either.
                self.sink = None;
                Ok(())
            }
            written => written.map_err(|source| ImportError::File { path: self.path.clone(), source }),
        }
    }
}

/// Whether the path leads to this file. Comparing paths is not enough, because a hard link has a path of its own.
fn is_same(report: &Path, input: &File) -> bool {
    let identity = |file: std::fs::Metadata| (file.dev(), file.ino());
    let of_report = report.metadata().map(identity).ok();
    of_report.is_some() && of_report == input.metadata().map(identity).ok()
}
