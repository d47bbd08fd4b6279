//! What has been done to a database: sqlx's history table and our table of runs.
//!
//! sqlx writes a version's row in the transaction of its script, so a run that is killed leaves no trace there. The
//! table of runs holds one row per attempt, written before the script starts and finished after it ends.

use std::collections::BTreeMap;

use crate::connection::{Connection, Value};
use crate::context::{Context, Version};
use crate::error::{MigrateError, Result};
use crate::script::literal;
use crate::target::Dialect;

/// The schema of our own tables on PostgreSQL.
pub(crate) const POSTGRES_SCHEMA: &str = "CREATE SCHEMA IF NOT EXISTS cutover;
";

/// Those in it that no context owns: the service notes there which rows it planted for a foreign key while routing is hybrid, and
/// which repositories it has served from here.
pub(crate) const POSTGRES_OWN: &str = "CREATE TABLE IF NOT EXISTS cutover.planted_rows (
    table_name text NOT NULL,
    key text COLLATE \"C\" NOT NULL,
    PRIMARY KEY (table_name, key)
);
CREATE TABLE IF NOT EXISTS cutover.served (
    repository text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);
";

/// The names of a context's two tables in a dialect.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) history: String,
    pub(crate) runs: String,
}

impl Tables {
    pub(crate) fn of(context: &Context, dialect: Dialect) -> Self {
        let history = match dialect {
            Dialect::Sqlite => format!("_cutover_migrations_{}", context.name),
            Dialect::Postgres => format!("cutover.migrations_{}", context.name),
        };
        Self {
            runs: format!("{history}_runs"),
            history,
        }
    }

    /// Makes both, if they are not there. The first one is as sqlx expects it.
    pub(crate) fn create(&self, dialect: Dialect) -> String {
        let (history, runs) = (&self.history, &self.runs);
        match dialect {
            Dialect::Sqlite => format!(
                "CREATE TABLE IF NOT EXISTS {history} (\n    version BIGINT PRIMARY KEY,\n    description TEXT NOT NULL,\n    \
                 installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    success BOOLEAN NOT NULL,\n    \
                 checksum BLOB NOT NULL,\n    execution_time BIGINT NOT NULL\n);\n\
                 CREATE TABLE IF NOT EXISTS {runs} (\n    run INTEGER PRIMARY KEY,\n    version BIGINT NOT NULL,\n    \
                 name TEXT NOT NULL,\n    direction TEXT NOT NULL CHECK (direction IN ('up', 'down', 'baseline')),\n    \
                 up_checksum BLOB NOT NULL,\n    down_checksum BLOB NOT NULL,\n    \
                 started_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    finished_at TIMESTAMP,\n    \
                 outcome TEXT\n);\n"
            ),
            Dialect::Postgres => format!(
                "CREATE TABLE IF NOT EXISTS {history} (\n    version bigint PRIMARY KEY,\n    description text NOT NULL,\n    \
                 installed_on timestamptz NOT NULL DEFAULT now(),\n    success boolean NOT NULL,\n    \
                 checksum bytea NOT NULL,\n    execution_time bigint NOT NULL\n);\n\
                 CREATE TABLE IF NOT EXISTS {runs} (\n    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n    \
                 version bigint NOT NULL,\n    name text NOT NULL,\n    \
                 direction text NOT NULL CHECK (direction IN ('up', 'down', 'baseline')),\n    \
                 up_checksum bytea NOT NULL,\n    down_checksum bytea NOT NULL,\n    \
                 started_at timestamptz NOT NULL DEFAULT now(),\n    finished_at timestamptz,\n    outcome text\n);\n"
            ),
        }
    }
}

impl Tables {
    /// SQL that records a version as applied, without running anything.
    pub(crate) fn baseline(&self, version: &Version, dialect: Dialect, direction: &str) -> String {
        format!(
            "INSERT INTO {} (version, description, success, checksum, execution_time) VALUES ({}, '{}', TRUE, {}, -1);\n{}",
            self.history,
            version.number,
            version.name,
            literal(&version.up(dialect).checksum, dialect),
            self.ran(version, dialect, direction)
        )
    }

    /// SQL that records a run that is done.
    pub(crate) fn ran(&self, version: &Version, dialect: Dialect, direction: &str) -> String {
        format!(
            "INSERT INTO {} (version, name, direction, up_checksum, down_checksum, finished_at, outcome)\n\
             VALUES ({}, '{}', '{direction}', {}, {}, CURRENT_TIMESTAMP, 'done');\n",
            self.runs,
            version.number,
            version.name,
            literal(&version.up(dialect).checksum, dialect),
            literal(&version.down(dialect).checksum, dialect)
        )
    }
}

/// Which way a script goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the version.
    Up,
    /// From the version to the one before.
    Down,
}

impl Direction {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A version that the database says it has.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) name: String,
    pub(crate) checksum: Vec<u8>,
    pub(crate) at: String,
}

/// The latest run of a version.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) direction: String,
    pub(crate) down_checksum: Vec<u8>,
    pub(crate) started_at: String,
    pub(crate) finished: bool,
    pub(crate) outcome: Option<String>,
}

