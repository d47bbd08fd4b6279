//! A PostgreSQL database as a target.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cutover_domain::transfer::catalog::{Catalog, ColumnKind};
use cutover_domain::transfer::convert::{Converter, Reject};
use cutover_domain::transfer::name::{quoted, quoted_list};
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::rows::{Row, RowBatch, Value};
use cutover_domain::transfer::survey::{RowJudge, rejected_row};
use cutover_ports::transfer::{
    CopySession, LedgerEntry, Position, QuarantinedRow, RunStart, TableLoader, TableProgress, TransferError,
    TransferResult, TransferTarget, UnfinishedRun, Weakened,
};
use futures_util::SinkExt;
use tokio_postgres::{Client, CopyInSink};

use super::catalog;
use super::error::{connect_error, transfer_error};
use super::{ledger, own_tables};
use crate::PgServer;

/// One copy at a time: held by its session.
const RUN_LOCK: i64 = 0x6375_746f_7665_7201;
/// Held shared by every connection that loads, so that a new run can wait for what a killed one left running.
const LOAD_LOCK: i64 = 0x6375_746f_7665_7202;
/// How long a new run waits for the server to notice that an old one is dead.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Sent to the server at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Committed at once.
const COMMIT_BYTES: u64 = 32 * 1024 * 1024;
/// Refused rows kept until the next commit.
const QUARANTINE_BYTES: usize = 8 * 1024 * 1024;
const APPLICATION: &str = "cutover copy";
/// How many offenders of a constraint are named.
const NAMED_OFFENDERS: usize = 10;

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PgTarget {
    server: PgServer,
}

impl PgTarget {
    /// Connects when it is used.
    pub fn new(server: PgServer) -> Self {
        Self { server }
    }

    async fn connect(&self) -> TransferResult<Client> {
        let client = self
            .server
            .connect(APPLICATION)
            .await
            .map_err(|error| connect_error(&error))?;
        // What a person has set for their programs must neither end a long load nor change what is stored.
        run(
            &client,
            "SET statement_timeout = 0; SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = 0;
             SET client_encoding = 'UTF8'; SET DateStyle = ISO; SET synchronous_commit = on",
        )
        .await?;
        Ok(client)
    }
}

pub(super) async fn run(client: &Client, sql: &str) -> TransferResult<()> {
    client
        .batch_execute(sql)
        .await
        .map_err(|error| transfer_error(&error))
}

#[async_trait]
impl TransferTarget for PgTarget {
    fn describe(&self) -> String {
        self.server.redacted()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        catalog::read(&self.connect().await?).await
    }

    async fn open(&self) -> TransferResult<Box<dyn CopySession>> {
        let client = self.connect().await?;
        lock(&client, RUN_LOCK).await?;
        lock(&client, LOAD_LOCK).await?;
        client
            .query("SELECT pg_advisory_unlock($1)", &[&LOAD_LOCK])
            .await
            .map_err(|error| transfer_error(&error))?;
        let schema = catalog::read(&client).await?.schema;
        Ok(Box::new(PgSession {
            target: self.clone(),
            client,
            schema,
        }))
    }

    async fn ledger(&self) -> TransferResult<Vec<LedgerEntry>> {
        ledger::read(&self.connect().await?).await
    }

    async fn set_verified(&self, entry: &LedgerEntry) -> TransferResult<()> {
        let client = self.connect().await?;
        own_tables::create(&client).await?;
        ledger::set_verified(&client, entry).await
    }
}

