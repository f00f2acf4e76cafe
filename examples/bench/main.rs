//! The catalogue at a size of your choice: fills it, and measures what it costs to ask.
//!
//! `docs/evidence/performance.md` holds what it has found, and how to repeat it. It uses the settings of the
//! server, and so its database.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use movie_bag::{
    config::{self, LogLevel, Settings},
    mongo::Connection,
    mongod::supervisor,
    telemetry::log,
};

mod client;
mod fill;
mod films;
mod keys;
mod kinds;
mod latency;
mod storm;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Fill a catalogue, and measure what it costs to ask it.
#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make movies of the demo films: the films themselves, then "Heat (2)", "Heat (3)" and so on.
    Fill {
        /// How many.
        movies: usize,
        /// The account that adds them.
        #[arg(long = "as", value_name = "EMAIL")]
        email: String,
    },
    /// Ask a server each kind of request many times, and print how long the answers took.
    Latency {
        #[command(flatten)]
        server: Server,
        /// How many requests of each kind.
        #[arg(long, default_value_t = 200)]
        requests: usize,
        /// Only the kinds whose name holds this text.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Print how many keys and documents the database looks at, for a first page and for one far on.
    Keys {
        #[command(flatten)]
        server: Server,
        /// The page far on.
        #[arg(long, default_value_t = 150)]
        page: usize,
    },
    /// Read from a server, without and with 200 logins a second; its throttle must be off.
    Storm {
        #[command(flatten)]
        server: Server,
        /// How long each part takes.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Keep the embedded mongod: whoever attaches to it first runs this of its own program.
    #[command(hide = true)]
    SuperviseMongod(supervisor::Arguments),
}

#[derive(Args)]
struct Server {
    /// Its address.
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
    let films = films::read(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/films.ndjson.gz")))?;
    if let Command::Latency { server, requests, only } = command {
        return latency::run(&server.address, &films, requests, &only).await;
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
        Command::Latency { .. } | Command::Storm { .. } | Command::SuperviseMongod(_) => Ok(()),
    };
    connection.close().await;
    result
}
