//! Going up and down, and telling how things stand: the same for both databases.

use std::fmt;
use std::time::Instant;

use crate::connection::{Connection, Value};
use crate::context::{Context, Version};
use crate::error::{MigrateError, Result};
use crate::history::{self, Direction, History, Tables};
use crate::schema::{self, Drift, Legacy, Schema, quoted};
use crate::target::Dialect;

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
    /// The file of the original application that was taken over first.
    pub adopted: Option<Adopted>,
}

/// A file of the original application that is now under migration.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// What it was recognised as, in words.
    pub recognised: String,
    /// The copy that was made before anything was changed.
    pub backup: std::path::PathBuf,
    /// What it lacked and was given.
    pub added: Vec<String>,
    /// Rules that rows of it break, and how many rows. They stay as they are.
    pub broken: Vec<String>,
}

/// How far down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// To this version; 0 leaves nothing.
    To(i64),
    /// This many versions.
    Steps(usize),
}

/// What becomes of rows in tables that `down` takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Nothing: if there are any, `down` is refused.
    Keep,
    /// They are lost.
    Discard,
}

/// How a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not in the database.
    Pending,
    /// In the database.
    Applied,
    /// A run of it began and was killed, or the last attempt failed. `up` runs it, `down` undoes it.
    Interrupted,
    /// In the database; going down from it began and was killed. `down` goes on, `up` keeps it.
    DownInterrupted,
    /// The last attempt failed, and nothing of it is in the database.
    Failed,
    /// In the database, with another text than this program has.
    Edited,
    /// In the database, and not in this program.
    Unknown,
}

impl State {
    /// As `--json` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Interrupted => "interrupted",
            Self::DownInterrupted => "down interrupted",
            Self::Failed => "failed",
            Self::Edited => "edited",
            Self::Unknown => "unknown",
        }
    }
}

/// One version in a database.
#[derive(Debug, Clone)]
pub struct VersionStatus {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// When it was applied, or the run began that did not end; UTC.
    pub at: Option<String>,
    /// What the last attempt said, if it failed.
    pub detail: Option<String>,
}

/// How a context's schema stands in a database.
#[derive(Debug, Clone)]
pub struct Status {
    /// The version that the database has, 0 for none.
    pub current: i64,
    /// The newest version that this program has.
    pub head: i64,
    /// Whether a migration is running just now.
    pub running: bool,
    /// Who runs it; only PostgreSQL tells.
    pub holder: Option<Holder>,
    /// What the file is if it is the original application's and was never migrated.
    pub unadopted: Option<String>,
    /// Whether `up` would take that file over; if not, `unadopted` says why.
    pub adoptable: bool,
    /// Why nothing can be migrated, if what was run is not what this program has.
    pub disagreement: Option<String>,
    /// Every version, ascending.
    pub versions: Vec<VersionStatus>,
}

/// The session that holds the lock of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The server's process.
    pub process: i64,
    /// The program, its role and since when, as far as the server tells.
    pub who: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of the server", self.process)?;
        if self.who.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.who)
    }
}

impl Status {
    /// Whether the database has what this program needs, and nothing is in the air.
    pub fn is_ready(&self) -> bool {
        self.current == self.head
            && self
                .versions
                .iter()
                .all(|version| version.state == State::Applied)
    }
}

/// Brings a locked database to `to`, or to the head.
pub(crate) async fn up<C: Connection>(
    connection: &mut C,
    context: &Context,
    to: Option<i64>,
) -> Result<Outcome> {
    let to = known_version(context, to.unwrap_or_else(|| context.head()))?;
    let tables = Tables::of(context, C::DIALECT);
    let history = History::read(connection, &tables).await?;
    history.agrees(context, C::DIALECT)?;
    connection.batch(&tables.create(C::DIALECT)).await?;
    settle(connection, &tables, &history).await?;
    let mut steps = Vec::new();
    let pending = context
        .versions
        .iter()
        .filter(|version| version.number <= to && !history.applied.contains_key(&version.number));
    for version in pending {
        // What a killed run outside of a transaction left is in the way.
        if history.interrupted_up(version.number) && version.up(C::DIALECT).no_tx {
            connection.batch(version.script(C::DIALECT).down).await?;
        }
        steps.push(step(connection, context, &tables, version, Direction::Up).await?);
    }
    let version = History::read(connection, &tables).await?.current();
    Ok(Outcome {
        steps,
        version,
        adopted: None,
    })
}

