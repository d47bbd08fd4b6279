//! What a database holds, table by table, for status and for the guards of routing.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::StoreResult;

/// How many rows a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableRows {
    /// All of them.
    pub rows: u64,
    /// Those that the application wrote: not the ones a new schema starts with, nor copies planted for a foreign key.
    pub own: u64,
    /// The largest rowid; only SQLite has one.
    pub max_rowid: Option<i64>,
}

/// A row that a new schema starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedRow {
    /// Its table.
    pub table: &'static str,
    /// The table's key column.
    pub key_column: &'static str,
    /// Its key.
    pub key: &'static str,
}

/// Counts rows.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Inventory: Send + Sync {
    /// The rows of each of `tables` that exists; the others are absent from the answer. Names are the program's own.
    async fn count(
        &self,
        tables: &[&'static str],
        seeds: &'static [SeedRow],
    ) -> StoreResult<HashMap<&'static str, TableRows>>;
}
