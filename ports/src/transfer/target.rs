//! A database that rows are written to, in steps each of which can be the last before a crash.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::transfer::catalog::Catalog;
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::rows::RowBatch;

use super::TransferResult;
use super::source::Position;

/// A database that rows can be copied into.
#[async_trait]
pub trait TransferTarget: Send + Sync {
    /// For messages: a path, or a host and a database, never a password.
    fn describe(&self) -> String;

    /// The catalog.
    async fn catalog(&self) -> TransferResult<Catalog>;

    /// Begins to copy: no other copy can write here until the session is dropped, and what a killed one left running has ended.
    /// `Refused` if another copy is at work. Nothing is written yet.
    async fn open(&self) -> TransferResult<Box<dyn CopySession>>;

    /// What is known about copied tables.
    async fn ledger(&self) -> TransferResult<Vec<LedgerEntry>>;

    /// Notes that a table has been verified: its digest, and that the source had so many rows and this largest rowid. A table that was never
    /// copied here gets an entry as well.
    async fn set_verified(&self, entry: &LedgerEntry) -> TransferResult<()>;
}

/// A copy at work. Dropping it releases the target.
#[async_trait]
pub trait CopySession: Send + Sync {
    /// The run that did not come to its end, if there is one.
    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>>;

    /// Which of the plan's tables have rows (other than seed rows), and how many.
    async fn occupied(&self, plan: &Plan, seeds: &[(String, String)]) -> TransferResult<Vec<(String, u64)>>;

    /// In one transaction: makes what the target lacks, empties the plan's tables if asked to, else takes out the seed rows, and
    /// notes the run with all its tables at their beginning.
    async fn start(&self, plan: &Plan, run: &RunStart) -> TransferResult<()>;

    /// Where a table's load has come to.
    async fn progress(&self, table: &str) -> TransferResult<TableProgress>;

    /// Loads a table's rows from its progress on.
    async fn load(
        &self,
        plan: &TablePlan,
        converter: Converter,
        duplicates: &[u64],
    ) -> TransferResult<Box<dyn TableLoader>>;

    /// Takes a constraint out of the way until [`CopySession::restore`], having noted its definition.
    async fn relax(&self, table: &str, constraint: &str) -> TransferResult<()>;

    /// Puts all constraints back that any run took out: valid if they hold, else watching new rows only. The latter are returned.
    async fn restore(&self, plan: &Plan) -> TransferResult<Vec<Weakened>>;

    /// Refreshes what the target's planner knows, notes the tables in the ledger and the run as finished.
    async fn finish(&self, entries: &[LedgerEntry]) -> TransferResult<()>;

    /// Takes back what the run has written and made, and the run itself.
    async fn undo(&self, plan: &Plan) -> TransferResult<()>;
}

/// Writes the rows of one table.
#[async_trait]
pub trait TableLoader: Send {
    /// Writes a batch; it is safe with the next commit, of which there is one every few megabytes. A refused row is quarantined. Every error
    /// undoes what was not committed.
    async fn write(&mut self, batch: RowBatch) -> TransferResult<()>;

    /// Commits the rest and notes the table as done.
    async fn finish(&mut self) -> TransferResult<TableProgress>;
}

/// A run that did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// The fingerprint of its source.
    pub fingerprint: String,
    /// The fingerprints of its tables.
    pub tables: HashMap<String, String>,
}

/// A run at its beginning.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// The source, for messages.
    pub source: String,
    /// The source's fingerprint.
    pub fingerprint: String,
    /// The fingerprints of the tables, by the name in the target.
    pub tables: HashMap<String, String>,
    /// Whether rows in the way are deleted.
    pub replace: bool,
    /// Rows that a schema's migrations put in: a table, and the condition that tells such a row.
    pub seeds: Vec<(String, String)>,
}

/// Where a table's load has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableProgress {
    /// The rows before this place are in the target or in the quarantine.
    pub position: Position,
    /// Rows written.
    pub written: u64,
    /// Rows quarantined.
    pub rejected: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Whether it is done.
    pub done: bool,
}

/// A constraint that old rows break: it watches new rows only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakened {
    /// The table.
    pub table: String,
    /// The constraint.
    pub constraint: String,
    /// Its definition.
    pub sql: String,
    /// How many rows break it.
    pub rows: u64,
    /// The keys of the first ones.
    pub keys: Vec<String>,
}

/// A row that a target could not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Its place in the scan.
    pub position: u64,
    /// Its key, for a person.
    pub key: String,
    /// The column that decided.
    pub column: String,
    /// Why.
    pub reason: String,
    /// The storage class of each value.
    pub classes: Vec<&'static str>,
    /// The exact bytes of each value: text and blobs as they are, an integer's digits, a real's eight bytes (big-endian); none for NULL.
    pub values: Vec<Option<Vec<u8>>>,
}

/// What is known about a copied table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerEntry {
    /// The table's name in the target.
    pub table: String,
    /// The source, for messages.
    pub source: String,
    /// The fingerprint of the source's rows when they were copied.
    pub fingerprint: String,
    /// Rows in the source when it was copied, or verified since.
    pub rows: u64,
    /// The largest rowid in the source then.
    pub max_rowid: Option<i64>,
    /// When it was copied (microseconds since 1970), if it was.
    pub copied_at: Option<i64>,
    /// When it was last verified equal, if it was.
    pub verified_at: Option<i64>,
    /// The digest that the verification saw on both sides.
    pub digest: Option<String>,
}
