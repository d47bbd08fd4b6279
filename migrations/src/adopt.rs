//! Taking over a synth-lab file that knows nothing of migrations.
//!
//! Such a file has no version number; the original tells its versions apart by the objects in them, and so do we. Its own
//! start-up code brings files from version 7 on to version 15 by adding what is missing, and so do we: nothing that is
//! there is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::connection::{Connection, Value};
use crate::context::{Context, Version};
use crate::error::{MigrateError, Result};
use crate::history::Tables;
use crate::run::Adopted;
use crate::schema::{Legacy, quoted};
use crate::sqlite::{Access, SqliteFile};
use crate::target::Dialect;

/// What old files lack or have more.
pub(crate) const LEGACY: Legacy = Legacy {
    missing_columns: &[("research_executions", "additional_context")],
    missing_checks: &[("experiments", "status")],
    extra_indexes: &["idx_experiments_status"],
};

/// The columns that the original's own start-up code, or its one loose script, adds to older tables.
const ADDED_COLUMNS: [(&str, &str, &str); 4] = [
    ("experiments", "status", "TEXT NOT NULL DEFAULT 'active'"),
    ("analysis_runs", "scenario_id", "TEXT NOT NULL DEFAULT 'baseline'"),
    ("scenario_nodes", "short_action", "TEXT"),
    ("research_executions", "additional_context", "TEXT"),
];

/// The tables that every version from 7 on has.
const CORE: [&str; 10] = [
    "analysis_runs",
    "experiments",
    "feature_scorecards",
    "region_analyses",
    "research_executions",
    "simulation_runs",
    "synth_groups",
    "synth_outcomes",
    "synths",
    "transcripts",
];

/// A file's tables and their columns.
type Objects = BTreeMap<String, BTreeSet<String>>;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// It has none of the application's tables: they can be made as in an empty file.
    Nothing,
    /// One that can be taken over, in words.
    Version(String),
}

/// Tells what a file without a history is, or why it cannot be taken over.
pub(crate) async fn recognise(file: &mut SqliteFile, context: &Context) -> Result<Recognised> {
    let found = objects(file).await?;
    let mut scratch = baseline(context).await?;
    let expected = objects(&mut scratch).await?;
    scratch.close().await?;
    if expected.keys().all(|table| !found.contains_key(table)) {
        return Ok(Recognised::Nothing);
    }
    if let Some(version) = too_old(&found) {
        return Err(MigrateError::Refused(format!(
            "this is a {version} file of synth-lab, and only files of version 7 or newer can be taken over; open it \
             once with a synth-lab of that time, or copy its tables away and start with a new file"
        )));
    }
    let missing = missing(&found, &expected);
    if !missing.is_empty() {
        return Err(MigrateError::Refused(format!(
            "the file has tables with the names of synth-lab's, but is no version of it that is known: {} missing; \
             rename those tables or use another file",
            missing.join(", ") + if missing.len() == 1 { " is" } else { " are" }
        )));
    }
    Ok(Recognised::Version(version_of(&found)))
}

async fn objects(file: &mut SqliteFile) -> Result<Objects> {
    let sql = "SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS c \
               WHERE s.type = 'table' AND s.sql NOT LIKE 'CREATE VIRTUAL%'";
    let mut objects = Objects::new();
    for row in file.rows(sql, &[]).await? {
        objects.entry(row.string(0)).or_default().insert(row.string(1));
    }
    Ok(objects)
}

/// A database in memory at version 1: the original's version 15.
async fn baseline(context: &Context) -> Result<SqliteFile> {
    let mut scratch = SqliteFile::scratch().await?;
    if let Some(first) = context.versions.first() {
        scratch.batch(first.sqlite.up).await?;
    }
    Ok(scratch)
}

/// Versions 1 to 6 hold their data in other tables and columns, which the original itself cannot upgrade.
fn too_old(found: &Objects) -> Option<&'static str> {
    let has = |table: &str| found.contains_key(table);
    let column = |table: &str, column: &str| found.get(table).is_some_and(|columns| columns.contains(column));
    if !has("synths") || !has("research_executions") || has("analysis_runs") {
        return None;
    }
    Some(if has("experiments") || has("synth_groups") {
        "version 6"
    } else if column("synth_outcomes", "simulation_id") || has("feature_scorecards") {
        "version 5"
    } else if column("research_executions", "summary_path") || column("prfaq_metadata", "markdown_path") {
        "version 1"
    } else if has("schema_migrations") || !column("synths", "data") {
        "version 2 or 3"
    } else {
        "version 4"
    })
}

/// What the file would need to be one of versions 7 to 15.
fn missing(found: &Objects, expected: &Objects) -> Vec<String> {
    let mut missing: Vec<String> = CORE
        .iter()
        .filter(|table| !found.contains_key(**table))
        .map(|table| (*table).to_owned())
        .collect();
    for (table, columns) in expected {
        let Some(present) = found.get(table) else { continue };
        let lacking = columns.difference(present).filter(|column| {
            !ADDED_COLUMNS
                .iter()
                .any(|(of, added, _)| of == table && added == *column)
        });
        missing.extend(lacking.map(|column| format!("{table}.{column}")));
    }
    missing
}

