//! `docs/reference/command-line.md` has every command and every option of `--help`, and no others.

use std::collections::BTreeSet;

use crate::support::Folder;

/// The names in a section of the help: commands, or the long names of options.
fn section<'a>(help: &'a str, title: &str) -> Vec<&'a str> {
    let Some((_, rest)) = help.split_once(&format!("\n{title}:\n")) else { return Vec::new() };
    let lines = rest.split("\n\n").next().unwrap_or_default().lines();
    let name = |line: &'a str| {
        line.split([' ', ',', '=', '[']).find(|word| match title {
            "Options" => word.starts_with("--"),
            _ => !word.is_empty(),
        })
    };
    // The following lines of a long text are indented further.
    lines.filter(|line| !line.starts_with("          ")).filter_map(name).collect()
}

/// Collects every command and every option.
fn offered(folder: &Folder, command: &[&str], found: &mut (BTreeSet<String>, BTreeSet<String>)) {
    let ended = folder.run(&[command, &["-h"]].concat());
    let help = &ended.assert_succeeded().out;
    found.1.extend(section(help, "Options").into_iter().map(ToOwned::to_owned));
    let commands = section(help, "Commands");
    if commands.is_empty() {
        found.0.insert(command.join(" "));
    }
    for name in commands.into_iter().filter(|name| *name != "help") {
        offered(folder, &[command, &[name]].concat(), found);
    }
}

#[test]
fn the_page_of_the_command_line_has_every_command_and_option() {
    let folder = Folder::new();
    let mut given = (BTreeSet::new(), BTreeSet::new());
    offered(&folder, &[], &mut given);
    let page = include_str!("../../docs/reference/command-line.md");
    let cells =
        page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split(" | ").next());
    let spans: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let is_name = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    let commands: BTreeSet<String> = spans
        .iter()
        .filter_map(|span| span.strip_prefix("movie-bag "))
        .map(|line| {
            line.split(' ')
                .take_while(is_name)
                .take_while(|word| !word.starts_with('-'))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .filter(|command| !command.is_empty() && command != "help")
        .collect();
    let options: BTreeSet<String> = page
        .split(['`', ' '])
        .filter(|word| word.starts_with("--") && word.trim_start_matches('-').len() > 1)
        .filter(|word| word[2..].chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(commands, given.0);
    assert_eq!(options, given.1);
}
