//! A database that is read to be compared with another one. It is never written.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use cutover_domain::transfer::catalog::Catalog;
use cutover_domain::transfer::digest::RowReader;

use super::TransferResult;

/// One snapshot of a database: however often it is read, it is the same. Its queries are its own, and shared with no copy.
#[async_trait]
pub trait VerifySide: Send + Sync {
    /// For messages: a path, or a host and a database, never a password.
    fn describe(&self) -> String;

    /// The catalog.
    async fn catalog(&self) -> TransferResult<Catalog>;

    /// Gives every row of a table to `reader`, in any order, and hands it back.
    async fn scan(&self, scan: &RowScan, reader: RowReader) -> TransferResult<RowReader>;

    /// How many rows a table has.
    async fn count_rows(&self, table: &str) -> TransferResult<u64>;

    /// How many values other than NULL each of these columns holds.
    async fn count_values(&self, table: &str, columns: &[String]) -> TransferResult<Vec<u64>>;

    /// The largest rowid of a table, which `rowid` reaches; none on PostgreSQL.
    async fn largest_rowid(&self, table: &str, rowid: &str) -> TransferResult<Option<i64>>;

    /// What Cutover's own tables say of the application's.
    async fn own_notes(&self) -> TransferResult<OwnNotes>;
}

/// What to read.
#[derive(Debug, Clone)]
pub struct RowScan {
    /// The table.
    pub table: String,
    /// Its columns, in the order in which the reader takes them.
    pub columns: Vec<ScanColumn>,
    /// The name that reaches the rowid, if the reader is to be told where each row is kept: SQLite's alias, PostgreSQL's
    /// `ctid`.
    pub place: Option<String>,
}

/// A column to read.
#[derive(Debug, Clone)]
pub struct ScanColumn {
    /// Its name.
    pub name: String,
    /// Whether PostgreSQL is to send its value as text.
    pub as_text: bool,
}

/// What Cutover's own tables say, by table.
#[derive(Debug, Clone, Default)]
pub struct OwnNotes {
    /// Keys of rows that routing has planted for a foreign key: copies of rows whose truth is elsewhere.
    pub planted: HashMap<String, HashSet<String>>,
    /// Whether copies into this database are noted in it.
    pub ledger: bool,
    /// How many rows a copy has put into quarantine.
    pub quarantined: HashMap<String, u64>,
}
