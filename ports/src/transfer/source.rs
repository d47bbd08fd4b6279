//! A database that rows are read from. It is never written.

use async_trait::async_trait;
use cutover_domain::transfer::catalog::{Catalog, Table};
use cutover_domain::transfer::rows::{Row, RowBatch};
use cutover_domain::transfer::survey::Oddities;

use super::TransferResult;
use super::target::UnfinishedRun;

/// One snapshot of a database: however often and however long it is read, it is the same.
#[async_trait]
pub trait TransferSource: Send + Sync {
    /// For messages: a path, or a host and a database, never a password.
    fn describe(&self) -> String;

    /// The catalog.
    async fn catalog(&self) -> TransferResult<Catalog>;

    /// Other schemas of the database that have tables, in order of name: whoever has named none may have meant one of them.
    async fn schemas_beside(&self) -> TransferResult<Vec<String>> {
        Ok(vec![])
    }

    /// The copy into it that has not come to its end, if there is one: what that was to fill is no whole yet.
    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>>;

    /// Whether the database is whole, but for tables that are left out: `Unreachable` names what is not. Damage that costs no row, of
    /// indexes, is what it returns, one sentence each.
    async fn check(&self, left_out: &[String]) -> TransferResult<Vec<String>>;

    /// Parts of a table that together are the whole, each after the other and each worth a scan of its own; the same ones each time. One
    /// part if the table is small or its rows cannot be told apart by a number.
    async fn ranges(&self, table: &Table) -> TransferResult<Vec<Range>>;

    /// What only a look at several rows of a table tells.
    async fn oddities(&self, table: &Table) -> TransferResult<Oddities>;

    /// The rows of a table in an order that is the same each time, from `scan.after` on. Rows that routing has planted (copies of
    /// rows whose truth is elsewhere) are left out.
    async fn scan(&self, scan: Scan) -> TransferResult<Box<dyn Batches>>;
}

/// What to read.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The table, from the source's own catalog.
    pub table: Table,
    /// Its columns, in the order in which batches hold them.
    pub columns: Vec<String>,
    /// Where an earlier scan had come to.
    pub after: Position,
    /// The last rowid that is wanted, if not all are.
    pub up_to: Option<i64>,
}

/// Rows by their rowid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// Behind this one; from the first if there is none.
    pub after: Option<i64>,
    /// To this one; to the last if there is none.
    pub up_to: Option<i64>,
}

/// A place in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The number of rows before it.
    pub rows: u64,
    /// The rowid of the last of them, if the scan names rows so.
    pub rowid: Option<i64>,
}

impl Position {
    /// Behind this row.
    pub fn behind(row: Row<'_>) -> Self {
        Self {
            rows: row.ordinal() + 1,
            rowid: row.rowid(),
        }
    }
}

/// Rows as they arrive.
#[async_trait]
pub trait Batches: Send {
    /// The next rows, or none at the end, behind which nobody asks again. What stops reading before the end is an error, whatever it is.
    async fn next(&mut self) -> TransferResult<Option<RowBatch>>;
}
