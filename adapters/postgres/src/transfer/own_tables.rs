//! Cutover's own tables of a copy, in the schema `cutover`. Every row says to which schema of the target it belongs.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::SystemTime;

use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::catalog::{Origin, OriginObject, Other, OtherKind};
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::plan::{BY_TYPE, Plan, TablePlan};
use cutover_domain::transfer::schema::{Weakened, literal};
use cutover_domain::transfer::words::counted;
use cutover_ports::transfer::{
    Position, QuarantinedRow, RunStart, TableProgress, TransferError, TransferResult, UnfinishedRun,
};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Column, Row};

use super::error::transfer_error;

/// Values are never part of these, but for the quarantine.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS cutover.copy_run (
    schema_name text PRIMARY KEY, source text NOT NULL, fingerprint text NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz
);
CREATE TABLE IF NOT EXISTS cutover.copy_table (
    schema_name text, table_name text, fingerprint text NOT NULL, made boolean NOT NULL, PRIMARY KEY (schema_name, table_name)
);
CREATE TABLE IF NOT EXISTS cutover.copy_part (
    schema_name text, table_name text, part integer, position_rows bigint NOT NULL, position_rowid bigint,
    written bigint NOT NULL, rejected bigint NOT NULL, bytes bigint NOT NULL, done boolean NOT NULL,
    PRIMARY KEY (schema_name, table_name, part)
);
CREATE TABLE IF NOT EXISTS cutover.copy_step (
    schema_name text, name text, weakened text, PRIMARY KEY (schema_name, name)
);
COMMENT ON TABLE cutover.copy_step IS 'Indexes, keys and constraints that the unfinished run has made, and which of them hold in a weaker form.';
CREATE TABLE IF NOT EXISTS cutover.copy_account (
    schema_name text, source text, account text NOT NULL, PRIMARY KEY (schema_name, source)
);
COMMENT ON TABLE cutover.copy_account IS 'What the last copy of each source has made in tables that were there, left out or weakened, as JSON.';
CREATE TABLE IF NOT EXISTS cutover.dropped_constraint (
    schema_name text, table_name text, constraint_name text, definition text NOT NULL,
    PRIMARY KEY (schema_name, table_name, constraint_name)
);
CREATE TABLE IF NOT EXISTS cutover.made_table (
    schema_name text, table_name text, source_table text NOT NULL, PRIMARY KEY (schema_name, table_name)
);
COMMENT ON TABLE cutover.made_table IS 'Tables that a copy has made, and for which tables of SQLite.';
CREATE TABLE IF NOT EXISTS cutover.rendering (
    schema_name text, table_name text, column_name text, source_table text NOT NULL, source_column text NOT NULL,
    rendering text NOT NULL, class_column text, PRIMARY KEY (schema_name, table_name, column_name)
);
COMMENT ON TABLE cutover.rendering IS 'How the values of columns that a copy has made are written back as the values that SQLite had.';
CREATE TABLE IF NOT EXISTS cutover.source_object (
    schema_name text, kind text, name text, table_name text NOT NULL, sql text NOT NULL, position integer NOT NULL,
    PRIMARY KEY (schema_name, kind, name)
);
COMMENT ON TABLE cutover.source_object IS 'What makes the SQLite file anew: its schema, its settings, and the numbers that AUTOINCREMENT has given out.';
CREATE TABLE IF NOT EXISTS cutover.quarantine (
    schema_name text, table_name text, part integer, position bigint, key text NOT NULL, column_name text NOT NULL, reason text NOT NULL,
    columns text[] NOT NULL, classes text[] NOT NULL, \"values\" bytea[] NOT NULL, quarantined_at timestamptz NOT NULL,
    PRIMARY KEY (schema_name, table_name, part, position)
);
COMMENT ON TABLE cutover.quarantine IS
    'Rows that this database cannot hold: per column the storage class and the exact bytes (an integer as its digits, a real as its eight bytes, big-endian; utf16 is text as a file in UTF-16 stores it).';
