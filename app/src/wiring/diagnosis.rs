//! Examinations of the databases that a configuration names.

use cutover_ports::diagnosis::{Finding, Severity};

use super::WiringError;
use crate::config::{Config, LAB_ROUTES};

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
    diagnoses.push(diagnose_sqlite(config).await);
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        diagnoses.push(diagnose_postgres(postgres).await?);
    }
    Ok(diagnoses)
}

/// Every table of the lab that a fresh schema has on that side.
fn tables(backend: crate::config::Backend) -> Vec<&'static str> {
    let all = LAB_ROUTES.iter().flat_map(|route| route.tables.iter().copied());
    // Fresh files do without the legacy table.
    let without = (backend == crate::config::Backend::Sqlite).then_some("prfaq_metadata");
    all.filter(|table| Some(*table) != without).collect()
}

#[cfg(feature = "sqlite")]
async fn diagnose_sqlite(config: &Config) -> Diagnosis {
    let path = config.lab.sqlite_path.clone();
    let database = format!("the SQLite file {}", path.display());
    let busy_timeout = config.sqlite.busy_timeout;
    let examination = tokio::task::spawn_blocking(move || {
        cutover_sqlite::diagnosis::diagnose(&path, &tables(crate::config::Backend::Sqlite), busy_timeout)
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
async fn diagnose_postgres(config: &crate::config::PostgresConfig) -> Result<Diagnosis, WiringError> {
    let server = cutover_postgres::PgServer::parse(config.url.expose())
        .map_err(|error| WiringError::Configuration(error.to_string()))?;
    let expectation = cutover_postgres::diagnosis::Expectation {
        pool: &super::databases::pool_settings(config),
        tables: &tables(crate::config::Backend::Postgres),
    };
    let findings = cutover_postgres::diagnosis::diagnose(&server, &expectation, &super::SystemClock).await;
    Ok(Diagnosis {
        database: format!("the PostgreSQL database {server}"),
        findings,
    })
}
