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

/// A table of a repository on PostgreSQL: what a way back must not lose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServedTable {
    /// Its rows, but for planted copies.
    pub rows: u64,
    /// Of these, rows that a new schema starts with.
    pub seeded: u64,
    /// Rows written or changed since it was last copied or found equal.
    pub newer: u64,
    /// How many rows it had then; `None` if it never was.
    pub known: Option<u64>,
}

impl ServedTable {
    /// Whether it is as it was when it was last copied or found equal; if it never was, whether nobody wrote to it.
    pub fn is_unchanged(&self) -> bool {
        match self.known {
            Some(known) => self.newer == 0 && self.rows == known,
            None => self.rows <= self.seeded,
        }
    }
}

/// Counts rows.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Inventory: Send + Sync {
    /// The rows of each of `tables` that exists; the others are absent from the answer. With each comes the condition that tells rows that
    /// a new schema starts with. Names and conditions are the program's own.
    async fn count(
        &self,
        tables: &[(&'static str, &'static str)],
    ) -> StoreResult<HashMap<&'static str, TableRows>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_changed_and_deleted_rows_are_told() {
        let copied = ServedTable {
            rows: 3,
            known: Some(3),
            ..ServedTable::default()
        };
        assert!(copied.is_unchanged());
        assert!(!ServedTable { newer: 1, ..copied }.is_unchanged(), "changed");
        assert!(!ServedTable { rows: 2, ..copied }.is_unchanged(), "deleted");
        let fresh = ServedTable {
            rows: 1,
            seeded: 1,
            ..ServedTable::default()
        };
        assert!(fresh.is_unchanged());
        assert!(!ServedTable { rows: 2, ..fresh }.is_unchanged(), "written");
    }
}
