//! The arguments of the command line, and its help texts. `main.rs` runs the command that they name.

use std::path::PathBuf;

use clap::{
    Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use clap_complete::Shell;

use super::{admin::RoleCommand, user::UserCommand};
use crate::mongod::supervisor;

/// The version, with the commit if the build knew it.
pub const VERSION: &str = env!("BUILD_VERSION");

/// The end of the help, and the settings in the manual page. A test checks that each setting named here exists.
pub const SETTINGS: &str = "\
Settings come from these sources; later ones override earlier ones: the defaults in the program,
Rocket.toml in the working directory, .env, the environment. In the name of a variable, two
underscores stand for a dot: jwt.secret is MOVIE_BAG_JWT__SECRET. The main settings:

  MOVIE_BAG_DATA_DIR          Folder of the embedded database and the search index [default: data]
  MOVIE_BAG_MONGODB__URI      MongoDB to use instead of the embedded one
  MOVIE_BAG_JWT__SECRET       Key that signs tokens, 32 bytes or more; required with your own MongoDB
  MOVIE_BAG_PUBLIC_URL        Where clients reach the server, such as https://movies.example.com
  MOVIE_BAG_ACCOUNTS__SIGNUP  open or closed [default: open]
  MOVIE_BAG_MAIL__SMTP_URL    Mail server, such as smtps://user:password@mail.example.com; it also
                              needs MOVIE_BAG_MAIL__FROM and MOVIE_BAG_MAIL__LINK_BASE
  MOVIE_BAG_CORS__ORIGINS     Web apps that may call the API, such as [\"https://app.example.com\"]
  MOVIE_BAG_LOG__FORMAT       text or json [default: text]
  ROCKET_ADDRESS              Address to listen on [default: 127.0.0.1]
  ROCKET_PORT                 Port to listen on [default: 8000]

All settings, with their defaults: Rocket.toml and docs/reference/settings.md, in the source code.";

/// Part of the help, and a section of the manual page.
pub const EXIT_CODES: &str = "\
0: the command did its work. 1: it failed. 2: an argument or a setting is wrong. It is not a failure
when the reader of a pipe closes it early.";

const FILE: &str = "\
File of movies: NDJSON (a JSON object on each line), or CSV with a header if the name ends with
.csv or .csv.gz. Either may be compressed with gzip. \"-\" reads NDJSON from standard input";

/// A movie catalogue: a REST API on MongoDB, with a web client
#[derive(Debug, Parser)]
#[command(
    name = "movie-bag",
    version = VERSION,
    after_long_help = format!("Settings:\n{SETTINGS}\n\nExit codes:\n{EXIT_CODES}"),
    after_help = "Use --help for the main settings and the exit codes."
)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API and the web client (the default)
    Serve,
    /// Add the movies of a file to the catalogue
    ///
    /// Every movie is checked by the rules of the API. A line that is refused does not stop the import.
    /// You can import the same file again: movies that are there already are refused as duplicates.
    /// The last line on standard error counts what was imported and what was refused.
    ///
    /// Exits with 1 if nothing was imported and a line was refused for a reason other than a duplicate.
    #[command(verbatim_doc_comment)]
    Import {
        #[arg(help = FILE)]
        file: PathBuf,
        /// Email of the account that will own the movies
        #[arg(long = "as", value_name = "EMAIL")]
        email: String,
        /// Say what would happen, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Write a JSON object to this file for each refused line, with the reason. "-" is standard output
        #[arg(long, value_name = "FILE", verbatim_doc_comment)]
        report: Option<PathBuf>,
    },
    /// Write all movies as NDJSON, a JSON object on each line
    ///
    /// A line has what a client would send to add the movie: no id, owner or version. For a backup, use
    /// mongodump.
    #[command(verbatim_doc_comment)]
    Export {
        /// File to write. Standard output if it is "-" or left out
        file: Option<PathBuf>,
    },
    /// Grant and revoke the role of admin, and list the admins
    Admin {
        #[command(subcommand)]
        command: RoleCommand,
    },
    /// Add, reset, delete and list accounts
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Print the OpenAPI document. Needs no settings and no database
    Openapi,
    /// Print a completion script for a shell. Needs no settings and no database
    ///
    /// For bash, for example:
    ///   movie-bag completions bash > ~/.local/share/bash-completion/completions/movie-bag
    #[command(verbatim_doc_comment)]
    Completions {
        /// Shell that will run the script
        shell: Shell,
    },
    /// Print the manual page. Needs no settings and no database
    ///
    /// To read it: movie-bag man | man -l -
    #[command(verbatim_doc_comment)]
    Man,
    /// Run the embedded mongod while a process uses it; the other commands start this one
    #[command(hide = true)]
    SuperviseMongod(supervisor::Arguments),
}

/// What is wrong with the arguments, in one line.
#[must_use]
pub fn complaint(error: &clap::Error) -> String {
    // clap's text begins with what is wrong, which may be a list; hints follow after an empty line.
    let text = error.to_string();
    let wrong = text.split("\n\n").next().unwrap_or_default();
    let line = wrong.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    let meant = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue]
        .into_iter()
        .find_map(|kind| match error.get(kind)? {
            ContextValue::String(name) => Some(name.clone()),
            // The last one is the likeliest.
            ContextValue::Strings(names) => names.last().cloned(),
            _ => None,
        });
    match meant {
        Some(meant) => format!("{line}: did you mean '{meant}'? (see movie-bag --help)"),
        None => format!("{line} (see movie-bag --help)"),
    }
}
