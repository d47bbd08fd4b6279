//! Configuration: flags over environment over `cutover.toml` over defaults, checked as a whole.

mod collector;
mod database_url;
mod market;
mod operations;
mod prices;
mod routing;
mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_domain::secret::Secret;
use cutover_domain::time::{LegacyZone, LegacyZones};
use cutover_migrations::Context;
use toml::Value;
use tracing_subscriber::EnvFilter;

use crate::wiring::check_postgres_url;

pub use collector::Collector;
pub use database_url::{DatabaseUrl, is_same_file};
pub use market::MarketConfig;
pub use operations::{OpsConfig, TracesConfig};
pub use prices::{PriceConfig, PriceService};
pub use routing::{Backend, ContextRouting, LabRouting, MarketRouting, Repository, Route, WriterRouting};
use settings::Settings;
pub use settings::{ConfigError, line_at, not_toml};

/// The file read when no other is named.
pub const DEFAULT_FILE: &str = "cutover.toml";
/// The SQLite file used when nothing else is configured.
const DEFAULT_SQLITE: &str = "cutover.db";

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// How logs are written.
    pub log: LogConfig,
    /// The SQLite side.
    pub sqlite: SqliteConfig,
    /// The PostgreSQL side, if a URL is configured.
    pub postgres: Option<PostgresConfig>,
    /// The context synth-lab.
    pub lab: LabConfig,
    /// The context silmari-writer.
    pub writer: WriterConfig,
    /// The context SPY-tracker.
    pub market: MarketConfig,
    /// The HTTP service.
    pub server: ServerConfig,
    /// The endpoints under `/ops`.
    pub ops: OpsConfig,
    /// Where traces go, if anywhere.
    pub traces: Option<TracesConfig>,
    /// Start although a repository is routed to tables that were never copied and verified.
    pub accept_empty: bool,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A filter such as `info` or `cutover=debug,info`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

/// What all SQLite files have in common.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// How long a statement waits for another process that writes.
    pub busy_timeout: Duration,
    /// Connections that read.
    pub readers: usize,
}

/// The PostgreSQL database and its pool.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// Where it is; holds the password.
    pub url: Secret,
    /// Connections at most.
    pub pool_size: usize,
    /// How long a caller waits for a connection.
    pub wait_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// Off behind PgBouncer in transaction mode.
    pub prepared_statements: bool,
}

/// The context synth-lab.
#[derive(Debug, Clone)]
pub struct LabConfig {
    /// Whether it is served, migrated and copied.
    pub enabled: bool,
    /// Its SQLite file.
    pub sqlite_path: PathBuf,
    /// The folder of the synths' avatars.
    pub avatars: PathBuf,
    /// The zone that times without one are meant in.
    pub legacy_zone: LegacyZone,
    /// That zone's name.
    pub legacy_timezone: String,
    /// Which repository runs where.
    pub routing: LabRouting,
}

/// The context silmari-writer.
#[derive(Debug, Clone)]
pub struct WriterConfig {
    /// Whether it is served, migrated and copied.
    pub enabled: bool,
    /// Its SQLite file.
    pub sqlite_path: PathBuf,
    /// The folder of the uploaded files.
    pub uploads: PathBuf,
    /// The largest file that can be uploaded, in bytes.
    pub upload_limit: usize,
    /// The zone that times without one are meant in.
    pub legacy_zone: LegacyZone,
    /// That zone's name.
    pub legacy_timezone: String,
    /// Which repository runs where.
    pub routing: WriterRouting,
}

/// A context as everything sees it that treats all of them alike: migrations, guards, status, doctor.
#[derive(Debug, Clone)]
pub struct ContextConfig {
    /// Its schema, which also has its name.
    pub schema: Context,
    /// Its SQLite file.
    pub sqlite_path: PathBuf,
    /// The zone that times without one are meant in.
    pub legacy_zone: LegacyZone,
    /// Its repositories, and where they run.
    pub repositories: Vec<Repository>,
}

