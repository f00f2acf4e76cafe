//! Finds the commit that `movie-bag --version` names: from the variable `BUILD_COMMIT` where it is set (an image is built
//! without `.git`), else from git. A build that finds neither has a version without a commit.

use std::{env, path::Path, process::Command};

/// As many hex digits as tell commits apart in a repository of any size.
const DIGITS: usize = 12;

/// Tells Cargo the version, and when to ask again.
pub fn name() {
    println!("cargo::rerun-if-env-changed=BUILD_COMMIT");
    let named = env::var("BUILD_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = named.or_else(checked_out);
    let version = env!("CARGO_PKG_VERSION");
    let version = match commit.as_deref().map(|commit| commit.get(..DIGITS).unwrap_or(commit)) {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    // `cargo run` passes it on to the program, where a variable that begins with MOVIE_BAG_ must be a setting.
    println!("cargo::rustc-env=BUILD_VERSION={version}");
}

fn checked_out() -> Option<String> {
    // git would also find the repository around an archive that was unpacked inside another project.
    if !Path::new(".git").exists() {
        return None;
    }
    // Every commit and every checkout adds a line to this file; an edit of the sources does not touch it.
    let moves = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    // Cargo would run this program at every build for a file that is not there.
    if Path::new(&moves).exists() {
        println!("cargo::rerun-if-changed={moves}");
    }
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
