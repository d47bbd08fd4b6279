//! Examinations of the databases that a configuration names.

use cutover_migrations::{Dialect, Difference, Target};
use cutover_ports::diagnosis::{Finding, Purpose, Severity};
#[cfg(feature = "postgres")]
use futures_util::future::OptionFuture;
#[cfg(feature = "sqlite")]
use futures_util::future::join_all;

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
    // At the same time: a server that does not answer is waited for.
    #[cfg(feature = "sqlite")]
    let files = join_all(
        config
            .sqlite_files()
            .into_iter()
            .map(|path| diagnose_sqlite(config, path)),
    );
    #[cfg(not(feature = "sqlite"))]
    let files = std::future::ready(Vec::new());
    #[cfg(feature = "postgres")]
    let server = OptionFuture::from(
        config
            .postgres
            .as_ref()
            .map(|server| diagnose_postgres(config, server)),
    );
    #[cfg(not(feature = "postgres"))]
    let server = std::future::ready(None::<Result<Diagnosis, WiringError>>);
    let (mut diagnoses, server) = tokio::join!(files, server);
    diagnoses.extend(server.transpose()?);
    Ok(diagnoses)
}

/// What the configured role may not do with rows of the repositories that run on PostgreSQL, if anything; to look at them, with those of all.
#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "this build has nothing to ask")
)]
pub async fn missing_rights(config: &Config, purpose: Purpose) -> Result<Option<Finding>, WiringError> {
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        let server = super::databases::pg_server(postgres.url.expose())?;
        let repositories = config
            .contexts()
            .into_iter()
            .flat_map(|context| context.repositories);
        let asked = repositories
            .filter(|repository| purpose == Purpose::Looking || repository.backend == Backend::Postgres);
        let tables: Vec<&str> = asked.flat_map(|repository| repository.tables).copied().collect();
        return cutover_postgres::diagnosis::missing_rights(&server, &tables, purpose)
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
    let (mut schemas, mut others) = (Vec::new(), Vec::new());
    for context in contexts.iter().filter(|context| context.sqlite_path == path) {
        let target = Target::Sqlite { path: path.clone() };
        match schema_finding(context, &target, true).await {
            Some(finding) => schemas.push(finding),
            None => others.push(context),
        }
    }
    let tables = tables(others.into_iter(), Backend::Sqlite);
    let database = format!("the SQLite file {}", path.display());
    let busy_timeout = config.sqlite.busy_timeout;
    let examination = tokio::task::spawn_blocking(move || {
        cutover_sqlite::diagnosis::diagnose(&path, &tables, busy_timeout)
    });
    let mut findings = examination.await.unwrap_or_else(|error| {
        vec![Finding::problem(
            "file",
            format!("the examination broke off: {error}"),
            "run it again",
        )]
    });
    findings.extend(schemas);
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
    let mut findings =
        cutover_postgres::diagnosis::diagnose(&server, &expectation, &super::SystemClock).await;
    if findings
        .iter()
        .all(|finding| finding.severity < Severity::Unreachable)
    {
        let target = super::postgres_target(postgres.url.expose())?;
        for context in config.contexts() {
            // To compare takes a session of its own, which no pooler grants, and the right to make temporary tables.
            findings.extend(schema_finding(&context, &target, postgres.prepared_statements).await);
        }
    }
    Ok(Diagnosis {
        database: format!("the PostgreSQL database {server}"),
        findings,
    })
}

/// Whether the tables of a context that is at its newest version are as the migrations have made them. What stands in the way of asking is
/// told by what a start finds.
async fn schema_finding(context: &ContextConfig, target: &Target, compares: bool) -> Option<Finding> {
    let (name, schema) = (context.schema.name, &context.schema);
    let advice = put_back(target);
    let status = cutover_migrations::status(target, schema).await;
    if !status.is_ok_and(|status| status.is_ready()) {
        return None;
    }
    #[cfg(feature = "sqlite")]
    if let Ok(missing) = super::missing_parts(target, context).await
        && !missing.is_empty()
    {
        let text = format!("parts of the {name}'s schema are missing: {}", told(&missing));
        return Some(Finding::problem("schema", text, advice));
    }
    let drift = if compares {
        cutover_migrations::check(target, schema).await.ok()
    } else {
        None
    };
    Some(match drift {
        Some(drift) if !drift.differences.is_empty() => Finding::warning(
            "schema",
            format!(
                "the {name}'s schema is not as migrations make it: {}",
                told(&drift.differences)
            ),
            advice,
        ),
        Some(_) => Finding::ok("schema", format!("the {name}'s is as migrations make it")),
        None => Finding::ok(
            "schema",
            format!(
                "the {name}'s tables have their columns; the rest is for `cutover migrate check` as the owner"
            ),
        ),
    })
}

/// What to do about a schema that is not as migrations made it.
pub fn put_back(target: &Target) -> &'static str {
    match target.dialect() {
        Dialect::Sqlite => {
            "see `cutover migrate check --on sqlite`, and put back what somebody has changed, or a backup"
        }
        Dialect::Postgres => {
            "see `cutover migrate check --on postgres` as the owner, and put back what somebody has changed"
        }
    }
}

/// The first differences in words.
pub fn told(differences: &[Difference]) -> String {
    const TOLD: usize = 5;
    let first = differences.iter().take(TOLD).map(|difference| {
        let object = difference.object.as_ref().map(|object| format!(".{object}"));
        format!(
            "{}{} ({})",
            difference.table,
            object.unwrap_or_default(),
            difference.what
        )
    });
    let mut told: Vec<String> = first.collect();
    if differences.len() > TOLD {
        told.push(format!("and {} more", differences.len() - TOLD));
    }
    told.join(", ")
}
