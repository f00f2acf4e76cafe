//! Where the embedded mongod listens: only on a Unix socket, in a folder that only its owner can enter.
//!
//! That folder is the working directory of mongod and its supervisor, and they call the socket [`ADDRESS`]. So the
//! replica set's configuration holds the same address wherever the data folder is, and a long path does not affect
//! them. The clients have other working directories: [`Socket`] is a path for them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

const FOLDER: &str = "socket";
const NAME: &str = "mongod.sock";
/// mongod's name for the socket. The slash tells mongod that this is a path.
pub(super) const ADDRESS: &str = "./mongod.sock";
/// The field `sun_path` holds 108 bytes on Linux and 104 elsewhere, and the last one is zero.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Makes the folder private, whatever the permissions of the data folder are: it may have existed before.
///
/// # Errors
/// The file system's error.
pub(super) fn make_folder(data_dir: &Path) -> io::Result<PathBuf> {
    let folder = data_dir.join(FOLDER);
    super::create_private(&folder)?;
    #[cfg(unix)]
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(folder)
}

/// The path of the socket for the driver.
#[derive(Debug)]
pub(super) struct Socket {
    path: String,
    /// Keeps a path that goes through the descriptor valid.
    _folder: Option<File>,
}

impl Socket {
    /// # Errors
    /// The file system's error, or an error if the path is too long and the system has no short name for it.
    pub fn of(data_dir: &Path) -> io::Result<Self> {
        let folder = make_folder(data_dir)?;
        match folder.join(NAME).to_str() {
            Some(path) if path.len() <= LONGEST => Ok(Self { path: path.to_owned(), _folder: None }),
            _ => Self::through_descriptor(&folder),
        }
    }

    /// Uses the path through a descriptor. A folder in `/tmp` is no alternative: a clean-up job could remove it, and
    /// a service may have its own `/tmp`.
    #[cfg(target_os = "linux")]
    fn through_descriptor(folder: &Path) -> io::Result<Self> {
        use std::os::fd::AsRawFd;

        let folder = File::open(folder)?;
        let path = format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd());
        Ok(Self { path, _folder: Some(folder) })
    }

    #[cfg(not(target_os = "linux"))]
    fn through_descriptor(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        let length = path.as_os_str().len();
        Err(io::Error::other(format!(
            "{} has {length} bytes, but a socket's path may have at most {LONGEST}",
            path.display()
        )))
    }

    /// The URI of a direct connection, because there is only one member.
    pub fn uri(&self) -> String {
        uri(&self.path)
    }
}

/// The URI for other programs. It works if the path is short enough.
pub(super) fn uri_for_others(data_dir: &Path) -> String {
    uri(&data_dir.join(FOLDER).join(NAME).to_string_lossy())
}

fn uri(path: &str) -> String {
    let host: String = path
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("mongodb://{host}/?directConnection=true")
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::PermissionsExt, net::UnixListener};

    use super::*;

    #[test]
    fn the_folder_is_made_private_even_if_it_was_open() {
        let data_dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = make_folder(data_dir.path()).unwrap();
        assert_eq!(mode(&folder), 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(mode(&make_folder(data_dir.path()).unwrap()), 0o700);
    }

    #[tokio::test]
    async fn a_path_of_any_length_and_with_any_characters_leads_to_the_socket() {
        let temporary = tempfile::tempdir().unwrap();
        for name in ["data".to_owned(), "%2F & ? # 映画 @:,".to_owned(), "long/".repeat(50)] {
            let data_dir = temporary.path().join(name);
            let folder = make_folder(&data_dir).unwrap();
            let inside = File::open(&folder).unwrap();
            let short = format!("/proc/self/fd/{}/{NAME}", std::os::fd::AsRawFd::as_raw_fd(&inside));
            let _listener = UnixListener::bind(short).unwrap();
            let socket = Socket::of(&data_dir).unwrap();
            let options = mongodb::options::ClientOptions::parse(socket.uri()).await.unwrap();
            let mongodb::options::ServerAddress::Unix { path } = &options.hosts[0] else {
                panic!("{:?}", options.hosts)
            };
            std::os::unix::net::UnixStream::connect(path).unwrap();
        }
    }
}
