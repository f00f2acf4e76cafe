//! Fills a catalogue of any size, and measures what requests to it cost.
//!
//! `docs/evidence/performance.md` has the results, and says how to repeat them. This uses the server's settings, and
//! therefore its database.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use movie_bag::{
    config::{self, LogLevel, Settings},
    mongo::Connection,
    mongod::supervisor,
    telemetry::log,
};

mod changes;
mod client;
mod fill;
mod films;
mod forms;
mod keys;
mod kinds;
mod lag;
mod latency;
mod storm;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Fill a catalogue, and measure what requests to it cost.
#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make movies from the demo films: the films themselves, then "Heat (2)", "Heat (3)" and so on.
    Fill {
        /// How many movies.
        movies: usize,
        /// The account that adds them.
        #[arg(long = "as", value_name = "EMAIL")]
        email: String,
    },
    /// Send each kind of request many times, and print how long the answers took.
    Latency {
        #[command(flatten)]
        server: Server,
        /// How many requests of each kind.
        #[arg(long, default_value_t = 200)]
        requests: usize,
        /// How many requests are in flight at the same time.
        #[arg(long, default_value_t = 1)]
        callers: usize,
        /// Measure only the kinds whose name contains this text.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Print how many keys and documents the database examines for a first page and for a far page.
    Keys {
        #[command(flatten)]
        server: Server,
        /// The number of the far page.
        #[arg(long, default_value_t = 150)]
        page: usize,
    },
    /// Read the change log page by page, and print how long the pages took.
    Changes {
        #[command(flatten)]
        server: Server,
        /// Where to begin: the `next` of an earlier answer.
        #[arg(long, value_name = "CURSOR")]
        since: String,
        /// Changes on a page.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Add movies through one server, and print after how long each server finds them.
    Lag {
        /// The server that is written to.
        writes: String,
        /// Another server on the same database.
        reads: String,
        /// Movies added in each second.
        #[arg(long, default_value_t = 500)]
        per_second: u32,
        /// How long it takes.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Read from a server, without and with 200 logins a second. The server's throttle must be off.
    Storm {
        #[command(flatten)]
        server: Server,
        /// How long each part takes.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Ask for answers as they are, compressed and as 304, and print what each form costs.
    Forms {
        #[command(flatten)]
        server: Server,
        /// How long each form is asked for.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// How many ask at once.
        #[arg(long, default_value_t = 8)]
        callers: usize,
        /// The id of the server's process, to print its processor time too.
        #[arg(long)]
        process: Option<u32>,
    },
    /// Supervise the embedded mongod: the first process that attaches to it runs this command of its own program.
    #[command(hide = true)]
    SuperviseMongod(supervisor::Arguments),
}

#[derive(Args)]
struct Server {
    /// The address of the server.
    #[arg(default_value = "http://127.0.0.1:8000")]
    address: String,
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::SuperviseMongod(arguments) => supervisor::run(&arguments).map_err(Into::into),
        command => run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> Outcome<()> {
    if let Command::Forms { server, seconds, callers, process } = command {
        return forms::run(&server.address, seconds, callers, process).await;
    }
    let films = films::read(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/films.ndjson.gz")))?;
    if let Command::Latency { server, requests, callers, only } = command {
        let plan = latency::Plan { requests, callers, only: &only };
        return latency::run(&server.address, &films, &plan).await;
    }
    if let Command::Changes { server, since, limit } = command {
        return changes::run(&server.address, since, limit).await;
    }
    if let Command::Lag { writes, reads, per_second, seconds } = command {
        return lag::run(&writes, &reads, per_second, seconds).await;
    }
    if let Command::Storm { server, seconds } = command {
        return storm::run(&server.address, seconds).await;
    }
    let settings = Settings::extract(&config::read()?.figment)?;
    let _log = log::start(settings.log.format, LogLevel::Info)?;
    let connection = Connection::open(&settings).await?;
    let result = match command {
        Command::Fill { movies, email } => fill::run(&connection.database, &films, movies, &email).await,
        Command::Keys { server, page } => keys::run(&server.address, &connection.database, page).await,
        Command::Latency { .. }
        | Command::Changes { .. }
        | Command::Lag { .. }
        | Command::Storm { .. }
        | Command::Forms { .. }
        | Command::SuperviseMongod(_) => Ok(()),
    };
    connection.close().await;
    result
}
