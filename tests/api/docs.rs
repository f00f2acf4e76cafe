//! Compares the lists in the pages under `docs/` with the code.

use std::{
    collections::BTreeSet,
    fmt::Write,
    path::{Path, PathBuf},
};

use bson::Document;
use movie_bag::http::problem::Code;

use crate::{
    matrix::{Access, ROUTES},
    support::TestApp,
};

const CODES_BEGIN: &str = "<!-- codes: made from src/http/problem/codes.rs -->\n";
const CODES_END: &str = "<!-- end of codes -->\n";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

/// The text between single backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The first cells of the table rows that begin with code.
fn first_cells(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split(" | ").next())
}

#[test]
fn the_page_of_errors_has_the_texts_of_every_code() {
    let mut codes = Code::ALL.to_vec();
    codes.sort_by_key(|code| code.kind().status.code);
    let mut table =
        "\n| status | code | what it means | what to do |\n| --- | --- | --- | --- |\n".to_owned();
    for kind in codes.iter().map(|code| code.kind()) {
        let (status, code, meaning, remedy) = (kind.status.code, kind.code, kind.meaning, kind.remedy);
        writeln!(table, "| {status} | `{code}` | {meaning} | {remedy} |").unwrap();
    }
    table.push('\n');
    let errors = page("reference/errors.md");
    let (before, rest) = errors.split_once(CODES_BEGIN).unwrap();
    let (written, after) = rest.split_once(CODES_END).unwrap();
    if std::env::var_os("MOVIE_BAG_TEST_RENEW").is_some() {
        let renewed = [before, CODES_BEGIN, &table, CODES_END, after].concat();
        std::fs::write(repository().join("docs/reference/errors.md"), renewed).unwrap();
    } else {
        assert_eq!(
            written, table,
            "docs/reference/errors.md is stale: MOVIE_BAG_TEST_RENEW=1 cargo test --test api the_page_of_errors"
        );
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_page_of_errors_has_every_code_of_a_field() {
    let mut files = Vec::new();
    sources(&repository().join("src"), &mut files);
    let mut given = BTreeSet::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let wrongs = text.split("Wrong::new(\"").skip(1);
        given.extend(wrongs.map(|wrong| wrong.split('"').next().unwrap().to_owned()));
    }
    let errors = page("reference/errors.md");
    let (_, fields) = errors.split_once("## Codes of a field").unwrap();
    let (table, _) = fields.split_once("\n## ").unwrap();
    let listed: BTreeSet<String> = first_cells(table).flat_map(code_spans).map(ToOwned::to_owned).collect();
    assert_eq!(listed, given);
}

#[test]
fn the_page_of_the_api_says_who_may_call_which_route() {
    let given: BTreeSet<String> = ROUTES
        .iter()
        .map(|(method, path, access, _, scope)| {
            let path = path.replace('<', "{").replace('>', "}");
            let who = match access {
                Access::Anyone => "anyone",
                Access::User => "a user",
                Access::Admin => "an admin",
                Access::Owner => "its owner",
                Access::Editor => "its owner or an editor",
            };
            let scope = scope.map(|scope| format!(", `{scope}`")).unwrap_or_default();
            format!("| `{method} {path}` | {who}{scope}")
        })
        .collect();
    let api = page("reference/api.md");
    let is_route = |line: &&str| line.starts_with("| `") && line.contains(" /");
    let listed: BTreeSet<String> = api
        .lines()
        .filter(is_route)
        .map(|line| line.split(" | ").take(2).collect::<Vec<_>>().join(" | "))
        .collect();
    assert_eq!(listed, given);
}

#[test]
fn the_page_of_the_log_lists_the_audit_events() {
    let source = include_str!("../../src/accounts/audit.rs");
    let named = source.split("=> \"").skip(1).chain(source.split("event = \"").skip(1));
    let given: BTreeSet<&str> = named.filter_map(|text| text.split('"').next()).collect();
    let log = page("operate/logs.md");
    let (_, list) = log.split_once("`event` is one of ").unwrap();
    let (list, _) = list.split_once(". ").unwrap();
    assert_eq!(code_spans(list).collect::<BTreeSet<_>>(), given);
}

#[tokio::test]
async fn the_page_of_indexes_lists_them() {
    let app = TestApp::start().await;
    let mut given = BTreeSet::new();
    for collection in app.database.list_collection_names().await.unwrap() {
        for index in app.database.collection::<Document>(&collection).list_index_names().await.unwrap() {
            given.insert(format!("{collection}.{index}"));
        }
    }
    given.retain(|index| !index.ends_with("._id_"));
    let indexes = page("operate/indexes.md");
    let mut listed = BTreeSet::new();
    for cell in first_cells(&indexes) {
        let mut collection = "";
        for name in code_spans(cell) {
            let (before, index) = name.split_once('.').unwrap();
            // `movies.casts`, `.countries`: the second is of the same collection.
            collection = if before.is_empty() { collection } else { before };
            listed.insert(format!("{collection}.{index}"));
        }
    }
    assert!(listed.remove("movies.search"), "the page lists the index of search.engine = \"text\"");
    assert_eq!(listed, given);
}
