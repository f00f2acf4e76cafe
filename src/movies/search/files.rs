//! The files of the index. Writes do not wait for the disk.
//!
//! The index is a cache. If a crash of the machine leaves a torn file, its checksum reveals that, and the index is
//! rebuilt. So no search and no write waits until a file is on disk. The library does not protect `meta.json`, so
//! that file gets a checksum of our own.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite,
    WatchCallback, WatchHandle, WritePtr,
    error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError},
};

/// How many hex digits the checksum has. It precedes the content of a file that is always replaced as a whole.
const DIGITS: usize = 8;

#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    mapped: MmapDirectory,
}

impl Files {
    pub fn open(folder: &Path) -> Result<Self, OpenDirectoryError> {
        Ok(Self { folder: folder.to_owned(), mapped: MmapDirectory::open(folder)? })
    }
}

/// A file that the operating system may write to disk at any time.
struct Unsynced(File);

impl Write for Unsynced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl TerminatingWrite for Unsynced {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.0.flush()
    }
}

fn with_checksum(content: &[u8]) -> Vec<u8> {
    [format!("{:0DIGITS$x}\n", crc32fast::hash(content)).as_bytes(), content].concat()
}

fn without_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    let content = bytes.get(DIGITS + 1..)?;
    (with_checksum(content) == bytes).then(|| content.to_owned())
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.mapped.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.mapped.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.mapped.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        match OpenOptions::new().write(true).create_new(true).open(self.folder.join(path)) {
            Ok(file) => Ok(BufWriter::new(Box::new(Unsynced(file)))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(OpenWriteError::FileAlreadyExists(path.to_owned()))
            }
            Err(error) => Err(OpenWriteError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let bytes = self.mapped.atomic_read(path)?;
        without_checksum(&bytes).ok_or_else(|| {
            let damaged = io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong");
            OpenReadError::wrap_io_error(damaged, path.to_owned())
        })
    }

    fn atomic_write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let path = self.folder.join(path);
        let new = path.with_extension("new");
        fs::write(&new, with_checksum(content))?;
        fs::rename(new, path)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.mapped.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.mapped.watch(callback)
    }
}