impl ContextConfig {
    /// Whether any repository runs on `backend`.
    pub fn uses(&self, backend: Backend) -> bool {
        self.repositories
            .iter()
            .any(|repository| repository.backend == backend)
    }

    /// Its tables.
    pub fn tables(&self) -> impl Iterator<Item = &'static str> {
        self.repositories
            .iter()
            .flat_map(|repository| repository.tables.iter().copied())
    }

    /// The tables of its repositories that run on `backend`.
    pub fn tables_on(&self, backend: Backend) -> impl Iterator<Item = &'static str> {
        self.repositories
            .iter()
            .filter(move |repository| repository.backend == backend)
            .flat_map(|repository| repository.tables.iter().copied())
    }
}

/// The HTTP service.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where it listens; loopback by default.
    pub listen: SocketAddr,
    /// Connections at most.
    pub connections_max: usize,
    /// How long a connection may be still: until the whole head of its next request is there, and while the client takes nothing of
    /// its answer.
    pub idle_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long requests in flight may go on after the signal to stop.
    pub shutdown_timeout: Duration,
    /// The largest body accepted, in bytes.
    pub body_limit: usize,
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The configuration file; without it [`DEFAULT_FILE`] if that exists.
    pub file: Option<PathBuf>,
    /// Settings by dotted key, each with the flag that gave it.
    pub settings: Vec<(String, String, &'static str)>,
}

/// Environment variables that have a name of their own; the others are `CUTOVER_` and the key in capitals with `_`.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("DATABASE_URL", "database_url"),
    ("CUTOVER_DATABASE_URL", "database_url"),
    ("SYNTHLAB_DB_PATH", "lab.sqlite_path"),
    ("CUTOVER_LOG", "log.filter"),
    ("CUTOVER_LOG_JSON", "log.json"),
    ("CUTOVER_ACCEPT_EMPTY", "accept_empty"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.endpoint"),
    ("OTEL_SERVICE_NAME", "traces.service_name"),
];

/// The sections whose keys the environment can set.
const SECTIONS: &[&str] = &[
    "log",
    "sqlite",
    "postgres",
    "repositories",
    "lab",
    "writer",
    "market",
    "server",
    "ops",
    "traces",
];

/// The settings that name a context's SQLite file.
pub const SQLITE_PATHS: &[&str] = &["lab.sqlite_path", "writer.sqlite_path", "market.sqlite_path"];

impl Config {
    /// Reads and checks everything; the error holds every mistake.
    pub fn load(flags: &Flags, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut settings = Settings::default();
        add_file(&mut settings, flags.file.as_deref());
        // What a platform sets for any program stands back behind what is said to this one.
        let (own, general): (Vec<_>, Vec<_>) =
            environment.iter().partition(|(name, _)| is_own(name.as_str()));
        for (name, value) in general.into_iter().chain(own) {
            if let Some(key) = environment_key(name)
                && !value.is_empty()
            {
                settings.add(
                    &key,
                    Value::String(value.clone()),
                    &format!("the environment's {name}"),
                );
            }
        }
        for (key, value, flag) in &flags.settings {
            settings.add(key, Value::String(value.clone()), flag);
        }
        let config = Self::from_settings(&mut settings);
        settings.finish().map(|()| config)
    }

