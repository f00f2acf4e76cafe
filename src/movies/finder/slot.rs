//! The folder of this server's index. Servers that share a `data_dir` have one each: `search/0`, `search/1`, …

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::mongod;

const MOST: u32 = 64;

/// A folder that no other server uses while this is held.
#[derive(Debug)]
pub struct Slot {
    pub folder: PathBuf,
    _lock: File,
}

impl Slot {
    /// Takes the first folder that is free.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn take(search: &Path) -> io::Result<Self> {
        // As all of the data folder: the index holds who added what.
        mongod::create_private(search)?;
        for number in 0..MOST {
            let lock = File::create(search.join(format!("{number}.lock")))?;
            match lock.try_lock() {
                Ok(()) => return Ok(Self { folder: search.join(number.to_string()), _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other(format!("{MOST} servers use this folder already")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_share_a_folder_have_an_index_each() {
        let data = tempfile::tempdir().unwrap();
        let first = Slot::take(data.path()).unwrap();
        let second = Slot::take(data.path()).unwrap();
        assert_ne!(first.folder, second.folder);
        let folder = first.folder.clone();
        drop(first);
        assert_eq!(Slot::take(data.path()).unwrap().folder, folder);
    }
}