CREATE TABLE IF NOT EXISTS cutover.ledger (
    schema_name text, table_name text, source text NOT NULL, fingerprint text NOT NULL, rows bigint NOT NULL, max_rowid bigint,
    copied_at timestamptz, verified_at timestamptz, digest text, PRIMARY KEY (schema_name, table_name)
);
COMMENT ON TABLE cutover.ledger IS 'Which tables have been copied here and verified equal.'";

/// Made when there are some to be kept.
pub(super) const SEEDS: &str = "
CREATE TABLE cutover.seed_row (schema_name text NOT NULL, table_name text NOT NULL, \"row\" jsonb NOT NULL);
COMMENT ON TABLE cutover.seed_row IS 'Rows of migrations that an unfinished run has taken out, until it is done or undone.'";

/// A value of one of these tables, which any person may have altered.
pub(super) fn noted<'r, T: FromSql<'r>>(row: &'r Row, own: &str, at: usize) -> TransferResult<T> {
    row.try_get(at).map_err(|_| {
        let column = row.columns().get(at).map_or("", Column::name);
        TransferError::Failed(format!(
            "cutover.{own} has in its column {column} NULL, or a value of another type than Cutover has put there; undo what was changed in it"
        ))
    })
}

/// A text of one of these tables that is to be understood; what is none is not, and empty.
pub(super) fn text(row: &Row, at: usize) -> &str {
    row.try_get(at).unwrap_or_default()
}

/// Refuses a schema of this name that belongs to the application: some of its tables are called like these, and are others.
pub(super) async fn refuse_strange(client: &Client) -> TransferResult<()> {
    const STRANGE: &str = "
        SELECT c.relname::text FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('cutover') AND c.relname IN (
            'copy_run', 'copy_table', 'copy_part', 'copy_step', 'copy_account', 'dropped_constraint', 'made_table', 'rendering',
            'source_object', 'quarantine', 'ledger', 'seed_row', 'planted_rows')
          AND NOT EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND NOT a.attisdropped
              AND a.attname = CASE c.relname WHEN 'planted_rows' THEN 'key' ELSE 'schema_name' END)
        ORDER BY 1";
    let rows = client.query(STRANGE, &[]).await;
    let rows = rows.map_err(|error| transfer_error(&error))?;
    let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(TransferError::Refused(format!(
        "the schema cutover, in which Cutover keeps its notes, has tables of that name in PostgreSQL that are not Cutover's own ({}); rename the \
         schema (ALTER SCHEMA cutover RENAME TO …), or those tables",
        names.join(", ")
    )))
}

/// The tables that hold something of a schema's last run.
const OF_A_RUN: [&str; 4] = ["copy_run", "copy_table", "copy_part", "copy_step"];

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

/// The statements that make them, or what an earlier version has not made of them; none where they exist, so that no right to make any is needed
/// then.
pub(super) async fn missing(client: &Client) -> TransferResult<Option<String>> {
    if exist(client).await? && has(client, "copy_account").await? {
        return Ok(None);
    }
    let sql = "SELECT to_regnamespace('cutover') IS NULL";
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|error| transfer_error(&error))?;
    let schema = if row.get(0) { "CREATE SCHEMA cutover;" } else { "" };
    Ok(Some(format!("{schema} {TABLES}")))
}

/// The statements that forget the last run, and what was kept of `tables` whose rows go or come anew. What was kept of others is theirs.
pub(super) fn forget_run<'t>(schema: &str, tables: impl Iterator<Item = &'t str>) -> Vec<String> {
    let schema = literal(schema);
    let of_run = |own: &&str| format!("DELETE FROM cutover.{own} WHERE schema_name = {schema}");
    let mut statements: Vec<String> = OF_A_RUN.iter().map(of_run).collect();
    let names: Vec<String> = tables.map(literal).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        statements.extend(["quarantine", "ledger"].map(|own| {
            format!("DELETE FROM cutover.{own} WHERE schema_name = {schema} AND table_name IN ({names})")
        }));
    }
    statements
}