async fn lock(client: &Client, key: i64) -> TransferResult<()> {
    let begun = tokio::time::Instant::now();
    loop {
        let row = client
            .query_one("SELECT pg_try_advisory_lock($1)", &[&key])
            .await
            .map_err(|error| transfer_error(&error))?;
        if row.get(0) {
            return Ok(());
        }
        if begun.elapsed() > LOCK_PATIENCE {
            return Err(TransferError::Refused(
                "another copy into this database is running; wait for it to end, then try again".to_owned(),
            ));
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

struct PgSession {
    target: PgTarget,
    /// Holds the lock; runs everything but the loads.
    client: Client,
    schema: String,
}

impl PgSession {
    fn table(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(name))
    }

    /// Runs statements as one transaction.
    async fn together(&self, statements: &[String]) -> TransferResult<()> {
        let outcome = run(&self.client, &format!("BEGIN; {}; COMMIT", statements.join("; "))).await;
        if outcome.is_err() {
            // The connection may be gone, then there is nothing to undo.
            drop(run(&self.client, "ROLLBACK").await);
        }
        outcome
    }

    /// Definitions of what the target lacks.
    fn additions(&self, plan: &Plan) -> Vec<String> {
        let mut statements = Vec::new();
        for table in &plan.tables {
            let name = self.table(&table.target);
            let columns = table.columns.iter().filter_map(|column| {
                let ColumnKind::Postgres(kind) = column.kind.as_ref()? else {
                    return None;
                };
                column.added.then(|| {
                    let not_null = if column.not_null { " NOT NULL" } else { "" };
                    format!("{} {}{not_null}", quoted(&column.target), kind.name)
                })
            });
            if table.created {
                let mut parts: Vec<String> = columns.collect();
                if let Some(key) = table.source.row_key() {
                    parts.push(format!("PRIMARY KEY ({})", quoted_list(&key.columns)));
                }
                statements.push(format!("CREATE TABLE {name} ({})", parts.join(", ")));
            } else {
                statements.extend(columns.map(|column| format!("ALTER TABLE {name} ADD COLUMN {column}")));
            }
        }
        statements
    }

    async fn query(
        &self,
        sql: &str,
        params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> TransferResult<Vec<tokio_postgres::Row>> {
        self.client
            .query(sql, params)
            .await
            .map_err(|error| transfer_error(&error))
    }

    /// Puts one constraint back, and says what it was weakened to if rows break it.
    async fn put_back(&self, dropped: &own_tables::Dropped, plan: &Plan) -> TransferResult<Option<Weakened>> {
        let table = self.table(&dropped.table);
        let name = quoted(&dropped.constraint);
        let definition = dropped
            .definition
            .strip_suffix(" NOT VALID")
            .unwrap_or(&dropped.definition);
        let forget = own_tables::forget_dropped(&self.schema, &dropped.table, &dropped.constraint);
        let mut statements = vec![forget];
        let there = "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2";
        if self
            .query(there, &[&table, &dropped.constraint])
            .await?
            .is_empty()
        {
            statements.push(format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID"
            ));
        }
        self.together(&statements).await?;
        match run(
            &self.client,
            &format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),
        )
        .await
        {
            Ok(()) => Ok(None),
            Err(TransferError::Constraint { .. }) => {
                self.offenders(dropped, definition, plan).await.map(Some)
            }
            Err(error) => Err(error),
        }
    }

    /// Counts and names the rows that break a constraint.
    async fn offenders(
        &self,
        dropped: &own_tables::Dropped,
        definition: &str,
        plan: &Plan,
    ) -> TransferResult<Weakened> {
        let table = self.table(&dropped.table);
        let catalog = catalog::read(&self.client).await?;
        let found = catalog.table(&dropped.table);
        let key = plan.tables.iter().find(|plan| plan.target == dropped.table);
        let key = found
            .and_then(|table| table.row_key())
            .map(|key| key.columns.clone())
            .or_else(|| Some(vec![key?.columns.first()?.target.clone()]));
        let key = key.unwrap_or_default();
        let check = found.and_then(|table| {
            table
                .checks
                .iter()
                .find(|check| check.name.as_ref() == Some(&dropped.constraint))
        });
        let foreign = found.and_then(|table| {
            table
                .foreign_keys
                .iter()
                .find(|key| key.name.as_ref() == Some(&dropped.constraint))
        });
        let condition = match (check, foreign) {
            (Some(check), _) => format!("NOT ({})", check.expression),
            (None, Some(foreign)) => {
                let given = foreign
                    .columns
                    .iter()
                    .map(|column| format!("c.{} IS NOT NULL", quoted(column)));
                let same = foreign.columns.iter().zip(&foreign.parent_columns);
                let same = same.map(|(child, parent)| format!("p.{} = c.{}", quoted(parent), quoted(child)));
                format!(
                    "{} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
                    given.collect::<Vec<_>>().join(" AND "),
                    self.table(&foreign.parent),
                    same.collect::<Vec<_>>().join(" AND ")
                )
            }
            (None, None) => "false".to_owned(),
        };
        let parts: Vec<String> = key
            .iter()
            .map(|column| format!("c.{}::text", quoted(column)))
            .collect();
        let parts = if parts.is_empty() {
            "''".to_owned()
        } else {
            parts.join(", ")
        };
        let sql = format!(
            "SELECT concat_ws(', ', {parts}), count(*) OVER () FROM {table} AS c WHERE {condition} ORDER BY 1 LIMIT {NAMED_OFFENDERS}"
        );
        let rows = self.query(&sql, &[]).await?;
        let count: i64 = rows.first().map_or(0, |row| row.get(1));
        Ok(Weakened {
            table: dropped.table.clone(),
            constraint: dropped.constraint.clone(),
            sql: definition.to_owned(),
            rows: u64::try_from(count).unwrap_or(0),
            keys: rows.iter().map(|row| row.get(0)).collect(),
        })
    }
}

#[async_trait]
impl CopySession for PgSession {
    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>> {
        if !own_tables::exist(&self.client).await? {
            return Ok(None);
        }
        let runs = self
            .query(
                "SELECT fingerprint FROM cutover.copy_run WHERE finished_at IS NULL",
                &[],
            )
            .await?;
        let Some(run) = runs.first() else { return Ok(None) };
        let tables = self
            .query("SELECT table_name, fingerprint FROM cutover.copy_table", &[])
            .await?;
        Ok(Some(UnfinishedRun {
            fingerprint: run.get(0),
            tables: tables.iter().map(|row| (row.get(0), row.get(1))).collect(),
        }))
    }

    async fn occupied(&self, plan: &Plan, seeds: &[(String, String)]) -> TransferResult<Vec<(String, u64)>> {
        let mut occupied = Vec::new();
        for table in plan.tables.iter().filter(|table| !table.created) {
            // Counting stops early: how many rows a full table has is not the question.
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM {} WHERE ({}) IS NOT TRUE LIMIT 100000) AS rows",
                self.table(&table.target),
                seed_condition(&table.target, seeds)
            );
            let count: i64 = self.query(&sql, &[]).await?.first().map_or(0, |row| row.get(0));
            if count > 0 {
                occupied.push((table.target.clone(), u64::try_from(count).unwrap_or(0)));
            }
        }
        Ok(occupied)
    }

    async fn start(&self, plan: &Plan, run: &RunStart) -> TransferResult<()> {
        own_tables::create(&self.client).await?;
        let mut statements = self.additions(plan);
        let existing: Vec<&TablePlan> = plan.tables.iter().filter(|table| !table.created).collect();
        if run.replace && !existing.is_empty() {
            let names: Vec<String> = existing.iter().map(|table| self.table(&table.target)).collect();
            statements.push(format!("TRUNCATE {}", names.join(", ")));
        } else {
            // Children first.
            statements.extend(existing.iter().rev().map(|table| {
                format!(
                    "DELETE FROM {} WHERE {}",
                    self.table(&table.target),
                    seed_condition(&table.target, &run.seeds)
                )
            }));
        }
        if own_tables::notes_planted_rows(&self.client).await? {
            statements.push(own_tables::forget_planted(plan));
        }
        statements.extend(own_tables::start_run(plan, run));
        self.together(&statements).await
    }

    async fn progress(&self, table: &str) -> TransferResult<TableProgress> {
        own_tables::progress(&self.client, table).await
    }

    async fn load(
        &self,
        plan: &TablePlan,
        converter: Converter,
        duplicates: &[u64],
    ) -> TransferResult<Box<dyn TableLoader>> {
        let client = self.target.connect().await?;
        client
            .query("SELECT pg_advisory_lock_shared($1)", &[&LOAD_LOCK])
            .await
            .map_err(|error| transfer_error(&error))?;
        let progress = own_tables::progress(&client, &plan.target).await?;
        let copy = format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            self.table(&plan.target),
            quoted_list(plan.target_columns())
        );
        Ok(Box::new(PgLoader {
            client,
            copy,
            judge: RowJudge::new(plan, converter),
            plan: plan.clone(),
            duplicates: duplicates.to_vec(),
            progress,
            open: None,
            quarantine: Vec::new(),
            quarantine_bytes: 0,
        }))
    }

    async fn relax(&self, table: &str, constraint: &str) -> TransferResult<()> {
        let note = own_tables::note_dropped(&self.schema, table, constraint);
        let drop = format!(
            "ALTER TABLE {} DROP CONSTRAINT {}",
            self.table(table),
            quoted(constraint)
        );
        self.together(&[note, drop]).await
    }

    async fn restore(&self, plan: &Plan) -> TransferResult<Vec<Weakened>> {
        if !own_tables::exist(&self.client).await? {
            return Ok(vec![]);
        }
        let mut weakened = Vec::new();
        for dropped in own_tables::dropped(&self.client, &self.schema).await? {
            weakened.extend(self.put_back(&dropped, plan).await?);
        }
        Ok(weakened)
    }

    async fn finish(&self, entries: &[LedgerEntry]) -> TransferResult<()> {
        for entry in entries {
            run(&self.client, &format!("ANALYZE {}", self.table(&entry.table))).await?;
        }
        let mut statements: Vec<String> = entries.iter().map(ledger::note_copied).collect();
        statements
            .push("UPDATE cutover.copy_run SET finished_at = now() WHERE finished_at IS NULL".to_owned());
        self.together(&statements).await
    }

    async fn undo(&self, plan: &Plan) -> TransferResult<()> {
        let mut statements = Vec::new();
        let existing: Vec<&TablePlan> = plan.tables.iter().filter(|table| !table.created).collect();
        if !existing.is_empty() {
            let names: Vec<String> = existing.iter().map(|table| self.table(&table.target)).collect();
            statements.push(format!("TRUNCATE {}", names.join(", ")));
        }
        for table in &plan.tables {
            let name = self.table(&table.target);
            if table.created {
                statements.push(format!("DROP TABLE {name}"));
            } else {
                let added = table.columns.iter().filter(|column| column.added);
                statements.extend(
                    added.map(|column| format!("ALTER TABLE {name} DROP COLUMN {}", quoted(&column.target))),
                );
            }
        }
        statements.push(
            "DELETE FROM cutover.copy_run; DELETE FROM cutover.copy_table; DELETE FROM cutover.quarantine"
                .to_owned(),
        );
        self.together(&statements).await?;
        self.restore(plan).await.map(drop)
    }
}

