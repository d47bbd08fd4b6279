//! A PostgreSQL database that is read to be compared. Nothing here is shared with the copy but the catalog.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cutover_domain::transfer::canonical::{Raw, Utf16};
use cutover_domain::transfer::catalog::{Catalog, Storage, Table};
use cutover_domain::transfer::digest::RowReader;
use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{
    OwnNotes, Part, RenderedColumn, RowScan, TransferError, TransferResult, VerifySide,
};
use futures_util::{StreamExt as _, pin_mut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::catalog;
use super::connection::{PRINTED, check_schema, open, refuse_pooled, run, unlimited};
use super::error::{connect_error, reading_error, transfer_error};
use super::own_tables::{self, noted, text};
use crate::PgServer;

/// One snapshot of a database, seen by several connections: a transaction on each that lasts as long as this value.
#[derive(Debug)]
pub struct VerifyDatabase {
    pool: Arc<Pool>,
    schema: String,
    /// The tables whose rows are in partitions.
    partitioned: HashSet<String>,
    /// Blocks of a table can be read by number since PostgreSQL 14.
    reads_ranges: bool,
    description: String,
}

/// Without row security the server says so if it would hide rows. Workers of its own would only send their rows through one process.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL row_security = off; SET LOCAL max_parallel_workers_per_gather = 0;";

/// Less than this many blocks (of 8 kB, as a rule) are not worth a statement of their own.
const BLOCKS_OF_A_PART: i64 = 512;

impl VerifyDatabase {
    /// Connects as often as that many scans are to run at once, and begins the snapshot. Tables are those of `schema`, or of the
    /// connection's default one.
    pub async fn open(server: &PgServer, schema: Option<&str>, scans: usize) -> TransferResult<Self> {
        schema.map_or(Ok(()), check_schema)?;
        refuse_pooled(server).await?;
        let begin = async |snapshot: &str| {
            let client = open(server, "cutover verify").await;
            let client = client.map_err(|error| connect_error(&error))?;
            // Those of the server are for the service's short statements. What is sent at once is one transaction, and this its first query.
            run(&client, &unlimited(false)).await?;
            // The catalog is that of the default schema.
            let path = schema.map_or_else(String::new, |schema| {
                format!("SET LOCAL search_path = {};", quoted(schema))
            });
            run(&client, &format!("{PRINTED}; {BEGIN} {snapshot} {path}")).await?;
            TransferResult::Ok(client)
        };
        let first = begin("").await?;
        let sql =
            "SELECT pg_export_snapshot(), current_schema()::text, current_setting('server_version_num')::int";
        let row = first
            .query_one(sql, &[])
            .await
            .map_err(|error| transfer_error(&error))?;
        let found: Option<String> = row.get(1);
        let (snapshot, schema) = (
            row.get::<_, String>(0),
            found.ok_or_else(|| catalog::no_schema(schema))?,
        );
        own_tables::refuse_strange(&first).await?;
        let partitioned = "SELECT relname::text FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'p'";
        let partitioned = first
            .query(partitioned, &[&quoted(&schema)])
            .await
            .map_err(|error| transfer_error(&error))?;
        let adopt = format!("SET TRANSACTION SNAPSHOT '{snapshot}';");
        let mut clients = vec![first];
        for _ in 1..scans {
            clients.push(begin(&adopt).await?);
        }
        Ok(Self {
            pool: Pool::new(clients),
            schema,
            partitioned: partitioned.iter().map(|row| row.get(0)).collect(),
            reads_ranges: row.get::<_, i32>(2) >= 140_000,
            description: server.to_string(),
        })
    }

    async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> TransferResult<Vec<Row>> {
        let lease = self.pool.take().await?;
        lease
            .client
            .query(sql, values)
            .await
            .map_err(|error| transfer_error(&error))
    }

    async fn query_one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> TransferResult<Row> {
        let lease = self.pool.take().await?;
        lease
            .client
            .query_one(sql, values)
            .await
            .map_err(|error| transfer_error(&error))
    }

    async fn exists(&self, table: &str) -> TransferResult<bool> {
        let row = self
            .query_one("SELECT to_regclass($1) IS NOT NULL", &[&table])
            .await?;
        Ok(row.get(0))
    }

    /// What a table's rows are selected from.
    fn rows_of(&self, table: &str) -> String {
        let only = if self.partitioned.contains(table) {
            ""
        } else {
            "ONLY "
        };
        format!("{only}{}", self.quoted(table))
    }

    /// With its schema, for SQL.
    fn quoted(&self, table: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(table))
    }
}