/// The statements that note a run at its beginning. They run as one with what the run makes.
pub(super) fn start_run(schema: &str, plan: &Plan, run: &RunStart) -> Vec<String> {
    let schema_name = literal(schema);
    let mut statements = forget_run(schema, run.empties(plan));
    statements.push(format!(
        "INSERT INTO cutover.copy_run (schema_name, source, fingerprint, started_at) VALUES ({schema_name}, {}, {}, now())",
        literal(&run.source),
        literal(&run.fingerprint)
    ));
    statements.extend(note_account(schema, &run.account));
    for table in &plan.tables {
        let name = literal(&table.target);
        let fingerprint = run.tables.get(&table.target).map(String::as_str);
        statements.push(format!(
            "INSERT INTO cutover.copy_table VALUES ({schema_name}, {name}, {}, {})",
            literal(fingerprint.unwrap_or_default()),
            table.created
        ));
        let parts = run.parts.get(&table.target).copied().unwrap_or(1);
        statements.push(format!(
            "INSERT INTO cutover.copy_part SELECT {schema_name}, {name}, part, 0, NULL, 0, 0, 0, false
             FROM generate_series(0, {}) AS part",
            i64::from(parts) - 1
        ));
    }
    statements
}

/// The statements that note what was made for what.
pub(super) fn note_made(schema: &str, plan: &Plan, origin: Option<&Origin>) -> Vec<String> {
    let schema_name = literal(schema);
    let mut statements = Vec::new();
    for table in &plan.tables {
        let name = literal(&table.target);
        let source = literal(&table.source.name);
        if table.created {
            statements.push(format!(
                "INSERT INTO cutover.made_table VALUES ({schema_name}, {name}, {source})"
            ));
        }
        let computed = table.computed.iter().map(|(_, column, _)| column);
        for column in table.columns.iter().chain(computed).filter(|column| column.added) {
            // By its own name it is found without one.
            if column.has_no_note() && column.target == column.source {
                continue;
            }
            let class = column.class_column.as_ref();
            // Of a column that is added there may be a note although it was not there: somebody has dropped or renamed it.
            statements.push(format!(
                "INSERT INTO cutover.rendering VALUES ({schema_name}, {name}, {}, {source}, {}, {}, {})
                 ON CONFLICT (schema_name, table_name, column_name) DO UPDATE SET source_table = excluded.source_table,
                 source_column = excluded.source_column, rendering = excluded.rendering, class_column = excluded.class_column",
                literal(&column.target),
                literal(&column.source),
                literal(&column.note()),
                class.map_or_else(|| "NULL".to_owned(), |class| literal(class))
            ));
        }
        let retyped = table
            .columns
            .iter()
            .filter(|column| column.retyped_from.is_some());
        statements.extend(retyped.map(|column| {
            format!(
                "UPDATE cutover.rendering SET rendering = {}, class_column = NULL
                 WHERE schema_name = {schema_name} AND table_name = {name} AND column_name = {}",
                literal(BY_TYPE),
                literal(&column.target)
            )
        }));
    }
    statements.extend(
        origin
            .into_iter()
            .flat_map(|origin| note_origin(&schema_name, plan, origin)),
    );
    statements
}

/// Of the source's schema all that belongs to tables that are made; the rest of it too, if all are.
fn note_origin(schema_name: &str, plan: &Plan, origin: &Origin) -> Vec<String> {
    let (made, whole) = plan.made();
    let object = |kind: &str, name: &str, table: &str, sql: &str, position: usize| {
        format!(
            "INSERT INTO cutover.source_object VALUES ({schema_name}, {}, {}, {}, {}, {position})
             ON CONFLICT (schema_name, kind, name)
             DO UPDATE SET table_name = excluded.table_name, sql = excluded.sql, position = excluded.position",
            literal(kind),
            literal(name),
            literal(table),
            literal(sql)
        )
    };
    let objects = plan
        .objects_of_made(origin)
        .map(|(at, one)| object(&one.kind, &one.name, &one.table, &one.sql, at));
    let settings = origin.settings.iter().filter(|_| whole);
    let settings = settings.map(|(name, value)| object("setting", name, "", value, 0));
    let sequences = origin
        .sequences
        .iter()
        .filter(|(table, _)| made.contains(table.as_str()));
    let sequences = sequences.map(|(table, last)| object("sequence", table, table, &last.to_string(), 0));
    objects.chain(settings).chain(sequences).collect()
}