    fn from_settings(settings: &mut Settings) -> Self {
        let log = LogConfig {
            filter: log_filter(settings),
            json: settings.flag("log.json", false),
        };
        let url = settings.checked("database_url", |text| match DatabaseUrl::parse(text) {
            Some(DatabaseUrl::Postgres(url)) => usable(url).map(DatabaseUrl::Postgres),
            Some(file) => Ok(file),
            None => Err("must be a postgres:// or sqlite:/// URL".to_owned()),
        });
        let (postgres_url, sqlite_url) = match url {
            Some(DatabaseUrl::Postgres(url)) => (Some(url), None),
            Some(DatabaseUrl::Sqlite(path)) => (None, Some(path)),
            None => (None, None),
        };
        let own_url = settings.checked("postgres.url", |text| match DatabaseUrl::parse(text) {
            Some(DatabaseUrl::Postgres(url)) => usable(url),
            _ => Err("must be a postgres:// URL".to_owned()),
        });
        let file_named = settings.is_set("sqlite.path")
            || SQLITE_PATHS.iter().any(|key| settings.is_set(key))
            || sqlite_url.is_some();
        let sqlite_path = sqlite_file(settings, "sqlite.path").or(sqlite_url);
        let postgres = postgres_from(settings, own_url.or(postgres_url));
        let backend = default_backend(settings, postgres.is_some(), file_named);
        let sqlite = SqliteConfig {
            busy_timeout: milliseconds(settings, "sqlite.busy_timeout_ms", 5_000),
            readers: count(settings, "sqlite.readers", 1..=64, 4),
        };
        let sqlite_path = sqlite_path.unwrap_or_else(|| PathBuf::from(DEFAULT_SQLITE));
        let lab = lab_from(settings, &sqlite_path, backend);
        let mut writer = writer_from(settings, &sqlite_path, backend);
        let mut market = market::market_from(settings, &sqlite_path, backend);
        // One file has one name from here on.
        for named in [&lab.sqlite_path, &writer.sqlite_path.clone()] {
            for path in [&mut writer.sqlite_path, &mut market.sqlite_path] {
                if is_same_file(named, path) {
                    path.clone_from(named);
                }
            }
        }
        let listen = settings
            .parsed(
                "server.listen",
                "an address and a port such as \"127.0.0.1:8080\"",
                |text| text.parse().ok(),
            )
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
        let server = ServerConfig {
            listen,
            connections_max: count(settings, "server.connections_max", 1..=100_000, 512),
            idle_timeout: milliseconds(settings, "server.idle_timeout_ms", 30_000),
            request_timeout: milliseconds(settings, "server.request_timeout_ms", 30_000),
            shutdown_timeout: milliseconds(settings, "server.shutdown_timeout_ms", 10_000),
            body_limit: count(
                settings,
                "server.body_limit_bytes",
                1_024..=1_073_741_824,
                10_485_760,
            ),
        };
        let config = Self {
            log,
            sqlite,
            postgres,
            lab,
            writer,
            market,
            server,
            ops: OpsConfig::from_settings(settings),
            traces: TracesConfig::from_settings(settings),
            accept_empty: settings.flag("accept_empty", false),
        };
        config.check(settings);
        config
    }

    /// The contexts that are served, migrated and copied.
    pub fn contexts(&self) -> Vec<ContextConfig> {
        let all = self.all_contexts().into_iter();
        all.filter_map(|(enabled, context)| enabled.then_some(context))
            .collect()
    }

    /// In which zone times without one are meant: in the tables of a context in its own, whichever file they are in, and else in the
    /// lab's.
    pub fn legacy_zones(&self) -> LegacyZones {
        let contexts = self.all_contexts();
        let of_tables = contexts.iter().flat_map(|(_, context)| {
            let tables = context.tables();
            tables.map(|table| (table, context.legacy_zone.clone()))
        });
        LegacyZones::new(of_tables, self.lab.legacy_zone.clone())
    }

    /// The contexts, each with whether it is enabled.
    fn all_contexts(&self) -> [(bool, ContextConfig); 3] {
        let (lab, writer, market) = (&self.lab, &self.writer, &self.market);
        let of_lab = ContextConfig {
            schema: Context::LAB,
            sqlite_path: lab.sqlite_path.clone(),
            legacy_zone: lab.legacy_zone.clone(),
            repositories: lab.routing.repositories(),
        };
        let of_writer = ContextConfig {
            schema: Context::WRITER,
            sqlite_path: writer.sqlite_path.clone(),
            legacy_zone: writer.legacy_zone.clone(),
            repositories: writer.routing.repositories(),
        };
        let of_market = ContextConfig {
            schema: Context::MARKET,
            sqlite_path: market.sqlite_path.clone(),
            legacy_zone: market.legacy_zone.clone(),
            repositories: market.routing.repositories(),
        };
        [
            (lab.enabled, of_lab),
            (writer.enabled, of_writer),
            (market.enabled, of_market),
        ]
    }