/// The connections of the snapshot.
#[derive(Debug)]
struct Pool {
    free: Mutex<Vec<Arc<Client>>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    fn new(clients: Vec<Client>) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(clients.len())),
            free: Mutex::new(clients.into_iter().map(Arc::new).collect()),
        })
    }

    /// Waits for a connection that nobody uses.
    async fn take(self: &Arc<Self>) -> TransferResult<Lease> {
        let lost = || TransferError::Failed("a connection of the snapshot was lost".to_owned());
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| lost())?;
        let client = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Lease {
            client: client.ok_or_else(lost)?,
            pool: Arc::clone(self),
            _permit: permit,
        })
    }
}

/// A connection that goes back to its pool, and then the permit for it.
#[derive(Debug)]
struct Lease {
    client: Arc<Client>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&self.client));
    }
}

#[async_trait]
impl VerifySide for VerifyDatabase {
    fn describe(&self) -> String {
        self.description.clone()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        let lease = self.pool.take().await?;
        catalog::read(&*lease.client).await
    }

    async fn parts(&self, table: &Table, count: usize) -> TransferResult<Vec<Part>> {
        if !self.reads_ranges || count < 2 || table.storage == Storage::Partitioned {
            return Ok(vec![Part::Whole]);
        }
        let sql = "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint";
        let row = self.query_one(sql, &[&self.quoted(&table.name)]).await?;
        let blocks: i64 = row.get(0);
        let worth = usize::try_from(blocks / BLOCKS_OF_A_PART).unwrap_or(0);
        // What is written from now on lies in the last part, and is not seen by the snapshot.
        Ok(Part::split("ctid", 0, blocks - 1, count.min(worth.max(1))))
    }

    async fn scan(&self, scan: &RowScan, reader: RowReader) -> TransferResult<RowReader> {
        let place = scan.place.iter().map(|place| format!("{}::text", quoted(place)));
        let columns = scan.columns.iter().map(|column| {
            let cast = if column.as_text { "::text" } else { "" };
            format!("{}{cast}", quoted(&column.name))
        });
        let columns: Vec<String> = place.chain(columns).collect();
        let sql = format!(
            "COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT binary)",
            columns.join(", "),
            self.rows_of(&scan.table),
            condition(scan.part)
        );
        let lease = self.pool.take().await?;
        let rows = BinaryRows {
            with_place: scan.place.is_some(),
            ..BinaryRows::default()
        };
        // On a thread of its own choice: the rows of several scans are hashed at the same time.
        let table = scan.table.clone();
        let reading = AbortOnDrop(tokio::spawn(async move {
            let outcome = read(&lease.client, &sql, &table, rows, reader).await;
            drop(lease);
            outcome
        }));
        reading.join().await
    }

    async fn count_rows(&self, table: &str) -> TransferResult<u64> {
        let sql = format!("SELECT count(*) FROM {}", self.rows_of(table));
        Ok(count(&self.query_one(&sql, &[]).await?, 0))
    }

    async fn count_values(&self, table: &str, columns: &[String]) -> TransferResult<Vec<u64>> {
        let counts: Vec<String> = columns
            .iter()
            .map(|name| format!("count({})", quoted(name)))
            .collect();
        let sql = format!("SELECT {} FROM {}", counts.join(", "), self.rows_of(table));
        let row = self.query_one(&sql, &[]).await?;
        Ok((0..counts.len()).map(|at| count(&row, at)).collect())
    }

