//! The folder of this server's index. Servers that share a `data_dir` each have their own: `search/0`, `search/1`, …

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::mongod;

const MOST: u32 = 64;

/// A folder that no other server uses while this value exists.
#[derive(Debug)]
pub struct Slot {
    pub folder: PathBuf,
    _lock: File,
}

impl Slot {
    /// Takes the first free folder.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn take(search: &Path) -> io::Result<Self> {
        // Private, like everything in the data folder: the index records who added each movie.
        mongod::create_private(search)?;
        for number in 0..MOST {
            let lock = File::create(search.join(format!("{number}.lock")))?;
            match lock.try_lock() {
                Ok(()) => return Ok(Self { folder: search.join(number.to_string()), _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other(format!("{MOST} servers already use this folder")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_share_a_folder_each_have_their_own_index() {
        let data = tempfile::tempdir().unwrap();
        let first = Slot::take(data.path()).unwrap();
        let second = Slot::take(data.path()).unwrap();
        assert_ne!(first.folder, second.folder);
        let folder = first.folder.clone();
        drop(first);
        assert_eq!(Slot::take(data.path()).unwrap().folder, folder);
    }
}
