//! Whether the service can do its work: PostgreSQL, if it is configured, and the SQLite files that repositories run on answer and take
//! writes, and where repositories run the schema is the newest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_migrations::{MigrateError, Target};
use serde_json::{Map, Value, json};

use crate::config::{Backend, Config, ContextConfig};
use crate::wiring::{Databases, MigrationTargets};

/// How long a database may take to answer before the service counts as not ready.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of that may go into connecting, however many servers a URL names: one that is silent must not cost the others their turn.
const CONNECT_PATIENCE: Duration = Duration::from_millis(1500);
/// A schema that is the newest is not looked at again so soon: it takes a connection of its own, and probes come often.
const SCHEMA_KEPT: Duration = Duration::from_secs(10);

/// Answers whether the service is ready. Cloning shares what is known of the schemas.
#[derive(Clone)]
pub struct Readiness {
    config: Arc<Config>,
    databases: Databases,
    /// Held by whoever looks; the others wait for what it finds.
    known: Arc<tokio::sync::Mutex<Known>>,
}

/// What was found when the schemas were looked at last.
#[derive(Default)]
struct Known {
    at: Option<Instant>,
    schemas: Vec<Schemas>,
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readiness").finish_non_exhaustive()
    }
}

/// Whether the service is ready, database by database.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Every kind of database that is asked.
    pub databases: Vec<DatabaseState>,
}

/// A kind of database that is asked.
#[derive(Debug, Clone)]
pub struct DatabaseState {
    /// Which.
    pub backend: Backend,
    /// What is wrong, if it does not answer well.
    pub problem: Option<Problem>,
    /// The contexts' schemas in it, if they could be looked at.
    pub schemas: Vec<SchemaState>,
}

/// Why a database cannot do its work.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The category of the error.
    pub category: &'static str,
    /// The error in words, which may tell hosts and files.
    pub reason: String,
}

impl Problem {
    fn unavailable(reason: impl Into<String>) -> Self {
        Self {
            category: "unavailable",
            reason: reason.into(),
        }
    }
}

/// A context's schema in a database.
#[derive(Debug, Clone)]
pub struct SchemaState {
    /// The context.
    pub context: &'static str,
    /// Its version, 0 for none.
    pub version: i64,
    /// The newest version.
    pub head: i64,
    /// Whether it can be served: it is the newest, or nothing runs on it, or it is an old file that is served as it is.
    pub fits: bool,
}

/// What is known of the schemas in a kind of database.
#[derive(Debug, Clone)]
struct Schemas {
    backend: Backend,
    found: Result<Vec<SchemaState>, Problem>,
}

impl Schemas {
    fn fit(&self) -> bool {
        self.found
            .as_ref()
            .is_ok_and(|found| found.iter().all(|schema| schema.fits))
    }
}

impl DatabaseState {
    /// `ok`, `unavailable`, `unwritable` or `behind`.
    pub fn status(&self) -> &'static str {
        if let Some(problem) = &self.problem {
            match problem.category {
                category @ "unwritable" => category,
                _ => "unavailable",
            }
        } else if self.schemas.iter().all(|schema| schema.fits) {
            "ok"
        } else {
            "behind"
        }
    }
}

impl Ready {
    /// Whether all is well.
    pub fn ok(&self) -> bool {
        self.databases.iter().all(|database| database.status() == "ok")
    }

    /// Puts what is wrong into the log.
    pub fn log(&self) {
        for database in &self.databases {
            if let Some(problem) = &database.problem {
                tracing::warn!(database = %database.backend, error = problem.reason, "not ready");
            }
        }
    }