/// What a database's two tables say.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) applied: BTreeMap<i64, Applied>,
    pub(crate) runs: BTreeMap<i64, Run>,
}

impl History {
    /// Reads it; a database without the tables has an empty one.
    pub(crate) async fn read(connection: &mut impl Connection, tables: &Tables) -> Result<Self> {
        let mut history = Self::default();
        if !connection.table_exists(&tables.history).await? {
            return Ok(history);
        }
        let sql = format!(
            "SELECT version, description, checksum, CAST(installed_on AS text) FROM {} ORDER BY version",
            tables.history
        );
        for row in connection.rows(&sql, &[]).await? {
            let applied = Applied {
                name: row.string(1),
                checksum: row.bytes(2).unwrap_or_default().to_vec(),
                at: row.string(3),
            };
            history
                .applied
                .insert(row.integer(0).unwrap_or_default(), applied);
        }
        if connection.table_exists(&tables.runs).await? {
            let sql = format!(
                "SELECT version, direction, down_checksum, CAST(started_at AS text), \
                 CASE WHEN finished_at IS NULL THEN 0 ELSE 1 END, outcome FROM {} ORDER BY run",
                tables.runs
            );
            for row in connection.rows(&sql, &[]).await? {
                let run = Run {
                    direction: row.string(1),
                    down_checksum: row.bytes(2).unwrap_or_default().to_vec(),
                    started_at: row.string(3),
                    finished: row.integer(4) == Some(1),
                    outcome: row.text(5).map(str::to_owned),
                };
                history.runs.insert(row.integer(0).unwrap_or_default(), run);
            }
        }
        Ok(history)
    }

    /// The newest applied version, 0 if there is none.
    pub(crate) fn current(&self) -> i64 {
        self.applied.keys().next_back().copied().unwrap_or(0)
    }

    /// Whether a run of the version began and never ended, and the database does not have the version.
    pub(crate) fn interrupted_up(&self, version: i64) -> bool {
        !self.applied.contains_key(&version)
            && self
                .runs
                .get(&version)
                .is_some_and(|run| run.direction == "up" && !run.finished)
    }

    /// Refuses to go on if what was run is not what this program has.
    pub(crate) fn agrees(&self, context: &Context, dialect: Dialect) -> Result<()> {
        for (&number, applied) in &self.applied {
            let Some(version) = context.version(number) else {
                return Err(MigrateError::Refused(format!(
                    "version {number} ({}) of the schema {} is in the database but not in this program, which knows \
                     versions up to {}; use the newer program that made it",
                    applied.name,
                    context.name,
                    context.head()
                )));
            };
            let run = self.runs.get(&number);
            if !is_unedited(version, dialect, applied, run) {
                let up = version.up(dialect).checksum.as_ref() != applied.checksum;
                let direction = if up { Direction::Up } else { Direction::Down };
                return Err(edited(context, version, dialect, direction));
            }
        }
        let current = self.current();
        match context
            .versions
            .iter()
            .find(|version| version.number < current && !self.applied.contains_key(&version.number))
        {
            Some(skipped) => Err(MigrateError::Refused(format!(
                "version {} ({}) of the schema {} was never run although version {current} was; give the script a \
                 number above {current}",
                skipped.number, skipped.name, context.name
            ))),
            None => Ok(()),
        }
    }
}

/// Whether both scripts of an applied version are what they were when it was applied.
pub(crate) fn is_unedited(version: &Version, dialect: Dialect, applied: &Applied, run: Option<&Run>) -> bool {
    version.up(dialect).checksum.as_ref() == applied.checksum
        && run.is_none_or(|run| version.down(dialect).checksum.as_ref() == run.down_checksum)
}

fn edited(context: &Context, version: &Version, dialect: Dialect, direction: Direction) -> MigrateError {
    MigrateError::Refused(format!(
        "the script migrations/{}/{}/{:04}_{}.{}.sql was edited after it was run; put its text back and write the \
         change as a new version",
        context.name,
        dialect.name(),
        version.number,
        version.name,
        direction.name()
    ))
}

/// Notes that a script is about to run.
pub(crate) async fn start(
    connection: &mut impl Connection,
    tables: &Tables,
    version: &Version,
    direction: Direction,
    dialect: Dialect,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (version, name, direction, up_checksum, down_checksum) VALUES ($1, $2, $3, $4, $5)",
        tables.runs
    );
    let arguments = [
        Value::Integer(version.number),
        Value::Text(version.name.to_owned()),
        Value::Text(direction.name().to_owned()),
        Value::Bytes(version.up(dialect).checksum.to_vec()),
        Value::Bytes(version.down(dialect).checksum.to_vec()),
    ];
    connection.execute(&sql, &arguments).await
}

/// Notes how the last run of a version ended.
pub(crate) async fn finish(
    connection: &mut impl Connection,
    tables: &Tables,
    version: i64,
    outcome: &str,
) -> Result<()> {
    let sql = format!(
        "UPDATE {runs} SET finished_at = CURRENT_TIMESTAMP, outcome = $2 \
         WHERE run = (SELECT max(run) FROM {runs} WHERE version = $1)",
        runs = tables.runs
    );
    connection
        .execute(&sql, &[Value::Integer(version), Value::Text(outcome.to_owned())])
        .await
}
