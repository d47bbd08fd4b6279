//! A PostgreSQL database as a source: one snapshot, read by binary COPY.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use cutover_domain::transfer::blanks::Blanks;
use cutover_domain::transfer::catalog::{Catalog, Other, PgKind, Storage, Table};
use cutover_domain::transfer::convert::decode;
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::outcome::Reject;
use cutover_domain::transfer::rendering::Rendering;
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::survey::Oddities;
use cutover_domain::transfer::value::Value;
use cutover_ports::transfer::{
    Batches, Range, Scan, TransferError, TransferResult, TransferSource, UnfinishedRun,
};
use futures_util::StreamExt;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::catalog;
use super::connection::{self, Idle};
use super::error::{ONCE_MORE, connect_error, reading_error, transfer_error};
use super::own_tables::{self, noted, text};
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
    /// Connections that see the snapshot and have nothing to do.
    idle: Arc<Idle>,
    planted: HashMap<String, HashSet<Vec<u8>>>,
    /// Whether there is a place for rows in quarantine.
    has_quarantine: bool,
}

impl PgSource {
    /// Connects and takes the snapshot. Tables are read in `schema`, or in the default schema of the connection.
    pub async fn open(server: PgServer, schema: Option<String>) -> TransferResult<Self> {
        connection::refuse_pooled(&server).await?;
        let client = connection::connect(&server, schema.as_deref()).await?;
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(|error| transfer_error(&error))?;
        let row = client
            .query_one("SELECT pg_export_snapshot(), current_schema()::text", &[])
            .await
            .map_err(|error| transfer_error(&error))?;
        let found: Option<String> = row.get(1);
        let found = found.ok_or_else(|| catalog::no_schema(schema.as_deref()))?;
        own_tables::refuse_strange(&client).await?;
        Ok(Self {
            server,
            schema: found,
            snapshot: row.get(0),
            idle: Arc::default(),
            planted: planted(&client).await?,
            has_quarantine: own_tables::exist(&client).await?,
            keeper: Mutex::new(client),
        })
    }

    /// A connection that sees the snapshot.
    async fn reader(&self) -> TransferResult<Arc<Client>> {
        if let Some(client) = self.idle.take() {
            return Ok(client);
        }
        let client = connection::open(&self.server, connection::APPLICATION).await;
        let client = client.map_err(|error| connect_error(&error).and(ONCE_MORE))?;
        connection::set_up(&client, Some(&self.schema)).await?;
        let begin = format!(
            "{IN_ORDER}; {}; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}'; {UNLOCKED}",
            connection::PRINTED,
            self.snapshot
        );
        connection::run(&client, &begin)
            .await
            .map_err(|error| match error {
                // It ends with the connection that has taken it.
                TransferError::Data { .. } => TransferError::Unreachable(format!(
                    "the connection to PostgreSQL that held the snapshot was lost; {ONCE_MORE}"
                )),
                other => other,
            })?;
        Ok(Arc::new(client))
    }
}

/// The locks of what is read from here on are given up by [`UNLOCK`]: a transaction that kept those of some thousand tables and their
/// indexes would need more than the server has by default.
const UNLOCKED: &str = "SAVEPOINT unlocked";
const UNLOCK: &str = "ROLLBACK TO SAVEPOINT unlocked";

/// Rows in the order in which they lie, however often they are read.
const IN_ORDER: &str =
    "SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0; SET enable_indexscan = off;
    SET enable_indexonlyscan = off; SET enable_bitmapscan = off";

