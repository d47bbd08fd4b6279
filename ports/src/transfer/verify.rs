//! A database that is read to be compared with another one. It is never written.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use cutover_domain::transfer::canonical::Utf16;
use cutover_domain::transfer::catalog::{Catalog, Table};
use cutover_domain::transfer::digest::RowReader;

use super::TransferResult;
use super::target::UnfinishedRun;

/// One snapshot of a database: however often it is read, it is the same. Its queries are its own, and shared with no copy.
#[async_trait]
pub trait VerifySide: Send + Sync {
    /// For messages: a path, or a host and a database, never a password.
    fn describe(&self) -> String;

    /// The catalog.
    async fn catalog(&self) -> TransferResult<Catalog>;

    /// Parts of a table that can be read at the same time, at most `count`: together they are the table, and no row is in two.
    async fn parts(&self, table: &Table, count: usize) -> TransferResult<Vec<Part>>;

    /// Gives every row of a part of a table to `reader`, in any order, and hands it back. As many scans run at once as the
    /// snapshot was opened for; others wait.
    async fn scan(&self, scan: &RowScan, reader: RowReader) -> TransferResult<RowReader>;

    /// How many rows a table has.
    async fn count_rows(&self, table: &str) -> TransferResult<u64>;

    /// How many values other than NULL each of these columns holds.
    async fn count_values(&self, table: &str, columns: &[String]) -> TransferResult<Vec<u64>>;

    /// Gives every row of a table that a copy has put into quarantine to `reader`, as SQLite's values of these columns of the file that they
    /// are from, in any order, and hands it back. Text that is none is kept as that file stores it, which is in `encoding` if not in UTF-8.
    async fn quarantined(
        &self,
        _table: &str,
        _columns: &[String],
        _encoding: Option<Utf16>,
        reader: RowReader,
    ) -> TransferResult<RowReader> {
        Ok(reader)
    }

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
    /// Which of its rows.
    pub part: Part,
}

/// Some of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All.
    Whole,
    /// Those that are kept in a range.
    Range {
        /// What tells where a row is kept: an alias of SQLite's rowid, PostgreSQL's `ctid`.
        by: &'static str,
        /// The first rowid or block; none from the beginning on.
        from: Option<i64>,
        /// The rowid or block behind the last; none to the end.
        until: Option<i64>,
    },
}

impl Part {
    /// The parts of a table whose rows are kept between `first` and `last`, as far as is known: the outer ones reach beyond.
    pub fn split(by: &'static str, first: i64, last: i64, count: usize) -> Vec<Self> {
        let count = i128::try_from(count.max(1)).unwrap_or(1);
        let span = i128::from(last) - i128::from(first) + 1;
        let bound = |at: i128| i64::try_from(i128::from(first) + span * at / count).ok();
        let mut bounds: Vec<i64> = (1..count).filter_map(bound).collect();
        bounds.dedup();
        let from = std::iter::once(None).chain(bounds.iter().copied().map(Some));
        let until = bounds.iter().copied().map(Some).chain([None]);
        from.zip(until)
            .map(|(from, until)| Self::Range { by, from, until })
            .collect()
    }
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
    /// The copy into it that has not come to its end.
    pub unfinished: Option<UnfinishedRun>,
    /// How many rows a copy has put into quarantine.
    pub quarantined: HashMap<String, u64>,
    /// The tables that a copy has made in PostgreSQL, and those of SQLite that they were made for.
    pub made: HashMap<String, String>,
    /// The columns that a copy has made in PostgreSQL, and how their values come back.
    pub rendered: Vec<RenderedColumn>,
}

/// A column of PostgreSQL that was made for one of SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedColumn {
    /// Its table in PostgreSQL.
    pub table: String,
    /// Its name in PostgreSQL.
    pub column: String,
    /// The table in SQLite.
    pub source_table: String,
    /// The column in SQLite.
    pub source_column: String,
    /// How its values are written back, in the words of the copy.
    pub rendering: String,
    /// The column beside it that holds the class of each value.
    pub class_column: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(first: i64, last: i64, count: usize) -> Vec<(Option<i64>, Option<i64>)> {
        let parts = Part::split("rowid", first, last, count);
        let range = |part| match part {
            Part::Range { from, until, .. } => (from, until),
            Part::Whole => panic!("a range"),
        };
        parts.into_iter().map(range).collect()
    }

    #[test]
    fn parts_leave_nothing_out_and_nothing_is_in_two() {
        assert_eq!(
            bounds(1, 9, 3),
            [(None, Some(4)), (Some(4), Some(7)), (Some(7), None)]
        );
        assert_eq!(bounds(1, 9, 1), [(None, None)]);
        assert_eq!(
            bounds(5, 5, 4).len(),
            1 + 1,
            "one bound at 5 is enough for a single row"
        );
        let all = bounds(i64::MIN, i64::MAX, 64);
        assert_eq!(all.len(), 64);
        for (one, next) in all.iter().zip(&all[1..]) {
            assert_eq!(one.1, next.0);
            assert!(one.0 < one.1);
        }
        assert_eq!((all[0].0, all[63].1), (None, None));
    }
}
