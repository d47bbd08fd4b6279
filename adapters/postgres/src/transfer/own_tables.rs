//! Cutover's own tables of a copy, in the schema `cutover`.

use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_ports::transfer::{Position, QuarantinedRow, RunStart, TableProgress, TransferResult};
use tokio_postgres::Client;

use super::error::transfer_error;
use super::target::run;

/// Values are never part of these.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS cutover.copy_run (
    source text NOT NULL, fingerprint text NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz
);
CREATE TABLE IF NOT EXISTS cutover.copy_table (
    table_name text PRIMARY KEY, fingerprint text NOT NULL, position_rows bigint NOT NULL, position_rowid bigint,
    written bigint NOT NULL, rejected bigint NOT NULL, bytes bigint NOT NULL, done boolean NOT NULL
);
CREATE TABLE IF NOT EXISTS cutover.dropped_constraint (
    schema_name text, table_name text, constraint_name text, definition text NOT NULL,
    PRIMARY KEY (schema_name, table_name, constraint_name)
);
CREATE TABLE IF NOT EXISTS cutover.quarantine (
    table_name text, position bigint, key text NOT NULL, column_name text NOT NULL, reason text NOT NULL,
    columns text[] NOT NULL, classes text[] NOT NULL, \"values\" bytea[] NOT NULL, quarantined_at timestamptz NOT NULL,
    PRIMARY KEY (table_name, position)
);
COMMENT ON TABLE cutover.quarantine IS
    'Rows that this database cannot hold: per column the storage class and the exact bytes (an integer as its digits, a real as its eight bytes, big-endian).';
CREATE TABLE IF NOT EXISTS cutover.ledger (
    table_name text PRIMARY KEY, source text NOT NULL, fingerprint text NOT NULL, rows bigint NOT NULL, max_rowid bigint,
    copied_at timestamptz, verified_at timestamptz, digest text
);
COMMENT ON TABLE cutover.ledger IS 'Which tables have been copied here and verified equal.'";

/// Whether they have been made.
pub(super) async fn exist(client: &Client) -> TransferResult<bool> {
    let sql =
        "SELECT to_regclass('cutover.copy_run') IS NOT NULL AND to_regclass('cutover.ledger') IS NOT NULL";
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(row.get(0))
}

/// Makes them. Where they exist, no right to make any is needed.
pub(super) async fn create(client: &Client) -> TransferResult<()> {
    if exist(client).await? {
        return Ok(());
    }
    let sql = "SELECT to_regnamespace('cutover') IS NULL";
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|error| transfer_error(&error))?;
    let schema = if row.get(0) { "CREATE SCHEMA cutover;" } else { "" };
    run(client, &format!("BEGIN; {schema} {TABLES}; COMMIT")).await
}

