//! A SQLite file that is read to be compared. Nothing here is shared with the copy but the opening of the file and the catalog.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cutover_domain::transfer::canonical::Raw;
use cutover_domain::transfer::catalog::Catalog;
use cutover_domain::transfer::digest::RowReader;
use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{OwnNotes, RowScan, TransferError, TransferResult, VerifySide};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::catalog;
use super::open::{Reader, SourceFile};

/// One snapshot of a file: a read transaction that lasts as long as this value.
#[derive(Debug)]
pub struct VerifyFile {
    file: SourceFile,
    connection: Arc<Mutex<Reader>>,
}

impl VerifyFile {
    /// Opens the file for reading and begins the snapshot.
    pub async fn open(path: &Path, busy_timeout: Duration) -> TransferResult<Self> {
        let path = path.to_owned();
        blocking(move || {
            let file = SourceFile::new(&path, busy_timeout)?;
            let connection = file.connect()?;
            // A deferred transaction begins with its first read.
            connection
                .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")
                .map_err(|error| file.error(&error))?;
            Ok(Self {
                file,
                connection: Arc::new(Mutex::new(connection)),
            })
        })
        .await
    }

    /// Runs `work` off the async threads; `table` is named if it fails.
    async fn read<T: Send + 'static>(
        &self,
        table: Option<&str>,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        let (file, connection) = (self.file.clone(), Arc::clone(&self.connection));
        let table = table.map(str::to_owned);
        blocking(move || {
            // A panic elsewhere leaves the connection as usable as before: it only reads.
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&connection).map_err(|error| match (file.error(&error), table) {
                (TransferError::Unreachable(text), Some(table)) => {
                    TransferError::Unreachable(format!("{text} (in the table {table:?})"))
                }
                (error, _) => error,
            })
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> TransferResult<T> + Send + 'static,
) -> TransferResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(TransferError::Failed(format!(
            "reading the SQLite file was broken off: {error}"
        )))
    })
}

#[async_trait]
impl VerifySide for VerifyFile {
    fn describe(&self) -> String {
        self.file.path().display().to_string()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        self.read(None, catalog::read).await
    }

    async fn scan(&self, scan: &RowScan, mut reader: RowReader) -> TransferResult<RowReader> {
        let with_place = scan.place.is_some();
        let places = scan.place.iter().map(|place| quoted(place));
        let columns: Vec<String> = places
            .chain(scan.columns.iter().map(|column| quoted(&column.name)))
            .collect();
        // An index may lack entries of a damaged file; the table is what is to be read.
        let sql = format!(
            "SELECT {} FROM main.{} NOT INDEXED",
            columns.join(", "),
            quoted(&scan.table)
        );
        self.read(Some(&scan.table), move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if with_place {
                    reader.place(row.get::<_, i64>(0)?.to_string());
                }
                for at in usize::from(with_place)..columns.len() {
                    reader.value(match row.get_ref(at)? {
                        ValueRef::Null => Raw::Null,
                        ValueRef::Integer(n) => Raw::Integer(n),
                        ValueRef::Real(n) => Raw::Real(n),
                        ValueRef::Text(bytes) => Raw::Text(bytes),
                        ValueRef::Blob(bytes) => Raw::Blob(bytes),
                    });
                }
                reader.end_row();
            }
            Ok(reader)
        })
        .await
    }

    async fn count_rows(&self, table: &str) -> TransferResult<u64> {
        // Counting by an index would count the index.
        let sql = format!("SELECT count(*) FROM main.{} NOT INDEXED", quoted(table));
        self.read(Some(table), move |connection| {
            connection.query_row(&sql, [], |row| count(row, 0))
        })
        .await
    }

    async fn count_values(&self, table: &str, columns: &[String]) -> TransferResult<Vec<u64>> {
        let counts: Vec<String> = columns
            .iter()
            .map(|name| format!("count({})", quoted(name)))
            .collect();
        let sql = format!(
            "SELECT {} FROM main.{} NOT INDEXED",
            counts.join(", "),
            quoted(table)
        );
        self.read(Some(table), move |connection| {
            connection.query_row(&sql, [], |row| {
                (0..counts.len()).map(|at| count(row, at)).collect()
            })
        })
        .await
    }

    async fn largest_rowid(&self, table: &str, rowid: &str) -> TransferResult<Option<i64>> {
        let sql = format!(
            "SELECT max({}) FROM main.{} NOT INDEXED",
            quoted(rowid),
            quoted(table)
        );
        self.read(Some(table), move |connection| {
            connection.query_row(&sql, [], |row| row.get(0))
        })
        .await
    }

    async fn own_notes(&self) -> TransferResult<OwnNotes> {
        self.read(None, |connection| {
            let mut notes = OwnNotes {
                ledger: exists(connection, "_cutover_ledger")?,
                ..OwnNotes::default()
            };
            if exists(connection, "_cutover_planted_rows")? {
                let mut statement = connection.prepare("SELECT table_name, key FROM _cutover_planted_rows")?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let keys: &mut HashSet<String> = notes.planted.entry(row.get(0)?).or_default();
                    keys.insert(row.get(1)?);
                }
            }
            if exists(connection, "_cutover_quarantine")? {
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

fn exists(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    connection.query_row(sql, [table], |row| Ok(row.get::<_, i64>(0)? > 0))
}

fn count(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}