/// Takes versions back, the newest first.
pub(crate) async fn down<C: Connection>(
    connection: &mut C,
    context: &Context,
    how_far: Down,
    rows: Rows,
) -> Result<Outcome> {
    let tables = Tables::of(context, C::DIALECT);
    let history = History::read(connection, &tables).await?;
    history.agrees(context, C::DIALECT)?;
    let undone = to_undo(context, &history, how_far)?;
    let mut steps = Vec::new();
    if let (Some(newest), Some(oldest)) = (undone.first(), undone.last()) {
        let before = connection.reference(context, newest.number).await?;
        let after = connection.reference(context, oldest.number - 1).await?;
        let live = connection.schema().await?;
        nothing_refers_to_it(&live, &before, &after)?;
        if rows == Rows::Keep {
            nothing_is_lost(connection, context, &live, &before, &after).await?;
        }
        settle(connection, &tables, &history).await?;
        forget_copies(connection, &before, &after).await?;
        for version in undone {
            steps.push(step(connection, context, &tables, version, Direction::Down).await?);
        }
    }
    let version = History::read(connection, &tables).await?.current();
    Ok(Outcome {
        steps,
        version,
        adopted: None,
    })
}

/// The versions that are in the database, wholly or half-way, and are to go; the newest first.
fn to_undo(context: &Context, history: &History, how_far: Down) -> Result<Vec<&'static Version>> {
    let present = context.versions.iter().rev().filter(|version| {
        history.applied.contains_key(&version.number) || history.interrupted_up(version.number)
    });
    Ok(match how_far {
        Down::To(to) => {
            let to = known_version(context, to)?;
            present.filter(|version| version.number > to).collect()
        }
        Down::Steps(count) => present.take(count).collect(),
    })
}

/// Refuses if tables or columns that will be gone hold anything but what the migrations themselves put there.
async fn nothing_is_lost<C: Connection>(
    connection: &mut C,
    context: &Context,
    live: &Schema,
    before: &Schema,
    after: &Schema,
) -> Result<()> {
    let mut held = Vec::new();
    for (name, table) in &before.tables {
        let Some(found) = live.tables.get(name) else {
            continue;
        };
        let conditions: Vec<(String, String)> = match after.tables.get(name) {
            None => {
                let seed = context.seeds.iter().find(|(table, _)| table == name);
                let condition =
                    seed.map_or_else(|| "1 = 1".to_owned(), |(_, seed)| format!("({seed}) IS NOT TRUE"));
                vec![(name.clone(), condition)]
            }
            Some(kept) => table
                .columns
                .keys()
                .filter(|column| !kept.columns.contains_key(*column) && found.columns.contains_key(*column))
                .map(|column| {
                    (
                        format!("{name}.{column}"),
                        format!("{} IS NOT NULL", quoted(column)),
                    )
                })
                .collect(),
        };
        for (what, condition) in conditions {
            let sql = format!("SELECT count(*) FROM {} WHERE {condition}", quoted(name));
            let count = connection
                .rows(&sql, &[])
                .await?
                .first()
                .and_then(|row| row.integer(0));
            if let Some(count @ 1..) = count {
                held.push(format!("{what} ({count})"));
            }
        }
    }
    if held.is_empty() {
        return Ok(());
    }
    Err(MigrateError::Refused(format!(
        "going down would lose the rows of {}; copy them away first, or say --discard-data",
        held.join(", ")
    )))
}

/// Forgets what was copied into tables that will be gone: nobody may take the empty ones that are made later for those that were found equal.
async fn forget_copies<C: Connection>(connection: &mut C, before: &Schema, after: &Schema) -> Result<()> {
    let (ledger, here) = match C::DIALECT {
        Dialect::Sqlite => ("_cutover_ledger", ""),
        Dialect::Postgres => ("cutover.ledger", " AND schema_name = current_schema()"),
    };
    if !connection.table_exists(ledger).await? {
        return Ok(());
    }
    let sql = format!("DELETE FROM {ledger} WHERE table_name = $1{here}");
    let gone = before
        .tables
        .keys()
        .filter(|name| !after.tables.contains_key(*name));
    for name in gone {
        connection.execute(&sql, &[Value::Text(name.clone())]).await?;
    }
    Ok(())
}

/// Refuses if a table that stays has a foreign key to one that goes: PostgreSQL would too, SQLite would leave a table that
/// nothing can be inserted into.
fn nothing_refers_to_it(live: &Schema, before: &Schema, after: &Schema) -> Result<()> {
    let goes = |table: &String| before.tables.contains_key(table) && !after.tables.contains_key(table);
    for (name, table) in live.tables.iter().filter(|(name, _)| !goes(name)) {
        for text in table.constraints.keys() {
            let parent = text
                .split_once(" REFERENCES ")
                .and_then(|(_, rest)| rest.split(['(', ' ']).next());
            if parent.is_some_and(|parent| goes(&parent.to_lowercase())) {
                return Err(MigrateError::Refused(format!(
                    "going down would drop a table that {name} refers to ({text}); drop {name} or its foreign key first"
                )));
            }
        }
    }
    Ok(())
}

