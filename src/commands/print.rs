//! What the program says about itself: `movie-bag openapi`, `movie-bag completions SHELL`, `movie-bag man`. None of them
//! reads a setting or needs a database.

use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::arguments::{CommandLine, EXIT_CODES, SETTINGS};

/// The completion script for this shell.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "movie-bag", &mut script);
    script
}

/// The manual page, for `man`: all commands in one page.
///
/// # Errors
/// None in practice: writing to memory does not fail.
pub fn manual() -> std::io::Result<Vec<u8>> {
    let mut command = CommandLine::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("Movie Bag");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    describe_below(&command, &mut roff);
    roff.control("SH", ["SETTINGS"]);
    // `nf` keeps the line breaks of the table.
    roff.control("nf", []);
    for line in SETTINGS.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("SH", ["EXIT STATUS"]);
    roff.text([roman(EXIT_CODES)]);
    roff.to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Each command that does something, with its arguments.
fn describe_below(parent: &Command, roff: &mut Roff) {
    for command in parent.get_subcommands().filter(|command| !command.is_hide_set()) {
        if command.get_name() == "help" {
            continue;
        }
        if command.has_subcommands() {
            describe_below(command, roff);
            continue;
        }
        let usage = command.clone().render_usage().to_string();
        roff.control("SS", [usage.trim_start_matches("Usage: ")]);
        let about = command.get_long_about().or_else(|| command.get_about());
        roff.text([roman(about.map(ToString::to_string).unwrap_or_default())]);
        for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
            roff.control("TP", []);
            roff.text([bold(name_of(argument))]);
            roff.text([roman(argument.get_help().map(ToString::to_string).unwrap_or_default())]);
        }
    }
}

/// The argument as the usage shows it: `--as <EMAIL>`, `<FILE>`.
fn name_of(argument: &Arg) -> String {
    argument.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_in_order() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_manual_page_has_every_command_and_no_hidden_one() {
        let page = String::from_utf8(manual().unwrap()).unwrap();
        for text in
            ["import", "export", "admin grant", "user delete", "completions", "SETTINGS", "EXIT STATUS"]
        {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("supervise"), "{page}");
    }
}