/// What makes the SQLite file anew that tables of this schema came from, if it is known.
pub(super) async fn origin(client: &Client, schema: &str) -> TransferResult<Option<Origin>> {
    if !has(client, "source_object").await? {
        return Ok(None);
    }
    let sql = "SELECT kind, name, table_name, sql FROM cutover.source_object WHERE schema_name = $1 ORDER BY position, name COLLATE \"C\"";
    let rows = client
        .query(sql, &[&schema])
        .await
        .map_err(|error| transfer_error(&error))?;
    let mut origin = Origin::default();
    for row in &rows {
        let text = |at| noted::<String>(row, "source_object", at);
        let (kind, name, table, sql) = (text(0)?, text(1)?, text(2)?, text(3)?);
        match kind.as_str() {
            "setting" => origin.settings.push((name, sql)),
            "sequence" => origin.sequences.extend(sql.parse().ok().map(|last| (name, last))),
            _ => origin.objects.push(OriginObject {
                kind,
                name,
                table,
                sql,
            }),
        }
    }
    Ok((!rows.is_empty()).then_some(origin))
}

/// The statements that forget what tables were made for; and what a file had beside them, if none of its tables is noted any more.
pub(super) fn forget_made<'t>(schema: &str, tables: impl Iterator<Item = &'t str>) -> Vec<String> {
    let schema = literal(schema);
    let mut statements: Vec<String> = tables.flat_map(|table| forget_table(&schema, table)).collect();
    statements.push(format!(
        "DELETE FROM cutover.source_object WHERE schema_name = {schema}
         AND NOT EXISTS (SELECT FROM cutover.made_table WHERE schema_name = {schema})"
    ));
    statements
}

fn forget_table(schema: &str, table: &str) -> Vec<String> {
    let table = literal(table);
    let of = |own: &str| {
        format!("DELETE FROM cutover.{own} WHERE schema_name = {schema} AND table_name = {table}")
    };
    // By its name in the file.
    let objects = format!(
        "DELETE FROM cutover.source_object AS object USING cutover.made_table AS made WHERE made.schema_name = {schema}
         AND made.table_name = {table} AND object.schema_name = {schema} AND object.table_name = made.source_table"
    );
    vec![objects, of("rendering"), of("made_table")]
}

/// How many rows of which tables are in quarantine.
pub(super) async fn quarantined(client: &Client, schema: &str) -> TransferResult<Vec<(String, u64)>> {
    if !exist(client).await? {
        return Ok(vec![]);
    }
    let sql =
        "SELECT table_name, count(*) FROM cutover.quarantine WHERE schema_name = $1 GROUP BY 1 ORDER BY 1";
    let rows = client
        .query(sql, &[&schema])
        .await
        .map_err(|error| transfer_error(&error))?;
    let counts = rows.iter().map(|row| {
        let count = u64::try_from(row.get::<_, i64>(1)).unwrap_or(0);
        Ok((noted(row, "quarantine", 0)?, count))
    });
    counts.collect()
}

/// A table that is in the schema asked for, and that a copy has noted under another one in which it is not any more.
#[derive(Debug)]
pub(super) struct Moved {
    table: String,
    from: String,
    /// The text that made it in the file.
    sql: String,
    /// How many rows of it are in quarantine.
    quarantined: u64,
}