/// The number before the one that a table's sequence gives next, if it has not given any since somebody set it.
async fn restarted(client: &Client, schema: &str, table: &Table) -> TransferResult<Option<i64>> {
    let Some(column) = table.columns.iter().find(|column| column.is_numbered()) else {
        return Ok(None);
    };
    let of_table = format!("{}.{}", quoted(schema), quoted(&table.name));
    let sql = "SELECT n.nspname::text, c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
               WHERE c.oid = pg_get_serial_sequence($1, $2)::regclass AND has_sequence_privilege(c.oid, 'SELECT')";
    let found = client
        .query_opt(sql, &[&of_table, &column.name])
        .await
        .map_err(|error| transfer_error(&error))?;
    let Some(found) = found else { return Ok(None) };
    let sql = format!(
        "SELECT last_value - 1 FROM {}.{} WHERE NOT is_called",
        quoted(found.get(0)),
        quoted(found.get(1))
    );
    let row = client
        .query_opt(&sql, &[])
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(row.map(|row| row.get(0)))
}

/// What a table's rows are selected from: not from tables that inherit from it, which are copied as tables of their own.
fn rows_of(schema: &str, table: &Table) -> String {
    let only = if table.storage == Storage::Partitioned {
        ""
    } else {
        "ONLY "
    };
    format!("{only}{}.{}", quoted(schema), quoted(&table.name))
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
            let key: String = noted(&row, "planted_rows", 1)?;
            planted
                .entry(noted(&row, "planted_rows", 0)?)
                .or_default()
                .insert(key.into_bytes());
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
        let keeper = self.keeper.lock().await;
        let mut catalog = catalog::read_for_way_back(&*keeper).await?;
        catalog.origin = own_tables::origin(&keeper, &self.schema).await?;
        let known = catalog.origin.iter().flat_map(|origin| &origin.sequences);
        let known: HashSet<String> = known.map(|(of, _)| of.clone()).collect();
        let counts = |table: &&mut Table| match &table.made_for {
            Some(of) => known.contains(of),
            None => table.sequence.is_some(),
        };
        for table in catalog.tables.iter_mut().filter(counts) {
            if let Some(last) = restarted(&keeper, &self.schema, table).await? {
                table.sequence = Some(last);
            }
        }
        if let Some(origin) = &mut catalog.origin {
            for table in &catalog.tables {
                // What was given out since then counts as well.
                let name = table.made_for.as_ref();
                let mut known = origin.sequences.iter_mut();
                if let Some((_, last)) = known.find(|(of, _)| Some(of) == name) {
                    *last = table.sequence.unwrap_or(*last).max(*last);
                }
            }
        }
        let Catalog { tables, others, .. } = &mut catalog;
        for (name, rows) in own_tables::quarantined(&keeper, &self.schema).await? {
            if tables.iter().all(|table| table.name != name) {
                let told = format!(
                    "{}, and the table {name} that they belong to is not there any more; give it its name back, take them out of \
                     cutover.quarantine",
                    own_tables::in_quarantine(rows)
                );
                others.push(Other::in_quarantine(name, told));
            }
        }
        for moved in own_tables::moved(&keeper, &self.schema).await? {
            others.extend(moved.told(&self.schema));
        }
        Ok(catalog)
    }

    async fn schemas_beside(&self) -> TransferResult<Vec<String>> {
        let sql = r"SELECT DISTINCT n.nspname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND has_schema_privilege(n.oid, 'USAGE')
                      AND n.nspname NOT IN ($1, 'cutover', 'information_schema') AND n.nspname NOT LIKE 'pg\_%' ORDER BY 1";
        let rows = self.keeper.lock().await.query(sql, &[&self.schema]).await;
        let rows = rows.map_err(|error| transfer_error(&error))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>> {
        own_tables::unfinished(&*self.keeper.lock().await, &self.schema).await
    }

    async fn check(&self, _: &[String]) -> TransferResult<Vec<String>> {
        Ok(vec![])
    }

    async fn ranges(&self, _: &Table) -> TransferResult<Vec<Range>> {
        Ok(vec![Range::default()])
    }

    async fn oddities(&self, _: &Table) -> TransferResult<Oddities> {
        // Its constraints allow none, and its own catalog tells which of them are not valid.
        Ok(Oddities::default())
    }

    async fn scan(&self, scan: Scan) -> TransferResult<Box<dyn Batches>> {
        let client = self.reader().await?;
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let forms: Vec<Form> = scan
            .columns
            .iter()
            .map(|name| Form::of(&scan.table, name))
            .collect::<TransferResult<_>>()?;
        let columns = scan.columns.iter().zip(&forms).map(|(name, form)| {
            let printed = if form.is_printed { "::text" } else { "" };
            format!("{}{printed}", quoted(name))
        });
        let classes = forms.iter().filter_map(|form| form.class_column.as_ref());
        let columns: Vec<String> = columns.chain(classes.map(|name| quoted(name))).collect();
        let sql = format!(
            "COPY (SELECT {} FROM {} OFFSET {}) TO STDOUT (FORMAT binary)",
            columns.join(", "),
            rows_of(&self.schema, &scan.table),
            // Planted rows are counted by nobody, so that a place among the others is found by reading.
            if self.planted.contains_key(&scan.table.name) {
                0
            } else {
                scan.after.rows
            }
        );
        let decoder = Decoder::new(&scan, forms, self.planted.get(&scan.table.name));
        let (schema, table) = (self.schema.clone(), scan.table.name.clone());
        let (idle, has_quarantine) = (Arc::clone(&self.idle), self.has_quarantine);
        tokio::spawn(async move {
            let outcome = async {
                let Some(decoder) = read(&client, &sql, &scan.table.name, decoder, &sender).await? else {
                    return Ok(());
                };
                if has_quarantine {
                    quarantined(&client, &schema, &scan, decoder, &sender).await?;
                }
                connection::run(&client, UNLOCK).await?;
                idle.put(client);
                Ok(())
            };
            let end = outcome.await.map(|()| None);
            sender.send(end).await.unwrap_or_default();
        });
        Ok(Box::new(PgBatches { receiver, table }))
    }
}

