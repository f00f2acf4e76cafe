//! The command line; everything else is in the library.

use std::{fmt::Display, io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};
use figment::Figment;
use movie_bag::{
    commands::{
        admin,
        admin::RoleCommand,
        export, import,
        serve::{self, ServeError},
        user::{self, UserCommand},
    },
    config::{self, LogFormat, LogLevel, Settings, Sources},
    mongo::{ConnectError, Connection},
    mongod::supervisor,
    server::{self, openapi},
    telemetry::log::{self, Log},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A movie catalogue REST API on MongoDB.
#[derive(Parser)]
#[command(name = "movie-bag", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default).
    Serve,
    /// Add the movies of a file: NDJSON, or CSV with a header; plain or gzipped.
    Import {
        file: PathBuf,
        /// The account that adds them.
        #[arg(long = "as", value_name = "EMAIL")]
        email: String,
        /// Say what would happen, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Where to write what was refused, a JSON object a line.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Write every movie as a line of JSON, to a file or to standard output.
    Export { file: Option<PathBuf> },
    /// Say who is admin.
    Admin {
        #[command(subcommand)]
        command: RoleCommand,
    },
    /// Make, reset, delete and list accounts.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Print the OpenAPI document; needs neither settings nor a database.
    Openapi,
    /// Run the embedded mongod as long as somebody uses it; started by the others.
    #[command(hide = true)]
    SuperviseMongod(supervisor::Arguments),
}

/// What failed, and what it means for the exit code.
enum Failure {
    /// Wrong usage or settings: 2.
    Usage(String),
    /// Anything else: 1.
    Failed(String),
    /// It is in the log already; only the code is left to say.
    Logged(u8),
}

impl Failure {
    /// Said in the log, whose every line has one form.
    fn logged(self) -> Self {
        let (text, code) = match self {
            Self::Usage(text) => (text, 2),
            Self::Failed(text) => (text, 1),
            Self::Logged(_) => return self,
        };
        tracing::error!(reason = text, "movie-bag ends");
        Self::Logged(code)
    }
}

fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            say(error);
            return ExitCode::SUCCESS;
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return report(&Failure::Usage("a subcommand is missing (see movie-bag --help)".to_owned()));
        }
        Err(error) => {
            // clap's text begins with what is wrong, which may be a list, and goes on with hints.
            let text = error.to_string();
            let wrong = text.split("\n\n").next().unwrap_or_default();
            let line = wrong.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
            return report(&Failure::Usage(format!("{line} (see movie-bag --help)")));
        }
    };
    let result = match command_line.command.unwrap_or(Command::Serve) {
        Command::SuperviseMongod(arguments) => supervisor::run(&arguments).map_err(failed),
        Command::Openapi => print_openapi(),
        command => run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    let (text, code) = match failure {
        Failure::Usage(text) => (text, 2),
        Failure::Failed(text) => (text, 1),
        Failure::Logged(code) => return ExitCode::from(*code),
    };
    // A log on a disk that is full cannot be written: that must not be a panic.
    let _ = writeln!(std::io::stderr(), "movie-bag: {text}");
    ExitCode::from(code)
}

/// To standard output. A closed pipe must not fail a command whose work is done.
fn say(text: impl Display) {
    let _ = write!(std::io::stdout(), "{text}");
}

fn failed(error: impl Display) -> Failure {
    Failure::Failed(error.to_string())
}

fn usage(error: impl Display) -> Failure {
    Failure::Usage(error.to_string())
}

fn print_openapi() -> Result<(), Failure> {
    let document = openapi::pretty().map_err(failed)?;
    match std::io::stdout().write_all(document.as_bytes()) {
        // `| head`: who reads has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(failed),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let Sources { figment, ignored } = config::read().map_err(usage)?;
    let settings = Settings::extract(&figment).map_err(usage);
    // Also where another setting is wrong: then the log says so.
    let format = figment.extract_inner("log.format").unwrap_or(LogFormat::Text);
    let level = match (&settings, &command) {
        (Ok(settings), Command::Serve) => settings.log.level,
        // A command reports on its own; of the log it shows what went wrong.
        (Ok(settings), _) if settings.log.level == LogLevel::Error => LogLevel::Error,
        _ => LogLevel::Warn,
    };
    let log = log::start(format, level).map_err(failed)?;
    for variable in ignored {
        tracing::warn!(variable, "ignored a ROCKET_ variable that is not a setting of Rocket's");
    }
    let result = settings.and_then(|settings| run_with(command, &figment, &settings, &log));
    match (result, format) {
        (Err(failure), LogFormat::Json) => Err(failure.logged()),
        (result, _) => result,
    }
}

fn run_with(command: Command, figment: &Figment, settings: &Settings, log: &Log) -> Result<(), Failure> {
    let workers = figment.extract::<rocket::Config>().map_err(usage)?.workers;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("movie-bag")
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        if matches!(command, Command::Serve) {
            return serve::run(figment, settings, log).await.map_err(|error| match error {
                ServeError::Setting(text) => Failure::Usage(text),
                ServeError::Failed(text) => Failure::Failed(text),
            });
        }
        let connection = Connection::open(settings).await.map_err(|error| match error {
            ConnectError::Uri(_) => usage(error),
            error => failed(error),
        })?;
        let result = with(command, &connection, figment, settings).await;
        connection.close().await;
        result
    })
}

async fn with(
    command: Command,
    connection: &Connection,
    figment: &Figment,
    settings: &Settings,
) -> Result<(), Failure> {
    match command {
        Command::Import { file, email, dry_run, report } => {
            let options = import::Options { file, email, dry_run, report };
            import::run(&options, connection).await.map_err(failed)
        }
        Command::Export { file } => export::run(file, connection).await.map_err(failed),
        Command::Admin { command } => {
            let said = admin::run(command, connection).await.map_err(failed)?;
            say(said);
            Ok(())
        }
        Command::User { command } => {
            let link_base = server::link_base(figment, settings).map_err(usage)?;
            say(user::run(command, connection, &link_base).await.map_err(failed)?);
            Ok(())
        }
        Command::Serve | Command::Openapi | Command::SuperviseMongod(_) => {
            unreachable!("BUG: these run without this connection")
        }
    }
}
