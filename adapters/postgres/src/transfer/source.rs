//! A PostgreSQL database as a source: one snapshot, read by binary COPY.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use cutover_domain::transfer::catalog::{Catalog, PgKind, Table};
use cutover_domain::transfer::convert::decode;
use cutover_domain::transfer::name::{quoted, quoted_list};
use cutover_domain::transfer::rows::RowBatch;
use cutover_ports::transfer::{Batches, Scan, TransferError, TransferResult, TransferSource};
use futures_util::StreamExt;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::Client;

use super::catalog;
use super::error::{connect_error, transfer_error};
use crate::PgServer;

/// Batches read ahead.
const BATCHES_AHEAD: usize = 4;
/// Signature and flags; then the length of an extension, which nobody uses.
const HEADER_BYTES: usize = 19;

/// A snapshot of a PostgreSQL database.
#[derive(Debug)]
pub struct PgSource {
    server: PgServer,
    schema: String,
    /// Exports the snapshot and keeps it alive.
    keeper: Mutex<Client>,
    snapshot: String,
    planted: HashMap<String, HashSet<Vec<u8>>>,
}

impl PgSource {
    /// Connects and takes the snapshot.
    pub async fn open(server: PgServer) -> TransferResult<Self> {
        let client = connect(&server).await?;
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(|error| transfer_error(&error))?;
        let row = client
            .query_one("SELECT pg_export_snapshot(), current_schema()::text", &[])
            .await
            .map_err(|error| transfer_error(&error))?;
        let schema: Option<String> = row.get(1);
        Ok(Self {
            server,
            schema: schema.unwrap_or_else(|| "public".to_owned()),
            snapshot: row.get(0),
            planted: planted(&client).await?,
            keeper: Mutex::new(client),
        })
    }
}

async fn connect(server: &PgServer) -> TransferResult<Client> {
    let client = server
        .connect("cutover copy")
        .await
        .map_err(|error| connect_error(&error))?;
    // Rows in the order in which they lie, however often they are read; no limits meant for other programs.
    client
        .batch_execute(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET client_encoding = 'UTF8';
             SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0; SET enable_indexscan = off;
             SET enable_indexonlyscan = off; SET enable_bitmapscan = off",
        )
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(client)
}

async fn planted(client: &Client) -> TransferResult<HashMap<String, HashSet<Vec<u8>>>> {
    let sql = "SELECT to_regclass('cutover.planted_rows') IS NOT NULL";
    let mut planted: HashMap<String, HashSet<Vec<u8>>> = HashMap::new();
    if client
        .query_one(sql, &[])
        .await
        .map_err(|error| transfer_error(&error))?
        .get(0)
    {
        let sql = "SELECT table_name, key FROM cutover.planted_rows";
        for row in client
            .query(sql, &[])
            .await
            .map_err(|error| transfer_error(&error))?
        {
            planted
                .entry(row.get(0))
                .or_default()
                .insert(row.get::<_, String>(1).into_bytes());
        }
    }
    Ok(planted)
}

#[async_trait]
impl TransferSource for PgSource {
    fn describe(&self) -> String {
        self.server.redacted()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        catalog::read(&*self.keeper.lock().await).await
    }

    async fn check(&self) -> TransferResult<()> {
        Ok(())
    }

    async fn scan(&self, scan: Scan) -> TransferResult<Box<dyn Batches>> {
        let client = connect(&self.server).await?;
        client
            .batch_execute(&format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}'",
                self.snapshot
            ))
            .await
            .map_err(|error| transfer_error(&error))?;
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let sql = format!(
            "COPY (SELECT {} FROM ONLY {}.{} OFFSET {}) TO STDOUT (FORMAT binary)",
            quoted_list(&scan.columns),
            quoted(&self.schema),
            quoted(&scan.table.name),
            // Planted rows are counted by nobody, so that a place among the others is found by reading.
            if self.planted.contains_key(&scan.table.name) {
                0
            } else {
                scan.after.rows
            }
        );
        let decoder = Decoder::new(&scan, self.planted.get(&scan.table.name));
        tokio::spawn(async move {
            if let Err(error) = read(&client, &sql, decoder, &sender).await {
                sender.send(Err(error)).await.unwrap_or_default();
            }
        });
        Ok(Box::new(PgBatches(receiver)))
    }
}

struct PgBatches(mpsc::Receiver<TransferResult<RowBatch>>);

#[async_trait]
impl Batches for PgBatches {
    async fn next(&mut self) -> TransferResult<Option<RowBatch>> {
        self.0.recv().await.transpose()
    }
}

async fn read(
    client: &Client,
    sql: &str,
    mut decoder: Decoder,
    sender: &mpsc::Sender<TransferResult<RowBatch>>,
) -> TransferResult<()> {
    let stream = client
        .copy_out(sql)
        .await
        .map_err(|error| transfer_error(&error))?;
    let mut stream = std::pin::pin!(stream);
    while let Some(message) = stream.next().await {
        decoder.feed(&message.map_err(|error| transfer_error(&error))?);
        while decoder.row()? {
            if decoder.batch.is_full() && sender.send(Ok(decoder.take())).await.is_err() {
                return Ok(());
            }
        }
    }
    if !decoder.batch.is_empty() {
        // A receiver that has gone away wants no more.
        sender.send(Ok(decoder.take())).await.unwrap_or_default();
    }
    Ok(())
}