    /// Whether any repository runs on `backend`.
    pub fn uses(&self, backend: Backend) -> bool {
        self.contexts().iter().any(|context| context.uses(backend))
    }

    /// The contexts' SQLite files, each once.
    pub fn sqlite_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for context in self.contexts() {
            if !files.contains(&context.sqlite_path) {
                files.push(context.sqlite_path);
            }
        }
        files
    }

    /// Mistakes that no single setting makes.
    fn check(&self, settings: &mut Settings) {
        if self.contexts().is_empty() {
            settings.mistake("every context is off: turn one on, such as lab.enabled".to_owned());
        }
        if self.uses(Backend::Postgres) && self.postgres.is_none() {
            settings.mistake(
                "repositories are routed to postgres, and no PostgreSQL is configured: set postgres.url or DATABASE_URL"
                    .to_owned(),
            );
        }
        if self.uses(Backend::Postgres) && !cfg!(feature = "postgres") {
            settings.mistake(
                "repositories are routed to postgres, which this build has no adapter for".to_owned(),
            );
        }
        if self.uses(Backend::Sqlite) && !cfg!(feature = "sqlite") {
            settings
                .mistake("repositories are routed to sqlite, which this build has no adapter for".to_owned());
        }
    }
}

/// A URL of PostgreSQL whose every part can be used: it is read as whoever connects by it will.
fn usable(url: Secret) -> Result<Secret, String> {
    check_postgres_url(url.expose()).map_err(|reason| format!("cannot be used: {reason}"))?;
    Ok(url)
}

fn postgres_from(settings: &mut Settings, url: Option<Secret>) -> Option<PostgresConfig> {
    let pool_size = count(settings, "postgres.pool_size", 1..=1_000, 8);
    let wait_timeout = milliseconds(settings, "postgres.wait_timeout_ms", 5_000);
    let statement_timeout = milliseconds(settings, "postgres.statement_timeout_ms", 30_000);
    let prepared_statements = settings.flag("postgres.prepared_statements", true);
    url.map(|url| PostgresConfig {
        url,
        pool_size,
        wait_timeout,
        statement_timeout,
        prepared_statements,
    })
}

/// Without a default of its own, routing follows what is configured: PostgreSQL when only a PostgreSQL URL is given, or
/// when this build knows nothing else.
fn default_backend(settings: &mut Settings, postgres: bool, file_named: bool) -> Backend {
    let implied = if cfg!(not(feature = "sqlite")) || (postgres && !file_named) {
        Backend::Postgres
    } else {
        Backend::Sqlite
    };
    settings
        .parsed(
            "repositories.default",
            "\"sqlite\" or \"postgres\"",
            Backend::from_name,
        )
        .unwrap_or(implied)
}

fn lab_from(settings: &mut Settings, sqlite_path: &Path, backend: Backend) -> LabConfig {
    let (legacy_timezone, legacy_zone) = legacy_zone(settings, "lab.legacy_timezone");
    LabConfig {
        enabled: settings.flag("lab.enabled", true),
        sqlite_path: sqlite_file(settings, "lab.sqlite_path").unwrap_or_else(|| sqlite_path.to_owned()),
        avatars: path(settings, "lab.avatars", Path::new("output/synths/avatar")),
        legacy_zone,
        legacy_timezone,
        routing: routing::routing_from(settings, backend),
    }
}

