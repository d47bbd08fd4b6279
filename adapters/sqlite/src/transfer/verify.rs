//! A SQLite file that is read to be compared. Nothing here is shared with the copy but the opening of the file and the catalog.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cutover_domain::transfer::canonical::{Raw, Utf16};
use cutover_domain::transfer::catalog::{Catalog, Storage, Table};
use cutover_domain::transfer::digest::RowReader;
use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{OwnNotes, Part, RowScan, TransferError, TransferResult, VerifySide};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tokio::sync::Semaphore;

use super::open::{Reader, SourceFile, blocking, unindexed};
use super::{catalog, own_tables};

/// One snapshot of a file, seen by several connections: a read transaction on each that lasts as long as this value.
#[derive(Debug)]
pub struct VerifyFile {
    file: SourceFile,
    free: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
}

/// Less than this many rowids are not worth a statement of their own.
const ROWIDS_OF_A_PART: i64 = 4_096;

impl VerifyFile {
    /// Opens the file for reading as often as that many scans are to run at once, and begins the snapshot.
    pub async fn open(path: &Path, busy_timeout: Duration, scans: usize) -> TransferResult<Self> {
        let path = path.to_owned();
        blocking(move || {
            let file = SourceFile::new(&path, busy_timeout)?;
            let connections = file.snapshot(scans)?;
            Ok(Self {
                file,
                permits: Arc::new(Semaphore::new(connections.len())),
                free: Arc::new(Mutex::new(connections)),
            })
        })
        .await
    }

    /// Runs `work` off the async threads, as soon as a connection is free; `table` is named if it fails.
    async fn read<T: Send + 'static>(
        &self,
        table: Option<&str>,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        let lost = || TransferError::Failed("a connection to the SQLite file was lost".to_owned());
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| lost())?;
        let (file, free) = (self.file.clone(), Arc::clone(&self.free));
        let table = table.map(str::to_owned);
        blocking(move || {
            let connections = || free.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = connections().pop().ok_or_else(lost)?;
            let outcome = work(&connection);
            connections().push(connection);
            drop(permit);
            outcome.map_err(|error| match (file.error(&error), table) {
                (TransferError::Unreachable(text), Some(table)) => {
                    TransferError::Unreachable(format!("{text} (in the table {table:?})"))
                }
                (error, _) => error,
            })
        })
        .await
    }
}

#[async_trait]
impl VerifySide for VerifyFile {
    fn describe(&self) -> String {
        self.file.path().display().to_string()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        self.read(None, catalog::read).await
    }

    async fn parts(&self, table: &Table, count: usize) -> TransferResult<Vec<Part>> {
        // Not every virtual table finds a rowid without reading all of them.
        let (Storage::Rowid { alias: Some(alias) }, None, 2..) = (&table.storage, &table.module, count)
        else {
            return Ok(vec![Part::Whole]);
        };
        let alias = *alias;
        let name = table.name.clone();
        self.read(Some(&table.name), move |connection| {
            let bounds = format!(
                "SELECT (SELECT min({alias}) FROM {0}), (SELECT max({alias}) FROM {0})",
                from(connection, &name)?
            );
            let (first, last): (Option<i64>, Option<i64>) =
                connection.query_row(&bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (Some(first), Some(last)) = (first, last) else {
                return Ok(vec![Part::Whole]);
            };
            let worth = last.saturating_sub(first) / ROWIDS_OF_A_PART;
            let count = count.min(usize::try_from(worth).unwrap_or(1).max(1));
            Ok(Part::split(alias, first, last, count))
        })
        .await
    }

    async fn scan(&self, scan: &RowScan, mut reader: RowReader) -> TransferResult<RowReader> {
        let scan = scan.clone();
        let table = scan.table.clone();
        self.read(Some(&table), move |connection| {
            let encoding = utf16(connection, scan.columns.len())?;
            let with_place = usize::from(scan.place.is_some());
            let names: Vec<String> = scan.columns.iter().map(|column| quoted(&column.name)).collect();
            let mut selected: Vec<String> = scan.place.iter().map(|place| quoted(place)).collect();
            selected.extend_from_slice(&names);
            if encoding.is_some() {
                let bytes = |name| format!("CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) END");
                selected.extend(names.iter().map(bytes));
            }
            let (condition, bounds) = condition(scan.part);
            let sql = format!(
                "SELECT {} FROM {}{condition}",
                selected.join(", "),
                from(connection, &scan.table)?
            );
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(bounds))?;
            let mut text = Vec::new();
            while let Some(row) = rows.next()? {
                if with_place == 1 {
                    reader.place(row.get::<_, i64>(0)?.to_string());
                }
                for at in with_place..with_place + names.len() {
                    reader.value(match row.get_ref(at)? {
                        ValueRef::Null => Raw::Null,
                        ValueRef::Integer(n) => Raw::Integer(n),
                        ValueRef::Real(n) => Raw::Real(n),
                        ValueRef::Blob(bytes) => Raw::Blob(bytes),
                        ValueRef::Text(bytes) => match (encoding, row.get_ref(at + names.len())) {
                            (Some(encoding), Ok(ValueRef::Blob(units))) => {
                                encoding.read(units, &mut text);
                                Raw::Text(&text)
                            }
                            _ => Raw::Text(bytes),
                        },
                    });
                }
                reader.end_row();
            }
            Ok(reader)
        })
        .await
    }

