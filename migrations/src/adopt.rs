//! Taking over a file of an original application that knows nothing of migrations.
//!
//! Such a file has no history; its versions are told apart by the objects in them. It is given what it lacks of the
//! context's first version and recorded as that: nothing that is there is changed.

mod lab;
mod market;
mod writer;

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

/// What the files of an original application are like.
pub(crate) struct Original {
    /// The application.
    name: &'static str,
    /// What old files lack or have more: not drift.
    pub(crate) legacy: Legacy,
    /// The tables that every version has that can be taken over.
    core: &'static [&'static str],
    /// Columns that older versions lack, with their declarations.
    added_columns: &'static [(&'static str, &'static str, &'static str)],
    /// The version, in words, of a file too old to be taken over, and of which on they can be.
    too_old: fn(&Objects) -> Option<(&'static str, &'static str)>,
    /// The version of one that can, in words.
    version: fn(&Objects) -> String,
    /// Rules that rows of old files may break: a table, the rule, and the condition that is true of a row that breaks it.
    broken: &'static [(&'static str, &'static str, &'static str)],
}

impl Original {
    /// Of a context with legacy files.
    pub(crate) fn of(context: &Context) -> Option<&'static Self> {
        let original = [&lab::ORIGINAL, &writer::ORIGINAL, &market::ORIGINAL]
            .into_iter()
            .find(|(name, _)| *name == context.name);
        original.filter(|_| context.legacy).map(|(_, original)| original)
    }
}

/// A file's tables and their columns.
type Objects = BTreeMap<String, BTreeSet<String>>;

fn has_column(found: &Objects, table: &str, column: &str) -> bool {
    found.get(table).is_some_and(|columns| columns.contains(column))
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// It has none of the application's tables: they can be made as in an empty file.
    Nothing,
    /// One that can be taken over, in words.
    Version(String),
}

/// Tells what a file without a history is, or why it cannot be taken over.
pub(crate) async fn recognise(
    file: &mut SqliteFile,
    context: &Context,
    original: &Original,
) -> Result<Recognised> {
    let found = objects(file).await?;
    let mut scratch = baseline(context).await?;
    let expected = objects(&mut scratch).await?;
    scratch.close().await?;
    if expected.keys().all(|table| !found.contains_key(table)) {
        return Ok(Recognised::Nothing);
    }
    let name = original.name;
    if let Some((version, oldest)) = (original.too_old)(&found) {
        return Err(MigrateError::Refused(format!(
            "this is a {version} file of {name}, and only files of {oldest} or newer can be taken over; open it \
             once with a {name} of that time, or copy its tables away and start with a new file"
        )));
    }
    let missing = missing(&found, &expected, original);
    if !missing.is_empty() {
        return Err(MigrateError::Refused(format!(
            "the file has tables with the names of {name}'s, but is no version of it that is known: {} missing; \
             rename those tables or use another file",
            missing.join(", ") + if missing.len() == 1 { " is" } else { " are" }
        )));
    }
    Ok(Recognised::Version((original.version)(&found)))
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

/// A database in memory at version 1: the original's newest.
async fn baseline(context: &Context) -> Result<SqliteFile> {
    let mut scratch = SqliteFile::scratch().await?;
    if let Some(first) = context.versions.first() {
        scratch.batch(first.sqlite.up).await?;
    }
    Ok(scratch)
}

/// What the file would need to be one that can be taken over.
fn missing(found: &Objects, expected: &Objects, original: &Original) -> Vec<String> {
    let mut missing: Vec<String> = original
        .core
        .iter()
        .filter(|table| !found.contains_key(**table))
        .map(|table| (*table).to_owned())
        .collect();
    for (table, columns) in expected {
        let Some(present) = found.get(table) else { continue };
        let lacking = columns.difference(present).filter(|column| {
            !original
                .added_columns
                .iter()
                .any(|(of, added, _)| of == table && added == *column)
        });
        missing.extend(lacking.map(|column| format!("{table}.{column}")));
    }
    missing
}

/// Takes over a recognised file: a verified copy beside it, then everything in one transaction.
pub(crate) async fn adopt(
    file: &mut SqliteFile,
    path: &Path,
    context: &Context,
    original: &Original,
    recognised: String,
) -> Result<Adopted> {
    let backup = back_up(file, path).await?;
    file.batch("BEGIN IMMEDIATE").await?;
    match take_over(file, context, original).await {
        Ok((added, broken)) => {
            file.batch("COMMIT").await?;
            Ok(Adopted {
                recognised,
                backup,
                added,
                broken,
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

/// What was added, and the rules that rows break.
type TakenOver = (Vec<String>, Vec<String>);

async fn take_over(file: &mut SqliteFile, context: &Context, original: &Original) -> Result<TakenOver> {
    // Looked at again, now that nobody else can write.
    recognise(file, context, original).await?;
    let found = objects(file).await?;
    let mut added = Vec::new();
    for (table, column, declaration) in original.added_columns.iter().copied() {
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
            let name = object.string(1);
            match file.batch(&object.string(2)).await {
                Ok(()) => added.push(format!("{} {name}", object.string(0))),
                // Rows are in its way, and they stay.
                Err(_) if original.legacy.missing_indexes.contains(&name.as_str()) => {}
                Err(error) => return Err(error),
            }
        }
    }
    for (table, _) in context.seeds {
        if seed(file, &mut scratch, table).await? {
            added.push(format!("the rows that {table} starts with"));
        }
    }
    scratch.close().await?;
    if let Some(first) = context.versions.first() {
        record(file, context, first).await?;
    }
    Ok((added, broken_rules(file, original).await?))
}

/// The rules that rows break, with their numbers.
async fn broken_rules(file: &mut SqliteFile, original: &Original) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for (table, rule, condition) in original.broken {
        let sql = format!(
            "SELECT count(*), group_concat(rowid, ', ') FROM (SELECT rowid FROM {} WHERE {condition} LIMIT 20)",
            quoted(table)
        );
        let rows = file.rows(&sql, &[]).await?;
        if let Some(row) = rows.first().filter(|row| row.integer(0) > Some(0)) {
            broken.push(format!("{table}: {rule}; not so in rows {}", row.string(1)));
        }
    }
    Ok(broken)
}

/// Puts in the rows that a table starts with, where they are not there. Its first column is the key.
async fn seed(file: &mut SqliteFile, scratch: &mut SqliteFile, table: &str) -> Result<bool> {
    let sql = "SELECT name FROM pragma_table_info($1)";
    let columns = scratch.rows(sql, &[Value::Text(table.to_owned())]).await?;
    let columns: Vec<String> = columns.iter().map(|column| quoted(&column.string(0))).collect();
    let (table, names) = (quoted(table), columns.join(", "));
    let marks: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
    let marks = marks.join(", ");
    let mut added = false;
    for row in scratch.rows(&format!("SELECT {names} FROM {table}"), &[]).await? {
        let known = format!("SELECT 1 FROM {table} WHERE {} = $1", columns[0]);
        if file.rows(&known, &row.0[..1]).await?.is_empty() {
            file.execute(&format!("INSERT INTO {table} ({names}) VALUES ({marks})"), &row.0)
                .await?;
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
