//! Cutover's own tables of a copy, in a SQLite file that is a target.

use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::rows::{Row, RowBatch};
use cutover_domain::transfer::survey::RejectedRow;
use cutover_domain::transfer::value::Value;
use cutover_ports::transfer::{LedgerEntry, Position, RunStart, TableProgress, UnfinishedRun};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bound::Bound;

/// Values are never part of these. Instants are microseconds since 1970.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS _cutover_copy_run (source TEXT NOT NULL, fingerprint TEXT NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER);
CREATE TABLE IF NOT EXISTS _cutover_progress (
    table_name TEXT PRIMARY KEY NOT NULL, fingerprint TEXT NOT NULL, made INTEGER NOT NULL, position_rows INTEGER NOT NULL, position_rowid INTEGER,
    written INTEGER NOT NULL, rejected INTEGER NOT NULL, bytes INTEGER NOT NULL, done INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS _cutover_account (account TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _cutover_quarantine (
    table_name TEXT NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL, column_name TEXT NOT NULL, reason TEXT NOT NULL,
    value_column TEXT NOT NULL, value BLOB, quarantined_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS _cutover_ledger (
    table_name TEXT PRIMARY KEY NOT NULL, source TEXT NOT NULL, fingerprint TEXT NOT NULL, rows INTEGER NOT NULL, max_rowid INTEGER,
    copied_at INTEGER, verified_at INTEGER, digest TEXT
);";

/// Where routing notes the rows that it has planted.
pub(super) const PLANTED: &str = "_cutover_planted_rows";

/// The columns of Cutover's own tables, by which they are known.
const COLUMNS: [(&str, &[&str]); 6] = [
    (
        "_cutover_copy_run",
        &["source", "fingerprint", "started_at", "finished_at"],
    ),
    (
        "_cutover_progress",
        &[
            "table_name",
            "fingerprint",
            "made",
            "position_rows",
            "position_rowid",
            "written",
            "rejected",
            "bytes",
            "done",
        ],
    ),
    ("_cutover_account", &["account"]),
    (
        "_cutover_quarantine",
        &[
            "table_name",
            "position",
            "key",
            "column_name",
            "reason",
            "value_column",
            "value",
            "quarantined_at",
        ],
    ),
    (
        "_cutover_ledger",
        &[
            "table_name",
            "source",
            "fingerprint",
            "rows",
            "max_rowid",
            "copied_at",
            "verified_at",
            "digest",
        ],
    ),
    (PLANTED, &["table_name", "key"]),
];

/// The columns of the two tables in which `cutover migrate` keeps a context's history. Their names end with the context's, and with `_runs`.
const MIGRATIONS: [&[&str]; 2] = [
    &[
        "version",
        "description",
        "installed_on",
        "success",
        "checksum",
        "execution_time",
    ],
    &[
        "run",
        "version",
        "name",
        "direction",
        "up_checksum",
        "down_checksum",
        "started_at",
        "finished_at",
        "outcome",
    ],
];

/// The tables of a file that are Cutover's own. One of their names with other columns is the application's, and so is any other.
pub(super) fn present(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = r"SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '\_cutover\_%' ESCAPE '\'";
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let columns_of = |name: &str| -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_xinfo(?1)")?;
        statement.query_map([name], |row| row.get(0))?.collect()
    };
    let mut present = Vec::new();
    for name in names {
        let columns = columns_of(&name)?;
        // A run may have added columns to the table that the seeds are of.
        let of_seeds = name.strip_prefix(SEEDS_OF).map(columns_of).transpose()?;
        let is_of_seeds = of_seeds.is_some_and(|of| columns.iter().all(|column| of.contains(column)));
        let is_ours = COLUMNS
            .iter()
            .any(|(own, of_own)| *own == name && columns == *of_own)
            || is_of_seeds
            || (name.starts_with("_cutover_migrations_") && MIGRATIONS.iter().any(|own| columns == *own));
        if is_ours {
            present.push(name);
        }
    }
    Ok(present)
}

fn exists(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    Ok(present(connection)?.iter().any(|own| own == table))
}

fn literal(text: &str) -> String {
    // A NUL would end the statement; sources are paths and addresses, which have none.
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// The statements that forget the last run, and what was kept of `tables` whose rows go or come anew. What was kept of others is theirs.
pub(super) fn forget_run<'t>(tables: impl Iterator<Item = &'t str>) -> Vec<String> {
    let names: Vec<String> = tables.map(literal).collect();
    let names = names.join(", ");
    let of_tables = ["_cutover_quarantine", "_cutover_ledger"]
        .map(|own| format!("DELETE FROM {own} WHERE table_name IN ({names})"));
    let of_run = ["_cutover_copy_run", "_cutover_progress", "_cutover_account"]
        .map(|own| format!("DELETE FROM {own}"));
    of_run.into_iter().chain(of_tables).collect()
}

pub(super) fn start_run(plan: &Plan, run: &RunStart) -> Vec<String> {
    let mut statements = forget_run(run.empties(plan));
    statements.push(format!(
        "INSERT INTO _cutover_copy_run VALUES ({}, {}, unixepoch() * 1000000, NULL)",
        literal(&run.source),
        literal(&run.fingerprint)
    ));
    let account = serde_json::to_string(&run.account).ok();
    statements.extend(
        account.map(|account| format!("INSERT INTO _cutover_account VALUES ({})", literal(&account))),
    );
    statements.extend(plan.tables.iter().map(|table| {
        let fingerprint = run
            .tables
            .get(&table.target)
            .map(String::as_str)
            .unwrap_or_default();
        format!(
            "INSERT INTO _cutover_progress VALUES ({}, {}, {}, 0, NULL, 0, 0, 0, 0)",
            literal(&table.target),
            literal(fingerprint),
            u8::from(table.created)
        )
    }));
    statements
}

/// Where the seed rows of a table are kept while a run is unfinished that has taken them out.
const SEEDS_OF: &str = "_cutover_seeds_of_";

fn seeds_of(table: &str) -> String {
    quoted(&format!("{SEEDS_OF}{table}"))
}

/// The statement that keeps the seed rows of a table, before a run begins that takes them out. A run that did not come to its end has kept
/// them already, and what is in the table now is its own.
pub(super) fn keep_seeds_of(table: &str, condition: &str) -> String {
    let (kept, table) = (seeds_of(table), quoted(table));
    format!("CREATE TABLE IF NOT EXISTS {kept} AS SELECT * FROM {table} WHERE {condition}")
}

/// Puts the seed rows of a table back, if there are any. Columns may have been added to it since.
pub(super) fn put_seeds_back(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    let kept = format!("{SEEDS_OF}{table}");
    if !exists(connection, &kept)? {
        return Ok(());
    }
    let sql = "SELECT group_concat('\"' || replace(name, '\"', '\"\"') || '\"') FROM pragma_table_info(?1)";
    let columns: String = connection.query_row(sql, [&kept], |row| row.get(0))?;
    let kept = quoted(&kept);
    connection.execute_batch(&format!(
        "INSERT INTO {} ({columns}) SELECT {columns} FROM {kept}",
        quoted(table)
    ))
}

/// Forgets all seed rows.
pub(super) fn forget_seeds(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, length(?1)) = ?1";
    let mut statement = connection.prepare(sql)?;
    let kept: Vec<String> = statement
        .query_map([SEEDS_OF], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    kept.iter()
        .try_for_each(|kept| connection.execute_batch(&format!("DROP TABLE {}", quoted(kept))))
}

/// Whether routing notes here which rows it has planted.
pub(super) fn notes_planted_rows(connection: &Connection) -> rusqlite::Result<bool> {
    exists(connection, PLANTED)
}

/// Forgets which rows of the plan's tables were planted: what is copied is the truth, and must not be left out on the way back.
pub(super) fn forget_planted(plan: &Plan) -> String {
    let names: Vec<String> = plan.tables.iter().map(|table| literal(&table.target)).collect();
    format!("DELETE FROM {PLANTED} WHERE table_name IN ({})", names.join(", "))
}

/// In place of when a run was finished, as long as nobody has been told.
const UNTOLD: i64 = i64::MAX;

/// Notes the end of a run, of which nobody has been told yet.
pub(super) fn finish_run(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE _cutover_copy_run SET finished_at = ?1 WHERE finished_at IS NULL";
    connection.execute(sql, [UNTOLD]).map(drop)
}

/// Makes a finished run one that no command goes on with.
pub(super) fn set_told(connection: &Connection) -> rusqlite::Result<()> {
    if exists(connection, "_cutover_copy_run")? {
        let sql = "UPDATE _cutover_copy_run SET finished_at = unixepoch() * 1000000 WHERE finished_at = ?1";
        connection.execute(sql, [UNTOLD])?;
    }
    Ok(())
}

/// The run that did not come to its end, if there is one.
pub(super) fn unfinished(connection: &Connection) -> rusqlite::Result<Option<UnfinishedRun>> {
    Ok(open_run(connection)?.filter(|run| !run.is_finished))
}

/// The run that did not come to its end, or of whose end nobody was told.
pub(super) fn open_run(connection: &Connection) -> rusqlite::Result<Option<UnfinishedRun>> {
    if !exists(connection, "_cutover_copy_run")? {
        return Ok(None);
    }
    let sql = "SELECT source, fingerprint, finished_at IS NOT NULL FROM _cutover_copy_run
               WHERE finished_at IS NULL OR finished_at = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut runs = statement.query_map([UNTOLD], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let Some((source, fingerprint, is_finished)) = runs.next().transpose()? else {
        return Ok(None);
    };
    let mut statement = connection.prepare("SELECT table_name, fingerprint, made FROM _cutover_progress")?;
    let listed = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let listed: Vec<(String, String, bool)> = listed.collect::<Result<_, _>>()?;
    Ok(Some(UnfinishedRun {
        account: account(connection)?,
        source,
        fingerprint,
        is_finished,
        made: listed
            .iter()
            .filter(|(_, _, made)| *made)
            .map(|(name, _, _)| name.clone())
            .collect(),
        tables: listed
            .into_iter()
            .map(|(name, fingerprint, _)| (name, fingerprint))
            .collect(),
    }))
}

/// What the last run gave account of at its beginning.
fn account(connection: &Connection) -> rusqlite::Result<Option<Account>> {
    if !exists(connection, "_cutover_account")? {
        return Ok(None);
    }
    let sql = "SELECT account FROM _cutover_account";
    let account: Option<String> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(account.and_then(|account| serde_json::from_str(&account).ok()))
}

pub(super) fn progress(connection: &Connection, table: &str) -> rusqlite::Result<TableProgress> {
    let sql = "SELECT position_rows, position_rowid, written, rejected, bytes, done FROM _cutover_progress WHERE table_name = ?1";
    connection.query_row(sql, [table], |row| {
        let number = |at: usize| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0));
        Ok(TableProgress {
            position: Position {
                rows: number(0)?,
                rowid: row.get(1)?,
            },
            written: number(2)?,
            rejected: number(3)?,
            bytes: number(4)?,
            done: row.get(5)?,
        })
    })
}

pub(super) fn set_progress(
    connection: &Connection,
    table: &str,
    progress: &TableProgress,
) -> rusqlite::Result<()> {
    let sql = "UPDATE _cutover_progress SET position_rows = ?2, position_rowid = ?3, written = ?4, rejected = ?5, bytes = ?6, done = ?7
               WHERE table_name = ?1";
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let TableProgress {
        position,
        written,
        rejected,
        bytes,
        done,
    } = *progress;
    connection.execute(
        sql,
        params![
            table,
            number(position.rows),
            position.rowid,
            number(written),
            number(rejected),
            number(bytes),
            done
        ],
    )?;
    Ok(())
}

/// One line per value, each in its own storage class.
pub(super) fn quarantine(
    connection: &Connection,
    plan: &TablePlan,
    batch: &RowBatch,
    row: Row<'_>,
    named: &RejectedRow,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO _cutover_quarantine VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, unixepoch() * 1000000)";
    let mut statement = connection.prepare_cached(sql)?;
    let position = i64::try_from(row.ordinal()).unwrap_or(i64::MAX);
    for (at, (column, value)) in plan.columns.iter().zip(row.values()).enumerate() {
        let value = match value {
            // Not to be taken for UTF-8.
            Value::Text(bytes) if batch.refuses(row, at) => Value::Blob(bytes),
            value => value,
        };
        statement.execute(params![
            plan.target,
            position,
            named.key,
            named.column,
            named.reason,
            column.source,
            Bound(value)
        ])?;
    }
    Ok(())
}