/// Ends the notes of runs that were killed after their transaction had committed, or whose work was rolled back and
/// will not be repeated.
async fn settle(connection: &mut impl Connection, tables: &Tables, history: &History) -> Result<()> {
    for (&version, run) in &history.runs {
        let settled = !run.finished && !history.interrupted_up(version);
        if settled {
            let done = (run.direction == "down") != history.applied.contains_key(&version);
            let outcome = if done {
                "done"
            } else {
                "killed, nothing of it was kept"
            };
            history::finish(connection, tables, version, outcome).await?;
        }
    }
    Ok(())
}

async fn step<C: Connection>(
    connection: &mut C,
    context: &Context,
    tables: &Tables,
    version: &'static Version,
    direction: Direction,
) -> Result<Step> {
    history::start(connection, tables, version, direction, C::DIALECT).await?;
    let began = Instant::now();
    let done = match direction {
        Direction::Up => connection.apply(&tables.history, &version.up(C::DIALECT)).await,
        Direction::Down => {
            connection
                .revert(&tables.history, &version.down(C::DIALECT))
                .await
        }
    };
    if let Err(error) = done {
        return Err(failed(connection, context, tables, version, direction, error).await);
    }
    history::finish(connection, tables, version.number, "done").await?;
    Ok(Step {
        version: version.number,
        name: version.name,
        direction,
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

/// How things stand; `running`, `holder`, `unadopted` and `adoptable` are the caller's to fill in.
pub(crate) async fn status<C: Connection>(connection: &mut C, context: &Context) -> Result<Status> {
    let history = History::read(connection, &Tables::of(context, C::DIALECT)).await?;
    Ok(status_of(context, &history, C::DIALECT))
}

/// How things stand by this history.
pub(crate) fn status_of(context: &Context, history: &History, dialect: Dialect) -> Status {
    let mut versions: Vec<VersionStatus> = context
        .versions
        .iter()
        .map(|version| version_status(version, history, dialect))
        .collect();
    for (&number, applied) in &history.applied {
        if context.version(number).is_none() {
            versions.push(VersionStatus {
                version: number,
                name: applied.name.clone(),
                state: State::Unknown,
                at: Some(applied.at.clone()),
                detail: None,
            });
        }
    }
    versions.sort_by_key(|version| version.version);
    Status {
        current: history.current(),
        head: context.head(),
        running: false,
        holder: None,
        unadopted: None,
        adoptable: false,
        disagreement: history
            .agrees(context, dialect)
            .err()
            .map(|error| error.to_string()),
        versions,
    }
}

fn version_status(version: &Version, history: &History, dialect: Dialect) -> VersionStatus {
    let run = history.runs.get(&version.number);
    let killed = run.filter(|run| !run.finished);
    let (state, at) = match (history.applied.get(&version.number), killed) {
        (Some(applied), _) if !history::is_unedited(version, dialect, applied, run) => {
            (State::Edited, Some(&applied.at))
        }
        (Some(_), Some(run)) if run.direction == "down" => (State::DownInterrupted, Some(&run.started_at)),
        (Some(applied), _) => (State::Applied, Some(&applied.at)),
        (None, Some(run)) if run.direction == "up" => (State::Interrupted, Some(&run.started_at)),
        (None, _) => match run.and_then(|run| run.outcome.as_deref()) {
            Some(outcome) if outcome.starts_with("failed") => (State::Failed, run.map(|run| &run.started_at)),
            _ => (State::Pending, None),
        },
    };
    let detail = run
        .and_then(|run| run.outcome.clone())
        .filter(|_| state == State::Failed);
    VersionStatus {
        version: version.number,
        name: version.name.to_owned(),
        state,
        at: at.cloned(),
        detail,
    }
}

/// Compares the live schema with what the scripts make up to the database's version.
pub(crate) async fn check<C: Connection>(
    connection: &mut C,
    context: &Context,
    legacy: Legacy,
) -> Result<Drift> {
    let history = History::read(connection, &Tables::of(context, C::DIALECT)).await?;
    history.agrees(context, C::DIALECT)?;
    let version = history.current();
    let expected = connection.reference(context, version).await?;
    let head = connection.reference(context, context.head()).await?;
    let live = connection.schema().await?;
    let mut drift = schema::compare(&expected, &head, &live, legacy);
    // The other contexts' tables stand beside this one's.
    let others = || Context::ALL.iter().filter(|other| other.name != context.name);
    drift
        .notes
        .retain(|note| note.object.is_some() || !others().any(|other| other.makes(&note.table, C::DIALECT)));
    drift.version = version;
    Ok(drift)
}

/// The version, if the context has it; 0 is the empty database.
pub(crate) fn known_version(context: &Context, version: i64) -> Result<i64> {
    if version == 0 || context.version(version).is_some() {
        return Ok(version);
    }
    let known: Vec<String> = context
        .versions
        .iter()
        .map(|version| version.number.to_string())
        .collect();
    Err(MigrateError::Usage(format!(
        "the schema {} has no version {version}; its versions are {}",
        context.name,
        known.join(", ")
    )))
}