impl Moved {
    /// What becomes of it, and of its rows in quarantine, in a copy from the schema where it is.
    pub(super) fn told(self, schema: &str) -> Vec<Other> {
        let Self {
            table,
            from,
            sql,
            quarantined,
        } = self;
        let remedy = format!(
            "give it its schema back (ALTER TABLE {}.{} SET SCHEMA {})",
            quoted(schema),
            quoted(&table),
            quoted(&from)
        );
        let mut told = Vec::new();
        if quarantined > 0 {
            let rows = format!(
                "{}, and the table {table} that they belong to was in the schema {from} and is not there any more; {remedy}, take them out of \
                 cutover.quarantine",
                in_quarantine(quarantined)
            );
            told.push(Other::in_quarantine(table.clone(), rows));
        }
        told.push(Other {
            kind: OtherKind::Moved,
            name: table,
            sql,
            table: None,
            why: Some(format!(
                "a copy has made it in the schema {from}; here it is a new table, of whose values nothing is noted; {remedy} and copy from there"
            )),
        });
        told
    }
}

/// So many rows are there.
pub(super) fn in_quarantine(rows: u64) -> String {
    let are = if rows == 1 { "is" } else { "are" };
    format!("{} {are} in quarantine", counted(rows, "row"))
}

pub(super) async fn moved(client: &Client, schema: &str) -> TransferResult<Vec<Moved>> {
    const SQL: &str = "
        WITH present AS (
            SELECT n.nspname::text AS schema_name, c.relname::text AS table_name
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')
        ), noted AS (
            SELECT schema_name, table_name FROM cutover.made_table UNION SELECT schema_name, table_name FROM cutover.quarantine
        )
        SELECT table_name, schema_name,
               coalesce((SELECT o.sql FROM cutover.source_object AS o JOIN cutover.made_table AS m USING (schema_name)
                         WHERE schema_name = noted.schema_name AND m.table_name = noted.table_name AND o.kind = 'table'
                           AND o.name = m.source_table), ''),
               (SELECT count(*) FROM cutover.quarantine AS q WHERE q.schema_name = noted.schema_name AND q.table_name = noted.table_name)
        FROM noted
        WHERE schema_name <> $1 AND (schema_name, table_name) NOT IN (SELECT schema_name, table_name FROM present)
          AND ($1, table_name) IN (SELECT schema_name, table_name FROM present)
          AND ($1, table_name) NOT IN (SELECT schema_name, table_name FROM cutover.made_table)
        ORDER BY 1, 2";
    if !exist(client).await? {
        return Ok(vec![]);
    }
    let rows = client.query(SQL, &[&schema]).await;
    let rows = rows.map_err(|error| transfer_error(&error))?;
    let moved = rows.iter().map(|row| {
        Ok(Moved {
            table: noted(row, "made_table", 0)?,
            from: noted(row, "made_table", 1)?,
            sql: noted(row, "source_object", 2)?,
            quarantined: u64::try_from(row.get::<_, i64>(3)).unwrap_or(0),
        })
    });
    moved.collect()
}

/// What the last copy of a source gave account of, if that is kept.
pub(super) async fn account(client: &Client, schema: &str, source: &str) -> TransferResult<Option<Account>> {
    if !has(client, "copy_account").await? {
        return Ok(None);
    }
    let sql = "SELECT account FROM cutover.copy_account WHERE schema_name = $1 AND source = $2";
    let row = client.query_opt(sql, &[&schema, &source]).await;
    let row = row.map_err(|error| transfer_error(&error))?;
    let account: Option<String> = row.map(|row| noted(&row, "copy_account", 0)).transpose()?;
    Ok(account.and_then(|account| serde_json::from_str(&account).ok()))
}

/// The statement that keeps what the run gives account of.
pub(super) fn note_account(schema: &str, account: &Account) -> Option<String> {
    let account = serde_json::to_string(account).ok()?;
    Some(format!(
        "INSERT INTO cutover.copy_account SELECT schema_name, source, {} FROM cutover.copy_run WHERE schema_name = {}
         ON CONFLICT (schema_name, source) DO UPDATE SET account = excluded.account",
        literal(&account),
        literal(schema)
    ))
}