/// The condition that tells a seed row of a table.
fn seed_condition(table: &str, seeds: &[(String, String)]) -> String {
    let conditions: Vec<String> = seeds
        .iter()
        .filter(|(seeded, _)| seeded == table)
        .map(|(_, condition)| format!("({condition})"))
        .collect();
    if conditions.is_empty() {
        "false".to_owned()
    } else {
        conditions.join(" OR ")
    }
}

/// A COPY at work within a transaction.
struct OpenCopy {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    chunk: Vec<u8>,
    bytes: u64,
}

struct PgLoader {
    client: Client,
    copy: String,
    judge: RowJudge,
    plan: TablePlan,
    /// Rows to be quarantined because their key came before, ascending.
    duplicates: Vec<u64>,
    /// What has been written, committed or not.
    progress: TableProgress,
    open: Option<OpenCopy>,
    quarantine: Vec<QuarantinedRow>,
    quarantine_bytes: usize,
}

/// Before the first row: a signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Behind the last row.
const COPY_TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

impl PgLoader {
    async fn begin(&mut self) -> TransferResult<OpenCopy> {
        run(&self.client, "BEGIN").await?;
        let sink = self
            .client
            .copy_in(&self.copy)
            .await
            .map_err(|error| transfer_error(&error))?;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
        chunk.extend_from_slice(COPY_HEADER);
        Ok(OpenCopy {
            sink: Box::pin(sink),
            chunk,
            bytes: 0,
        })
    }

