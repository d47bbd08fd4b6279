//! What is made when the rows are there: indexes, keys, constraints, identities. Each step is noted together with what it makes.

use std::future::Future;

use cutover_domain::transfer::catalog::{Key, Table};
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::plan::{ColumnPlan, Plan, TablePlan};
use cutover_domain::transfer::schema::{Step, Weakened, Work, literal};
use cutover_ports::transfer::{TransferError, TransferResult};
use tokio_postgres::Client;

use super::connection::{Bracket, run};
use super::error::transfer_error;
use super::{catalog, own_tables};

/// How many offenders of a constraint are named.
const NAMED_OFFENDERS: usize = 10;

/// The commit need not wait for the disk. If the server loses it, it loses the note that the step is done with it, and the end of the run, which
/// waits, takes all before it along.
pub(super) const UNHURRIED: &str = "SET LOCAL synchronous_commit = off";

/// Runs statements as one.
pub(super) async fn together(client: &Client, bracket: Bracket, statements: &[String]) -> TransferResult<()> {
    let outcome = run(
        client,
        &format!("{}; {}; {}", bracket.begin, statements.join("; "), bracket.commit),
    )
    .await;
    if outcome.is_err() {
        // The connection may be gone, then there is nothing to undo.
        drop(run(client, bracket.rollback).await);
    }
    outcome
}

/// Where steps are done.
pub(super) struct Place<'a> {
    pub(super) client: &'a Client,
    pub(super) bracket: Bracket,
    pub(super) schema: &'a str,
    /// How many processes may help to build an index, where that is known: more than there are processors for take time and give none.
    pub(super) helpers: Option<usize>,
}

