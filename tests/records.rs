//! The documents for those who change the code name decisions, files and tests that exist, and the first pages are short.

use std::{fs, path::Path};

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Decision {
    number: usize,
    title: String,
    status: String,
}

fn decisions(text: &str) -> Vec<Decision> {
    let mut lines = text.lines().filter(|line| !line.is_empty()).peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(heading) = line.strip_prefix("## ") else { continue };
        let (number, title) = heading.split_once(". ").unwrap_or_else(|| panic!("no number: {heading}"));
        let status = lines.peek().and_then(|next| next.strip_prefix("Status: "));
        let status = status.unwrap_or_else(|| panic!("no status below: {heading}")).to_owned();
        found.push(Decision { number: number.parse().unwrap(), title: title.to_owned(), status });
    }
    found
}

/// The part of an address that leads to a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn decisions_are_numbered_without_gaps_and_each_has_a_status() {
    let decisions = decisions(&read("docs/decisions.md"));
    for (decision, expected) in decisions.iter().zip(1..) {
        let Decision { number, status, .. } = decision;
        assert_eq!(*number, expected, "the numbers have a gap, or are not in order");
        let by =
            ["accepted, amended by ", "superseded by "].iter().find_map(|words| status.strip_prefix(words));
        let Some(by) = by else {
            assert!(["accepted", "withdrawn"].contains(&status.as_str()), "decision {number}: {status}");
            continue;
        };
        for later in by.split(", ") {
            let later: usize = later.parse().unwrap_or_else(|_| panic!("decision {number}: {status}"));
            assert!(later > *number && later <= decisions.len(), "decision {number}: {status}");
        }
    }
}

#[test]
fn the_table_of_decisions_lists_each_of_them() {
    let text = read("docs/decisions.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    let expected: Vec<String> = decisions(&text)
        .iter()
        .map(|Decision { number, title, status }| {
            format!("| {number} | [{title}](#{}) | {status} |", anchor(&format!("{number}. {title}")))
        })
        .collect();
    assert_eq!(rows, expected, "the table of docs/decisions.md and its headings differ");
}

/// What a document has in backticks, outside blocks of code.
fn quoted(text: &str) -> Vec<String> {
    let mut is_code = false;
    let prose: Vec<&str> = text
        .lines()
        .filter(|line| {
            is_code ^= line.starts_with("```");
            !is_code
        })
        .collect();
    prose.join(" ").split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// `api/matrix.rs::name` is in `tests/`, and `src/…` where it says.
fn assert_test_exists(page: &str, file: &str, name: &str) {
    let path = if file.starts_with("src/") { file.to_owned() } else { format!("tests/{file}") };
    assert!(read(&path).contains(&format!("fn {name}(")), "{page}: there is no test {name} in {path}");
}

#[test]
fn the_security_page_names_files_and_tests_that_exist() {
    let page = "docs/evidence/security.md";
    let is_rust = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "rs");
    for quoted in quoted(&read(page)) {
        match quoted.split_once("::") {
            Some((file, name)) if is_rust(file) => assert_test_exists(page, file, name),
            None if !quoted.contains(' ') && (is_rust(&quoted) || quoted.ends_with('/')) => {
                let path = Path::new("src").join(&quoted);
                assert!(path.exists(), "{page}: there is no {}", path.display());
            }
            _ => {}
        }
    }
}

#[test]
fn the_reliability_page_names_tests_that_exist() {
    let page = "docs/evidence/reliability.md";
    let folders = ["tests/reliability", "tests/api", "tests/cli"];
    let files = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let tests: String = files.map(read).collect();
    for quoted in quoted(&read(page)) {
        let name = quoted.rsplit([' ', ':']).next().unwrap_or_default();
        let is_name = name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(!is_name || tests.contains(&format!("fn {name}")), "{page}: there is no test {name}");
    }
}

#[test]
fn the_pages_for_developers_name_files_and_tests_that_exist() {
    let pages = fs::read_dir("docs/develop").unwrap().map(|page| page.unwrap().path());
    for page in pages.chain(["CONTRIBUTING.md".into(), "bench/README.md".into()]) {
        for quoted in quoted(&read(&page)) {
            let page = page.display().to_string();
            let (file, name) =
                quoted.split_once("::").map_or((&*quoted, None), |(file, name)| (file, Some(name)));
            let roots =
                ["src/", "tests/", "docs/", ".ci/", "bench/", "examples/", "web/", "clients/", "demo/"];
            let is_path =
                roots.iter().any(|root| file.starts_with(root)) && !file.contains([' ', '<', '*', '…']);
            if is_path {
                assert!(Path::new(file).exists(), "{page}: there is no {file}");
            }
            if let (true, Some(name)) = (is_path, name) {
                assert!(read(file).contains(&format!("fn {name}")), "{page}: there is no {name} in {file}");
            }
        }
    }
}

#[test]
fn the_pages_that_everybody_reads_are_short() {
    for page in ["README.md", "docs/develop/architecture.md"] {
        let lines = read(page).lines().count();
        assert!(lines <= 200, "{page} has {lines} lines");
    }
}
