//! From a configuration to databases, and from databases and a routing to repositories.

#[cfg(feature = "sqlite")]
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cutover_migrations::Context;
use cutover_ports::lab::LabRepositories;
use cutover_ports::market::MarketRepositories;
use cutover_ports::transfer::TransferError;
use cutover_ports::writer::WriterRepositories;
#[cfg(all(feature = "sqlite", feature = "postgres"))]
use cutover_ports::{KeyLocks, ReferredRows};
use cutover_ports::{StoreError, StoreResult};

#[cfg(all(feature = "sqlite", feature = "postgres"))]
use super::foreign_keys::AcrossDatabases;
#[cfg(feature = "sqlite")]
use crate::config::ContextConfig;
use crate::config::{Backend, Config, ContextRouting, LabRouting, MarketRouting, Repository, WriterRouting};

/// The databases that a configuration names, opened.
#[derive(Debug, Clone, Default)]
pub struct Databases {
    /// The SQLite file of each context, by its name; contexts that share a file and a zone share its connections.
    #[cfg(feature = "sqlite")]
    pub files: BTreeMap<&'static str, cutover_sqlite::Database>,
    /// The PostgreSQL database.
    #[cfg(feature = "postgres")]
    pub postgres: Option<cutover_postgres::Database>,
}

/// The repositories of every context.
#[derive(Debug, Clone)]
pub struct Repositories {
    /// synth-lab's.
    pub lab: LabRepositories,
    /// silmari-writer's.
    pub writer: WriterRepositories,
    /// SPY-tracker's.
    pub market: MarketRepositories,
}