/// What a task has read of a table: batches, then the end or an error.
type Told = TransferResult<Option<RowBatch>>;

/// The task tells of the end: one that is gone without a word has not come to it.
struct PgBatches {
    receiver: mpsc::Receiver<Told>,
    table: String,
}

#[async_trait]
impl Batches for PgBatches {
    async fn next(&mut self) -> TransferResult<Option<RowBatch>> {
        let told = self.receiver.recv().await;
        told.unwrap_or_else(|| Err(TransferError::cut_short(&self.table)))
    }
}

/// Sends the table's rows; gives the decoder back unless nobody listens any more.
async fn read(
    client: &Client,
    sql: &str,
    table: &str,
    mut decoder: Decoder,
    sender: &mpsc::Sender<Told>,
) -> TransferResult<Option<Decoder>> {
    let stream = client
        .copy_out(sql)
        .await
        .map_err(|error| reading_error(table, &error))?;
    let mut stream = std::pin::pin!(stream);
    while let Some(message) = stream.next().await {
        decoder.feed(&message.map_err(|error| reading_error(table, &error))?);
        while decoder.row()? {
            if decoder.batch.is_full() && sender.send(Ok(Some(decoder.take()))).await.is_err() {
                return Ok(None);
            }
        }
    }
    if !decoder.batch.is_empty() && sender.send(Ok(Some(decoder.take()))).await.is_err() {
        return Ok(None);
    }
    Ok(Some(decoder))
}

