//! Runs the README and the guide: each block that begins with `sh run`, in the order of its page, on a new server. The
//! block right after it must be what the commands answered.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Folder, Server};

const PAGES: [&str; 7] = [
    "README.md",
    "docs/guide/accounts.md",
    "docs/guide/changes.md",
    "docs/guide/finding.md",
    "docs/guide/movies.md",
    "docs/guide/sharing.md",
    "docs/guide/tour.md",
];
/// The counts of an import of all demo films. The tests here import only some films, so they do not compare these counts;
/// the tests of `import` do.
const ALL_FILMS: [&str; 2] =
    ["17025 imported, 447 refused (duplicate-movie 4, validation-failed 443)", "17026"];
/// Only the films that the pages find are imported, and every hundredth of the others.
const FOUND: [&str; 5] = ["odfather", "Coppola", "Omar Sy", "Akira Kurosawa", "Amélie"];
const FOUND_TOGETHER: [&str; 2] = ["\"Comedy\"", "\"Crime\""];
const MARK: &str = "=== step";
/// A search finds imported films within a second. A reader takes longer than that to run the next command; `cargo` here
/// waits instead.
const BEGIN: &str = r#"
exec 2>&1
movie-bag() { "$MOVIE_BAG" "$@"; }
cargo() {
    shift 2
    movie-bag "$@"
    [ "$1" = import ] || return
    all=$(movie-bag export | wc -l)
    for try in $(seq 600); do
        curl -s localhost:8000/metrics | grep -q "^movie_bag_search_index_movies $all$" && return
        sleep 0.1
    done
}
"#;

#[derive(Debug)]
struct Step {
    commands: String,
    answer: Option<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block: Option<(String, String)> = None;
    // Whether the last block is one to run, and only blank lines have followed it.
    let mut answers = false;
    for line in page.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(kind)) => block = Some((kind.to_owned(), String::new())),
            (None, None) => answers &= line.is_empty(),
            (Some((_, text)), None) => text.extend([line, "\n"]),
            (Some(_), Some(_)) => {
                let (kind, text) = block.take().unwrap();
                if kind == "sh run" {
                    steps.push(Step { commands: text, answer: None });
                    answers = true;
                } else {
                    if answers {
                        steps.last_mut().unwrap().answer = Some(text);
                    }
                    answers = false;
                }
            }
        }
    }
    steps
}

fn some_films() -> Vec<u8> {
    let demo = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/films.ndjson.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&demo[..]).read_to_string(&mut text).unwrap();
    let mut films = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for (number, line) in text.lines().enumerate() {
        let is_found = FOUND.iter().any(|part| line.contains(part))
            || FOUND_TOGETHER.iter().all(|part| line.contains(part))
            || number % 100 == 0;
        if is_found {
            writeln!(films, "{line}").unwrap();
        }
    }
    films.finish().unwrap()
}

/// Runs all steps in one shell, since they share variables. Returns the output of each step.
fn run(folder: &Folder, server: &Server, steps: &[Step]) -> Vec<String> {
    let mut script = BEGIN.to_owned();
    for step in steps {
        script.extend([&format!("printf '\\n{MARK}\\n'\n"), step.commands.as_str()]);
    }
    let address = server.base.trim_start_matches("http://");
    let program = folder.command(&[]);
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script.replace("localhost:8000", address)).current_dir(folder.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    let output = bash.env("MOVIE_BAG", program.get_program()).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(&format!("\n{MARK}\n")).skip(1).map(ToOwned::to_owned).collect()
}

/// The text without blanks and line ends, with `#` for values that differ each time: ids, times, tokens, cursors.
fn comparable(text: &str) -> String {
    let mut result = String::new();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-.:".contains(letter);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(first.len_utf8()));
        if word.len() >= 20 && word.contains(|letter: char| letter.is_ascii_digit()) {
            result.push('#');
        } else {
            result.extend(word.chars().filter(|letter| !letter.is_whitespace()));
        }
        rest = after;
    }
    result
}

/// Whether the page shows this answer. In the page, `…` matches anything.
fn is_shown(shown: &str, answer: &str) -> bool {
    let mut shown = shown.to_owned();
    for text in ALL_FILMS {
        shown = shown.replace(text, "…");
    }
    let (shown, answer) = (comparable(&shown), comparable(answer));
    let mut parts = shown.split('…');
    let Some(mut rest) = answer.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

#[track_caller]
fn follow(page: &str) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let steps = steps(&text);
    let folder = Folder::new();
    if text.contains("demo/films.ndjson.gz") {
        std::fs::create_dir(folder.path().join("demo")).unwrap();
        folder.write("demo/films.ndjson.gz", some_films());
    }
    let server = folder.serve();
    let answers = run(&folder, &server, &steps);
    assert_eq!(answers.len(), steps.len(), "{page}: {answers:?}");
    for (step, answer) in steps.iter().zip(&answers) {
        let shown = step.answer.as_deref().unwrap_or_default();
        assert!(
            is_shown(shown, answer),
            "{page}\n{}answered\n{answer}\nand the page has\n{shown}",
            step.commands
        );
    }
}

#[test]
fn the_readme_is_true() {
    follow("README.md");
}

#[test]
fn the_tour_is_true() {
    follow("docs/guide/tour.md");
}

#[test]
fn the_page_about_accounts_is_true() {
    follow("docs/guide/accounts.md");
}

#[test]
fn the_page_about_finding_is_true() {
    follow("docs/guide/finding.md");
}

#[test]
fn the_page_about_adding_and_changing_is_true() {
    follow("docs/guide/movies.md");
}

#[test]
fn the_page_about_sharing_is_true() {
    follow("docs/guide/sharing.md");
}

#[test]
fn the_page_about_changes_is_true() {
    follow("docs/guide/changes.md");
}

#[test]
fn every_page_with_commands_to_run_is_followed() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_dir(repository.join("docs/guide")).unwrap();
    let names = guide.map(|entry| format!("docs/guide/{}", entry.unwrap().file_name().to_str().unwrap()));
    let mut found: Vec<String> = names
        .chain(["README.md".to_owned()])
        .filter(|page| !steps(&std::fs::read_to_string(repository.join(page)).unwrap()).is_empty())
        .collect();
    found.sort();
    assert_eq!(found, PAGES);
}

#[test]
fn an_answer_that_differs_from_the_page_is_noticed() {
    let shown = "{\"id\":\"6b08d17bf484cc4f8c8f0b5c\",…,\"version\":1}\n";
    assert!(is_shown(shown, "{\"id\":\"6b08d189f484cc4f8c8f0b5e\",\"name\":\"Heat\",\"version\":1}"));
    assert!(!is_shown(shown, "{\"id\":\"6b08d189f484cc4f8c8f0b5e\",\"name\":\"Heat\",\"version\":2}"));
    assert!(!is_shown(shown, "{\"id\":null,\"name\":\"Heat\",\"version\":1}"));
    assert!(!is_shown("204\n", "202\n"));
    assert!(!is_shown("204\n", "204\n{}\n"));
    assert!(!is_shown("", "{}"));
    let page = "```sh run\na\n```\n\n```json\nb\n```\n\n```sh run\nc\n```\n\ntext\n\n```\nd\n```\n";
    let found: Vec<_> = steps(page).into_iter().map(|step| (step.commands, step.answer)).collect();
    assert_eq!(found, [("a\n".to_owned(), Some("b\n".to_owned())), ("c\n".to_owned(), None)]);
}