/// Why databases or repositories could not be had.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// The configuration asks for something that cannot be.
    #[error("{0}")]
    Configuration(String),
    /// What is known of a move cannot be read or noted.
    #[error(transparent)]
    Transfer(#[from] TransferError),
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
    /// Opens what the routing of `config`'s contexts uses. A SQLite file that does not exist is an error here:
    /// `migrate up` makes it.
    pub fn open(config: &Config) -> Result<Self, WiringError> {
        let mut databases = Self::default();
        let contexts = config.contexts();
        for context in &contexts {
            #[cfg(feature = "sqlite")]
            if context.uses(Backend::Sqlite) {
                let same = |other: &&ContextConfig| {
                    (&other.sqlite_path, &other.legacy_zone) == (&context.sqlite_path, &context.legacy_zone)
                };
                let open = contexts
                    .iter()
                    .filter(same)
                    .find_map(|other| databases.files.get(other.schema.name));
                let file = match open {
                    Some(file) => file.clone(),
                    None => open_sqlite(config, context)?,
                };
                databases.files.insert(context.schema.name, file);
            }
            #[cfg(feature = "postgres")]
            if context.uses(Backend::Postgres) && databases.postgres.is_none() {
                databases.postgres = Some(open_postgres(config)?);
            }
        }
        Ok(databases)
    }

    /// Whether each kind of database answers within `patience`, and takes writes: for the SQLite files, whether all of them do.
    pub async fn ping(&self, patience: Duration) -> Vec<(Backend, StoreResult<()>)> {
        let mut answers = Vec::new();
        let late = || Err(StoreError::Unavailable("no answer in time".into()));
        #[cfg(feature = "sqlite")]
        if !self.files.is_empty() {
            let all = futures_util::future::try_join_all(self.files.values().map(|file| file.ping()));
            let answer = tokio::time::timeout(patience, all).await;
            answers.push((
                Backend::Sqlite,
                answer.map_or_else(|_| late(), |all| all.map(drop)),
            ));
        }
        #[cfg(feature = "postgres")]
        if let Some(db) = &self.postgres {
            let answer = match tokio::time::timeout(patience, db.ping()).await {
                Ok(Ok(false)) => Err(StoreError::READ_ONLY),
                Ok(answer) => answer.map(drop),
                Err(_) => late(),
            };
            answers.push((Backend::Postgres, answer));
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
        for file in self.files.values() {
            file.close().await;
        }
        #[cfg(feature = "postgres")]
        if let Some(db) = &self.postgres {
            db.close();
        }
    }

    /// Every repository of every context where the configuration says. Those of a context that is off are never asked; they stand
    /// on whatever is open.
    pub fn repositories(&self, config: &Config) -> Result<Repositories, WiringError> {
        let (off, backend) = self.stand_in();
        Ok(Repositories {
            lab: if config.lab.enabled {
                self.lab_repositories(&config.lab.routing)?
            } else {
                off.lab_repositories(&LabRouting::all(backend))?
            },
            writer: if config.writer.enabled {
                self.writer_repositories(&config.writer.routing)?
            } else {
                off.writer_repositories(&WriterRouting::all(backend))?
            },
            market: if config.market.enabled {
                self.market_repositories(&config.market.routing)?
            } else {
                off.market_repositories(&MarketRouting::all(backend))?
            },
        })
    }

    /// One of the open databases, for every context, and of which kind it is.
    fn stand_in(&self) -> (Self, Backend) {
        #[cfg(feature = "sqlite")]
        if let Some(file) = self.files.values().next() {
            let of = |context: &Context| (context.name, file.clone());
            let files = Self {
                files: Context::ALL.iter().map(of).collect(),
                #[cfg(feature = "postgres")]
                postgres: None,
            };
            return (files, Backend::Sqlite);
        }
        (self.clone(), Backend::Postgres)
    }

    /// Every repository of the lab where `routing` says.
    pub fn lab_repositories(&self, routing: &LabRouting) -> Result<LabRepositories, WiringError> {
        let adapters = Adapters {
            #[cfg(feature = "sqlite")]
            sqlite: cutover_sqlite::lab::repositories,
            #[cfg(feature = "postgres")]
            postgres: cutover_postgres::lab::repositories,
        };
        let sides = self.sides(&Context::LAB, &routing.repositories(), &adapters)?;
        lab_routed(routing, &sides)
    }

    /// Every repository of the writer where `routing` says.
    pub fn writer_repositories(&self, routing: &WriterRouting) -> Result<WriterRepositories, WiringError> {
        let adapters = Adapters {
            #[cfg(feature = "sqlite")]
            sqlite: cutover_sqlite::writer::repositories,
            #[cfg(feature = "postgres")]
            postgres: cutover_postgres::writer::repositories,
        };
        let sides = self.sides(&Context::WRITER, &routing.repositories(), &adapters)?;
        writer_routed(*routing, &sides)
    }

    /// Every repository of the market where `routing` says.
    pub fn market_repositories(&self, routing: &MarketRouting) -> Result<MarketRepositories, WiringError> {
        let adapters = Adapters {
            #[cfg(feature = "sqlite")]
            sqlite: cutover_sqlite::market::repositories,
            #[cfg(feature = "postgres")]
            postgres: cutover_postgres::market::repositories,
        };
        let sides = self.sides(&Context::MARKET, &routing.repositories(), &adapters)?;
        market_routed(*routing, &sides)
    }

    /// A context's repositories on each database that is open.
    fn sides<R>(
        &self,
        context: &Context,
        repositories: &[Repository],
        adapters: &Adapters<R>,
    ) -> Result<Sides<R>, WiringError> {
        let databases = self.of_context(context, repositories)?;
        Ok(Sides {
            #[cfg(feature = "sqlite")]
            sqlite: databases.sqlite.as_ref().map(adapters.sqlite),
            #[cfg(not(feature = "sqlite"))]
            sqlite: None,
            #[cfg(feature = "postgres")]
            postgres: databases.postgres.as_ref().map(adapters.postgres),
            #[cfg(not(feature = "postgres"))]
            postgres: None,
        })
    }

    /// The two databases of a context. If its `repositories` stand on both, each of the two asks the other
    /// about foreign keys.
    #[cfg_attr(
        not(all(feature = "sqlite", feature = "postgres")),
        expect(
            unused_variables,
            clippy::unnecessary_wraps,
            reason = "one database needs no routing"
        )
    )]
    fn of_context(
        &self,
        context: &Context,
        repositories: &[Repository],
    ) -> Result<ContextDatabases, WiringError> {
        let databases = ContextDatabases {
            #[cfg(feature = "sqlite")]
            sqlite: self.files.get(context.name).cloned(),
            #[cfg(feature = "postgres")]
            postgres: self.postgres.clone(),
        };
        #[cfg(all(feature = "sqlite", feature = "postgres"))]
        if let ContextDatabases {
            sqlite: Some(sqlite),
            postgres: Some(postgres),
        } = &databases
        {
            let uses = |backend| {
                repositories
                    .iter()
                    .any(|repository| repository.backend == backend)
            };
            if uses(Backend::Sqlite) && uses(Backend::Postgres) {
                // In a pool that they share with the writes, locks could take every connection that the writes wait for.
                let locks: Arc<dyn KeyLocks> = Arc::new(postgres.apart().map_err(unusable)?);
                let keys = |here, own: Arc<dyn ReferredRows>, other: Arc<dyn ReferredRows>| {
                    let repositories = repositories.to_vec();
                    Arc::new(AcrossDatabases::new(
                        here,
                        repositories,
                        own,
                        other,
                        Arc::clone(&locks),
                    ))
                };
                let rows: (Arc<dyn ReferredRows>, Arc<dyn ReferredRows>) =
                    (Arc::new(sqlite.clone()), Arc::new(postgres.clone()));
                let on_sqlite = keys(Backend::Sqlite, Arc::clone(&rows.0), Arc::clone(&rows.1));
                let on_postgres = keys(Backend::Postgres, rows.1, rows.0);
                return Ok(ContextDatabases {
                    sqlite: Some(sqlite.clone().with_foreign_keys(on_sqlite)),
                    postgres: Some(postgres.clone().with_foreign_keys(on_postgres)),
                });
            }
        }
        Ok(databases)
    }
}

