//! What the program says about itself, without settings and without a database.

use std::process::Command;

use crate::support::{Folder, end};

/// Runs the program in a folder with a wrong setting, and asserts that it creates nothing there.
#[track_caller]
fn said(arguments: &[&str]) -> String {
    let folder = Folder::new();
    let mut command = folder.command(arguments);
    command.env("MOVIE_BAG_NO_SUCH_SETTING", "1");
    let ended = end(command);
    assert_eq!((ended.assert_succeeded().err.as_str(), ended.out.is_empty()), ("", false), "{ended:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    ended.out
}

#[test]
fn the_version_is_one_line_that_begins_with_the_packages() {
    let version = said(&["--version"]);
    let start = concat!("movie-bag ", env!("CARGO_PKG_VERSION"), " (");
    assert!(version.starts_with(start) && version.lines().count() == 1, "{version}");
}

#[test]
fn the_help_says_what_a_file_is_and_names_the_main_settings() {
    let help = said(&["--help"]);
    assert!(help.contains("import") && !help.contains("supervise"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 110), "{help}");
    assert!(help.contains("docs/reference/settings.md"), "{help}");
    for word in ["NDJSON", "CSV", "gzip", "\"-\" reads NDJSON from standard input"] {
        let help = said(&["import", "--help"]);
        assert!(help.contains(word), "{word}: {help}");
    }
    // Each setting that the help names exists. A variable that names none would stop the start.
    let folder = Folder::new();
    let words = help.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let settings: Vec<&str> = words.filter(|word| word.starts_with("MOVIE_BAG_")).collect();
    assert!(settings.len() > 8, "{settings:?}");
    for setting in settings {
        let mut command = folder.command(&["serve"]);
        command.env("MOVIE_BAG_PASSWORD__BCRYPT_COST", "many").env(setting, "[]");
        let ended = end(command);
        assert!(ended.code == Some(2) && !ended.err.contains("there is no such setting"), "{ended:?}");
    }
}

#[test]
fn the_document_is_the_one_in_the_repository() {
    assert_eq!(said(&["openapi"]), include_str!("../../docs/openapi.json"));
}

#[test]
fn every_shell_gets_its_completions_and_man_its_page() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = said(&["completions", shell]);
        assert!(script.contains("import") && script.contains("dry-run"), "{shell}: {script}");
    }
    Folder::new().run(&["completions", "tcl"]).assert_failed(2, "invalid value 'tcl' for '<SHELL>'");
    assert!(said(&["man"]).starts_with(".ie"), "a page in roff");
}

#[test]
fn bash_can_read_its_completions() {
    let folder = Folder::new();
    let script = folder.write("completions", said(&["completions", "bash"]));
    let complete = "source \"$1\"; COMP_WORDS=(movie-bag im); COMP_CWORD=1; \
                    _movie__bag movie-bag im movie-bag; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", complete, "bash"]).arg(script).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "import\n");
}
