//! Examinations of the databases that a configuration names.

use cutover_ports::diagnosis::{Finding, Severity};

use super::WiringError;
use crate::config::{Backend, Config, ContextConfig};

/// A database and what was found in it.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// Which one.
    pub database: String,
    /// What was found, in the order it was looked at.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// The worst of it.
    pub fn severity(&self) -> Severity {
        self.findings
            .iter()
            .map(|finding| finding.severity)
            .max()
            .unwrap_or(Severity::Ok)
    }
}

/// Examines every database of `config`; none of them is changed.
pub async fn diagnose(config: &Config) -> Result<Vec<Diagnosis>, WiringError> {
    let mut diagnoses = Vec::new();
    #[cfg(feature = "sqlite")]
    for path in config.sqlite_files() {
        diagnoses.push(diagnose_sqlite(config, path).await);
    }
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        diagnoses.push(diagnose_postgres(config, postgres).await?);
    }
    Ok(diagnoses)
}

/// What the configured role may not do with the rows of repositories that run on PostgreSQL, if anything.
#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "this build has nothing to ask")
)]
pub async fn missing_rights(config: &Config) -> Result<Option<Finding>, WiringError> {
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        let server = super::databases::pg_server(postgres.url.expose())?;
        let repositories = config
            .contexts()
            .into_iter()
            .flat_map(|context| context.repositories);
        let served = repositories.filter(|repository| repository.backend == Backend::Postgres);
        let tables: Vec<&str> = served.flat_map(|repository| repository.tables).copied().collect();
        return cutover_postgres::diagnosis::missing_rights(&server, &tables)
            .await
            .map_err(|source| WiringError::Store {
                database: "PostgreSQL".to_owned(),
                source,
            });
    }
    Ok(None)
}

/// Every table of these contexts that a fresh schema has on that side.
fn tables<'a>(contexts: impl Iterator<Item = &'a ContextConfig>, backend: Backend) -> Vec<&'static str> {
    let all = contexts.flat_map(ContextConfig::tables);
    // Fresh files do without the lab's legacy table.
    let without = (backend == Backend::Sqlite).then_some("prfaq_metadata");
    all.filter(|table| Some(*table) != without).collect()
}

#[cfg(feature = "sqlite")]
async fn diagnose_sqlite(config: &Config, path: std::path::PathBuf) -> Diagnosis {
    let contexts = config.contexts();
    let in_file = contexts.iter().filter(|context| context.sqlite_path == path);
    let tables = tables(in_file, Backend::Sqlite);
    let database = format!("the SQLite file {}", path.display());
    let busy_timeout = config.sqlite.busy_timeout;
    let examination = tokio::task::spawn_blocking(move || {
        cutover_sqlite::diagnosis::diagnose(&path, &tables, busy_timeout)
    });
    let findings = examination.await.unwrap_or_else(|error| {
        vec![Finding::problem(
            "file",
            format!("the examination broke off: {error}"),
            "run it again",
        )]
    });
    Diagnosis { database, findings }
}

#[cfg(feature = "postgres")]
async fn diagnose_postgres(
    config: &Config,
    postgres: &crate::config::PostgresConfig,
) -> Result<Diagnosis, WiringError> {
    let server = super::databases::pg_server(postgres.url.expose())?;
    let expectation = cutover_postgres::diagnosis::Expectation {
        pool: &super::databases::pool_settings(postgres),
        tables: &tables(config.contexts().iter(), Backend::Postgres),
    };
    let findings = cutover_postgres::diagnosis::diagnose(&server, &expectation, &super::SystemClock).await;
    Ok(Diagnosis {
        database: format!("the PostgreSQL database {server}"),
        findings,
    })
}