/// The statement that forgets what the run gave account of.
pub(super) fn forget_account(schema: &str) -> String {
    format!(
        "DELETE FROM cutover.copy_account USING cutover.copy_run AS run WHERE run.schema_name = {}
         AND copy_account.schema_name = run.schema_name AND copy_account.source = run.source",
        literal(schema)
    )
}

/// Whether there is this one of them: a copy makes them, and earlier versions did not make all.
pub(super) async fn has(client: &Client, own: &str) -> TransferResult<bool> {
    let sql = "SELECT to_regclass('cutover.' || $1::text) IS NOT NULL";
    let row = client
        .query_one(sql, &[&own])
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(row.get(0))
}

/// The statement that keeps the seed rows of a table, before a run is noted that takes them out. A run of this table that did not come to its
/// end has kept them already, and what is there now is its own.
pub(super) fn keep_seeds_of(schema: &str, table: &str, condition: &str) -> String {
    let (schema_name, name) = (literal(schema), literal(table));
    format!(
        "INSERT INTO cutover.seed_row SELECT {schema_name}, {name}, to_jsonb(seed) FROM {}.{} AS seed
         WHERE ({condition})
             AND NOT EXISTS (SELECT FROM cutover.seed_row AS kept WHERE kept.schema_name = {schema_name} AND kept.table_name = {name})
             AND NOT EXISTS (SELECT FROM cutover.copy_run AS run JOIN cutover.copy_table AS of_run USING (schema_name)
                             WHERE run.finished_at IS NULL AND schema_name = {schema_name} AND of_run.table_name = {name})",
        quoted(schema),
        quoted(table)
    )
}

/// The statement that puts the seed rows of a table back.
pub(super) fn put_seeds_back(schema: &str, table: &str) -> String {
    let name = format!("{}.{}", quoted(schema), quoted(table));
    format!(
        "INSERT INTO {name} SELECT seed.* FROM cutover.seed_row AS kept, jsonb_populate_record(NULL::{name}, kept.\"row\") AS seed
         WHERE kept.schema_name = {} AND kept.table_name = {}",
        literal(schema),
        literal(table)
    )
}

