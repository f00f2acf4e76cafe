//! Every link in a page leads to a file, a folder or a heading that exists. It does not check addresses on the web.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

/// Folders that do not belong to the repository, or that a build makes.
const SKIPPED: [&str; 6] = [".git", "data", "dist", "node_modules", "target", "test-results"];

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if SKIPPED.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

/// The lines outside of code blocks, without code in backticks.
fn prose(page: &str) -> String {
    let mut in_code = false;
    let mut text = String::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            text.extend(line.split('`').step_by(2));
            text.push('\n');
        }
    }
    text
}

fn targets(page: &str) -> Vec<String> {
    let text = prose(page);
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let html = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()));
    let named = text.lines().filter(|line| line.starts_with('[')).filter_map(|line| line.split_once("]: "));
    inline.chain(html).chain(named.map(|(_, target)| target)).map(|target| target.trim().to_owned()).collect()
}

/// The fragments of a page: those that GitHub makes from its headings, and its own `id`s.
fn fragments(page: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = page
        .split("id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(ToOwned::to_owned)
        .collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut in_code = false;
    for line in page.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !in_code) else { continue };
        let heading = heading.trim_start_matches('#').trim();
        let mut slug = String::new();
        // Only the text of a link counts.
        for part in heading.split("](") {
            let text =
                if slug.is_empty() { part } else { part.split_once(')').map_or(part, |(_, rest)| rest) };
            slug.extend(text.chars().filter_map(|letter| match letter {
                ' ' => Some('-'),
                '-' | '_' => Some(letter),
                _ => letter.is_alphanumeric().then_some(letter),
            }));
        }
        let slug = slug.to_lowercase();
        let count = seen.entry(slug.clone()).or_default();
        found.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    found
}

/// The path without `..`.
fn normalized(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            part => whole.push(part),
        }
    }
    whole
}

/// Why a link leads nowhere.
fn fault(page: &Path, target: &str) -> Option<&'static str> {
    if ["http://", "https://", "mailto:"].iter().any(|start| target.starts_with(start)) {
        return None;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.to_owned() } else { normalized(&page.parent().unwrap().join(path)) };
    if path.starts_with('/') || !file.exists() {
        return Some("no such file");
    }
    let is_page = file.extension().is_some_and(|ending| ending == "md");
    let has_heading = || fragments(&std::fs::read_to_string(&file).unwrap()).contains(fragment);
    (is_page && !fragment.is_empty() && !has_heading()).then_some("no such heading")
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    pages(repository, &mut found);
    assert!(found.iter().any(|page| page.ends_with("README.md")));
    let mut broken = Vec::new();
    for page in &found {
        for target in targets(&std::fs::read_to_string(page).unwrap()) {
            if let Some(fault) = fault(page, &target) {
                broken
                    .push(format!("{}: {target}: {fault}", page.strip_prefix(repository).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_broken_link_is_found() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/README.md");
    let text = "[a](nope.md) `[b](code.md)` [c](../README.md#run-it) [d](../README.md#nope)\n```\n[e](block.md)\n```\n";
    let faults: Vec<_> = targets(text).iter().map(|target| fault(&page, target)).collect();
    assert_eq!(faults, [Some("no such file"), None, Some("no such heading")]);
    let headings = "# One `two`: three!\n## Again\n## Again\n## [Who](x.md) compresses\n";
    let slugs = ["again", "again-1", "one-two-three", "who-compresses"];
    assert_eq!(fragments(headings).into_iter().collect::<Vec<_>>(), slugs);
}
