//! From a configuration to databases, and from databases and a routing to repositories.

use std::sync::Arc;
use std::time::Duration;

use cutover_ports::lab::LabRepositories;
use cutover_ports::{ReferredRows, StoreError, StoreResult};

use super::foreign_keys::AcrossDatabases;
use crate::config::{Backend, Config, LabRouting};

/// The databases that a configuration names, opened.
#[derive(Debug, Clone, Default)]
pub struct Databases {
    /// The lab's SQLite file.
    #[cfg(feature = "sqlite")]
    pub sqlite: Option<cutover_sqlite::Database>,
    /// The PostgreSQL database.
    #[cfg(feature = "postgres")]
    pub postgres: Option<cutover_postgres::Database>,
}

/// Why databases or repositories could not be had.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// The configuration asks for something that cannot be.
    #[error("{0}")]
    Configuration(String),
    /// A database cannot be read; the text says which and why.
    #[error("{0}")]
    Unreachable(String),
    /// A database cannot be used.
    #[error("{database} cannot be used: {source}")]
    Store {
        /// Which one.
        database: String,
        /// Why.
        source: StoreError,
    },
}

impl Databases {
    /// Opens what `config`'s routing uses. A SQLite file that does not exist is an error here: `migrate up` makes it.
    pub fn open(config: &Config) -> Result<Self, WiringError> {
        let mut databases = Self::default();
        let routing = &config.lab.routing;
        #[cfg(feature = "sqlite")]
        if routing.uses(Backend::Sqlite) {
            databases.sqlite = Some(open_sqlite(config)?);
        }
        #[cfg(feature = "postgres")]
        if routing.uses(Backend::Postgres) {
            databases.postgres = Some(open_postgres(config)?);
        }
        Ok(databases)
    }

    /// Whether each open database answers within `patience`.
    pub async fn ping(&self, patience: Duration) -> Vec<(Backend, StoreResult<()>)> {
        let mut answers = Vec::new();
        let late = || Err(StoreError::Unavailable("no answer in time".into()));
        #[cfg(feature = "sqlite")]
        if let Some(db) = &self.sqlite {
            let answer = tokio::time::timeout(patience, db.ping()).await;
            answers.push((Backend::Sqlite, answer.unwrap_or_else(|_| late())));
        }
        #[cfg(feature = "postgres")]
        if let Some(db) = &self.postgres {
            let answer = tokio::time::timeout(patience, db.ping()).await;
            answers.push((Backend::Postgres, answer.unwrap_or_else(|_| late())));
        }
        answers
    }

    /// Closes what is open, once what was asked of it is done.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unused_async, reason = "only a file has to be waited for")
    )]
    pub async fn close(&self) {
        #[cfg(feature = "sqlite")]
        if let Some(db) = &self.sqlite {
            db.close().await;
        }
        #[cfg(feature = "postgres")]
        if let Some(db) = &self.postgres {
            db.close();
        }
    }

    /// Every repository of the lab where `routing` says.
    pub fn lab_repositories(&self, routing: &LabRouting) -> Result<LabRepositories, WiringError> {
        let rows = (
            self.referred_rows(Backend::Sqlite),
            self.referred_rows(Backend::Postgres),
        );
        let keys = |here: Backend| match (&rows, here) {
            ((Some(sqlite), Some(postgres)), Backend::Sqlite) => Some(Arc::new(AcrossDatabases::new(
                here,
                *routing,
                Arc::clone(sqlite),
                Arc::clone(postgres),
            ))),
            ((Some(sqlite), Some(postgres)), Backend::Postgres) => Some(Arc::new(AcrossDatabases::new(
                here,
                *routing,
                Arc::clone(postgres),
                Arc::clone(sqlite),
            ))),
            _ => None,
        };
        let hybrid = routing.uses(Backend::Sqlite) && routing.uses(Backend::Postgres);
        let sqlite = self.lab_on(Backend::Sqlite, hybrid.then(|| keys(Backend::Sqlite)).flatten());
        let postgres = self.lab_on(
            Backend::Postgres,
            hybrid.then(|| keys(Backend::Postgres)).flatten(),
        );
        route(routing, sqlite.as_ref(), postgres.as_ref())
    }

    fn referred_rows(&self, backend: Backend) -> Option<Arc<dyn ReferredRows>> {
        match backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => self
                .sqlite
                .clone()
                .map(|db| Arc::new(db) as Arc<dyn ReferredRows>),
            #[cfg(feature = "postgres")]
            Backend::Postgres => self
                .postgres
                .clone()
                .map(|db| Arc::new(db) as Arc<dyn ReferredRows>),
            #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
            _ => None,
        }
    }

    fn lab_on(&self, backend: Backend, keys: Option<Arc<AcrossDatabases>>) -> Option<LabRepositories> {
        match backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => {
                let db = self.sqlite.clone()?;
                let db = match keys {
                    Some(keys) => db.with_foreign_keys(keys),
                    None => db,
                };
                Some(cutover_sqlite::lab::repositories(&db))
            }
            #[cfg(feature = "postgres")]
            Backend::Postgres => {
                let db = self.postgres.clone()?;
                let db = match keys {
                    Some(keys) => db.with_foreign_keys(keys),
                    None => db,
                };
                Some(cutover_postgres::lab::repositories(&db))
            }
            #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
            _ => None,
        }
    }
}

