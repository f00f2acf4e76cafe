//! The folder of the index. It has a subfolder for each index that was built.
//!
//! An unusable index (missing, torn, incomplete, of another version) is not an error. A new one is built beside it,
//! and when that one is complete, the others are deleted.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tantivy::{Index, IndexReader, IndexSettings, ReloadPolicy};

use super::{
    error::SearchError,
    files::Files,
    schema::{Fields, VERSION},
};

/// Precedes the position in the commit of an index that has every movie.
const COMPLETE: &str = "complete ";

/// The text that a commit carries beside its documents.
pub fn payload(position: Option<&str>) -> String {
    position.map_or_else(|| "making".to_owned(), |position| format!("{COMPLETE}{position}"))
}

#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// An open index.
pub struct Opened {
    pub index: Index,
    pub reader: IndexReader,
    pub path: PathBuf,
    /// The place up to which the index has every change. `None` if it is empty.
    pub position: Option<String>,
}

fn prefix() -> String {
    format!("v{VERSION}-")
}

impl Folder {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Opens the newest usable index, or creates an empty one.
    pub fn open(&self, fields: &Fields) -> Result<Opened, SearchError> {
        fs::create_dir_all(&self.0)?;
        let mut ours = self.indexes()?;
        ours.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        for (_, path) in ours {
            match usable(&path, fields) {
                Ok((index, reader, position)) => {
                    self.keep_only(&path);
                    return Ok(Opened { index, reader, path, position: Some(position) });
                }
                Err(error) => {
                    tracing::info!(path = %path.display(), error = %error, "the search index cannot be used and will be rebuilt");
                    fs::remove_dir_all(&path)?;
                }
            }
        }
        self.create(fields)
    }

    /// Creates an empty index beside the existing ones.
    pub fn create(&self, fields: &Fields) -> Result<Opened, SearchError> {
        fs::create_dir_all(&self.0)?;
        let newest = self.indexes()?.into_iter().map(|(number, _)| number).max().unwrap_or(0);
        // Never reuse the path of a deleted index: threads that are ending may still use it.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let number = u64::try_from(now.as_micros()).unwrap_or_default().max(newest + 1);
        let path = self.0.join(format!("{}{number}", prefix()));
        fs::create_dir(&path)?;
        let mut index = Index::create(
            Files::open(&path).map_err(tantivy::TantivyError::from)?,
            fields.schema.clone(),
            IndexSettings::default(),
        )?;
        index.set_tokenizers(Fields::tokenizers());
        let reader = reader(&index)?;
        Ok(Opened { index, reader, path, position: None })
    }

    /// The existing indexes of this version, with their numbers.
    fn indexes(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(&prefix())?.parse().ok());
            found.extend(number.map(|number| (number, entry.path())));
        }
        Ok(found)
    }

    /// Deletes all other indexes. One that cannot be deleted now is deleted at the next start.
    pub fn keep_only(&self, path: &Path) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for other in entries.flatten().map(|entry| entry.path()).filter(|other| other != path) {
            let removed = if other.is_dir() { fs::remove_dir_all(&other) } else { fs::remove_file(&other) };
            if let Err(error) = removed {
                tracing::warn!(path = %other.display(), error = %error, "cannot delete an old search index");
            }
        }
    }
}

/// Opens an index that is complete up to a position and whose files are undamaged.
fn usable(path: &Path, fields: &Fields) -> Result<(Index, IndexReader, String), SearchError> {
    let unusable = |reason: &str| SearchError::Failed(reason.to_owned());
    let mut index = Index::open(Files::open(path).map_err(tantivy::TantivyError::from)?)?;
    if index.schema() != fields.schema {
        return Err(unusable("it has other fields"));
    }
    let meta = index.load_metas()?;
    let position = meta.payload.as_deref().and_then(|payload| payload.strip_prefix(COMPLETE));
    let position = position.ok_or_else(|| unusable("it was not completed"))?.to_owned();
    // The library checks only the files on its own list.
    let listed = index.directory().list_managed_files();
    let is_listed = meta.segments.iter().all(|segment| {
        let id = segment.id().uuid_string();
        listed.iter().any(|file| file.to_string_lossy().starts_with(&id))
    });
    if !is_listed || !index.validate_checksum()?.is_empty() {
        return Err(unusable("its files are damaged"));
    }
    index.set_tokenizers(Fields::tokenizers());
    let reader = reader(&index)?;
    Ok((index, reader, position))
}

/// Opens every file.
fn reader(index: &Index) -> tantivy::Result<IndexReader> {
    index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()
}