fn writer_from(settings: &mut Settings, sqlite_path: &Path, backend: Backend) -> WriterConfig {
    let (legacy_timezone, legacy_zone) = legacy_zone(settings, "writer.legacy_timezone");
    WriterConfig {
        enabled: settings.flag("writer.enabled", true),
        sqlite_path: sqlite_file(settings, "writer.sqlite_path").unwrap_or_else(|| sqlite_path.to_owned()),
        uploads: path(settings, "writer.uploads", Path::new("uploads")),
        upload_limit: count(
            settings,
            "writer.upload_limit_bytes",
            1..=4_294_967_295,
            104_857_600,
        ),
        legacy_zone,
        legacy_timezone,
        routing: routing::routing_from(settings, backend),
    }
}

/// The zone that a context's times without one are meant in: its name, and the zone.
fn legacy_zone(settings: &mut Settings, key: &str) -> (String, LegacyZone) {
    let named = settings.checked(key, |name| {
        let zone = LegacyZone::named(name).map_err(|_| no_zone(name))?;
        Ok((name.to_owned(), zone))
    });
    named.unwrap_or_else(|| ("UTC".to_owned(), LegacyZone::utc()))
}

fn no_zone(name: &str) -> String {
    format!("is {name:?}, which is not a time zone this machine knows")
}

/// The path of a SQLite file.
fn sqlite_file(settings: &mut Settings, key: &str) -> Option<PathBuf> {
    settings.parsed(key, "the path of a SQLite file", database_url::file)
}

fn path(settings: &mut Settings, key: &str, default: &Path) -> PathBuf {
    settings
        .text(key)
        .map_or_else(|| default.to_owned(), PathBuf::from)
}

fn milliseconds(settings: &mut Settings, key: &str, default: u32) -> Duration {
    Duration::from_millis(u64::from(settings.number(key, 1..=3_600_000, default)))
}

fn count(settings: &mut Settings, key: &str, range: std::ops::RangeInclusive<u32>, default: u32) -> usize {
    usize::try_from(settings.number(key, range, default)).unwrap_or(usize::MAX)
}

fn add_file(settings: &mut Settings, named: Option<&Path>) {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => settings.add_file(&path.display().to_string(), &text),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => settings.mistake(format!("{} cannot be read: {error}", path.display())),
    }
}

/// What is logged. A word that is neither a level nor a part of this program would silence everything without a word.
fn log_filter(settings: &mut Settings) -> String {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_directive = |directive: &str| {
        let directive = directive.trim();
        LEVELS.iter().any(|level| directive.eq_ignore_ascii_case(level))
            || directive.starts_with("cutover")
            || directive.contains(['=', '['])
    };
    let is_filter = |text: &str| text.split(',').all(is_directive) && EnvFilter::try_new(text).is_ok();
    let filter = settings.parsed(
        "log.filter",
        "error, warn, info, debug, trace or off, or a filter such as \"info,cutover=debug\"",
        |text| is_filter(text).then(|| text.to_owned()),
    );
    filter.unwrap_or_else(|| "info".to_owned())
}

/// The environment as text. A variable that sets something and is no text is a mistake; others are nobody's business here.
pub fn as_text(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let (mut texts, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (name, value) in variables {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => drop(texts.insert(name, value)),
            Err(_) if environment_key(&name).is_some() => {
                mistakes.push(format!("the environment's {name} is not UTF-8"));
            }
            Err(_) => {}
        }
    }
    if mistakes.is_empty() {
        Ok(texts)
    } else {
        Err(ConfigError(mistakes))
    }
}

/// Whether a variable is for this program, not for any that runs there.
fn is_own(name: &str) -> bool {
    name.starts_with("CUTOVER_")
}

