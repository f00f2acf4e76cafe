//! Runs the command that the command line names; everything else is in the library.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use figment::Figment;
use movie_bag::{
    commands::{
        admin,
        arguments::{self, Command, CommandLine},
        export, import, print,
        serve::{self, ServeError},
        user,
    },
    config::{self, LogFormat, LogLevel, Settings, Sources},
    mongo::{ConnectError, Connection},
    mongod::supervisor,
    server::{self, openapi},
    telemetry::log::{self, Log},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What failed, and what it means for the exit code.
enum Failure {
    /// Wrong usage or settings: 2.
    Usage(String),
    /// Anything else: 1.
    Failed(String),
    /// The log has the reason already; only the exit code is left.
    Logged(u8),
}

impl Failure {
    /// Writes the reason to the log, where every line must have the log's format.
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
    let command = match CommandLine::try_parse() {
        Ok(command_line) => command_line.command.unwrap_or(Command::Serve),
        Err(error) => return report(answer(&error)),
    };
    report(match command {
        Command::SuperviseMongod(arguments) => supervisor::run(&arguments).map_err(failed),
        Command::Openapi => openapi::pretty().map_err(failed).and_then(say),
        Command::Completions { shell } => say(print::completions(shell)),
        Command::Man => print::manual().map_err(failed).and_then(say),
        command => run(command),
    })
}

/// Help and the version are answers. Anything else that clap reports is wrong usage.
fn answer(error: &clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => say(error.to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(Failure::Usage("a subcommand is missing (see movie-bag --help)".to_owned()))
        }
        _ => Err(Failure::Usage(arguments::complaint(error))),
    }
}

fn report(result: Result<(), Failure>) -> ExitCode {
    let (text, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Logged(code)) => return ExitCode::from(code),
        Err(Failure::Usage(text)) => (text, 2),
        Err(Failure::Failed(text)) => (text, 1),
    };
    // Standard error may be closed, or on a full disk: that must not be a panic.
    let _ = writeln!(io::stderr(), "movie-bag: {text}");
    ExitCode::from(code)
}

/// Writes to standard output. The reader of a pipe may close it when it has read enough (`| head`).
fn say(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_ref()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::Failed(format!("standard output: {error}"))),
    }
}

fn failed(error: impl Display) -> Failure {
    Failure::Failed(error.to_string())
}

fn usage(error: impl Display) -> Failure {
    Failure::Usage(error.to_string())
}

fn run(command: Command) -> Result<(), Failure> {
    let Sources { figment, ignored } = config::read().map_err(usage)?;
    let settings = Settings::extract(&figment).map_err(usage);
    // Read this even if another setting is wrong, because the log has to report that.
    let format = figment.extract_inner("log.format").unwrap_or(LogFormat::Text);
    let level = match (&settings, &command) {
        (Ok(settings), Command::Serve) => settings.log.level,
        // A command prints its own result, so the log shows only problems.
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
        Command::Admin { command } => say(admin::run(command, connection).await.map_err(failed)?),
        Command::User { command } => {
            let link_base = server::link_base(figment, settings).map_err(usage)?;
            say(user::run(command, connection, &link_base).await.map_err(failed)?)
        }
        Command::Serve
        | Command::Openapi
        | Command::Completions { .. }
        | Command::Man
        | Command::SuperviseMongod(_) => {
            unreachable!("BUG: these run without this connection")
        }
    }
}
