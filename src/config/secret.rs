//! The JWT secret: the configured one, or one that is made once and kept beside the embedded database. Also the keys
//! that are derived from it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// RFC 7518, section 3.2: an HS256 key has at least the size of the hash.
pub(super) const SECRET_BYTES: usize = 32;

const FILE: &str = "jwt-secret";

/// HMAC-SHA-256 with a key that HKDF (RFC 5869) derives from the secret for one purpose. All servers derive the same
/// key, and what one purpose reveals says nothing about another. Tokens are signed with the secret itself.
///
/// # Panics
/// Never: HKDF can make 8,160 bytes, and HMAC takes a key of any length.
#[must_use]
pub fn derived(secret: &SecretString, purpose: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(&derived_key(secret, purpose)).expect("BUG: HMAC takes any key")
}

/// The key itself, for uses other than HMAC.
///
/// # Panics
/// Never: HKDF can make 8,160 bytes.
#[must_use]
pub fn derived_key(secret: &SecretString, purpose: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes())
        .expand(purpose.as_bytes(), &mut key)
        .expect("BUG: HKDF gives 32 bytes");
    key
}

/// Reads the secret of a data folder, or makes it. If other users can read the file, for example because a backup was
/// restored without its permissions, this takes their permission away and logs a warning.
///
/// # Errors
/// When the file cannot be read or written, or is too short.
pub fn kept_in(data_dir: &Path) -> io::Result<SecretString> {
    let path = data_dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => {
            tighten(&path)?;
            text
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(data_dir, &path)?,
        Err(error) => return Err(error),
    };
    let text = text.trim();
    if text.len() < SECRET_BYTES {
        return Err(io::Error::other(format!("{} has fewer than {SECRET_BYTES} bytes", path.display())));
    }
    Ok(text.into())
}

/// Logs a warning if other users can read the data folder. Its permissions stay, since it may be somebody's home.
pub fn warn_of_loose(data_dir: &Path) {
    #[cfg(unix)]
    if let Ok(mode) = mode_of(data_dir)
        && mode & OF_OTHERS != 0
    {
        let (folder, mode) = (data_dir.display(), format!("{mode:03o}"));
        tracing::warn!(%folder, mode, "other users can read the data folder; run chmod 700 on it");
    }
}

#[cfg(unix)]
const OF_OTHERS: u32 = 0o077;

#[cfg(unix)]
fn mode_of(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[cfg(unix)]
fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = mode_of(path)?;
    if mode & OF_OTHERS == 0 {
        return Ok(());
    }
    // If the server may not do that, the secret stays usable, and the warning says what is wrong.
    let is_tight = fs::set_permissions(path, fs::Permissions::from_mode(mode & !OF_OTHERS)).is_ok();
    let (file, mode) = (path.display(), format!("{mode:03o}"));
    tracing::warn!(
        %file, mode, tightened = is_tight,
        "other users could read the JWT secret; if somebody may have read it, delete the file: then everyone must log in again"
    );
    Ok(())
}

#[cfg(not(unix))]
fn tighten(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn make(data_dir: &Path, path: &Path) -> io::Result<String> {
    let mut random = [0; 48];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let text = BASE64_STANDARD.encode(random);
    let new = data_dir.join(format!("{FILE}.new"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_secret_is_made_once_for_the_owner_only_and_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        let made = kept_in(folder.path()).unwrap();
        assert!(made.expose_secret().len() >= SECRET_BYTES);
        assert_eq!(kept_in(folder.path()).unwrap().expose_secret(), made.expose_secret());
        #[cfg(unix)]
        assert_eq!(mode_of(&folder.path().join(FILE)).unwrap(), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_restored_secret_that_others_may_read_is_tightened() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let made = kept_in(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        for (loose, tight) in [(0o644, 0o600), (0o440, 0o400), (0o666, 0o600), (0o400, 0o400)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(loose)).unwrap();
            assert_eq!(kept_in(folder.path()).unwrap().expose_secret(), made.expose_secret());
            assert_eq!(mode_of(&path).unwrap(), tight, "{loose:o}");
        }
    }

    /// Cursors and digests must outlive a release, so the expected value is fixed (RFC 5869 with SHA-256).
    #[test]
    fn keys_are_derived_by_hkdf_and_each_purpose_has_its_own() {
        use hmac::Mac;
        let secret = SecretString::from("0123456789abcdef0123456789abcdef");
        let tag = |purpose| derived(&secret, purpose).chain_update("x").finalize().into_bytes();
        assert_ne!(tag("one"), tag("other"));
        let expected = BASE64_STANDARD.decode("cJd025+K7SQQsjjwqm8qbSoSd7S/y7rousMN7WzwUlI=").unwrap();
        assert_eq!(tag("movie-bag cursor 2")[..], expected[..]);
    }
}