/// The databases of one context.
struct ContextDatabases {
    #[cfg(feature = "sqlite")]
    sqlite: Option<cutover_sqlite::Database>,
    #[cfg(feature = "postgres")]
    postgres: Option<cutover_postgres::Database>,
}

/// What makes a context's repositories on a database.
struct Adapters<R> {
    #[cfg(feature = "sqlite")]
    sqlite: fn(&cutover_sqlite::Database) -> R,
    #[cfg(feature = "postgres")]
    postgres: fn(&cutover_postgres::Database) -> R,
}

/// A context's repositories on each database that is open.
struct Sides<R> {
    sqlite: Option<R>,
    postgres: Option<R>,
}

impl<R> Sides<R> {
    fn on(&self, backend: Backend) -> Result<&R, WiringError> {
        let side = match backend {
            Backend::Sqlite => &self.sqlite,
            Backend::Postgres => &self.postgres,
        };
        side.as_ref().ok_or_else(|| {
            WiringError::Configuration(format!("a repository is routed to {backend}, which is not open"))
        })
    }
}

/// Takes each repository from the side that its route names.
fn lab_routed(routing: &LabRouting, sides: &Sides<LabRepositories>) -> Result<LabRepositories, WiringError> {
    Ok(LabRepositories {
        analysis_cache: Arc::clone(&sides.on(routing.analysis_cache)?.analysis_cache),
        analysis_runs: Arc::clone(&sides.on(routing.analysis_runs)?.analysis_runs),
        chart_insights: Arc::clone(&sides.on(routing.chart_insights)?.chart_insights),
        experiment_documents: Arc::clone(&sides.on(routing.experiment_documents)?.experiment_documents),
        experiments: Arc::clone(&sides.on(routing.experiments)?.experiments),
        explorations: Arc::clone(&sides.on(routing.explorations)?.explorations),
        interview_guides: Arc::clone(&sides.on(routing.interview_guides)?.interview_guides),
        prfaqs: Arc::clone(&sides.on(routing.prfaqs)?.prfaqs),
        region_analyses: Arc::clone(&sides.on(routing.region_analyses)?.region_analyses),
        research_executions: Arc::clone(&sides.on(routing.research_executions)?.research_executions),
        scorecards: Arc::clone(&sides.on(routing.scorecards)?.scorecards),
        sensitivity_results: Arc::clone(&sides.on(routing.sensitivity_results)?.sensitivity_results),
        simulations: Arc::clone(&sides.on(routing.simulations)?.simulations),
        synth_groups: Arc::clone(&sides.on(routing.synth_groups)?.synth_groups),
        synth_outcomes: Arc::clone(&sides.on(routing.synth_outcomes)?.synth_outcomes),
        synths: Arc::clone(&sides.on(routing.synths)?.synths),
    })
}

