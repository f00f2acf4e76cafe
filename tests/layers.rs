//! Imports run one way: a folder of `src` imports only folders before it in [`LAYERS`], and no folders within it
//! import each other in a circle.

use std::{collections::BTreeSet, fs, path::Path};

const LAYERS: [&str; 11] = [
    "config",
    "mongod",
    "telemetry",
    "mongo",
    "http",
    "mail",
    "accounts",
    "movies",
    "server",
    "commands",
    "main",
];

type Module = Vec<String>;

/// Every file below a folder: its module, and its text without comments.
fn files(folder: &Path, module: &[String]) -> Vec<(Module, String)> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_face = ["mod", "lib"].contains(&name.as_str());
        let inside = if is_face { module.to_vec() } else { [module, &[name]].concat() };
        if path.is_dir() {
            found.extend(files(&path, &inside));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            found.push((inside, code.join("\n")));
        }
    }
    found
}

/// Takes one import off the beginning of a text. `a::{b, c::d}` gives two paths: `a::b` and `a::c::d`.
fn take_paths(text: &mut &str, prefix: &[String], found: &mut Vec<Module>) {
    let mut path = prefix.to_vec();
    loop {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        path.extend((end > 0).then(|| text[..end].to_owned()));
        *text = text[end..].trim_start();
        let Some(after) = text.strip_prefix("::") else { return found.push(path) };
        *text = after.trim_start();
        if let Some(mut group) = text.strip_prefix('{') {
            group = group.trim_start();
            while !group.starts_with('}') {
                take_paths(&mut group, &path, found);
                // Skip a new name (`as _`) and the comma.
                group = group[group.find([',', '}']).unwrap()..].trim_start_matches(',').trim_start();
            }
            *text = group[1..].trim_start();
            return;
        }
    }
}

/// The paths of this crate that a file imports, from the root.
fn imports(module: &[String], code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "movie_bag::"] {
        let starts = code.match_indices(root).map(|(at, _)| at);
        let whole = |at: &usize| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
        starts.filter(whole).for_each(|at| take_paths(&mut &code[at..], &[], &mut found));
    }
    let from_root = |path: Module| {
        let up = path.iter().take_while(|name| *name == "super").count();
        if up == 0 {
            path[1..].to_vec()
        } else {
            [&module[..module.len().saturating_sub(up)], &path[up..]].concat()
        }
    };
    found.into_iter().map(from_root).collect()
}

/// The folders that contain a module, from the root.
fn folders(module: &[String]) -> &[String] {
    let depth = (0..=module.len()).rev().find(|end| Path::new("src").join(module[..*end].join("/")).is_dir());
    &module[..depth.unwrap_or(0)]
}

#[test]
fn no_import_runs_uphill_and_no_folders_import_each_other_in_a_circle() {
    let layer =
        |module: &[String]| LAYERS.iter().position(|layer| module.first().is_some_and(|name| name == layer));
    let (mut uphill, mut arrows) = (Vec::new(), BTreeSet::new());
    for (module, code) in files(Path::new("src"), &[]) {
        for import in imports(&module, &code) {
            if layer(&import) > layer(&module) && !module.is_empty() {
                uphill.push(format!("{} uses {}", module.join("::"), import.join("::")));
            }
            let (from, to) = (folders(&module), folders(&import));
            let common = from.iter().zip(to).take_while(|(one, other)| one == other).count();
            // For the folders at the root, the order is the rule.
            if common > 0 && common < from.len().min(to.len()) {
                arrows.insert((from[..=common].join("/"), to[..=common].join("/")));
            }
        }
    }
    // Only folders in a circle, or between two circles, both import and are imported.
    loop {
        let all = arrows.clone();
        arrows.retain(|(from, to)| {
            all.iter().any(|other| other.1 == *from) && all.iter().any(|other| other.0 == *to)
        });
        if arrows.len() == all.len() {
            break;
        }
    }
    assert!(
        uphill.is_empty() && arrows.is_empty(),
        "uphill:\n{}\nin a circle:\n{arrows:#?}",
        uphill.join("\n")
    );
}