/// Turns the bytes of a binary COPY into rows. The server sends a row a message, which nothing here relies on.
struct Decoder {
    kinds: Vec<PgKind>,
    /// The place of the key and the keys of planted rows.
    planted: Option<(usize, HashSet<Vec<u8>>)>,
    /// Rows still to be passed over, because an earlier scan gave them.
    skip: u64,
    buffer: BytesMut,
    at_start: bool,
    batch: RowBatch,
    next: u64,
}

impl Decoder {
    fn new(scan: &Scan, planted: Option<&HashSet<Vec<u8>>>) -> Self {
        let kind = |name: &String| {
            scan.table
                .column(name)
                .and_then(|column| column.pg_type())
                .map_or(PgKind::Other, |kind| kind.kind)
        };
        let key = |table: &Table| {
            let key = table.primary_key.as_ref().filter(|key| key.columns.len() == 1)?;
            scan.columns
                .iter()
                .position(|column| Some(column) == key.columns.first())
        };
        Self {
            kinds: scan.columns.iter().map(kind).collect(),
            skip: if planted.is_some() { scan.after.rows } else { 0 },
            planted: planted.and_then(|keys| Some((key(&scan.table)?, keys.clone()))),
            buffer: BytesMut::new(),
            at_start: true,
            batch: RowBatch::new(scan.columns.len(), scan.after.rows),
            next: scan.after.rows,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn take(&mut self) -> RowBatch {
        std::mem::replace(&mut self.batch, RowBatch::new(self.kinds.len(), self.next))
    }

    /// Decodes a row if a whole one is there.
    fn row(&mut self) -> TransferResult<bool> {
        let broken = || TransferError::Failed("PostgreSQL sent a COPY stream that cannot be read".to_owned());
        if self.at_start {
            if self.buffer.len() < HEADER_BYTES {
                return Ok(false);
            }
            self.buffer.advance(HEADER_BYTES);
            self.at_start = false;
        }
        let Some((fields, length)) = fields(&self.buffer, self.kinds.len()).ok_or_else(broken)? else {
            return Ok(false);
        };
        let planted = self.planted.as_ref().is_some_and(|(at, keys)| {
            fields
                .get(*at)
                .copied()
                .flatten()
                .is_some_and(|key| keys.contains(key))
        });
        if !planted && !fields.is_empty() {
            if self.skip > 0 {
                self.skip -= 1;
            } else {
                for (kind, field) in self.kinds.iter().zip(fields) {
                    decode(*kind, field, &mut self.batch);
                }
                self.next += 1;
            }
        }
        self.buffer.advance(length);
        Ok(length > 0)
    }
}

type Fields<'a> = Vec<Option<&'a [u8]>>;

/// The fields of the row at the beginning of `bytes` and the row's length, `Some(None)` if it is not all there; the trailer is
/// a row without fields. None if this is no such row.
#[expect(clippy::option_option, reason = "none: broken; some none: wait for more")]
fn fields(bytes: &[u8], width: usize) -> Option<Option<(Fields<'_>, usize)>> {
    let Some(count) = bytes.first_chunk::<2>() else {
        return Some(None);
    };
    let count = i16::from_be_bytes(*count);
    if count == -1 {
        return Some(Some((vec![], 2)));
    }
    if usize::try_from(count).ok()? != width {
        return None;
    }
    let mut fields = Vec::with_capacity(width);
    let mut at = 2;
    for _ in 0..width {
        let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Some(None);
        };
        at += 4;
        match i32::from_be_bytes(*length) {
            -1 => fields.push(None),
            length => {
                let end = at + usize::try_from(length).ok()?;
                let Some(field) = bytes.get(at..end) else {
                    return Some(None);
                };
                fields.push(Some(field));
                at = end;
            }
        }
    }
    Some(Some((fields, at)))
}

#[cfg(test)]
mod tests {
    use cutover_domain::transfer::rows::Value;

    use super::*;

    #[test]
    fn rows_are_found_in_pieces_of_any_size() {
        let mut stream = vec![0_u8; HEADER_BYTES];
        for number in [1_i64, -2] {
            stream.extend_from_slice(&2_i16.to_be_bytes());
            stream.extend_from_slice(&8_i32.to_be_bytes());
            stream.extend_from_slice(&number.to_be_bytes());
            stream.extend_from_slice(&(-1_i32).to_be_bytes());
        }
        stream.extend_from_slice(&(-1_i16).to_be_bytes());
        for size in 1..stream.len() {
            let mut decoder = Decoder {
                kinds: vec![PgKind::Int8, PgKind::Text],
                planted: None,
                skip: 0,
                buffer: BytesMut::new(),
                at_start: true,
                batch: RowBatch::new(2, 0),
                next: 0,
            };
            for piece in stream.chunks(size) {
                decoder.feed(piece);
                while decoder.row().unwrap() {}
            }
            let rows: Vec<Vec<_>> = decoder.batch.rows().map(|row| row.values().collect()).collect();
            assert_eq!(
                rows,
                [
                    [Value::Integer(1), Value::Null],
                    [Value::Integer(-2), Value::Null]
                ]
            );
        }
    }
}