/// A string literal: quotes doubled, and backslashes safe under any setting.
pub(super) fn literal(text: &str) -> String {
    format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The statements that note a run at its beginning. They run as one with what the run makes.
pub(super) fn start_run(plan: &Plan, run: &RunStart) -> Vec<String> {
    let mut statements = vec![
        "DELETE FROM cutover.copy_run; DELETE FROM cutover.copy_table; DELETE FROM cutover.quarantine"
            .to_owned(),
        format!(
            "INSERT INTO cutover.copy_run (source, fingerprint, started_at) VALUES ({}, {}, now())",
            literal(&run.source),
            literal(&run.fingerprint)
        ),
    ];
    statements.extend(plan.tables.iter().map(|table| {
        let fingerprint = run
            .tables
            .get(&table.target)
            .map(String::as_str)
            .unwrap_or_default();
        format!(
            "INSERT INTO cutover.copy_table VALUES ({}, {}, 0, NULL, 0, 0, 0, false)",
            literal(&table.target),
            literal(fingerprint)
        )
    }));
    statements
}

/// Whether routing notes here which rows it has planted.
pub(super) async fn notes_planted_rows(client: &Client) -> TransferResult<bool> {
    let sql = "SELECT to_regclass('cutover.planted_rows') IS NOT NULL";
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(row.get(0))
}

/// Forgets which rows of the plan's tables were planted: what is copied is the truth, and must not be left out on the way back.
pub(super) fn forget_planted(plan: &Plan) -> String {
    let names: Vec<String> = plan.tables.iter().map(|table| literal(&table.target)).collect();
    format!(
        "DELETE FROM cutover.planted_rows WHERE table_name IN ({})",
        names.join(", ")
    )
}

pub(super) async fn progress(client: &Client, table: &str) -> TransferResult<TableProgress> {
    let sql = "SELECT position_rows, position_rowid, written, rejected, bytes, done FROM cutover.copy_table WHERE table_name = $1";
    let row = client
        .query_one(sql, &[&table])
        .await
        .map_err(|error| transfer_error(&error))?;
    let number = |at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
    Ok(TableProgress {
        position: Position {
            rows: number(0),
            rowid: row.get(1),
        },
        written: number(2),
        rejected: number(3),
        bytes: number(4),
        done: row.get(5),
    })
}

pub(super) async fn set_progress(
    client: &Client,
    table: &str,
    progress: &TableProgress,
) -> TransferResult<()> {
    let sql = "UPDATE cutover.copy_table SET position_rows = $2, position_rowid = $3, written = $4, rejected = $5, bytes = $6, done = $7
               WHERE table_name = $1";
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let (rows, written, rejected, bytes) = (
        number(progress.position.rows),
        number(progress.written),
        number(progress.rejected),
        number(progress.bytes),
    );
    client
        .execute(
            sql,
            &[
                &table,
                &rows,
                &progress.position.rowid,
                &written,
                &rejected,
                &bytes,
                &progress.done,
            ],
        )
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(())
}

pub(super) async fn quarantine(
    client: &Client,
    plan: &TablePlan,
    rows: &[QuarantinedRow],
) -> TransferResult<()> {
    let sql = "INSERT INTO cutover.quarantine VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())";
    for row in rows {
        let position = i64::try_from(row.position).unwrap_or(i64::MAX);
        // A key is shown, so that what cannot be shown is escaped in it already.
        client
            .execute(
                sql,
                &[
                    &plan.target,
                    &position,
                    &row.key,
                    &row.column,
                    &row.reason,
                    &plan.source_columns(),
                    &row.classes,
                    &row.values,
                ],
            )
            .await
            .map_err(|error| transfer_error(&error))?;
    }
    Ok(())
}

/// A constraint that is out of the way.
#[derive(Debug)]
pub(super) struct Dropped {
    pub(super) table: String,
    pub(super) constraint: String,
    pub(super) definition: String,
}

pub(super) fn note_dropped(schema: &str, table: &str, constraint: &str) -> String {
    format!(
        "INSERT INTO cutover.dropped_constraint
         SELECT n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
         FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = {} AND c.relname = {} AND k.conname = {}
         ON CONFLICT DO NOTHING",
        literal(schema),
        literal(table),
        literal(constraint)
    )
}

pub(super) fn forget_dropped(schema: &str, table: &str, constraint: &str) -> String {
    format!(
        "DELETE FROM cutover.dropped_constraint WHERE schema_name = {} AND table_name = {} AND constraint_name = {}",
        literal(schema),
        literal(table),
        literal(constraint)
    )
}

pub(super) async fn dropped(client: &Client, schema: &str) -> TransferResult<Vec<Dropped>> {
    let sql = "SELECT table_name, constraint_name, definition FROM cutover.dropped_constraint WHERE schema_name = $1 ORDER BY 1, 2";
    let rows = client
        .query(sql, &[&schema])
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(rows
        .iter()
        .map(|row| Dropped {
            table: row.get(0),
            constraint: row.get(1),
            definition: row.get(2),
        })
        .collect())
}