/// The statement that forgets all seed rows.
pub(super) fn forget_seeds(schema: &str) -> String {
    format!(
        "DELETE FROM cutover.seed_row WHERE schema_name = {}",
        literal(schema)
    )
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

/// The statement that notes the end of a run, of which nobody has been told yet: when that was is noted with [`set_told`].
pub(super) fn finish_run(schema: &str) -> String {
    format!(
        "UPDATE cutover.copy_run SET finished_at = 'infinity' WHERE finished_at IS NULL AND schema_name = {}",
        literal(schema)
    )
}

/// The statement that makes a finished run one that no command goes on with.
pub(super) fn set_told(schema: &str) -> String {
    format!(
        "UPDATE cutover.copy_run SET finished_at = now() WHERE finished_at = 'infinity' AND schema_name = {}",
        literal(schema)
    )
}

/// The run that did not come to its end, if there is one.
pub(super) async fn unfinished(client: &Client, schema: &str) -> TransferResult<Option<UnfinishedRun>> {
    open_run(client, schema, None).await
}

/// The run that did not come to its end, or of whose end nobody had been told at a time, if one is given.
pub(super) async fn open_run(
    client: &Client,
    schema: &str,
    untold_at: Option<SystemTime>,
) -> TransferResult<Option<UnfinishedRun>> {
    if !exist(client).await? {
        return Ok(None);
    }
    let sql = "SELECT source, fingerprint, finished_at IS NOT NULL FROM cutover.copy_run
               WHERE (finished_at IS NULL OR finished_at >= $2) AND schema_name = $1";
    let runs = client
        .query(sql, &[&schema, &untold_at])
        .await
        .map_err(|error| transfer_error(&error))?;
    let Some(run) = runs.first() else { return Ok(None) };
    let sql = "SELECT table_name, fingerprint, made FROM cutover.copy_table WHERE schema_name = $1";
    let rows = client
        .query(sql, &[&schema])
        .await
        .map_err(|error| transfer_error(&error))?;
    let source: String = noted(run, "copy_run", 0)?;
    let mut unfinished = UnfinishedRun {
        account: account(client, schema, &source).await?,
        source,
        fingerprint: noted(run, "copy_run", 1)?,
        tables: HashMap::new(),
        made: HashSet::new(),
        is_finished: run.get(2),
    };
    for row in &rows {
        let table: String = noted(row, "copy_table", 0)?;
        if noted(row, "copy_table", 2)? {
            unfinished.made.insert(table.clone());
        }
        unfinished.tables.insert(table, noted(row, "copy_table", 1)?);
    }
    Ok(Some(unfinished))
}

pub(super) async fn progress(
    client: &Client,
    schema: &str,
    table: &str,
    part: u32,
) -> TransferResult<TableProgress> {
    let sql = "SELECT position_rows, position_rowid, written, rejected, bytes, done FROM cutover.copy_part
               WHERE schema_name = $1 AND table_name = $2 AND part = $3";
    let part = i32::try_from(part).unwrap_or(i32::MAX);
    let row = client
        .query_one(sql, &[&schema, &table, &part])
        .await
        .map_err(|error| transfer_error(&error))?;
    let number = |at| noted::<i64>(&row, "copy_part", at).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(TableProgress {
        position: Position {
            rows: number(0)?,
            rowid: noted(&row, "copy_part", 1)?,
        },
        written: number(2)?,
        rejected: number(3)?,
        bytes: number(4)?,
        done: noted(&row, "copy_part", 5)?,
    })
}

/// Notes what a part's load has come to, in the transaction that writes its rows. `before` is what it went on from: where another run
/// has gone on from there meanwhile (ours lost the connection that held the lock), the same rows must not come a second time.
pub(super) async fn set_progress(
    client: &Client,
    schema: &str,
    table: &str,
    part: u32,
    before: Position,
    progress: &TableProgress,
) -> TransferResult<()> {
    let sql = "UPDATE cutover.copy_part
               SET position_rows = $4, position_rowid = $5, written = $6, rejected = $7, bytes = $8, done = $9
               WHERE schema_name = $1 AND table_name = $2 AND part = $3 AND position_rows = $10 AND NOT done";
    let part = i32::try_from(part).unwrap_or(i32::MAX);
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let (rows, written, rejected, bytes) = (
        number(progress.position.rows),
        number(progress.written),
        number(progress.rejected),
        number(progress.bytes),
    );
    let noted = client
        .execute(
            sql,
            &[
                &schema,
                &table,
                &part,
                &rows,
                &progress.position.rowid,
                &written,
                &rejected,
                &bytes,
                &progress.done,
                &number(before.rows),
            ],
        )
        .await
        .map_err(|error| transfer_error(&error))?;
    if noted == 1 {
        return Ok(());
    }
    Err(TransferError::Refused(format!(
        "another copy into this database has gone on with the table {table} meanwhile; wait for it to end, then try again"
    )))
}

pub(super) async fn quarantine(
    client: &Client,
    schema: &str,
    plan: &TablePlan,
    part: u32,
    rows: &[QuarantinedRow],
) -> TransferResult<()> {
    const TYPES: [Type; 11] = [
        Type::TEXT,
        Type::TEXT,
        Type::INT4,
        Type::INT8,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::TIMESTAMPTZ,
    ];
    if rows.is_empty() {
        return Ok(());
    }
    let told = |error: tokio_postgres::Error| transfer_error(&error);
    let now: SystemTime = client.query_one("SELECT now()", &[]).await.map_err(told)?.get(0);
    let sink = client.copy_in("COPY cutover.quarantine FROM STDIN (FORMAT binary)");
    let mut writer = pin!(BinaryCopyInWriter::new(sink.await.map_err(told)?, &TYPES));
    let (part, columns) = (i32::try_from(part).unwrap_or(i32::MAX), plan.source_columns());
    for row in rows {
        let position = i64::try_from(row.position).unwrap_or(i64::MAX);
        // A key is shown, so that what cannot be shown is escaped in it already.
        let values: [&(dyn ToSql + Sync); 11] = [
            &schema,
            &plan.target,
            &part,
            &position,
            &row.key,
            &row.column,
            &row.reason,
            &columns,
            &row.classes,
            &row.values,
            &now,
        ];
        writer.as_mut().write(&values).await.map_err(told)?;
    }
    writer.finish().await.map_err(told)?;
    Ok(())
}

/// The steps that are done, with what became of each.
pub(super) async fn steps(
    client: &Client,
    schema: &str,
) -> TransferResult<HashMap<String, Option<Weakened>>> {
    let sql = "SELECT name, weakened FROM cutover.copy_step WHERE schema_name = $1";
    let rows = client
        .query(sql, &[&schema])
        .await
        .map_err(|error| transfer_error(&error))?;
    let told = |row: &Row| {
        let weakened: Option<String> = noted(row, "copy_step", 1)?;
        let weakened = weakened.and_then(|text| serde_json::from_str(&text).ok());
        Ok((noted(row, "copy_step", 0)?, weakened))
    };
    rows.iter().map(told).collect()
}

/// The statement that notes a step as done; it may have been noted with what it made instead.
pub(super) fn note_step(schema: &str, name: &str, weakened: Option<&Weakened>) -> String {
    let weakened = weakened.and_then(|weakened| serde_json::to_string(weakened).ok());
    format!(
        "INSERT INTO cutover.copy_step VALUES ({}, {}, {})
         ON CONFLICT (schema_name, name) DO UPDATE SET weakened = excluded.weakened",
        literal(schema),
        literal(name),
        weakened.map_or_else(|| "NULL".to_owned(), |text| literal(&text))
    )
}

/// How the notes begin of constraints that were put back in a weaker form.
const PUT_BACK: &str = "put back ";

/// The statements that note that a constraint is no longer out of the way, and what it was weakened to.
pub(super) fn note_put_back(schema: &str, dropped: &Dropped, weakened: Option<&Weakened>) -> Vec<String> {
    let Dropped {
        table, constraint, ..
    } = dropped;
    let name = format!("{PUT_BACK}{}.{}", quoted(table), quoted(constraint));
    let note = match weakened {
        Some(_) => note_step(schema, &name, weakened),
        None => format!(
            "DELETE FROM cutover.copy_step WHERE schema_name = {} AND name = {}",
            literal(schema),
            literal(&name)
        ),
    };
    let forget = format!(
        "DELETE FROM cutover.dropped_constraint WHERE schema_name = {} AND table_name = {} AND constraint_name = {}",
        literal(schema),
        literal(table),
        literal(constraint)
    );
    vec![note, forget]
}

/// The constraints that the run has put back in a weaker form.
pub(super) async fn put_back(client: &Client, schema: &str) -> TransferResult<Vec<Weakened>> {
    let mut steps: Vec<_> = steps(client, schema).await?.into_iter().collect();
    steps.retain(|(name, _)| name.starts_with(PUT_BACK));
    steps.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(steps.into_iter().filter_map(|(_, weakened)| weakened).collect())
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

pub(super) async fn dropped(client: &Client, schema: &str) -> TransferResult<Vec<Dropped>> {
    let sql = "SELECT table_name, constraint_name, definition FROM cutover.dropped_constraint WHERE schema_name = $1 ORDER BY 1, 2";
    let rows = client
        .query(sql, &[&schema])
        .await
        .map_err(|error| transfer_error(&error))?;
    let told = |row: &Row| {
        let text = |at| noted(row, "dropped_constraint", at);
        Ok(Dropped {
            table: text(0)?,
            constraint: text(1)?,
            definition: text(2)?,
        })
    };
    rows.iter().map(told).collect()
}