/// How many rows of which tables are in quarantine.
pub(super) fn quarantined(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    if !exists(connection, "_cutover_quarantine")? {
        return Ok(vec![]);
    }
    let sql = "SELECT table_name, count(DISTINCT position) FROM _cutover_quarantine GROUP BY 1 ORDER BY 1";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)))
    })?;
    rows.collect()
}

/// All entries; none if nothing was ever copied or verified.
pub(super) fn ledger(connection: &Connection) -> rusqlite::Result<Vec<LedgerEntry>> {
    if !exists(connection, "_cutover_ledger")? {
        return Ok(vec![]);
    }
    let sql = "SELECT table_name, source, fingerprint, rows, max_rowid, copied_at, verified_at, digest
               FROM _cutover_ledger ORDER BY table_name";
    let mut statement = connection.prepare(sql)?;
    let entries = statement.query_map([], |row| {
        Ok(LedgerEntry {
            table: row.get(0)?,
            source: row.get(1)?,
            fingerprint: row.get(2)?,
            rows: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            max_rowid: row.get(4)?,
            copied_at: row.get(5)?,
            verified_at: row.get(6)?,
            digest: row.get(7)?,
        })
    })?;
    entries.collect()
}

pub(super) fn set_verified(connection: &Connection, entry: &LedgerEntry) -> rusqlite::Result<()> {
    let sql = "INSERT INTO _cutover_ledger VALUES (?1, ?2, ?3, ?4, ?5, NULL, unixepoch() * 1000000, ?6)
               ON CONFLICT (table_name) DO UPDATE SET source = excluded.source, rows = excluded.rows, max_rowid = excluded.max_rowid,
                   verified_at = excluded.verified_at, digest = excluded.digest";
    let rows = i64::try_from(entry.rows).unwrap_or(i64::MAX);
    connection.execute(
        sql,
        params![
            entry.table,
            entry.source,
            entry.fingerprint,
            rows,
            entry.max_rowid,
            entry.digest
        ],
    )?;
    Ok(())
}