    async fn quarantined(
        &self,
        table: &str,
        columns: &[String],
        encoding: Option<Utf16>,
        mut reader: RowReader,
    ) -> TransferResult<RowReader> {
        let sql = "SELECT columns, classes, \"values\", key FROM cutover.quarantine WHERE schema_name = $1 AND table_name = $2";
        let given: [&(dyn ToSql + Sync); 2] = [&self.schema, &table];
        let lease = self.pool.take().await?;
        let rows = lease
            .client
            .query_raw(sql, given)
            .await
            .map_err(|error| transfer_error(&error))?;
        pin_mut!(rows);
        let mut utf8 = Vec::new();
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| transfer_error(&error))?;
            let names: Vec<&str> = noted(&row, "quarantine", 0)?;
            let classes: Vec<&str> = noted(&row, "quarantine", 1)?;
            let values: Vec<Option<&[u8]>> = noted(&row, "quarantine", 2)?;
            reader.place(format!("in quarantine, {}", text(&row, 3)));
            for column in columns {
                let Some(at) = names.iter().position(|name| name == column) else {
                    reader.unknown_value();
                    continue;
                };
                let bytes = values.get(at).copied().flatten().unwrap_or_default();
                reader.value(match (classes.get(at), encoding) {
                    (Some(&"utf16"), Some(encoding)) => {
                        encoding.read(bytes, &mut utf8);
                        Raw::Text(&utf8)
                    }
                    (Some(class), _) => stored(class, bytes),
                    (None, _) => Raw::Null,
                });
            }
            reader.end_row();
        }
        Ok(reader)
    }

    async fn largest_rowid(&self, _: &str, _: &str) -> TransferResult<Option<i64>> {
        Ok(None)
    }

    async fn own_notes(&self) -> TransferResult<OwnNotes> {
        let unfinished = own_tables::unfinished(&self.pool.take().await?.client, &self.schema).await?;
        let mut notes = OwnNotes {
            ledger: self.exists("cutover.ledger").await?,
            unfinished,
            ..OwnNotes::default()
        };
        if self.exists("cutover.planted_rows").await? {
            let sql = "SELECT table_name, key FROM cutover.planted_rows";
            for row in self.query(sql, &[]).await? {
                let table = noted(&row, "planted_rows", 0)?;
                let keys: &mut HashSet<String> = notes.planted.entry(table).or_default();
                keys.insert(noted(&row, "planted_rows", 1)?);
            }
        }
        if self.exists("cutover.quarantine").await? {
            let sql = "SELECT table_name, count(*) FROM cutover.quarantine WHERE schema_name = $1 GROUP BY table_name";
            let rows = self.query(sql, &[&self.schema]).await?;
            let counted = |row| Ok((noted(row, "quarantine", 0)?, count(row, 1)));
            notes.quarantined = rows.iter().map(counted).collect::<TransferResult<_>>()?;
        }
        if self.exists("cutover.made_table").await? {
            let sql = "SELECT table_name, source_table FROM cutover.made_table WHERE schema_name = $1";
            let rows = self.query(sql, &[&self.schema]).await?;
            let made = |row| Ok((noted(row, "made_table", 0)?, noted(row, "made_table", 1)?));
            notes.made = rows.iter().map(made).collect::<TransferResult<_>>()?;
        }
        if self.exists("cutover.rendering").await? {
            let sql = "SELECT table_name, column_name, source_table, source_column, rendering, class_column
                       FROM cutover.rendering WHERE schema_name = $1 ORDER BY table_name, column_name";
            let rows = self.query(sql, &[&self.schema]).await?;
            notes.rendered = rows.iter().map(rendered).collect::<TransferResult<_>>()?;
        }
        Ok(notes)
    }
}

/// A value in quarantine: an integer is kept as its digits, a real as its eight bytes.
fn stored<'a>(class: &str, bytes: &'a [u8]) -> Raw<'a> {
    let integer = || std::str::from_utf8(bytes).ok()?.parse().ok();
    match class {
        "null" => Raw::Null,
        "integer" if let Some(number) = integer() => Raw::Integer(number),
        "real" if let Ok(bits) = bytes.try_into() => Raw::Real(f64::from_be_bytes(bits)),
        "text" => Raw::Text(bytes),
        _ => Raw::Blob(bytes),
    }
}

fn count(row: &Row, at: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(at)).unwrap_or(0)
}