/// The key that an environment variable sets, if it is one of ours.
fn environment_key(name: &str) -> Option<String> {
    if let Some((_, key)) = ENVIRONMENT.iter().find(|(variable, _)| *variable == name) {
        return Some((*key).to_owned());
    }
    let rest = name.strip_prefix("CUTOVER_")?.to_lowercase();
    let (section, key) = rest.split_once('_')?;
    // Other variables with the prefix (of the tests, of scripts) are not settings.
    SECTIONS.contains(&section).then(|| format!("{section}.{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, String> {
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let settings = flags
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned(), "a flag"))
            .collect();
        Config::load(&Flags { file: None, settings }, &environment).map_err(|error| error.to_string())
    }

    /// Whoever says something to this program means it, whatever the platform says to all.
    #[test]
    fn its_own_variables_win_over_those_of_any_program() {
        let config = load(
            &[
                ("CUTOVER_DATABASE_URL", "postgres://u@h/own"),
                ("DATABASE_URL", "postgres://u@h/general"),
                ("CUTOVER_LAB_SQLITE_PATH", "own.db"),
                ("SYNTHLAB_DB_PATH", "general.db"),
                ("CUTOVER_TRACES_ENDPOINT", "http://own:4318"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318"),
            ],
            &[],
        )
        .unwrap();
        assert_eq!(config.postgres.unwrap().url.expose(), "postgres://u@h/own");
        assert_eq!(config.lab.sqlite_path, PathBuf::from("own.db"));
        let traces = format!("{:?}", config.traces);
        assert!(traces.contains("own:4318"), "{traces}");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_a_mistake_if_it_sets_something() {
        use std::os::unix::ffi::OsStringExt as _;
        let latin = || OsString::from_vec(b"sqlite:///caf\xe9.db".to_vec());
        let environment = |name: &str| as_text([(name.into(), latin()), ("HOME".into(), "/root".into())]);
        let told = environment("DATABASE_URL").unwrap_err().to_string();
        assert!(told.contains("DATABASE_URL is not UTF-8"), "{told}");
        let others = environment("SOMEBODYS").unwrap();
        assert_eq!(others, BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]));
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn a_file_that_two_contexts_name_is_one() {
        let paths = [
            ("CUTOVER_LAB_SQLITE_PATH", "x.db"),
            ("CUTOVER_MARKET_SQLITE_PATH", "./x.db"),
        ];
        let config = load(&paths, &[]).unwrap();
        assert_eq!(config.market.sqlite_path, PathBuf::from("x.db"));
        assert_eq!(
            config.sqlite_files(),
            [PathBuf::from("x.db"), PathBuf::from("cutover.db")]
        );
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn with_nothing_set_everything_is_on_an_embedded_file() {
        let config = load(&[], &[]).unwrap();
        assert_eq!(config.lab.sqlite_path, PathBuf::from("cutover.db"));
        assert_eq!(config.lab.routing, LabRouting::all(Backend::Sqlite));
        assert!(config.postgres.is_none());
        assert!(config.server.listen.ip().is_loopback());
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn flags_win_over_the_environment() {
        let environment = [
            ("CUTOVER_REPOSITORIES_SYNTHS", "sqlite"),
            ("DATABASE_URL", "postgres://u@h/d"),
        ];
        let config = load(
            &environment,
            &[("repositories.synths", "postgres"), ("sqlite.path", "a.db")],
        )
        .unwrap();
        assert_eq!(config.lab.routing.synths, Backend::Postgres);
        assert_eq!(config.lab.routing.experiments, Backend::Sqlite);
        assert_eq!(config.lab.sqlite_path, PathBuf::from("a.db"));
    }

    #[test]
    fn a_postgres_url_alone_means_postgres() {
        let config = load(&[("DATABASE_URL", "postgresql+asyncpg://u:secret@h/d")], &[]).unwrap();
        assert_eq!(config.lab.routing, LabRouting::all(Backend::Postgres));
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn a_file_beside_a_postgres_url_stays_in_charge() {
        let both = load(
            &[
                ("DATABASE_URL", "postgres://u@h/d"),
                ("SYNTHLAB_DB_PATH", "lab.db"),
            ],
            &[],
        )
        .unwrap();
        assert_eq!(both.lab.routing, LabRouting::all(Backend::Sqlite));
        assert_eq!(both.lab.sqlite_path, PathBuf::from("lab.db"));
    }

    #[test]
    fn every_mistake_is_told_at_once_and_no_password() {
        let environment = [
            ("CUTOVER_REPOSITORIES_EXPERIMENTZ", "postgres"),
            ("CUTOVER_REPOSITORIES_SYNTHS", "oracle"),
            ("CUTOVER_POSTGRES_POOL_SIZE", "many"),
            ("CUTOVER_LAB_LEGACY_TIMEZONE", "Mars/Olympus"),
            ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ];
        let mistakes = load(&environment, &[]).unwrap_err();
        for part in [
            "repositories.experimentz",
            "did you mean repositories.experiments?",
            "repositories.synths (from the environment's CUTOVER_REPOSITORIES_SYNTHS)",
            "postgres.pool_size",
            "Mars/Olympus",
            "database_url (from the environment's DATABASE_URL)",
        ] {
            assert!(mistakes.contains(part), "{part} is missing in: {mistakes}");
        }
        assert!(!mistakes.contains("hunter2"));
    }

    #[test]
    fn a_file_that_is_not_toml_is_told_with_its_line_and_without_its_text() {
        for text in [
            "[log]\nfilter = \"info\"\nfilter = \"hunter2\"\n",
            "# all\n[log]\nfilter = hunter2\n",
        ] {
            let mut settings = Settings::default();
            settings.add_file("cutover.toml", text);
            let mistakes = settings.finish().unwrap_err().to_string();
            assert!(
                mistakes.contains("cutover.toml, line 3: not TOML: "),
                "{mistakes}"
            );
            assert!(!mistakes.contains("hunter2"), "{mistakes}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_a_mistake_with_its_key_and_its_place() {
        let wrong = [
            ("postgres.url", "postgres://u:hunter2@h:port/d", "port"),
            ("postgres.url", "postgres://u:hunter2@h/d?colour=red", "colour"),
            ("database_url", "postgres://u:hunter2@h:99999/d", "port"),
            ("log.filter", "cutover=loud", "error, warn"),
            ("market.timezone", "Mars/Olympus", "Mars/Olympus"),
            ("market.timezone", "", "time zone"),
            (
                "market.closed_days",
                "soon, 2025-01-09, tomorrow",
                "\"soon\" and \"tomorrow\"",
            ),
            ("market.symbol", "", "not blank"),
            ("market.app_name", " ", "not blank"),
            ("market.frontend_origin", "", "origin"),
            ("market.frontend_origin", "https://spy.example/", "without a path"),
            ("writer.uploads", "", "not blank"),
            ("lab.avatars", "", "not blank"),
            ("traces.service_name", "", "not blank"),
            ("traces.endpoint", "http://h:port", "http://"),
            ("sqlite.path", "\0", "NUL"),
            ("lab.sqlite_path", "a\0.db", "NUL"),
            ("market.prices", "a\0.json", "NUL"),
        ];
        for (key, value, part) in wrong {
            let mistakes = load(&[], &[(key, value)]).unwrap_err();
            let told = mistakes
                .lines()
                .find(|line| line.contains(&format!("{key} (from a flag)")));
            assert!(
                told.is_some_and(|line| line.contains(part)),
                "{key} {value:?}: {mistakes}"
            );
            assert!(!mistakes.contains("hunter2"), "{mistakes}");
        }
        let keys: BTreeMap<&str, &str> = wrong.into_iter().map(|(key, value, _)| (key, value)).collect();
        let all: Vec<(&str, &str)> = keys.into_iter().collect();
        let mistakes = load(&[], &all).unwrap_err();
        assert_eq!(mistakes.matches("(from a flag)").count(), all.len(), "{mistakes}");
    }

    #[test]
    fn no_password_is_shown_by_debug() {
        let config = load(&[("DATABASE_URL", "postgres://u:hunter2@h/d")], &[]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_repository_on_postgres_needs_one() {
        let mistakes = load(&[], &[("repositories.synths", "postgres")]).unwrap_err();
        assert!(mistakes.contains("no PostgreSQL is configured"), "{mistakes}");
    }
}
