//! What must hold before the service may start: schemas at their newest version, and no data that would seem to vanish.

use std::time::{Duration, Instant};

use cutover_migrations::{Context, Status, Target};
use cutover_ports::diagnosis::Purpose;

use crate::config::{Backend, Config, ContextConfig, Repository};
use crate::exit::{CliError, Exit};
use crate::guard;
use crate::wiring::{Databases, MigrationTargets, WiringError, inventory, missing_rights, try_pool};
#[cfg(feature = "sqlite")]
use crate::wiring::{missing_parts, put_back, told};

impl From<WiringError> for CliError {
    fn from(error: WiringError) -> Self {
        match error {
            WiringError::Configuration(text) => Self::new(Exit::Usage, text),
            WiringError::Transfer(error) => error.into(),
            WiringError::Store { .. } => Self::new(Exit::Unreachable, error.to_string()),
        }
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

/// How long a start waits for migrations that somebody else is running.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(5);

/// Opens what the routing uses, having made sure that it can be used.
pub async fn open(config: &Config) -> Result<Databases, CliError> {
    let Start { wanting, remarks } = examine(config, MIGRATION_PATIENCE).await?;
    for Remark { text, advice } in remarks {
        tracing::warn!("{text}; {advice}");
    }
    for (context, target) in wanting {
        let outcome = cutover_migrations::up(&target, &context.schema, None).await?;
        let (file, context) = (context.sqlite_path.display(), context.schema.name);
        tracing::info!(%file, context, version = outcome.version, "made new tables in the SQLite file");
    }
    let databases = Databases::open(config)?;
    inventory::note_served(config).await?;
    Ok(databases)
}

/// A start that nothing is in the way of.
#[derive(Debug, Default)]
pub struct Start {
    /// The contexts that have no tables in their SQLite files yet.
    wanting: Vec<(ContextConfig, Target)>,
    /// What does not refuse it, and somebody should know.
    pub remarks: Vec<Remark>,
}

/// What somebody should know of a start.
#[derive(Debug)]
pub struct Remark {
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub advice: String,
}

/// Finds out whether the service can start, and changes nothing. Migrations that somebody is running are waited for so long.
pub async fn examine(config: &Config, patience: Duration) -> Result<Start, CliError> {
    let deadline = Instant::now() + patience;
    let targets = MigrationTargets::from_config(config)?;
    let contexts = config.contexts();
    let mut start = Start::default();
    for context in &contexts {
        if let Some(target) = targets.on(context, Backend::Postgres) {
            if context.uses(Backend::Postgres) {
                if let Found::Nothing(status) = look(&target, context, deadline, &mut start.remarks).await? {
                    return Err(outdated(&target, &context.schema, &status));
                }
            } else {
                // Nothing of it runs there yet; that it cannot be reached is told now all the same, and not on the day of the switch.
                cutover_migrations::status(&target, &context.schema).await?;
            }
        }
    }
    examine_files(&targets, &contexts, deadline, &mut start).await?;
    if config.uses(Backend::Postgres) {
        refuse_without_rights(config, Purpose::Serving).await?;
        try_pool(config).await?;
    }
    inventory::refuse_unnoted(config).await?;
    if !config.accept_empty {
        for half in inventory::half_copied_files(config).await? {
            guard::refuse_half_copied(&contexts, &half)?;
        }
        guard_rows(config, &mut start).await?;
    }
    Ok(start)
}

/// Refuses if something of a schema is gone that its history says is there.
#[cfg(feature = "sqlite")]
async fn refuse_missing(target: &Target, context: &ContextConfig) -> Result<(), CliError> {
    let missing = missing_parts(target, context).await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Refused,
        format!(
            "the {}'s schema in {target} cannot be served: it is at its newest version, but not all of it is there: {}; {}",
            context.schema.name,
            told(&missing),
            put_back(target)
        ),
    ))
}

/// Refuses if the role lacks a right.
pub async fn refuse_without_rights(config: &Config, purpose: Purpose) -> Result<(), CliError> {
    let Some(lacking) = missing_rights(config, purpose).await? else {
        return Ok(());
    };
    let (text, advice) = (lacking.text, lacking.advice.unwrap_or_default());
    let cannot = match purpose {
        Purpose::Serving => "served",
        Purpose::Looking => "looked at",
    };
    Err(CliError::new(
        Exit::Refused,
        format!("PostgreSQL cannot be {cannot}: {text}; {advice}"),
    ))
}

/// Refuses if rows would seem to vanish, whichever way repositories were routed.
async fn guard_rows(config: &Config, start: &mut Start) -> Result<(), CliError> {
    let Some(postgres) = &config.postgres else {
        return Ok(());
    };
    let uses_postgres = config.uses(Backend::Postgres);
    let on_file = |repository: &Repository| repository.backend == Backend::Sqlite;
    // What comes and what goes is counted. What stays on PostgreSQL is not: that takes a look at every row.
    let moves = |repository: &Repository, is_noted: bool| on_file(repository) == is_noted;
    let noted = inventory::noted(&postgres.url, &config.contexts(), moves).await?;
    if let Some(half) = &noted.unfinished {
        guard::refuse_half_copied(&config.contexts(), half)?;
    }
    if !noted.is_possible && uses_postgres {
        start.remarks.push(Remark {
            text: "PostgreSQL cannot note which repositories run there, so nothing would stop a way back from leaving rows behind"
                .to_owned(),
            advice: "run `cutover migrate up --on postgres` as the owner".to_owned(),
        });
    }
    if noted.served.is_empty() && !uses_postgres {
        return Ok(());
    }
    let counts = inventory::sqlite_counts(config).await?;
    let has_file = counts.is_some();
    let ledger = inventory::postgres_ledger(config).await?;
    let held = guard::Held {
        noted: &noted,
        ledger: &ledger,
        sqlite: &counts.unwrap_or_default(),
    };
    if has_file {
        tracing::info!(
            "reading the tables in SQLite that were verified, to see whether they have changed since"
        );
    }
    let carried = held
        .carried(config, |repository| {
            !on_file(repository) || noted.names(repository)
        })
        .await?;
    guard::refuse_uncopied(config, &held, &carried)?;
    guard::refuse_emptied(config, &held)?;
    guard::refuse_left_behind(config, &noted, &carried)
}

