//! Going up.

use std::time::Instant;

use crate::connection::Connection;
use crate::context::{Context, Version};
use crate::error::{MigrateError, Result};
use crate::history::{self, Direction, History, Tables};

/// A script that was run.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its version.
    pub version: i64,
    /// The version's name.
    pub name: &'static str,
    /// Which way.
    pub direction: Direction,
    /// How long it took.
    pub seconds: f64,
}

/// What `up` or `down` did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The scripts that were run, in order; none if the schema was there already.
    pub steps: Vec<Step>,
    /// The version that the database has now.
    pub version: i64,
}

/// Brings a locked database to `to`, or to the head.
pub(crate) async fn up(
    connection: &mut impl Connection,
    context: &Context,
    to: Option<i64>,
) -> Result<Outcome> {
    let to = known_version(context, to.unwrap_or_else(|| context.head()))?;
    let tables = prepare(connection, context).await?;
    let history = History::read(connection, &tables).await?;
    let mut steps = Vec::new();
    let pending = context
        .versions
        .iter()
        .filter(|version| version.number <= to && !history.applied.contains_key(&version.number));
    for version in pending {
        steps.push(step_up(connection, context, &tables, version).await?);
    }
    let version = History::read(connection, &tables).await?.current();
    Ok(Outcome { steps, version })
}

/// Makes the tables of the history, and refuses to go on if what they say is not what this program has.
async fn prepare<C: Connection>(connection: &mut C, context: &Context) -> Result<Tables> {
    let tables = Tables::of(context, C::DIALECT);
    let history = History::read(connection, &tables).await?;
    history.agrees(context, C::DIALECT)?;
    connection.batch(&tables.create(C::DIALECT)).await?;
    Ok(tables)
}

async fn step_up<C: Connection>(
    connection: &mut C,
    context: &Context,
    tables: &Tables,
    version: &'static Version,
) -> Result<Step> {
    history::start(connection, tables, version, Direction::Up, C::DIALECT).await?;
    let began = Instant::now();
    let migration = version.up(C::DIALECT);
    if let Err(error) = connection.apply(&tables.history, &migration).await {
        return Err(failed(connection, context, tables, version, Direction::Up, error).await);
    }
    history::finish(connection, tables, version.number, "done").await?;
    Ok(Step {
        version: version.number,
        name: version.name,
        direction: Direction::Up,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Notes the failure where `status` finds it, and says which script it was.
async fn failed(
    connection: &mut impl Connection,
    context: &Context,
    tables: &Tables,
    version: &Version,
    direction: Direction,
    error: MigrateError,
) -> MigrateError {
    if let Err(second) =
        history::finish(connection, tables, version.number, &format!("failed: {error}")).await
    {
        tracing::debug!(%second, "the failure could not be noted");
    }
    error.context(&format!(
        "version {} ({}) of the schema {} could not go {}",
        version.number,
        version.name,
        context.name,
        direction.name()
    ))
}

/// The version, if the context has it; 0 is the empty database.
fn known_version(context: &Context, version: i64) -> Result<i64> {
    if version == 0 || context.version(version).is_some() {
        return Ok(version);
    }
    Err(MigrateError::Usage(format!(
        "the schema {} has no version {version}; its versions are {}",
        context.name,
        context
            .versions
            .iter()
            .map(|version| version.number.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    )))
}