    /// For a machine.
    pub fn json(&self) -> Value {
        let databases = self.databases.iter().map(|database| {
            let schemas = database.schemas.iter().map(|schema| {
                let state = json!({ "version": schema.version, "head": schema.head });
                (schema.context.to_owned(), state)
            });
            let mut state = json!({ "status": database.status() });
            if let Some(problem) = &database.problem {
                state["category"] = problem.category.into();
            }
            if !database.schemas.is_empty() {
                state["schemas"] = schemas.collect::<Map<_, _>>().into();
            }
            (database.backend.name().to_owned(), state)
        });
        json!({
            "status": if self.ok() { "ready" } else { "unavailable" },
            "databases": databases.collect::<Map<_, _>>(),
        })
    }
}

impl Readiness {
    /// Of a service with these databases.
    pub fn new(config: Arc<Config>, databases: Databases) -> Self {
        Self {
            config,
            databases,
            known: Arc::default(),
        }
    }

    /// Asks every database, for a bounded time.
    pub async fn check(&self) -> Ready {
        let schemas = tokio::time::timeout(PATIENCE, self.schemas());
        let (answers, schemas) = tokio::join!(self.databases.ping(PATIENCE), schemas);
        let schemas = schemas.unwrap_or_else(|_| {
            let late = |backend| Schemas {
                backend,
                found: Err(Problem::unavailable("the schema cannot be looked at in time")),
            };
            asked(&self.config).map(late).collect()
        });
        let databases = schemas.into_iter().map(|Schemas { backend, found }| {
            let answer = answers.iter().find(|(answered, _)| *answered == backend);
            let problem = match answer {
                Some((_, Err(error))) => Some(Problem {
                    category: error.category(),
                    reason: error.to_string(),
                }),
                _ => found.as_ref().err().cloned(),
            };
            DatabaseState {
                backend,
                problem,
                schemas: found.unwrap_or_default(),
            }
        });
        Ready {
            databases: databases.collect(),
        }
    }

    /// What is known of the schemas, or found out now. Probes that come meanwhile wait for the same answer.
    async fn schemas(&self) -> Vec<Schemas> {
        let mut known = self.known.lock().await;
        let recent = known.at.is_some_and(|at| at.elapsed() < SCHEMA_KEPT);
        if !(recent && known.schemas.iter().all(Schemas::fit)) {
            let looking = asked(&self.config).map(|backend| look(&self.config, backend));
            known.schemas = futures_util::future::join_all(looking).await;
            known.at = Some(Instant::now());
        }
        known.schemas.clone()
    }
}

/// The kinds of databases that are asked. A file that nothing runs on is left out: it keeps no service from its work, and may be gone.
fn asked(config: &Config) -> impl Iterator<Item = Backend> {
    let postgres = config.postgres.is_some();
    let sqlite = config.uses(Backend::Sqlite);
    let backends = [(Backend::Sqlite, sqlite), (Backend::Postgres, postgres)];
    backends
        .into_iter()
        .filter_map(|(backend, asked)| asked.then_some(backend))
}

async fn look(config: &Config, backend: Backend) -> Schemas {
    let found = async {
        let targets = MigrationTargets::from_config(config).map_err(|error| error.to_string())?;
        let targets = targets.connecting_within(CONNECT_PATIENCE);
        let contexts = config.contexts();
        let looking = contexts.iter().filter_map(|context| {
            let target = targets.on(context, backend)?;
            let used = context.uses(backend);
            // A file that nothing runs on may be gone.
            (used || backend == Backend::Postgres).then(|| look_at(context, target, used))
        });
        let found = futures_util::future::try_join_all(looking).await;
        found.map_err(|error| error.to_string())
    };
    let found = found.await;
    Schemas {
        backend,
        found: found
            .map_err(|error| Problem::unavailable(format!("the schema cannot be looked at: {error}"))),
    }
}

async fn look_at(context: &ContextConfig, target: Target, used: bool) -> Result<SchemaState, MigrateError> {
    let status = cutover_migrations::status(&target, &context.schema).await?;
    Ok(SchemaState {
        context: context.schema.name,
        version: status.current,
        head: status.head,
        fits: !used || status.is_ready() || (status.unadopted.is_some() && status.adoptable),
    })
}
