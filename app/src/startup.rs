//! What must hold before the service may start: schemas at their newest version, and no data that would seem to vanish.

use std::time::{Duration, Instant};

use cutover_migrations::{Context, Status, Target};

use crate::cli::{CliError, Exit};
use crate::config::{Backend, Config};
use crate::guard;
use crate::wiring::{Databases, MigrationTargets, WiringError, inventory};

impl From<WiringError> for CliError {
    fn from(error: WiringError) -> Self {
        let exit = match &error {
            WiringError::Configuration(_) => Exit::Usage,
            WiringError::Unreachable(_) | WiringError::Store { .. } => Exit::Unreachable,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<cutover_migrations::MigrateError> for CliError {
    fn from(error: cutover_migrations::MigrateError) -> Self {
        use cutover_migrations::MigrateError as E;
        let exit = match &error {
            E::Failed(_) => Exit::Wrong,
            E::Usage(_) => Exit::Usage,
            E::Unreachable(_) => Exit::Unreachable,
            E::Refused(_) => Exit::Refused,
        };
        Self::new(exit, error.to_string())
    }
}

/// Opens what the routing uses, having made sure that it can be used.
pub async fn open(config: &Config) -> Result<Databases, CliError> {
    let targets = MigrationTargets::from_config(config)?;
    for backend in [Backend::Postgres, Backend::Sqlite] {
        let Some(target) = targets.on(backend) else {
            continue;
        };
        if config.lab.routing.uses(backend) {
            ready_schema(target).await?;
        } else if backend == Backend::Postgres {
            // Nothing runs on it yet; that it cannot be reached is told now all the same, and not on the day of the switch.
            cutover_migrations::status(target, &Context::LAB).await?;
        }
    }
    if config.lab.routing.uses(Backend::Postgres)
        && !config.accept_empty
        && let Some(sqlite) = inventory::sqlite_counts(config).await?
    {
        guard::refuse_uncopied(config, &sqlite, &inventory::postgres_ledger(config).await?)?;
    }
    Ok(Databases::open(config)?)
}

/// How long a start waits for a migration that somebody else is running.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(5);

/// A SQLite file that is not there yet, or has nothing in it, is made. An existing database is never migrated by a start: it is served if its
/// schema is the newest, or if it is a file of the original application, which is opened as it is.
async fn ready_schema(target: &Target) -> Result<(), CliError> {
    if let Target::Sqlite { path } = target
        && std::fs::metadata(path).map_or(true, |file| file.len() == 0)
    {
        let outcome = cutover_migrations::up(target, &Context::LAB, None).await?;
        tracing::info!(file = %path.display(), version = outcome.version, "made a new SQLite file");
        return Ok(());
    }
    let status = settled_status(target).await?;
    let name = target.dialect().name();
    if status.is_ready() {
        return Ok(());
    }
    if let Some(unadopted) = &status.unadopted {
        if !status.adoptable {
            return Err(CliError::new(
                Exit::Refused,
                format!("{target} cannot be served: {unadopted}"),
            ));
        }
        tracing::warn!(
            "serving {unadopted} as it is; `cutover migrate up --on {name}` backs it up and brings it to the newest schema"
        );
        return Ok(());
    }
    Err(CliError::new(
        Exit::Refused,
        format!(
            "the lab's schema on {name} is at version {} of {}: run `cutover migrate up --on {name}` first",
            status.current, status.head
        ),
    ))
}

/// How the schema stands once nobody changes it any more: two services that are started at once on a fresh directory make
/// one file, and the second finds it half made.
async fn settled_status(target: &Target) -> Result<Status, CliError> {
    let begun = Instant::now();
    loop {
        let status = cutover_migrations::status(target, &Context::LAB).await?;
        if !status.running || begun.elapsed() > MIGRATION_PATIENCE {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
