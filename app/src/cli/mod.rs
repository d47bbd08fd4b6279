//! The command line: what can be asked, where configuration comes from, how an answer ends.

mod copy;
mod doctor;
mod inspect;
mod logging;
mod migrate;
mod output;
mod places;
mod serve;
mod status;
mod verify;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use serde_json::Value;

use crate::config::{Config, ConfigError, Flags, SQLITE_PATHS, as_text};
use crate::exit::{CliError, Exit};
pub use output::Output;

/// Moves a live application from SQLite to PostgreSQL, one repository at a time, with nothing lost and a way back at
/// every step.
#[derive(Debug, Parser)]
#[command(name = "cutover", version, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

/// Where the databases are; each flag wins over the environment, which wins over the file.
#[derive(Debug, Clone, Default, Args)]
struct ConfigArgs {
    /// The configuration file [default: cutover.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "CUTOVER_CONFIG")]
    config: Option<PathBuf>,
    /// The SQLite file, of every application
    #[arg(long, global = true, value_name = "FILE")]
    sqlite: Option<String>,
    /// The PostgreSQL database
    #[arg(long, global = true, value_name = "URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Run a repository (or `default`, all others) on a backend: synths=postgres
    #[arg(long = "repository", global = true, value_name = "NAME=BACKEND")]
    repositories: Vec<String>,
    /// What to log: error, warn, info, debug, trace, or a filter
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Copy(copy::CopyArgs),
    Doctor(doctor::DoctorArgs),
    Migrate(migrate::MigrateArgs),
    Inspect(inspect::InspectArgs),
    /// Prove that two databases hold the same values
    ///
    /// Reads only, but for a note of the tables that are equal: from SQLite to PostgreSQL in cutover.ledger, the other way in a file that a
    /// copy has made. Comparing two databases of one kind notes nothing.
    Verify(verify::VerifyArgs),
    Status(status::StatusArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command line `args`, the program's name first, in `environment`.
pub async fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let is_flag = |arg: &&OsString| *arg != "--";
    let json = args.iter().take_while(is_flag).any(|arg| arg == "--json");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return Output::from_flag(json).usage(&error),
    };
    let output = cli.command.output();
    let ended = match as_text(environment) {
        Ok(environment) => dispatch(cli, &environment).await,
        Err(error) => Err(error.into()),
    };
    ended.unwrap_or_else(|error| output.failure(&error))
}

async fn dispatch(cli: Cli, environment: &BTreeMap<String, String>) -> Result<Exit, CliError> {
    let configure = |command: &[(&str, String, &'static str)]| -> Result<Config, CliError> {
        let config = cli.config.load(environment, command)?;
        logging::start(&config.log)?;
        Ok(config)
    };
    // Nothing beneath that, then, whatever else is wanted to be logged.
    let quietly = |quiet: bool, level: &str| quiet.then(|| ("log.filter", level.to_owned(), "--quiet"));
    match cli.command {
        // The service is watched in more ways than a command.
        Command::Serve(args) => serve::run(&cli.config.load(environment, &args.settings())?).await,
        Command::Migrate(args) if args.is_offline() => migrate::run_offline(&args),
        Command::Migrate(args) => {
            let config = configure(&[])?;
            migrate::run(&args, &config).await
        }
        Command::Inspect(args) => {
            inspect::run(&args, &configure(quietly(args.quiet, "warn").as_slice())?).await
        }
        Command::Copy(args) => copy::run(&args, &configure(quietly(args.quiet, "error").as_slice())?).await,
        Command::Verify(args) => {
            let config = configure(quietly(args.quiet, "error").as_slice())?;
            verify::run(args, &config).await
        }
        Command::Doctor(args) => doctor::run(&args, &configure(&[])?).await,
        Command::Status(args) => status::run(&args, &configure(&[])?).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "cutover", &mut script);
            Output::Text.write(|| String::from_utf8_lossy(&script).into_owned(), || Value::Null)?;
            Ok(Exit::Done)
        }
    }
}

impl Command {
    /// In which form its result is asked for.
    fn output(&self) -> Output {
        Output::from_flag(match self {
            Self::Copy(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Migrate(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::Verify(args) => args.json,
            Self::Status(args) => args.json,
            Self::Serve(_) | Self::Completions { .. } => false,
        })
    }
}

impl ConfigArgs {
    /// The checked configuration; `command` holds what the command's own flags set.
    fn load(
        &self,
        environment: &BTreeMap<String, String>,
        command: &[(&str, String, &'static str)],
    ) -> Result<Config, ConfigError> {
        let mut flags = Flags {
            file: self.config.clone(),
            settings: Vec::new(),
        };
        let mut set = |key: &str, value: &Option<String>, flag| {
            if let Some(value) = value {
                flags.settings.push((key.to_owned(), value.clone(), flag));
            }
        };
        // Also over a context's own file, which the environment may name.
        for key in ["sqlite.path"].iter().chain(SQLITE_PATHS) {
            set(key, &self.sqlite, "--sqlite");
        }
        set("postgres.url", &self.postgres, "--postgres");
        set("log.filter", &self.log, "--log");
        for route in &self.repositories {
            let (name, backend) = route.split_once('=').unwrap_or((route, ""));
            flags
                .settings
                .push((format!("repositories.{name}"), backend.to_owned(), "--repository"));
        }
        for (key, value, flag) in command {
            flags.settings.push(((*key).to_owned(), value.clone(), flag));
        }
        Config::load(&flags, environment)
    }
}
