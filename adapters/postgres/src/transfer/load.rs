//! Rows into a table, by binary COPY, a few megabytes a transaction.

use std::ops::Range;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use cutover_domain::transfer::name::{quoted, quoted_list};
use cutover_domain::transfer::outcome::Reject;
use cutover_domain::transfer::plan::TablePlan;
use cutover_domain::transfer::rows::{Row, RowBatch};
use cutover_domain::transfer::survey::{RejectedRow, RowJudge, rejected_row};
use cutover_domain::transfer::value::Value;
use cutover_ports::transfer::{
    Care, LoadPart, Position, QuarantinedRow, TableLoader, TableProgress, TransferError, TransferResult,
};
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::connection::{Bracket, TRANSACTION, Worker, run};
use super::error::transfer_error;
use super::own_tables;

/// Sent to the server at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Committed at once.
const COMMIT_BYTES: u64 = 32 * 1024 * 1024;
/// Committed at once if it is written frozen.
const FROZEN_BYTES: u64 = 128 * 1024 * 1024;
/// A table of less is not worth being emptied first.
const FROZEN_FROM: u64 = 4 * 1024 * 1024;
/// Refused rows kept until the next commit.
const QUARANTINE_BYTES: usize = 8 * 1024 * 1024;
/// Before the first row: a signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Behind the last row.
const COPY_TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// A COPY at work within a transaction.
struct OpenCopy {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    chunk: Vec<u8>,
    bytes: u64,
    /// It is time to commit when it has so many.
    full: u64,
}

/// Loads a part of a table.
pub(super) struct PgLoader {
    into: Into,
    judge: RowJudge,
    plan: TablePlan,
    /// Rows to be quarantined because their key came before, ascending.
    duplicates: Vec<u64>,
    /// What has been written, committed or not.
    progress: TableProgress,
    /// What has been committed.
    committed: Position,
    open: Option<OpenCopy>,
    quarantine: Vec<QuarantinedRow>,
    quarantine_bytes: usize,
    /// Rows that the server refused.
    refused: Vec<RejectedRow>,
    /// Whether the transaction came to its end without its rows.
    has_ended: bool,
}

/// Where a loader writes.
pub(super) struct Into {
    pub(super) worker: Worker,
    pub(super) bracket: Bracket,
    pub(super) schema: String,
    pub(super) part: LoadPart,
    pub(super) care: Care,
}

impl PgLoader {
    /// Goes on from where the part's load has come to.
    pub(super) async fn new(
        into: Into,
        plan: &TablePlan,
        judge: RowJudge,
        duplicates: &[u64],
    ) -> TransferResult<Self> {
        let progress =
            own_tables::progress(into.worker.client(), &into.schema, &plan.target, into.part.number).await?;
        Ok(Self {
            into,
            judge,
            plan: plan.clone(),
            duplicates: duplicates.to_vec(),
            committed: progress.position,
            progress,
            open: None,
            quarantine: Vec::new(),
            quarantine_bytes: 0,
            refused: Vec::new(),
            has_ended: false,
        })
    }

    async fn begin(&mut self) -> TransferResult<OpenCopy> {
        let table = format!("{}.{}", quoted(&self.into.schema), quoted(&self.plan.target));
        let begin = self.into.bracket.begin;
        // Rows that nobody can see before they are committed need not be looked at again by whoever reads them next, to note that they are. The
        // server knows that of a table that was emptied in the same transaction.
        let is_frozen = self.is_alone();
        let (begin, frozen) = if is_frozen {
            (format!("{begin}; TRUNCATE {table}"), ", FREEZE")
        } else {
            (begin.to_owned(), "")
        };
        run(self.into.worker.client(), &begin).await?;
        let copy = format!(
            "COPY {table} ({}) FROM STDIN (FORMAT binary{frozen})",
            quoted_list(self.plan.target_columns())
        );
        let sink = self
            .into
            .worker
            .client()
            .copy_in(&copy)
            .await
            .map_err(|error| transfer_error(&error))?;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
        chunk.extend_from_slice(COPY_HEADER);
        Ok(OpenCopy {
            sink: Box::pin(sink),
            chunk,
            bytes: 0,
            full: if is_frozen { FROZEN_BYTES } else { COMMIT_BYTES },
        })
    }

    /// Whether the table is the copy's own, large, and empty.
    fn is_alone(&self) -> bool {
        let part = self.into.part;
        let is_new = self.progress == TableProgress::default() && self.committed == Position::default();
        part.is_whole && part.bytes >= FROZEN_FROM && is_new && self.into.care == Care::None
    }

    fn add(&mut self, batch: &RowBatch, row: Row<'_>, chunk: &mut Vec<u8>) {
        let outcome = match self.duplicates.binary_search(&row.ordinal()) {
            Ok(_) => Err((self.plan.unproven_column(), Reject::DuplicateKey)),
            Err(_) => self.judge.judge(batch, row, chunk, |_, _| {}),
        };
        match outcome {
            Ok(()) => self.progress.written += 1,
            Err((column, reject)) => {
                self.put_aside(batch, row, rejected_row(&self.plan, row, column, reject));
            }
        }
        self.progress.position = Position::behind(row);
    }

    fn put_aside(&mut self, batch: &RowBatch, row: Row<'_>, named: RejectedRow) {
        self.progress.rejected += 1;
        self.quarantine_bytes += row
            .values()
            .map(|value| match value {
                Value::Text(bytes) | Value::Blob(bytes) => bytes.len(),
                Value::Null | Value::Integer(_) | Value::Real(_) => 16,
            })
            .sum::<usize>();
        self.quarantine.push(quarantined(batch, row, named));
    }

