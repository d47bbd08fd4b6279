//! What the configured databases hold, asked without changing them.

use std::collections::HashMap;
use std::path::PathBuf;

use cutover_domain::secret::Secret;
use cutover_ports::inventory::{Inventory, ServedTable, TableRows};
use cutover_ports::transfer::LedgerEntry;

use super::WiringError;
use crate::config::{Backend, Config, ContextConfig, Repository};

/// Rows by table.
pub type Counts = HashMap<&'static str, TableRows>;

/// The rows of these contexts' tables.
async fn count(
    inventory: &dyn Inventory,
    contexts: &[ContextConfig],
    database: String,
) -> Result<Counts, WiringError> {
    let tables = contexts.iter().flat_map(ContextConfig::tables);
    let tables: Vec<_> = tables.map(|table| (table, seeds_of(table))).collect();
    inventory
        .count(&tables)
        .await
        .map_err(|source| WiringError::Store { database, source })
}

/// Every context's rows in its SQLite file; `None` if there is no such file. The files are opened strictly to read.
#[cfg_attr(
    not(feature = "sqlite"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn sqlite_counts(config: &Config) -> Result<Option<Counts>, WiringError> {
    #[cfg(feature = "sqlite")]
    {
        let mut counts = None;
        for context in config.contexts() {
            let path = &context.sqlite_path;
            if !path.exists() {
                continue;
            }
            let database = format!("the SQLite file {}", path.display());
            let file =
                cutover_sqlite::transfer::open::SourceFile::open(path, config.sqlite.busy_timeout).await?;
            let counted = count(&file, std::slice::from_ref(&context), database).await?;
            counts.get_or_insert_with(Counts::new).extend(counted);
        }
        Ok(counts)
    }
    #[cfg(not(feature = "sqlite"))]
    Ok(None)
}

/// A copy into tables of the service that has not come to its end.
#[derive(Debug, Clone)]
pub struct HalfCopied {
    /// The SQLite file that they are in; none if they are on PostgreSQL.
    pub file: Option<PathBuf>,
    /// Where their rows come from.
    pub source: String,
    /// Their names.
    pub tables: Vec<String>,
}

impl HalfCopied {
    /// The backend that they are on.
    pub fn backend(&self) -> Backend {
        match self.file {
            Some(_) => Backend::Sqlite,
            None => Backend::Postgres,
        }
    }

    /// Those of the contexts that have their tables there.
    pub fn contexts<'c>(&self, all: &'c [ContextConfig]) -> impl Iterator<Item = &'c ContextConfig> {
        all.iter()
            .filter(|context| self.file.as_ref().is_none_or(|file| context.sqlite_path == *file))
    }

    /// Whether it is into this table, if the table is there.
    pub fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|copied| copied == table)
    }
}

/// The copies into the contexts' SQLite files that have not come to their ends. The files are opened strictly to read.
#[cfg_attr(
    not(feature = "sqlite"),
    expect(
        unused_variables,
        unused_mut,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn half_copied_files(config: &Config) -> Result<Vec<HalfCopied>, WiringError> {
    #[cfg(feature = "sqlite")]
    use cutover_ports::transfer::TransferSource as _;

    let mut half_copied = Vec::new();
    #[cfg(feature = "sqlite")]
    for path in config.sqlite_files() {
        if std::fs::metadata(&path).map_or(true, |file| file.len() == 0) {
            continue;
        }
        let file = cutover_sqlite::transfer::SqliteSource::open(&path, config.sqlite.busy_timeout, 1).await?;
        if let Some(run) = file.unfinished().await? {
            half_copied.push(HalfCopied {
                file: Some(path),
                source: run.source,
                tables: run.tables.into_keys().collect(),
            });
        }
    }
    Ok(half_copied)
}

/// Every context's rows in the configured PostgreSQL database; `None` if none is configured.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn postgres_counts(config: &Config) -> Result<Option<Counts>, WiringError> {
    #[cfg(feature = "postgres")]
    if config.postgres.is_some() {
        let database = super::databases::open_postgres(config)?;
        return count(&database, &config.contexts(), "PostgreSQL".to_owned())
            .await
            .map(Some);
    }
    Ok(None)
}

/// What is known about the tables copied into the configured PostgreSQL database.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn postgres_ledger(config: &Config) -> Result<Vec<LedgerEntry>, WiringError> {
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        let server = super::databases::pg_server(postgres.url.expose())?;
        let client = server
            .connect("cutover status")
            .await
            .map_err(|source| WiringError::Store {
                database: "PostgreSQL".to_owned(),
                source,
            })?;
        return Ok(cutover_postgres::transfer::ledger::read(&client).await?);
    }
    Ok(Vec::new())
}