    fn add(&mut self, batch: &RowBatch, row: Row<'_>, chunk: &mut Vec<u8>) {
        let outcome = match self.duplicates.binary_search(&row.ordinal()) {
            Ok(_) => {
                let column = self
                    .plan
                    .unproven_keys
                    .iter()
                    .flatten()
                    .next()
                    .copied()
                    .unwrap_or(0);
                Err((column, Reject::DuplicateKey))
            }
            Err(_) => self.judge.judge(batch, row, chunk, |_, _| {}),
        };
        match outcome {
            Ok(()) => self.progress.written += 1,
            Err((column, reject)) => {
                self.progress.rejected += 1;
                self.quarantine_bytes += row
                    .values()
                    .map(|value| match value {
                        Value::Text(bytes) | Value::Blob(bytes) => bytes.len(),
                        Value::Null | Value::Integer(_) | Value::Real(_) => 16,
                    })
                    .sum::<usize>();
                self.quarantine.push(quarantined(&self.plan, row, column, reject));
            }
        }
        self.progress.position = Position {
            rows: row.ordinal() + 1,
            rowid: row.rowid(),
        };
    }

    /// Ends the COPY and commits its rows, the refused ones and the progress as one.
    async fn commit(&mut self, mut open: OpenCopy) -> TransferResult<()> {
        open.chunk.extend_from_slice(&COPY_TRAILER);
        open.send().await?;
        open.sink
            .as_mut()
            .finish()
            .await
            .map_err(|error| transfer_error(&error))?;
        self.progress.bytes += open.bytes;
        own_tables::quarantine(&self.client, &self.plan, &self.quarantine).await?;
        self.quarantine.clear();
        self.quarantine_bytes = 0;
        own_tables::set_progress(&self.client, &self.plan.target, &self.progress).await?;
        run(&self.client, "COMMIT").await
    }
}

