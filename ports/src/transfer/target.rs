//! A database that rows are written to, in steps each of which can be the last before a crash.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::catalog::{Catalog, Origin, Table};
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::schema::{Schema, Step, Weakened};
use cutover_domain::transfer::survey::RejectedRow;

use super::TransferResult;
use super::source::Position;

/// A database that rows can be copied into.
#[async_trait]
pub trait TransferTarget: Send + Sync {
    /// For messages: a path, or a host and a database, never a password.
    fn describe(&self) -> String;

    /// The catalog, and the tables of `origin`, as they will be when they are made here ([`Catalog::foresee`]).
    async fn catalog(&self, origin: Option<&Origin>) -> TransferResult<(Catalog, Vec<Table>)>;

    /// Begins to copy: no other copy can write here until the session is dropped, and what a killed one left running has ended.
    /// `Refused` if another copy is at work. Nothing is written yet. A rehearsal writes nothing that lasts.
    async fn open(&self, rehearsal: bool) -> TransferResult<Arc<dyn CopySession>>;

    /// How many rows of which tables are in quarantine.
    async fn quarantined(&self) -> TransferResult<Vec<(String, u64)>>;

    /// What is known about copied tables.
    async fn ledger(&self) -> TransferResult<Vec<LedgerEntry>>;

    /// What the last copy of a source into it gave account of, if that is kept.
    async fn account(&self, source: &str) -> TransferResult<Option<Account>>;

    /// Notes that whoever gave the command has been told of its end. Until then the same command, given once more because the program was killed
    /// right before, is told it again.
    async fn set_told(&self) -> TransferResult<()>;

    /// Notes as one that tables have been verified: of each its digest, and that the source had so many rows and this largest rowid. A table
    /// that was never copied here gets an entry as well.
    async fn set_verified(&self, entries: &[LedgerEntry]) -> TransferResult<()>;
}

/// Counting rows that are in the way stops here: how many a full table has is not the question.
pub const COUNTED_ROWS: u64 = 100_000;

/// A copy at work. Dropping it releases the target. After any error, and after a load that was broken off, it goes on to be used: what was
/// not committed is not there.
#[async_trait]
pub trait CopySession: Send + Sync {
    /// The run that did not come to its end, or of whose end nobody had been told when this copy began, if there is one.
    async fn open_run(&self) -> TransferResult<Option<UnfinishedRun>>;

    /// Of which of the plan's tables the rows are not as many as the unfinished run has written: how many there are, and how many it wrote.
    async fn disturbed(&self, plan: &Plan) -> TransferResult<Vec<(String, u64, u64)>>;

    /// Which of the plan's tables have rows (other than seed rows), and how many, up to [`COUNTED_ROWS`].
    async fn occupied(&self, plan: &Plan, seeds: &[(String, String)]) -> TransferResult<Vec<(String, u64)>>;

    /// In one transaction: makes what the target lacks, empties the plan's tables if asked to, else takes out the seed rows, and
    /// notes the run with all its parts at their beginning. The seed rows are kept until the run is finished or undone. `Refused` if rows
    /// of tables outside the plan refer to what would be taken out.
    async fn start(&self, plan: &Plan, schema: &Schema, run: &RunStart) -> TransferResult<()>;

    /// Before an unfinished run is gone on with: `Refused` if a trigger of the plan's tables, those that the run has made among them, could
    /// change or drop the rows that are still to come.
    async fn refuse_triggers(&self, _plan: &Plan) -> TransferResult<()> {
        // Those of a file are switched off while it is written.
        Ok(())
    }

    /// Where the load of a part of a table has come to.
    async fn progress(&self, table: &str, part: u32) -> TransferResult<TableProgress>;

    /// Loads the rows of a part of a table from its progress on. Several can be at work at once, on parts of their own.
    async fn load(
        &self,
        plan: &TablePlan,
        part: LoadPart,
        converter: Converter,
        duplicates: &[u64],
        care: Care,
    ) -> TransferResult<Box<dyn TableLoader>>;

    /// Does a step of the schema, unless an earlier run of the same copy has done it. What holds in a weaker form than meant is told.
    async fn make(&self, step: &Step, plan: &Plan) -> TransferResult<Option<Weakened>>;

    /// Takes a constraint out of the way until [`CopySession::restore`], having noted its definition.
    async fn relax(&self, table: &str, constraint: &str) -> TransferResult<()>;