/// Behind the rows of a table come those that it could not hold, from the quarantine: they are part of what the source had.
async fn quarantined(
    client: &Client,
    schema: &str,
    scan: &Scan,
    mut decoder: Decoder,
    sender: &mpsc::Sender<Told>,
) -> TransferResult<()> {
    let mut skip = 0;
    if scan.after.rows > 0 {
        let sql = format!("SELECT count(*) FROM {}", rows_of(schema, &scan.table));
        let row = client
            .query_one(&sql, &[])
            .await
            .map_err(|error| transfer_error(&error))?;
        let in_table = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
        skip = i64::try_from(scan.after.rows.saturating_sub(in_table)).unwrap_or(i64::MAX);
    }
    let sql = "SELECT columns, classes, \"values\", key FROM cutover.quarantine WHERE schema_name = $1 AND table_name = $2
               ORDER BY part, position OFFSET $3";
    let given: [&(dyn ToSql + Sync); 3] = [&schema, &scan.table.name, &skip];
    // As they come: there may be more than fit into memory.
    let rows = client
        .query_raw(sql, given)
        .await
        .map_err(|error| transfer_error(&error))?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.next().await {
        let row = row.map_err(|error| transfer_error(&error))?;
        decoder.batch.set_quarantined();
        let columns: Vec<&str> = noted(&row, "quarantine", 0)?;
        let classes: Vec<&str> = noted(&row, "quarantine", 1)?;
        let values: Vec<Option<&[u8]>> = noted(&row, "quarantine", 2)?;
        let names: Vec<&str> = scan
            .columns
            .iter()
            .map(|name| original(&scan.table, name))
            .collect();
        let mut given = columns.iter().zip(&classes);
        if let Some((gone, _)) = given.find(|(name, class)| **class != "null" && !names.contains(name)) {
            return Err(TransferError::Refused(format!(
                "the row of {} where {} is in quarantine with a value of the column {gone}, which the table has no more; give the column its \
                 name back, or take the row out of cutover.quarantine",
                scan.table.name,
                text(&row, 3)
            )));
        }
        for name in names {
            let at = columns.iter().position(|column| *column == name);
            let value = at.and_then(|at| Some((*classes.get(at)?, (*values.get(at)?)?)));
            push_exact(value, &mut decoder.batch);
        }
        decoder.next += 1;
        if decoder.batch.is_full() && sender.send(Ok(Some(decoder.take()))).await.is_err() {
            return Ok(());
        }
    }
    if !decoder.batch.is_empty() {
        // A receiver that has gone away wants no more.
        sender.send(Ok(Some(decoder.take()))).await.unwrap_or_default();
    }
    Ok(())
}

/// What a column is called in the file that it was made for.
fn original<'a>(table: &'a Table, name: &'a str) -> &'a str {
    let made_for = table.column(name).and_then(|column| column.made_for.as_ref());
    made_for.map_or(name, |made_for| &made_for.column)
}

/// Adds a value as the quarantine keeps it: its class, and its exact bytes. What is none, because somebody has changed it there, is refused.
fn push_exact(value: Option<(&str, &[u8])>, batch: &mut RowBatch) {
    let Some((class, bytes)) = value else {
        return batch.push_null();
    };
    let integer = || std::str::from_utf8(bytes).ok()?.parse().ok();
    match class {
        "integer" if let Some(number) = integer() => batch.push_integer(number),
        "real" if let Ok(bits) = bytes.try_into() => batch.push_real(f64::from_be_bytes(bits)),
        "text" => batch.push_text(bytes),
        // It was not expressed on the way here either.
        "utf16" => batch.push_refused_text(bytes),
        "blob" => batch.push_blob(bytes),
        _ => batch.push_refused(bytes, Reject::NoForm),
    }
}

/// How a column is read.
struct Form {
    kind: PgKind,
    rendering: Option<Rendering>,
    blanks: Blanks,
    class_column: Option<String>,
    /// Whether its values come as the server prints them: in binary form nobody here knows them.
    is_printed: bool,
}

