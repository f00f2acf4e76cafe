//! `docs/reference/settings.md` names every setting with its default.

use std::collections::BTreeMap;

use figment::Figment;

use super::{
    Settings,
    keys::{Kind, kind_of},
    sources::defaults,
};

/// Every key beneath this one; a provider's id is `<id>`.
fn keys_under(key: &str) -> Vec<String> {
    let beneath = |name: &str| {
        let dot = if key.is_empty() { "" } else { "." };
        keys_under(&format!("{key}{dot}{name}"))
    };
    match kind_of::<Settings>(key) {
        Kind::Table(names) => names.iter().flat_map(|name| beneath(name)).collect(),
        Kind::Map => beneath("<id>"),
        Kind::Text | Kind::Typed => vec![key.to_owned()],
        Kind::Unknown => panic!("{key} is not a key"),
    }
}

/// The default as the page shows it.
fn default_of(figment: &Figment, key: &str) -> String {
    match figment.extract_inner::<serde_json::Value>(key) {
        Ok(serde_json::Value::String(text)) => format!("`{text}`"),
        Ok(value) => format!("`{value}`"),
        Err(_) => "unset".to_owned(),
    }
}

#[test]
fn the_page_of_settings_has_every_key_and_its_default() {
    let page = include_str!("../../docs/reference/settings.md");
    let (_, page) = page.split_once("## The settings of Movie Bag").unwrap();
    let (table, _) = page.split_once("\n## ").unwrap();
    let listed: BTreeMap<String, String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let mut cells = row.split(" | ");
            let key = cells.next().unwrap().trim_end_matches('`');
            (key.to_owned(), cells.next().unwrap().to_owned())
        })
        .collect();
    // The page shows the default of a release build. `cargo run` also allows pages of this machine.
    let figment = defaults().select("release");
    let given: BTreeMap<String, String> =
        keys_under("").into_iter().map(|key| (key.clone(), default_of(&figment, &key))).collect();
    assert_eq!(listed, given);
}
