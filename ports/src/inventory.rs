//! What a database holds, table by table, for status and for the guards of routing.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::StoreResult;

/// How many rows a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableRows {
    /// All of them.
    pub rows: u64,
    /// Copies planted for a foreign key while routing is hybrid.
    pub planted: u64,
    /// Rows that a new schema starts with.
    pub seeded: u64,
    /// The largest rowid; only SQLite has one.
    pub max_rowid: Option<i64>,
}

impl TableRows {
    /// The rows that are the truth here: all but planted copies.
    pub fn truth(&self) -> u64 {
        self.rows.saturating_sub(self.planted)
    }

    /// The rows that somebody wrote.
    pub fn own(&self) -> u64 {
        self.truth().saturating_sub(self.seeded)
    }
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