impl Form {
    /// Refused if the column has another type by now than a copy has made it with: what was noted of its values is not about these.
    fn of(table: &Table, name: &str) -> TransferResult<Self> {
        let column = table.columns.iter().find(|column| column.name == name);
        let made_for = column.and_then(|column| column.made_for.clone());
        let made_for = made_for.unwrap_or_default();
        let pg_type = column.and_then(|column| column.pg_type());
        let kind = pg_type.map_or(PgKind::Other, |is| is.kind);
        if let Some(rendering) = &made_for.rendering {
            let made = rendering.pg_type();
            if !kind.is_sent_like(made.kind) {
                return Err(TransferError::Refused(format!(
                    "{}.{name} was made as {} and is {} now: how its values are written in SQLite was noted for the former. Give it its \
                     type back (ALTER TABLE … ALTER COLUMN … TYPE {}), or leave the table out (--exclude)",
                    table.name,
                    made.name,
                    pg_type.map_or("of another type", |is| &is.name),
                    made.name
                )));
            }
            if rendering.has_class() && made_for.class_column.is_none() {
                return Err(TransferError::Refused(format!(
                    "{}.{name} holds values of several classes, and the column beside it that tells which (cutover.rendering notes its name) \
                     is gone. Give it its name back (ALTER TABLE … RENAME COLUMN), or leave the table out (--exclude)",
                    table.name
                )));
            }
        }
        let is_printed = kind == PgKind::Other;
        Ok(Self {
            kind: if is_printed { PgKind::Text } else { kind },
            is_printed,
            rendering: made_for.rendering,
            blanks: made_for.blanks,
            class_column: made_for.class_column,
        })
    }
}

/// Turns the bytes of a binary COPY into rows: the columns' values, then the classes of those that have some. The server sends a row a
/// message, which nothing here relies on.
struct Decoder {
    forms: Vec<Form>,
    /// How many fields a row has.
    width: usize,
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
    fn new(scan: &Scan, forms: Vec<Form>, planted: Option<&HashSet<Vec<u8>>>) -> Self {
        let key = |table: &Table| {
            let key = table.primary_key.as_ref().filter(|key| key.columns.len() == 1)?;
            scan.columns
                .iter()
                .position(|column| Some(column) == key.columns.first())
        };
        Self {
            width: forms.len() + forms.iter().filter(|form| form.class_column.is_some()).count(),
            forms,
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
        std::mem::replace(&mut self.batch, RowBatch::new(self.forms.len(), self.next))
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
        let Some((fields, length)) = fields(&self.buffer, self.width).ok_or_else(broken)? else {
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
                let (values, mut classes) = fields.split_at(self.forms.len());
                for (form, field) in self.forms.iter().zip(values) {
                    let class = form.class_column.as_ref().and_then(|_| {
                        let (first, rest) = classes.split_first()?;
                        classes = rest;
                        *first
                    });
                    match (&form.rendering, field, form.blanks.back()) {
                        (_, None, Some(blank)) => self.batch.push_text(blank.text().as_bytes()),
                        (Some(rendering), ..) => rendering.decode(*field, class, &mut self.batch),
                        (None, ..) => decode(form.kind, *field, &mut self.batch),
                    }
                    // A text that is to be NULL, and is none here, is nothing that a copy has written.
                    if !form.blanks.is_none() && field.is_some() {
                        let is_blank = |value: Value<'_>| form.blanks.of(value).is_some();
                        self.batch.refuse_last_if(is_blank, Reject::NoForm);
                    }
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
    use cutover_domain::transfer::value::Value;

    use super::*;

    #[tokio::test]
    async fn a_reader_that_is_gone_is_no_end_of_its_table() {
        let (sender, receiver) = mpsc::channel(1);
        let mut batches = PgBatches {
            receiver,
            table: "t".to_owned(),
        };
        sender.send(Ok(Some(RowBatch::new(1, 0)))).await.unwrap();
        drop(sender);
        assert!(matches!(batches.next().await, Ok(Some(_))));
        let stopped = batches.next().await.map(|_| "batch");
        assert!(
            matches!(&stopped, Err(TransferError::Failed(text)) if text.contains("the table t ")),
            "{stopped:?}"
        );
    }

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
                forms: [PgKind::Int8, PgKind::Text]
                    .map(|kind| Form {
                        kind,
                        rendering: None,
                        blanks: Blanks::default(),
                        class_column: None,
                        is_printed: false,
                    })
                    .into(),
                width: 2,
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