/// Of what cannot be read in it, a rendering is one that nobody knows, and a column of classes one that is not there: whoever compares the column
/// says so.
fn rendered(row: &Row) -> TransferResult<RenderedColumn> {
    let name = |at| noted(row, "rendering", at);
    Ok(RenderedColumn {
        table: name(0)?,
        column: name(1)?,
        source_table: name(2)?,
        source_column: name(3)?,
        rendering: text(row, 4).to_owned(),
        class_column: row.try_get(5).unwrap_or_else(|_| Some(String::new())),
    })
}

/// Which rows of a table are a part of it.
fn condition(part: Part) -> String {
    let Part::Range { by, from, until } = part else {
        return String::new();
    };
    let bound = |operator: &str, block: i64| format!("{} {operator} '({block},0)'::tid", quoted(by));
    let bounds = from.map(|block| bound(">=", block)).into_iter();
    let bounds: Vec<String> = bounds.chain(until.map(|block| bound("<", block))).collect();
    if bounds.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", bounds.join(" AND "))
    }
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(JoinHandle<TransferResult<T>>);

impl<T> AbortOnDrop<T> {
    async fn join(mut self) -> TransferResult<T> {
        (&mut self.0)
            .await
            .unwrap_or_else(|error| Err(TransferError::Failed(format!("reading was broken off: {error}"))))
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(
    client: &Client,
    sql: &str,
    table: &str,
    mut rows: BinaryRows,
    mut reader: RowReader,
) -> TransferResult<RowReader> {
    let stream = client
        .copy_out(sql)
        .await
        .map_err(|error| reading_error(table, &error))?;
    pin_mut!(stream);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| reading_error(table, &error))?;
        rows.feed(&chunk, &mut reader).ok_or_else(|| {
            TransferError::Failed(format!(
                "PostgreSQL sent the table {table:?} in a form that is not understood"
            ))
        })?;
    }
    // The end is marked; without the mark the last rows may be missing.
    if !rows.ended {
        return Err(TransferError::Unreachable(format!(
            "PostgreSQL broke off while sending the table {table:?}"
        )));
    }
    Ok(reader)
}

/// What a binary COPY begins with: a signature, four bytes of flags, and the length of a further header.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const HEADER_BYTES: usize = SIGNATURE.len() + 8;

/// Takes a binary COPY apart, however it is cut into pieces.
#[derive(Debug, Default)]
struct BinaryRows {
    /// What a piece ended with before a row was whole.
    rest: Vec<u8>,
    begun: bool,
    ended: bool,
    /// Whether each row begins with the place where it is kept.
    with_place: bool,
}

impl BinaryRows {
    /// None if the bytes are no binary COPY of such rows.
    fn feed(&mut self, piece: &[u8], reader: &mut RowReader) -> Option<()> {
        if self.rest.is_empty() {
            let used = self.take(piece, reader)?;
            self.rest.extend_from_slice(piece.get(used..)?);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend_from_slice(piece);
            let used = self.take(&bytes, reader)?;
            bytes.drain(..used);
            self.rest = bytes;
        }
        Some(())
    }

    /// Takes what is whole, and says how much that was.
    fn take(&mut self, bytes: &[u8], reader: &mut RowReader) -> Option<usize> {
        let mut used = 0;
        if !self.begun {
            if bytes.len() < HEADER_BYTES {
                return Some(0);
            }
            let further = bytes.get(HEADER_BYTES - 4..HEADER_BYTES)?;
            // There are no flags and no further header in any version so far.
            if !bytes.starts_with(SIGNATURE)
                || bytes.get(SIGNATURE.len()..HEADER_BYTES - 4)? != [0; 4]
                || further != [0; 4]
            {
                return None;
            }
            self.begun = true;
            used = HEADER_BYTES;
        }
        while let Some((fields, after)) = bytes.get(used..).and_then(|bytes| bytes.split_first_chunk::<2>()) {
            let Ok(fields) = usize::try_from(i16::from_be_bytes(*fields)) else {
                self.ended = true;
                return Some(bytes.len());
            };
            if self.ended {
                return None;
            }
            let Some(length) = row_length(after, fields) else {
                return Some(used);
            };
            self.row(after.get(..length)?, fields, reader)?;
            used += 2 + length;
        }
        Some(used)
    }

