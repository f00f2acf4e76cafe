//! Tests which build is chosen, with small programs in place of the downloads.

use std::{cell::Cell, os::unix::fs::PermissionsExt, time::SystemTime};

use super::*;

const STARTS: &str = "#!/bin/sh\n[ \"$*\" = --version ]\n";
const LACKS_A_LIBRARY: &str = "#!/bin/sh\necho libssl.so.1.1: cannot open shared object file >&2\nexit 127\n";

fn linux() -> Vec<&'static Build> {
    BUILDS.iter().filter(|build| (build.os, build.arch) == ("linux", "x86_64")).collect()
}

/// Finds a mongod. `program` returns what the download of a version contains, if there is one. Returns the version that
/// was found, and the number of downloads.
fn find(cache: &Path, program: impl Fn(&str) -> Option<&'static str>) -> (Result<String, String>, u32) {
    let fetched = Cell::new(0);
    let fetch = |build: &Build, folder: &Path| {
        fetched.set(fetched.get() + 1);
        let text = program(build.version).ok_or_else(|| MongodError::None("no network".to_owned()))?;
        let untried = folder.join(UNTRIED);
        fs::write(&untried, text).unwrap();
        fs::set_permissions(&untried, fs::Permissions::from_mode(0o755)).unwrap();
        Ok(())
    };
    let found = first_that_starts(cache, &linux(), fetch);
    let version = |path: PathBuf| path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    (found.map(version).map_err(|error| error.to_string()), fetched.get())
}

#[test]
fn the_newest_is_downloaded_once() {
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(find(cache.path(), |_| Some(STARTS)), (Ok("mongod-6.0.27".to_owned()), 1));
    assert_eq!(find(cache.path(), |_| None), (Ok("mongod-6.0.27".to_owned()), 0));
}

#[test]
fn if_the_newest_does_not_start_the_other_is_used_from_then_on() {
    let cache = tempfile::tempdir().unwrap();
    let program = |version: &str| Some(if version == "6.0.5" { STARTS } else { LACKS_A_LIBRARY });
    assert_eq!(find(cache.path(), program), (Ok("mongod-6.0.5".to_owned()), 2));
    assert_eq!(find(cache.path(), program), (Ok("mongod-6.0.5".to_owned()), 0));
    let note = fs::read_to_string(cache.path().join("mongod-6.0.27").join(DOES_NOT_START)).unwrap();
    assert!(note.contains("6.0.27 does not start here (libssl.so.1.1: cannot open"), "{note}");
}

#[test]
fn without_a_network_the_cached_one_is_used_and_the_download_retried_once_a_day() {
    let cache = tempfile::tempdir().unwrap();
    let old = cache.path().join("mongod-6.0.5");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("mongod"), STARTS).unwrap();
    assert_eq!(find(cache.path(), |_| None), (Ok("mongod-6.0.5".to_owned()), 1));
    assert_eq!(find(cache.path(), |_| Some(STARTS)), (Ok("mongod-6.0.5".to_owned()), 0));
    let note =
        File::options().write(true).open(cache.path().join("mongod-6.0.27").join(NOT_FETCHED)).unwrap();
    note.set_modified(SystemTime::now() - NEXT_TRY).unwrap();
    assert_eq!(find(cache.path(), |_| Some(STARTS)), (Ok("mongod-6.0.27".to_owned()), 1));
}

#[test]
fn without_a_network_or_a_cached_one_each_start_tries_the_download() {
    let cache = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (found, fetched) = find(cache.path(), |_| None);
        assert!(
            found.unwrap_err().contains("none is on PATH, and no network. There are three ways to continue:")
        );
        assert_eq!(fetched, 2);
    }
}

#[test]
fn if_there_is_no_download_the_error_names_the_alternatives() {
    let error = first_that_starts(Path::new("/nowhere"), &[], |_, _| Ok(())).unwrap_err().to_string();
    assert!(error.contains("there is no download for ") && error.contains("install MongoDB"), "{error}");
}