    /// Ends the COPY and commits its rows, the refused ones and the progress as one.
    async fn commit(&mut self, mut open: OpenCopy) -> TransferResult<()> {
        open.chunk.extend_from_slice(&COPY_TRAILER);
        open.send().await?;
        open.sink
            .as_mut()
            .finish()
            .await
            .map_err(|error| transfer_error(&error))?;
        self.progress.bytes += open.bytes;
        let into = &self.into;
        own_tables::quarantine(
            into.worker.client(),
            &into.schema,
            &self.plan,
            into.part.number,
            &self.quarantine,
        )
        .await?;
        self.quarantine.clear();
        self.quarantine_bytes = 0;
        let progress = &self.progress;
        own_tables::set_progress(
            into.worker.client(),
            &into.schema,
            &self.plan.target,
            into.part.number,
            self.committed,
            progress,
        )
        .await?;
        let committed = run(into.worker.client(), into.bracket.commit).await;
        // A deferred constraint refuses rows as late as that, and the transaction has ended all the same.
        self.has_ended = committed.is_err() && into.bracket.commit == TRANSACTION.commit;
        committed?;
        self.committed = self.progress.position;
        Ok(())
    }

    async fn write_rows(&mut self, batch: &RowBatch) -> TransferResult<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        for row in batch.rows() {
            self.add(batch, row, &mut open.chunk);
            if open.chunk.len() >= CHUNK_BYTES {
                open.send().await?;
            }
        }
        if open.bytes >= open.full || self.quarantine_bytes >= QUARANTINE_BYTES {
            return self.commit(open).await;
        }
        self.open = Some(open);
        Ok(())
    }

    /// Writes a batch in smaller and smaller pieces, until the rows that the server refuses are alone.
    async fn write_carefully(&mut self, batch: &RowBatch) -> TransferResult<()> {
        let mut pieces = vec![(0, batch.len())];
        while let Some((start, end)) = pieces.pop() {
            let before = self.progress;
            let outcome = self.write_piece(batch, start..end).await;
            let message = match self.settle(outcome).await {
                Err(TransferError::Data { message, .. }) => message,
                other => {
                    other?;
                    continue;
                }
            };
            self.progress = before;
            self.quarantine.clear();
            self.quarantine_bytes = 0;
            if end - start > 1 {
                let middle = start.midpoint(end);
                pieces.push((middle, end));
                pieces.push((start, middle));
            } else if let Some(row) = batch.rows().nth(start) {
                self.refuse(batch, row, message).await?;
            }
        }
        Ok(())
    }

    async fn write_piece(&mut self, batch: &RowBatch, piece: Range<usize>) -> TransferResult<()> {
        let mut open = self.begin().await?;
        for row in batch.rows().skip(piece.start).take(piece.len()) {
            self.add(batch, row, &mut open.chunk);
        }
        self.commit(open).await
    }

    /// Keeps a row apart that the server refuses, or ends the load by its name.
    async fn refuse(&mut self, batch: &RowBatch, row: Row<'_>, message: String) -> TransferResult<()> {
        let named = RejectedRow {
            reason: message,
            ..rejected_row(&self.plan, row, 0, Reject::RowTooWide)
        };
        if self.into.care == Care::Naming {
            return Err(TransferError::Data {
                row: format!("{} where {}", named.table, named.key),
                message: named.reason,
            });
        }
        self.refused.push(named.clone());
        let open = self.begin().await?;
        self.put_aside(batch, row, named);
        self.progress.position = Position::behind(row);
        let outcome = self.commit(open).await;
        self.settle(outcome).await
    }

    async fn finish_rows(&mut self) -> TransferResult<()> {
        self.progress.done = true;
        let open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        self.commit(open).await
    }

    /// Undoes what was not committed, where the connection goes on to be used.
    async fn settle<T>(&mut self, outcome: TransferResult<T>) -> TransferResult<T> {
        if outcome.is_err() && !std::mem::take(&mut self.has_ended) {
            // The first error is the one to tell.
            drop(run(self.into.worker.client(), self.into.bracket.rollback).await);
        }
        outcome
    }
}

impl OpenCopy {
    async fn send(&mut self) -> TransferResult<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4));
        self.bytes += u64::try_from(chunk.len()).unwrap_or(0);
        self.sink
            .send(Bytes::from(chunk))
            .await
            .map_err(|error| transfer_error(&error))
    }
}

#[async_trait]
impl TableLoader for PgLoader {
    async fn write(&mut self, batch: RowBatch) -> TransferResult<()> {
        if self.into.care != Care::None {
            return self.write_carefully(&batch).await;
        }
        let outcome = self.write_rows(&batch).await;
        self.settle(outcome).await
    }

    async fn finish(&mut self) -> TransferResult<TableProgress> {
        let outcome = self.finish_rows().await;
        self.settle(outcome).await?;
        self.into.worker.give_back();
        Ok(self.progress)
    }

    fn refused(&mut self) -> Vec<RejectedRow> {
        std::mem::take(&mut self.refused)
    }
}

fn quarantined(batch: &RowBatch, row: Row<'_>, named: RejectedRow) -> QuarantinedRow {
    // A text that the source could not express is in the bytes of its file.
    let class = |(column, value): (usize, Value<'_>)| match value {
        Value::Text(_) if batch.refuses(row, column) => "utf16",
        value => value.class().as_str(),
    };
    QuarantinedRow {
        position: row.ordinal(),
        key: named.key,
        column: named.column,
        reason: named.reason,
        classes: row.values().enumerate().map(class).collect(),
        values: row
            .values()
            .map(|value| match value {
                Value::Null => None,
                Value::Integer(number) => Some(number.to_string().into_bytes()),
                Value::Real(number) => Some(number.to_be_bytes().to_vec()),
                Value::Text(bytes) | Value::Blob(bytes) => Some(bytes.to_vec()),
            })
            .collect(),
    }
}