/// What a database has of a context's schema.
enum Found {
    /// What can be served: the newest version, or a file of the original application, which is opened as it is.
    Schema,
    /// Nothing.
    Nothing(Status),
}

/// Finds the SQLite files that are not there yet, and in those that are the contexts that have no tables there: a start makes these.
/// Existing tables are never migrated by a start, and a file in which no context has anything is somebody else's.
async fn examine_files(
    targets: &MigrationTargets,
    contexts: &[ContextConfig],
    deadline: Instant,
    start: &mut Start,
) -> Result<(), CliError> {
    let (mut ours, mut wanting) = (Vec::new(), Vec::new());
    for context in contexts.iter().filter(|context| context.uses(Backend::Sqlite)) {
        let path = &context.sqlite_path;
        let Some(target) = targets.on(context, Backend::Sqlite) else {
            continue;
        };
        match look(&target, context, deadline, &mut start.remarks).await? {
            Found::Schema => ours.push(path),
            Found::Nothing(_) => {
                // A start that came to nothing, for want of room, has left its notes.
                #[cfg(feature = "sqlite")]
                if cutover_migrations::is_empty(path).await? {
                    ours.push(path);
                }
                wanting.push((context, target));
            }
        }
    }
    let somebodys = wanting
        .iter()
        .find(|(context, _)| !ours.contains(&&context.sqlite_path));
    if let Some((context, target)) = somebodys {
        return Err(CliError::new(
            Exit::Refused,
            format!(
                "{target} holds something else and nothing of the {}'s: is that the file you mean? A start makes tables only in a file that is \
                 not there or is empty; `cutover migrate up --on sqlite` makes them beside what is there",
                context.schema.name
            ),
        ));
    }
    let wanting = wanting
        .into_iter()
        .map(|(context, target)| (context.clone(), target));
    start.wanting.extend(wanting);
    Ok(())
}

/// Looks whether a schema can be served; refuses one that is neither whole nor absent.
async fn look(
    target: &Target,
    context: &ContextConfig,
    deadline: Instant,
    remarks: &mut Vec<Remark>,
) -> Result<Found, CliError> {
    let schema = &context.schema;
    let status = settled_status(target, schema, deadline).await?;
    if status.running {
        remarks.push(held(schema, &status));
    }
    if status.is_ready() {
        #[cfg(feature = "sqlite")]
        refuse_missing(target, context).await?;
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
        remarks.push(Remark {
            text: format!("it is served as it is: {unadopted}"),
            advice: format!(
                "`cutover migrate up --on {name}` backs it up and brings it to the newest schema"
            ),
        });
        return Ok(Found::Schema);
    }
    if let Some(disagreement) = &status.disagreement {
        let name = schema.name;
        return Err(CliError::new(
            Exit::Refused,
            format!("the {name}'s schema in {target} cannot be served: {disagreement}"),
        ));
    }
    if status.current == 0 {
        return Ok(Found::Nothing(status));
    }
    Err(outdated(target, schema, &status))
}

fn outdated(target: &Target, context: &Context, status: &Status) -> CliError {
    let (on, name) = (target.dialect().name(), context.name);
    CliError::new(
        Exit::Refused,
        format!(
            "the {name}'s schema on {on} is at version {} of {}: run `cutover migrate up --on {on}` first{}",
            status.current,
            status.head,
            if status.running {
                format!("; {}", held(context, status).text)
            } else {
                String::new()
            }
        ),
    )
}

/// A migration that runs, or whose lock was left behind.
fn held(context: &Context, status: &Status) -> Remark {
    let name = context.name;
    match &status.holder {
        Some(holder) => Remark {
            text: format!("the {name}'s schema is locked by a migration: {holder} holds the lock"),
            advice: format!(
                "wait for it to end; if nobody migrates, the lock was left behind in that session: SELECT pg_terminate_backend({}) ends it",
                holder.process
            ),
        },
        None => Remark {
            text: format!("the {name}'s schema is locked by a migration"),
            advice: "wait for it to end".to_owned(),
        },
    }
}

/// How the schema stands once nobody changes it any more: two services that are started at once on a fresh directory make
/// one file, and the second finds it half made.
async fn settled_status(target: &Target, context: &Context, deadline: Instant) -> Result<Status, CliError> {
    let mut is_told = false;
    loop {
        let status = cutover_migrations::status(target, context).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if !status.running || left.is_zero() {
            return Ok(status);
        }
        if !is_told {
            is_told = true;
            tracing::info!(
                "waiting for at most {:.0} s: {}",
                left.as_secs_f64(),
                held(context, &status).text
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