    async fn count_rows(&self, table: &str) -> TransferResult<u64> {
        let name = table.to_owned();
        self.read(Some(table), move |connection| {
            let sql = format!("SELECT count(*) FROM {}", from(connection, &name)?);
            connection.query_row(&sql, [], |row| count(row, 0))
        })
        .await
    }

    async fn count_values(&self, table: &str, columns: &[String]) -> TransferResult<Vec<u64>> {
        let counts: Vec<String> = columns
            .iter()
            .map(|name| format!("count({})", quoted(name)))
            .collect();
        let name = table.to_owned();
        self.read(Some(table), move |connection| {
            let sql = format!("SELECT {} FROM {}", counts.join(", "), from(connection, &name)?);
            connection.query_row(&sql, [], |row| {
                (0..counts.len()).map(|at| count(row, at)).collect()
            })
        })
        .await
    }

    async fn largest_rowid(&self, table: &str, rowid: &str) -> TransferResult<Option<i64>> {
        let (name, rowid) = (table.to_owned(), quoted(rowid));
        self.read(Some(table), move |connection| {
            let sql = format!("SELECT max({rowid}) FROM {}", from(connection, &name)?);
            connection.query_row(&sql, [], |row| row.get(0))
        })
        .await
    }

    async fn own_notes(&self) -> TransferResult<OwnNotes> {
        self.read(None, |connection| {
            let own = own_tables::present(connection)?;
            let has = |name: &str| own.iter().any(|own| own == name);
            let mut notes = OwnNotes {
                ledger: has("_cutover_ledger"),
                unfinished: own_tables::unfinished(connection)?,
                ..OwnNotes::default()
            };
            if has("_cutover_planted_rows") {
                let mut statement = connection.prepare("SELECT table_name, key FROM _cutover_planted_rows")?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let keys: &mut HashSet<String> = notes.planted.entry(row.get(0)?).or_default();
                    keys.insert(row.get(1)?);
                }
            }
            if has("_cutover_quarantine") {
                let sql = "SELECT table_name, count(DISTINCT position) FROM _cutover_quarantine GROUP BY table_name";
                let mut statement = connection.prepare(sql)?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))?;
                notes.quarantined = rows.collect::<rusqlite::Result<HashMap<_, _>>>()?;
            }
            Ok(notes)
        })
        .await
    }
}

/// SQLite's limit for the columns of a query; in UTF-16 the bytes of a text are read in a column of their own.
const MOST_COLUMNS: usize = 2_000;

/// SQLite's own conversion of UTF-16 makes one letter of half a surrogate pair and whatever follows it; a copy that relied on it would have
/// lost both, and nobody would see it.
fn utf16(connection: &Connection, columns: usize) -> rusqlite::Result<Option<Utf16>> {
    let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    Ok(Utf16::named(&encoding).filter(|_| 2 * columns < MOST_COLUMNS))
}

/// The table itself, and no index of it.
fn from(connection: &Connection, table: &str) -> rusqlite::Result<String> {
    Ok(format!(
        "main.{} {}",
        quoted(table),
        unindexed(connection, table)?
    ))
}

/// Which rows of a table are a part of it.
fn condition(part: Part) -> (String, Vec<i64>) {
    let Part::Range { by, from, until } = part else {
        return (String::new(), vec![]);
    };
    let bounds = from.map(|from| (">=", from)).into_iter();
    let bounds: Vec<(&str, i64)> = bounds.chain(until.map(|until| ("<", until))).collect();
    let text: Vec<String> = bounds
        .iter()
        .map(|(operator, _)| format!("{by} {operator} ?"))
        .collect();
    let values = bounds.iter().map(|(_, value)| *value).collect();
    if text.is_empty() {
        (String::new(), values)
    } else {
        (format!(" WHERE {}", text.join(" AND ")), values)
    }
}

fn count(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}
