//! What must hold before the service may start: schemas at their newest version, and no data that would seem to vanish.

use std::time::{Duration, Instant};

use cutover_migrations::{Context, State, Status, Target, VersionStatus};

use crate::config::{Backend, Config, ContextConfig};
use crate::exit::{CliError, Exit};
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
    let contexts = config.contexts();
    for context in &contexts {
        if let Some(target) = targets.on(context, Backend::Postgres) {
            if context.uses(Backend::Postgres) {
                if let Found::Nothing(status) = look(&target, &context.schema).await? {
                    return Err(outdated(&target, &context.schema, &status));
                }
            } else {
                // Nothing of it runs there yet; that it cannot be reached is told now all the same, and not on the day of the switch.
                cutover_migrations::status(&target, &context.schema).await?;
            }
        }
    }
    ready_files(&targets, &contexts).await?;
    if config.uses(Backend::Postgres)
        && !config.accept_empty
        && let Some(sqlite) = inventory::sqlite_counts(config).await?
    {
        guard::refuse_uncopied(config, &sqlite, &inventory::postgres_ledger(config).await?)?;
    }
    Ok(Databases::open(config)?)
}

/// How long a start waits for a migration that somebody else is running.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(5);

/// What a database has of a context's schema.
enum Found {
    /// What can be served: the newest version, or a file of the original application, which is opened as it is.
    Schema,
    /// Nothing.
    Nothing(Status),
}

/// Makes the SQLite files that are not there yet, and in those that are the tables of contexts that have none there. Existing tables
/// are never migrated by a start, and a file in which no context has anything is somebody else's.
async fn ready_files(targets: &MigrationTargets, contexts: &[ContextConfig]) -> Result<(), CliError> {
    let (mut ours, mut wanting) = (Vec::new(), Vec::new());
    for context in contexts.iter().filter(|context| context.uses(Backend::Sqlite)) {
        let path = &context.sqlite_path;
        if std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
            ours.push(path);
        }
        let Some(target) = targets.on(context, Backend::Sqlite) else {
            continue;
        };
        match look(&target, &context.schema).await? {
            Found::Schema => ours.push(path),
            Found::Nothing(status) => wanting.push((context, target, status)),
        }
    }
    if let Some((context, target, status)) = wanting
        .iter()
        .find(|(context, ..)| !ours.contains(&&context.sqlite_path))
    {
        return Err(outdated(target, &context.schema, status));
    }
    for (context, target, _) in wanting {
        let outcome = cutover_migrations::up(&target, &context.schema, None).await?;
        let (file, context) = (context.sqlite_path.display(), context.schema.name);
        tracing::info!(%file, context, version = outcome.version, "made new tables in the SQLite file");
    }
    Ok(())
}

/// Looks whether a schema can be served; refuses one that is neither whole nor absent.
async fn look(target: &Target, context: &Context) -> Result<Found, CliError> {
    let status = settled_status(target, context).await?;
    if status.is_ready() {
        return Ok(Found::Schema);
    }
    if let Some(unadopted) = &status.unadopted {
        if !status.adoptable {
            return Err(CliError::new(
                Exit::Refused,
                format!("{target} cannot be served: {unadopted}"),
            ));
        }
        let name = target.dialect().name();
        tracing::warn!(
            "serving {unadopted} as it is; `cutover migrate up --on {name}` backs it up and brings it to the newest schema"
        );
        return Ok(Found::Schema);
    }
    if let Some(disagreement) = &status.disagreement {
        let name = context.name;
        return Err(CliError::new(
            Exit::Refused,
            format!("the {name}'s schema in {target} cannot be served: {disagreement}"),
        ));
    }
    let pending = |version: &VersionStatus| version.state == State::Pending;
    if status.versions.iter().all(pending) {
        return Ok(Found::Nothing(status));
    }
    Err(outdated(target, context, &status))
}

fn outdated(target: &Target, context: &Context, status: &Status) -> CliError {
    let (on, name) = (target.dialect().name(), context.name);
    CliError::new(
        Exit::Refused,
        format!(
            "the {name}'s schema on {on} is at version {} of {}: run `cutover migrate up --on {on}` first",
            status.current, status.head
        ),
    )
}

/// How the schema stands once nobody changes it any more: two services that are started at once on a fresh directory make
/// one file, and the second finds it half made.
async fn settled_status(target: &Target, context: &Context) -> Result<Status, CliError> {
    let begun = Instant::now();
    loop {
        let status = cutover_migrations::status(target, context).await?;
        if !status.running || begun.elapsed() > MIGRATION_PATIENCE {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