/// What a PostgreSQL database notes of the repositories that have run on it, and of copies into their tables.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// Whether it takes notes of repositories.
    pub is_possible: bool,
    /// Their names.
    pub repositories: Vec<String>,
    /// The copy that has not come to its end.
    pub unfinished: Option<HalfCopied>,
    /// Of the repositories that were asked for, what each table holds there.
    pub served: Vec<Served>,
}

impl Noted {
    /// Whether a repository is among them.
    pub fn names(&self, repository: &Repository) -> bool {
        self.repositories.iter().any(|noted| noted == repository.name)
    }

    /// The tables of a repository, if it was asked for.
    pub fn tables(&self, repository: &str) -> impl Iterator<Item = &(&'static str, ServedTable)> {
        let served = self
            .served
            .iter()
            .filter(move |served| served.repository == repository);
        served.flat_map(|served| &served.tables)
    }
}

/// The tables of a repository on PostgreSQL, and what each holds there.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its name.
    pub repository: &'static str,
    /// Its tables that are there.
    pub tables: Vec<(&'static str, ServedTable)>,
}

/// Which repositories are noted to have run on a PostgreSQL database, and what it holds of those that are to be counted, as is asked
/// about each and whether it is noted.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn noted(
    url: &Secret,
    contexts: &[ContextConfig],
    is_counted: impl Fn(&Repository, bool) -> bool,
) -> Result<Noted, WiringError> {
    #[cfg(feature = "postgres")]
    {
        let notes = notes(url).await?;
        let repositories = notes.repositories().await?;
        let unfinished = notes.unfinished().await?.map(|(source, tables)| HalfCopied {
            file: None,
            source,
            tables,
        });
        let mut noted = Noted {
            is_possible: repositories.is_some(),
            repositories: repositories.unwrap_or_default(),
            unfinished,
            served: Vec::new(),
        };
        for repository in contexts.iter().flat_map(|context| &context.repositories) {
            if !is_counted(repository, noted.names(repository)) {
                continue;
            }
            let mut tables = Vec::new();
            for table in repository.tables {
                if let Some(held) = notes.table(table, seeds_of(table)).await? {
                    tables.push((*table, held));
                }
            }
            noted.served.push(Served {
                repository: repository.name,
                tables,
            });
        }
        Ok(noted)
    }
    #[cfg(not(feature = "postgres"))]
    Ok(Noted::default())
}

/// The schema of a PostgreSQL database that the service's tables are in.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn default_schema(url: &Secret) -> Result<Option<String>, WiringError> {
    #[cfg(feature = "postgres")]
    {
        Ok(notes(url).await?.schema().await?)
    }
    #[cfg(not(feature = "postgres"))]
    Ok(None)
}

/// Refuses if it is to be noted on PostgreSQL which repositories run there, and cannot be.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nowhere to note it"
    )
)]
pub async fn refuse_unnoted(config: &Config) -> Result<(), WiringError> {
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        let [here, elsewhere] = routed(config);
        notes(&postgres.url).await?.wanting(&here, &elsewhere).await?;
    }
    Ok(())
}

/// Notes on PostgreSQL which repositories run there from now on, and which no longer do.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nowhere to note it"
    )
)]
pub async fn note_served(config: &Config) -> Result<(), WiringError> {
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        let [here, elsewhere] = routed(config);
        notes(&postgres.url).await?.note(&here, &elsewhere).await?;
    }
    Ok(())
}

/// The repositories that are routed to PostgreSQL, and those that are routed to SQLite.
#[cfg(feature = "postgres")]
fn routed(config: &Config) -> [Vec<&'static str>; 2] {
    let contexts = config.contexts();
    [Backend::Postgres, Backend::Sqlite].map(|backend| {
        let repositories = contexts.iter().flat_map(|context| &context.repositories);
        let routed = repositories.filter(|repository| repository.backend == backend);
        routed.map(|repository| repository.name).collect()
    })
}

#[cfg(feature = "postgres")]
async fn notes(url: &Secret) -> Result<cutover_postgres::transfer::served::Notes, WiringError> {
    let server = super::databases::pg_server(url.expose())?;
    Ok(cutover_postgres::transfer::served::Notes::open(&server).await?)
}

/// The condition that tells the rows that a table's schema starts with.
fn seeds_of(table: &str) -> &'static str {
    let mut seeds = cutover_migrations::Context::ALL
        .iter()
        .flat_map(|context| context.seeds);
    seeds
        .find(|(seeded, _)| *seeded == table)
        .map_or("false", |(_, condition)| condition)
}