impl Place<'_> {
    fn table(&self, name: &str) -> String {
        format!("{}.{}", quoted(self.schema), quoted(name))
    }

    async fn together(&self, statements: &[String]) -> TransferResult<()> {
        let statements = [&[UNHURRIED.to_owned()], statements].concat();
        together(self.client, self.bracket, &statements).await
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

    /// Does a step and notes it. What PostgreSQL refuses to make is told, and the rows stay.
    pub(super) async fn make(&self, step: &Step, plan: &Plan) -> TransferResult<Option<Weakened>> {
        match &step.work {
            Work::Index {
                name,
                sql,
                hashed,
                original,
                ..
            } => {
                let refused = match self.built(step, sql).await {
                    Ok(()) => return Ok(None),
                    Err(error) => told(error)?,
                };
                let hashed = match hashed {
                    Some(hashed) if *hashed != *sql => self.built(step, hashed).await.map_err(told),
                    _ => Err(Ok(String::new())),
                };
                let reason = match hashed {
                    Ok(()) => format!("made a unique index over hashes of the values ({refused})"),
                    Err(Err(error)) => return Err(error),
                    Err(Ok(_)) => format!("not made: {refused}"),
                };
                self.note(step, Some(weakened(step, name, original, reason)))
                    .await
            }
            Work::Key { index, sql } => {
                if !self.has_plain_index(index).await? {
                    return self.note(step, None).await;
                }
                match self.noted(step, sql).await {
                    Ok(()) => Ok(None),
                    Err(error) => {
                        let reason = format!("stays a unique index: {}", told(error)?);
                        self.note(step, Some(weakened(step, index, sql, reason))).await
                    }
                }
            }
            Work::Constraint { name, definition, .. } => {
                let sql = format!(
                    "ALTER TABLE {} ADD CONSTRAINT {} {definition} NOT VALID",
                    self.table(&step.table),
                    quoted(name)
                );
                match self.noted(step, &sql).await {
                    Ok(()) => Ok(None),
                    Err(error) => {
                        let reason = format!("not made: {}", told(error)?);
                        self.note(step, Some(weakened(step, name, definition, reason)))
                            .await
                    }
                }
            }
            Work::Validation { name, definition, .. } => {
                if !self.has_constraint(&step.table, name).await? {
                    return self.note(step, None).await;
                }
                let weakened = self.validate(&step.table, name, definition, plan).await?;
                self.note(step, weakened).await
            }
            Work::Identity { column, next } => self.identity(step, column, *next).await,
        }
    }

    /// Builds an index.
    async fn built(&self, step: &Step, sql: &str) -> TransferResult<()> {
        let mut statements: Vec<String> = self.helpers.map(at_most).into_iter().collect();
        // With helpers the memory stays as it is: PostgreSQL gives none without 32 MiB for each.
        if self.helpers == Some(0) {
            statements.push(within_cache(&self.table(&step.table)));
        }
        statements.push(sql.to_owned());
        self.noted(step, &statements.join("; ")).await
    }

    /// Runs a statement as one with the note that the step is done.
    async fn noted(&self, step: &Step, sql: &str) -> TransferResult<()> {
        let note = own_tables::note_step(self.schema, &step.name, None);
        self.together(&[sql.to_owned(), note]).await
    }

    async fn note(&self, step: &Step, weakened: Option<Weakened>) -> TransferResult<Option<Weakened>> {
        let note = own_tables::note_step(self.schema, &step.name, weakened.as_ref());
        self.together(&[note]).await?;
        Ok(weakened)
    }

    /// Whether an index exists and is over columns alone, as a constraint demands.
    async fn has_plain_index(&self, index: &str) -> TransferResult<bool> {
        let sql = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1) AND indexprs IS NULL";
        Ok(!self.query(sql, &[&self.table(index)]).await?.is_empty())
    }

    async fn has_constraint(&self, table: &str, constraint: &str) -> TransferResult<bool> {
        let sql = "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2";
        Ok(!self
            .query(sql, &[&self.table(table), &constraint])
            .await?
            .is_empty())
    }

    /// Holds a constraint against the rows that are there.
    async fn validate(
        &self,
        table: &str,
        constraint: &str,
        definition: &str,
        plan: &Plan,
    ) -> TransferResult<Option<Weakened>> {
        let validate = format!(
            "ALTER TABLE {} VALIDATE CONSTRAINT {}",
            self.table(table),
            quoted(constraint)
        );
        match self.together(&[validate]).await {
            Ok(()) => Ok(None),
            Err(TransferError::Constraint { .. }) => self
                .offenders(table, constraint, definition, plan)
                .await
                .map(Some),
            // It cannot be computed of an old row: SQLite has infinity, or goes on in REAL, where PostgreSQL has an overflow.
            Err(error) => Ok(Some(Weakened {
                reason: format!(
                    "it is NOT VALID: new rows are held to it, and PostgreSQL cannot hold the old ones to it ({})",
                    told(error)?
                ),
                ..not_valid(table, constraint, definition)
            })),
        }
    }

    /// Puts a constraint back that was out of the way, and notes what it was weakened to if rows break it. Until then it counts as out of the
    /// way, so that a copy that goes on after a crash looks at it again.
    pub(super) async fn put_back(&self, dropped: &own_tables::Dropped, plan: &Plan) -> TransferResult<()> {
        let own_tables::Dropped {
            table,
            constraint,
            definition,
        } = dropped;
        let definition = definition.strip_suffix(" NOT VALID").unwrap_or(definition);
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        let found = self.query(sql, &[&self.table(table)]).await?;
        let weakened = if found.iter().all(|row| row.get(0)) {
            if !self.has_constraint(table, constraint).await? {
                let add = format!(
                    "ALTER TABLE {} ADD CONSTRAINT {} {definition} NOT VALID",
                    self.table(table),
                    quoted(constraint)
                );
                self.together(&[add]).await?;
            }
            self.validate(table, constraint, definition, plan).await?
        } else {
            // Somebody has dropped the table, and all that held for it.
            None
        };
        let noted = own_tables::note_put_back(self.schema, dropped, weakened.as_ref());
        self.together(&noted).await
    }

    /// Counts and names the rows that break a constraint.
    async fn offenders(
        &self,
        table_name: &str,
        constraint: &str,
        definition: &str,
        plan: &Plan,
    ) -> TransferResult<Weakened> {
        let table = self.table(table_name);
        let catalog = catalog::read(self.client).await?;
        let found = catalog.table(table_name);
        let plan = plan.tables.iter().find(|plan| plan.target == table_name);
        let name = row_name(found.and_then(Table::row_key), plan);
        let check = found.and_then(|table| {
            table
                .checks
                .iter()
                .find(|check| check.name.as_deref() == Some(constraint))
        });
        let foreign = found.and_then(|table| {
            table
                .foreign_keys
                .iter()
                .find(|key| key.name.as_deref() == Some(constraint))
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
        let sql = format!(
            "SELECT {name}, count(*) OVER () FROM {table} AS c WHERE {condition} ORDER BY 1 LIMIT {NAMED_OFFENDERS}"
        );
        let not_valid = not_valid(table_name, constraint, definition);
        let rows = match self.undone(self.query(&sql, &[])).await {
            Ok(rows) => rows,
            Err(error) => {
                let reason = format!(
                    "{}; which ones, PostgreSQL cannot say ({})",
                    not_valid.reason,
                    told(error)?
                );
                return Ok(Weakened { reason, ..not_valid });
            }
        };
        let count: i64 = rows.first().map_or(0, |row| row.get(1));
        Ok(Weakened {
            rows: u64::try_from(count).unwrap_or(0),
            keys: rows.iter().map(|row| row.get(0)).collect(),
            ..not_valid
        })
    }

    /// Sets what an identity gives out next, and proves it by an insert that is rolled back.
    async fn identity(
        &self,
        step: &Step,
        column: &str,
        next: Option<i64>,
    ) -> TransferResult<Option<Weakened>> {
        let (table, quoted_column) = (self.table(&step.table), quoted(column));
        let sequence = format!("pg_get_serial_sequence({}, {})", literal(&table), literal(column));
        let Some(next) = next else {
            // The next one asked for is an error of the server, which names the sequence.
            self.noted(step, &format!("SELECT setval({sequence}, {}, true)", i64::MAX))
                .await?;
            return Ok(None);
        };
        let restart = format!("ALTER TABLE {table} ALTER COLUMN {quoted_column} RESTART WITH {next}");
        let prove = async {
            run(self.client, &restart).await?;
            run(self.client, "SAVEPOINT insert").await?;
            let sql = format!("INSERT INTO {table} DEFAULT VALUES RETURNING {quoted_column}");
            if let Ok(row) = self.client.query_one(&sql, &[]).await {
                return Ok(row.get::<_, i64>(0));
            }
            // Other columns have no default: then what the insert would have taken is asked for alone.
            run(self.client, "ROLLBACK TO SAVEPOINT insert").await?;
            let sql = format!("{restart}; SAVEPOINT insert");
            run(self.client, &sql).await?;
            let row = self.query(&format!("SELECT nextval({sequence})"), &[]).await?;
            Ok(row.first().map_or(0, |row| row.get(0)))
        };
        let given = self.undone(prove).await?;
        if given != next {
            return Err(TransferError::Failed(format!(
                "the identity of {} gave out {given} where {next} was to come; this is a mistake of Cutover",
                step.table
            )));
        }
        self.noted(step, &restart).await?;
        Ok(None)
    }

    /// Does something and takes it back.
    async fn undone<T>(&self, work: impl Future<Output = TransferResult<T>>) -> TransferResult<T> {
        run(self.client, self.bracket.begin).await?;
        let outcome = work.await;
        run(self.client, self.bracket.rollback).await?;
        outcome
    }
}

/// Has at most so many processes help, for a transaction. What is set stays if it is less.
fn at_most(helpers: usize) -> String {
    let name = "'max_parallel_maintenance_workers'";
    format!("SELECT set_config({name}, least(current_setting({name})::int, {helpers})::text, true)")
}

/// Has an index on a table, by its qualified name, sorted in pieces that stay in a processor's cache, for a transaction: sorting much at once
/// waits for memory, which the other connections use too. A piece is large enough for all to be merged at one go (30 at 8 MiB).
fn within_cache(table: &str) -> String {
    let piece = format!("greatest(8192, pg_relation_size({}) / 16 / 1024)", literal(table));
    format!(
        "SELECT set_config(name, least(setting::int8, {piece})::text, true) FROM pg_settings WHERE name = 'maintenance_work_mem'"
    )
}

/// What an error that is about the object, not about the server, says; the error itself otherwise.
fn told(error: TransferError) -> TransferResult<String> {
    match error {
        TransferError::Data { message, .. }
        | TransferError::Constraint { message, .. }
        | TransferError::Computed { message, .. } => Ok(message),
        // Refused by the server, for a right that the role lacks.
        TransferError::Failed(text) | TransferError::Refused(text) => Ok(text),
        other @ (TransferError::Unreachable(_) | TransferError::Usage(_)) => Err(other),
    }
}

/// What names a row `c` of a table, as an expression: the values of its key, or of what is its key in the source, or all that it has.
fn row_name(key: Option<&Key>, plan: Option<&TablePlan>) -> String {
    let parts: Vec<String> = if let Some(key) = key {
        let columns = key.columns.iter();
        columns
            .map(|column| format!("c.{}::text", quoted(column)))
            .collect()
    } else {
        let columns: Vec<&ColumnPlan> = plan.map_or_else(Vec::new, |plan| match &plan.source.primary_key {
            Some(key) => {
                let columns = key.columns.iter().filter_map(|name| plan.column_of(name));
                columns.collect()
            }
            None => plan.columns.iter().collect(),
        });
        let named = columns.into_iter().map(|ColumnPlan { target: column, .. }| {
            let label = literal(&format!("{column} = "));
            format!(
                "{label} || coalesce(left(c.{}::text, 100), 'NULL')",
                quoted(column)
            )
        });
        named.collect()
    };
    // A function takes a hundred arguments; within an array there is room for all columns that a table can have.
    format!("array_to_string(ARRAY[{}]::text[], ', ')", parts.join(", "))
}

/// A constraint that rows break, which ones is not known yet.
fn not_valid(table: &str, constraint: &str, definition: &str) -> Weakened {
    Weakened {
        table: table.to_owned(),
        constraint: constraint.to_owned(),
        sql: definition.to_owned(),
        reason: "it is NOT VALID: new rows are held to it, old ones break it".to_owned(),
        ..Weakened::default()
    }
}

fn weakened(step: &Step, constraint: &str, sql: &str, reason: String) -> Weakened {
    Weakened {
        table: step.table.clone(),
        constraint: constraint.to_owned(),
        sql: sql.to_owned(),
        reason,
        ..Weakened::default()
    }
}
