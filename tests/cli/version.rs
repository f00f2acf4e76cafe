//! Which commit a version names: what `build/version.rs` says, in folders of each kind.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::Folder;

/// A build script that names the version and does nothing else.
fn build_script(folder: &Folder) -> PathBuf {
    let program = folder.path().join("build-script");
    let source = folder.path().join("build.rs");
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/build/version.rs");
    let main = format!("#[path = {module:?}]\nmod version;\nfn main() {{\n    version::name();\n}}\n");
    std::fs::write(&source, main).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-o"]).args([&program, &source]).env("CARGO_PKG_VERSION", "1.2.3");
    assert!(rustc.status().unwrap().success());
    program
}

/// What it prints.
fn run(program: &Path, within: &Path, commit: &str) -> String {
    let mut command = Command::new(program);
    command.current_dir(within).env("BUILD_COMMIT", commit);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn version(printed: &str) -> &str {
    printed.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=BUILD_VERSION=")).unwrap()
}

fn git(within: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(within).args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_build_names_the_commit_of_its_own_repository_or_none() {
    let folder = Folder::new();
    let program = build_script(&folder);
    let repository = folder.path().join("repository");
    std::fs::create_dir_all(repository.join("unpacked")).unwrap();
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["commit", "--quiet", "--allow-empty", "--message", "Begin"]);
    let commit = git(&repository, &["rev-parse", "HEAD"]);
    let printed = run(&program, &repository, "");
    assert_eq!(version(&printed), format!("1.2.3 ({})", &commit[..12]));
    // `cargo run` passes its variables to the program, which refuses one that looks like a setting.
    assert!(!printed.contains("rustc-env=MOVIE_BAG_"), "{printed}");
    // Cargo runs it again after the next commit.
    assert!(printed.contains("cargo::rerun-if-changed=.git/logs/HEAD\n"), "{printed}");
    // An archive within another project, and a container image, whose build gets the commit as an argument.
    let unpacked = repository.join("unpacked");
    assert_eq!(version(&run(&program, &unpacked, "")), "1.2.3");
    let told = run(&program, &unpacked, "0123456789abcdef0123456789abcdef01234567");
    assert_eq!(version(&told), "1.2.3 (0123456789ab)");
}