/// Takes each repository from the side that its route names.
fn route(
    routing: &LabRouting,
    sqlite: Option<&LabRepositories>,
    postgres: Option<&LabRepositories>,
) -> Result<LabRepositories, WiringError> {
    let side = |backend: Backend| {
        let side = match backend {
            Backend::Sqlite => sqlite,
            Backend::Postgres => postgres,
        };
        side.ok_or_else(|| {
            WiringError::Configuration(format!("a repository is routed to {backend}, which is not open"))
        })
    };
    Ok(LabRepositories {
        analysis_cache: Arc::clone(&side(routing.analysis_cache)?.analysis_cache),
        analysis_runs: Arc::clone(&side(routing.analysis_runs)?.analysis_runs),
        chart_insights: Arc::clone(&side(routing.chart_insights)?.chart_insights),
        experiment_documents: Arc::clone(&side(routing.experiment_documents)?.experiment_documents),
        experiments: Arc::clone(&side(routing.experiments)?.experiments),
        explorations: Arc::clone(&side(routing.explorations)?.explorations),
        interview_guides: Arc::clone(&side(routing.interview_guides)?.interview_guides),
        prfaqs: Arc::clone(&side(routing.prfaqs)?.prfaqs),
        region_analyses: Arc::clone(&side(routing.region_analyses)?.region_analyses),
        research_executions: Arc::clone(&side(routing.research_executions)?.research_executions),
        scorecards: Arc::clone(&side(routing.scorecards)?.scorecards),
        sensitivity_results: Arc::clone(&side(routing.sensitivity_results)?.sensitivity_results),
        simulations: Arc::clone(&side(routing.simulations)?.simulations),
        synth_groups: Arc::clone(&side(routing.synth_groups)?.synth_groups),
        synth_outcomes: Arc::clone(&side(routing.synth_outcomes)?.synth_outcomes),
        synths: Arc::clone(&side(routing.synths)?.synths),
    })
}

#[cfg(feature = "sqlite")]
fn open_sqlite(config: &Config) -> Result<cutover_sqlite::Database, WiringError> {
    let path = &config.lab.sqlite_path;
    let settings = cutover_sqlite::OpenSettings {
        create: false,
        busy_timeout: config.sqlite.busy_timeout,
        readers: config.sqlite.readers,
        legacy_zone: config.lab.legacy_zone.clone(),
    };
    cutover_sqlite::Database::open(path, &settings).map_err(|source| WiringError::Store {
        database: format!("the SQLite file {}", path.display()),
        source,
    })
}

#[cfg(feature = "postgres")]
pub(super) fn open_postgres(config: &Config) -> Result<cutover_postgres::Database, WiringError> {
    let settings = config.postgres.as_ref().ok_or_else(|| {
        WiringError::Configuration("no PostgreSQL is configured: set postgres.url or DATABASE_URL".to_owned())
    })?;
    let server = cutover_postgres::PgServer::parse(settings.url.expose())
        .map_err(|error| WiringError::Configuration(error.to_string()))?;
    cutover_postgres::Database::new(&server, &pool_settings(settings)).map_err(|source| WiringError::Store {
        database: "PostgreSQL".to_owned(),
        source,
    })
}

/// The pool that a configuration asks for.
#[cfg(feature = "postgres")]
pub(super) fn pool_settings(config: &crate::config::PostgresConfig) -> cutover_postgres::PoolSettings {
    cutover_postgres::PoolSettings {
        size: config.pool_size,
        wait_timeout: config.wait_timeout,
        statement_timeout: config.statement_timeout,
        prepared_statements: config.prepared_statements,
        ..Default::default()
    }
}