/// The newest version whose objects are there.
fn version_of(found: &Objects) -> String {
    let has = |table: &str| found.contains_key(table);
    let column = |table: &str, column: &str| found.get(table).is_some_and(|columns| columns.contains(column));
    let version = if has("experiment_documents") {
        15
    } else if column("scenario_nodes", "short_action") {
        14
    } else if has("explorations") {
        13
    } else if has("analysis_cache") {
        12
    } else if column("analysis_runs", "scenario_id") {
        11
    } else if column("experiments", "status") {
        10
    } else if has("chart_insights") || has("sensitivity_results") {
        9
    } else if has("interview_guide") {
        8
    } else {
        7
    };
    format!("a version {version} file of synth-lab")
}

/// Takes over a recognised file: a verified copy beside it, then everything in one transaction.
pub(crate) async fn adopt(
    file: &mut SqliteFile,
    path: &Path,
    context: &Context,
    recognised: String,
) -> Result<Adopted> {
    let backup = back_up(file, path).await?;
    file.batch("BEGIN IMMEDIATE").await?;
    match take_over(file, context).await {
        Ok(added) => {
            file.batch("COMMIT").await?;
            Ok(Adopted {
                recognised,
                backup,
                added,
            })
        }
        Err(error) => {
            file.batch("ROLLBACK").await?;
            Err(error.context(&format!(
                "the file could not be taken over and is as before (a copy is in {})",
                backup.display()
            )))
        }
    }
}

/// Copies the file beside itself, its write-ahead log included, and reads the copy to the end.
async fn back_up(file: &mut SqliteFile, path: &Path) -> Result<PathBuf> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let now = file.rows("SELECT strftime('%Y%m%dT%H%M%SZ', 'now')", &[]).await?;
    let now = now.first().map(|row| row.string(0)).unwrap_or_default();
    let backup = (0..100)
        .map(|attempt| {
            let mut name = path.clone().into_os_string();
            name.push(format!(".backup-{now}"));
            if attempt > 0 {
                name.push(format!("-{attempt}"));
            }
            PathBuf::from(name)
        })
        .find(|candidate| !candidate.exists())
        .ok_or_else(|| {
            MigrateError::Failed("there are too many backups beside the file; remove some".to_owned())
        })?;
    let failed =
        |error: MigrateError| error.context(&format!("no backup could be made at {}", backup.display()));
    let target = backup.to_str().ok_or_else(|| {
        MigrateError::Usage(format!(
            "{} is not a name that SQLite can write to",
            backup.display()
        ))
    })?;
    file.execute("VACUUM INTO $1", &[Value::Text(target.to_owned())])
        .await
        .map_err(failed)?;
    let mut copy = SqliteFile::open(&backup, Access::Read).await.map_err(failed)?;
    let verdict = copy.rows("PRAGMA quick_check(1)", &[]).await.map_err(failed)?;
    copy.close().await.map_err(failed)?;
    let verdict = verdict.first().map(|row| row.string(0)).unwrap_or_default();
    if verdict != "ok" {
        return Err(failed(MigrateError::Failed(format!(
            "the copy cannot be read back: {verdict}"
        ))));
    }
    std::fs::File::open(&backup)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed(MigrateError::Failed(error.to_string())))?;
    Ok(backup)
}

async fn take_over(file: &mut SqliteFile, context: &Context) -> Result<Vec<String>> {
    // Looked at again, now that nobody else can write.
    recognise(file, context).await?;
    let found = objects(file).await?;
    let mut added = Vec::new();
    for (table, column, declaration) in ADDED_COLUMNS {
        if found.get(table).is_some_and(|columns| !columns.contains(column)) {
            let sql = format!(
                "ALTER TABLE {} ADD COLUMN {} {declaration}",
                quoted(table),
                quoted(column)
            );
            file.batch(&sql).await?;
            added.push(format!("column {table}.{column}"));
        }
    }
    let mut scratch = baseline(context).await?;
    let sql =
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type = 'index', rowid";
    for object in scratch.rows(sql, &[]).await? {
        let known = "SELECT 1 FROM sqlite_schema WHERE type = $1 AND name = $2 COLLATE NOCASE";
        let name = [Value::Text(object.string(0)), Value::Text(object.string(1))];
        if file.rows(known, &name).await?.is_empty() {
            file.batch(&object.string(2)).await?;
            added.push(format!("{} {}", object.string(0), object.string(1)));
        }
    }
    if seed(file, &mut scratch).await? {
        added.push("the default group of synths".to_owned());
    }
    scratch.close().await?;
    if let Some(first) = context.versions.first() {
        record(file, context, first).await?;
    }
    Ok(added)
}

/// Puts in the default group if it is not there.
async fn seed(file: &mut SqliteFile, scratch: &mut SqliteFile) -> Result<bool> {
    let rows = scratch
        .rows("SELECT id, name, description, created_at FROM synth_groups", &[])
        .await?;
    let mut added = false;
    for row in rows {
        let known = "SELECT 1 FROM synth_groups WHERE id = $1";
        if file.rows(known, &row.0[..1]).await?.is_empty() {
            let sql = "INSERT INTO synth_groups (id, name, description, created_at) VALUES ($1, $2, $3, $4)";
            file.execute(sql, &row.0).await?;
            added = true;
        }
    }
    Ok(added)
}

/// Writes the file's first version into a new history, as if it had been run.
async fn record(file: &mut SqliteFile, context: &Context, first: &Version) -> Result<()> {
    let tables = Tables::of(context, Dialect::Sqlite);
    file.batch(&tables.create(Dialect::Sqlite)).await?;
    file.batch(&tables.baseline(first, Dialect::Sqlite, "baseline"))
        .await
}