impl OpenCopy {
    async fn send(&mut self) -> TransferResult<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4));
        self.bytes += u64::try_from(chunk.len()).unwrap_or(0);
        self.sink
            .send(Bytes::from(chunk))
            .await
            .map_err(|error| transfer_error(&error))
    }
}

#[async_trait]
impl TableLoader for PgLoader {
    async fn write(&mut self, batch: RowBatch) -> TransferResult<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        for row in batch.rows() {
            self.add(&batch, row, &mut open.chunk);
            if open.chunk.len() >= CHUNK_BYTES {
                open.send().await?;
            }
        }
        if open.bytes >= COMMIT_BYTES || self.quarantine_bytes >= QUARANTINE_BYTES {
            return self.commit(open).await;
        }
        self.open = Some(open);
        Ok(())
    }

    async fn finish(&mut self) -> TransferResult<TableProgress> {
        self.progress.done = true;
        let open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        self.commit(open).await?;
        Ok(self.progress)
    }
}

fn quarantined(plan: &TablePlan, row: Row<'_>, column: usize, reject: Reject) -> QuarantinedRow {
    let named = rejected_row(plan, row, column, reject);
    QuarantinedRow {
        position: row.ordinal(),
        key: named.key,
        column: named.column,
        reason: named.reason,
        classes: row.values().map(|value| value.class().as_str()).collect(),
        values: row
            .values()
            .map(|value| match value {
                Value::Null => None,
                Value::Integer(number) => Some(number.to_string().into_bytes()),
                Value::Real(number) => Some(number.to_be_bytes().to_vec()),
                Value::Text(bytes) | Value::Blob(bytes) => Some(bytes.to_vec()),
            })
            .collect(),
    }
}