    /// Puts all constraints back that any run took out: valid if they hold, else watching new rows only. The latter are returned, those that
    /// the unfinished run has put back before among them.
    async fn restore(&self, plan: &Plan) -> TransferResult<Vec<Weakened>>;

    /// Refreshes what the target's planner knows of a table.
    async fn analyze(&self, table: &str) -> TransferResult<()>;

    /// Makes what is left of the plan's origin, notes the tables in the ledger and the run as finished, with its whole `account`.
    async fn finish(
        &self,
        plan: &Plan,
        entries: &[LedgerEntry],
        account: &Account,
    ) -> TransferResult<Vec<Weakened>>;

    /// Takes back what the run has written and made, and the run itself, and puts seed rows back. A load may have been broken off in its midst; none writes
    /// anything any more.
    async fn undo(&self, plan: &Plan) -> TransferResult<()>;
}

/// Writes rows of one table.
#[async_trait]
pub trait TableLoader: Send {
    /// Writes a batch; it is safe with the next commit, of which there is one every few megabytes. A refused row is quarantined. Every error
    /// undoes what was not committed.
    async fn write(&mut self, batch: RowBatch) -> TransferResult<()>;

    /// Commits the rest and notes the part as done.
    async fn finish(&mut self) -> TransferResult<TableProgress>;

    /// The rows that the target refused and that were kept apart.
    fn refused(&mut self) -> Vec<RejectedRow> {
        Vec::new()
    }

    /// In how many rows a column was left to the target, which computes it.
    fn computed(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}

/// A part of a table that is loaded by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadPart {
    /// Its number, from 0.
    pub number: u32,
    /// Whether it is the whole of a table that the copy has made: nobody else has rows in it.
    pub is_whole: bool,
    /// About so many bytes of values.
    pub bytes: u64,
}

/// How a load meets rows that the target refuses although they were judged to fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Many rows at once: such a row ends the load, and nobody knows which of them it is.
    None,
    /// Few at once: the row ends the load by its name.
    Naming,
    /// Few at once: the row is kept apart.
    KeepingApart,
}

/// The condition that tells a seed row of a table, if it has any.
pub fn seed_condition(table: &str, seeds: &[(String, String)]) -> Option<String> {
    let seeds = seeds.iter().filter(|(seeded, _)| seeded == table);
    let conditions: Vec<String> = seeds.map(|(_, condition)| format!("({condition})")).collect();
    (!conditions.is_empty()).then(|| conditions.join(" OR "))
}

/// A run that did not come to its end, or of whose end nobody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// The source, for messages.
    pub source: String,
    /// The fingerprint of its source.
    pub fingerprint: String,
    /// The fingerprints of its tables.
    pub tables: HashMap<String, String>,
    /// The tables that it has made.
    pub made: HashSet<String>,
    /// Whether it came to its end.
    pub is_finished: bool,
    /// What it gave account of; none of a run of an earlier version.
    pub account: Option<Account>,
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
    /// Into how many parts each table is divided, by the name in the target.
    pub parts: HashMap<String, u32>,
    /// Whether rows in the way are deleted.
    pub replace: bool,
    /// Tables that an earlier copy has made and this one makes anew.
    pub dropped: Vec<String>,
    /// What makes the source's file anew; kept for the way back.
    pub origin: Option<Origin>,
    /// Rows that a schema's migrations put in: a table, and the condition that tells such a row.
    pub seeds: Vec<(String, String)>,
    /// Whether rows are to come. Else seed rows are in nobody's way.
    pub loads: bool,
    /// What it gives account of; kept for a run that goes on with it.
    pub account: Account,
}

impl RunStart {
    /// The tables, by their names in the target, whose rows go or come anew: what earlier runs have noted of them is past.
    pub fn empties<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a str> {
        let planned = plan.tables.iter();
        let planned = planned.filter(|table| table.created || self.loads || self.replace);
        let planned = planned.map(|table| table.target.as_str());
        planned.chain(self.dropped.iter().map(String::as_str))
    }
}

/// Where the load of a part of a table has come to.
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

/// A row that a target could not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Its place in the scan of its part.
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
    /// What the source's table held then, if a start asks for it
    /// ([`Content`](cutover_domain::transfer::digest::Content)); else the digest that the verification saw on both sides.
    pub digest: Option<String>,
}