    fn row(&self, mut bytes: &[u8], fields: usize, reader: &mut RowReader) -> Option<()> {
        for at in 0..fields {
            let (length, after) = bytes.split_first_chunk::<4>()?;
            let (value, after) = match usize::try_from(i32::from_be_bytes(*length)) {
                Ok(length) => {
                    let (value, after) = after.split_at_checked(length)?;
                    (Raw::Postgres(value), after)
                }
                // -1: NULL.
                Err(_) => (Raw::Null, after),
            };
            bytes = after;
            match value {
                Raw::Postgres(place) if at == 0 && self.with_place => {
                    reader.place(String::from_utf8_lossy(place).into_owned());
                }
                value => reader.value(value),
            }
        }
        reader.end_row();
        Some(())
    }
}

/// The bytes of a row of so many fields, if all of them are here.
fn row_length(bytes: &[u8], fields: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..fields {
        let (length, _) = bytes.get(at..)?.split_first_chunk::<4>()?;
        at += 4 + usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
    }
    (at <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use cutover_domain::time::LegacyZone;
    use cutover_domain::transfer::canonical::{Form, Logical, Nulls};
    use cutover_domain::transfer::catalog::PgKind;
    use cutover_domain::transfer::digest::{Collector, Digest, RowShape};

    use super::*;

    fn reader() -> RowReader {
        let text = Form {
            logical: Logical::Text,
            postgres: Some(PgKind::Text),
            rendering: None,
            nulls: Nulls::NONE,
        };
        let shape = RowShape {
            left: vec![],
            forms: vec![text, text],
            key: vec![],
            zone: LegacyZone::utc(),
        };
        RowReader::new(&shape, &HashSet::new(), Collector::digests())
    }

    fn total(reader: RowReader) -> Digest {
        let mut total = Digest::default();
        if let Collector::Digests(digests) = reader.finish() {
            for digest in &digests {
                total.merge(digest);
            }
        }
        total
    }

    fn copy(rows: &[[Option<&str>; 2]]) -> Vec<u8> {
        let mut bytes = [SIGNATURE, &[0; 8]].concat();
        for row in rows {
            bytes.extend(2_i16.to_be_bytes());
            for value in row {
                bytes.extend(
                    value
                        .map_or(-1, |value| i32::try_from(value.len()).unwrap())
                        .to_be_bytes(),
                );
                bytes.extend(value.unwrap_or_default().as_bytes());
            }
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    #[test]
    fn however_a_copy_is_cut_its_rows_are_the_same() {
        let bytes = copy(&[
            [Some("a"), None],
            [Some(""), Some("long enough to be cut")],
            [None, None],
        ]);
        let mut expected = reader();
        for row in [
            [Some("a"), None],
            [Some(""), Some("long enough to be cut")],
            [None, None],
        ] {
            for value in row {
                expected.value(value.map_or(Raw::Null, |text| Raw::Postgres(text.as_bytes())));
            }
            expected.end_row();
        }
        let expected = total(expected);
        for size in 1..bytes.len() {
            let mut rows = BinaryRows::default();
            let mut reader = reader();
            for piece in bytes.chunks(size) {
                rows.feed(piece, &mut reader).unwrap();
            }
            assert!(rows.ended, "pieces of {size}");
            assert_eq!(total(reader), expected, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_copy_is_refused_and_an_end_too_early_seen() {
        let mut rows = BinaryRows::default();
        assert!(
            rows.feed(b"PGCOPY\n\xff\r\n\x01\0\0\0\0\0\0\0\0", &mut reader())
                .is_none()
        );
        let bytes = copy(&[[Some("a"), Some("b")]]);
        let mut rows = BinaryRows::default();
        rows.feed(&bytes[..bytes.len() - 2], &mut reader()).unwrap();
        assert!(!rows.ended);
        let mut rows = BinaryRows::default();
        assert!(
            rows.feed(&[bytes.as_slice(), &[0, 2]].concat(), &mut reader())
                .is_some()
        );
        assert!(rows.feed(&[0, 2], &mut reader()).is_none(), "rows behind the end");
    }
}