/// The statement that notes a table as copied just now, and no longer as verified.
pub(super) fn note_copied(entry: &LedgerEntry) -> String {
    format!(
        "INSERT INTO _cutover_ledger VALUES ({}, {}, {}, {}, {}, unixepoch() * 1000000, NULL, NULL)
         ON CONFLICT (table_name) DO UPDATE SET source = excluded.source, fingerprint = excluded.fingerprint, rows = excluded.rows,
             max_rowid = excluded.max_rowid, copied_at = excluded.copied_at, verified_at = NULL, digest = NULL",
        literal(&entry.table),
        literal(&entry.source),
        literal(&entry.fingerprint),
        entry.rows,
        entry.max_rowid.map_or_else(|| "NULL".to_owned(), |rowid| rowid.to_string())
    )
}

#[cfg(test)]
mod tests {
    use cutover_domain::transfer::refusal::OWN_TABLES;

    use super::*;

    #[test]
    fn own_tables_are_known_by_their_columns() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE _cutover_ledger (x); CREATE TABLE _cutover_mine (table_name, key)")
            .unwrap();
        assert_eq!(present(&connection).unwrap(), Vec::<String>::new());
        connection.execute_batch("DROP TABLE _cutover_ledger").unwrap();
        connection.execute_batch(TABLES).unwrap();
        connection
            .execute_batch("CREATE TABLE _cutover_planted_rows (table_name, key)")
            .unwrap();
        assert_eq!(present(&connection).unwrap(), OWN_TABLES);
        connection
            .execute_batch(
                "CREATE TABLE _cutover_migrations_mine (version);
                 CREATE TABLE _cutover_migrations_lab (version, description, installed_on, success, checksum, execution_time)",
            )
            .unwrap();
        assert_eq!(
            present(&connection).unwrap()[OWN_TABLES.len()..],
            ["_cutover_migrations_lab"]
        );
    }
}