/// Takes each repository from the side that its route names.
fn writer_routed(
    routing: WriterRouting,
    sides: &Sides<WriterRepositories>,
) -> Result<WriterRepositories, WiringError> {
    Ok(WriterRepositories {
        conversations: Arc::clone(&sides.on(routing.conversations)?.conversations),
        files: Arc::clone(&sides.on(routing.files)?.files),
    })
}

fn market_routed(
    routing: MarketRouting,
    sides: &Sides<MarketRepositories>,
) -> Result<MarketRepositories, WiringError> {
    Ok(MarketRepositories {
        ai_predictions: Arc::clone(&sides.on(routing.ai_predictions)?.ai_predictions),
        baseline_models: Arc::clone(&sides.on(routing.baseline_models)?.baseline_models),
        daily_predictions: Arc::clone(&sides.on(routing.daily_predictions)?.daily_predictions),
        job_runs: Arc::clone(&sides.on(routing.job_runs)?.job_runs),
        model_performance: Arc::clone(&sides.on(routing.model_performance)?.model_performance),
    })
}

#[cfg(feature = "sqlite")]
fn open_sqlite(config: &Config, context: &ContextConfig) -> Result<cutover_sqlite::Database, WiringError> {
    let path = &context.sqlite_path;
    let settings = cutover_sqlite::OpenSettings {
        create: false,
        busy_timeout: config.sqlite.busy_timeout,
        readers: config.sqlite.readers,
        legacy_zone: context.legacy_zone.clone(),
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
    let server = pg_server(settings.url.expose())?;
    cutover_postgres::Database::new(&server, &pool_settings(settings)).map_err(unusable)
}

#[cfg(feature = "postgres")]
fn unusable(source: StoreError) -> WiringError {
    WiringError::Store {
        database: "PostgreSQL".to_owned(),
        source,
    }
}

/// Asks PostgreSQL once as the service's pool will: a pooler may refuse to it what it grants to a session that nothing is set in.
#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "this build has nothing to ask")
)]
pub async fn try_pool(config: &Config) -> Result<(), WiringError> {
    #[cfg(feature = "postgres")]
    {
        let database = open_postgres(config)?;
        let answer = database.ping().await;
        database.close();
        // What only reads can be served all the same, until it takes writes.
        answer.map_err(unusable)?;
    }
    Ok(())
}

/// The server that a URL names.
#[cfg(feature = "postgres")]
pub(super) fn pg_server(url: &str) -> Result<cutover_postgres::PgServer, WiringError> {
    cutover_postgres::PgServer::parse(url).map_err(|error| WiringError::Configuration(error.to_string()))
}

/// What is wrong with the URL of a PostgreSQL database, without repeating it.
#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "this build connects by none")
)]
pub fn check_postgres_url(url: &str) -> Result<(), String> {
    #[cfg(feature = "postgres")]
    cutover_postgres::PgServer::parse(url).map_err(|cutover_postgres::connect::UrlError(reason)| reason)?;
    Ok(())
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
