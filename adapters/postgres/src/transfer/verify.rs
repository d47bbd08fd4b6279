//! A PostgreSQL database that is read to be compared. Nothing here is shared with the copy but the catalog.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::transfer::canonical::Raw;
use cutover_domain::transfer::catalog::Catalog;
use cutover_domain::transfer::digest::RowReader;
use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{OwnNotes, RowScan, TransferError, TransferResult, VerifySide};
use futures_util::{StreamExt as _, pin_mut};
use tokio_postgres::Client;

use super::catalog;
use super::error::{connect_error, transfer_error};
use crate::PgServer;

/// One snapshot of a database: a transaction that lasts as long as this value.
#[derive(Debug)]
pub struct VerifyDatabase {
    client: Client,
    description: String,
}

/// Timeouts of the server are for the service's short statements. Without row security the server says so if it would hide rows.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL row_security = off";

impl VerifyDatabase {
    /// Connects and begins the snapshot.
    pub async fn open(server: &PgServer) -> TransferResult<Self> {
        let client = server
            .connect("cutover verify")
            .await
            .map_err(|error| connect_error(&error))?;
        client
            .batch_execute(BEGIN)
            .await
            .map_err(|error| transfer_error(&error))?;
        Ok(Self {
            client,
            description: server.to_string(),
        })
    }

    async fn exists(&self, table: &str) -> TransferResult<bool> {
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        let row = self
            .client
            .query_one(sql, &[&table])
            .await
            .map_err(|error| transfer_error(&error))?;
        Ok(row.get(0))
    }

    async fn schema(&self) -> TransferResult<String> {
        let row = self.client.query_one("SELECT current_schema()::text", &[]).await;
        let schema: Option<String> = row.map_err(|error| transfer_error(&error))?.get(0);
        schema.ok_or_else(|| TransferError::Usage("the connection has no default schema".to_owned()))
    }
}

#[async_trait]
impl VerifySide for VerifyDatabase {
    fn describe(&self) -> String {
        self.description.clone()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        catalog::read(&self.client).await
    }

    async fn scan(&self, scan: &RowScan, mut reader: RowReader) -> TransferResult<RowReader> {
        let place = scan.place.iter().map(|place| format!("{}::text", quoted(place)));
        let columns = scan.columns.iter().map(|column| {
            let cast = if column.as_text { "::text" } else { "" };
            format!("{}{cast}", quoted(&column.name))
        });
        let columns: Vec<String> = place.chain(columns).collect();
        let sql = format!(
            "COPY (SELECT {} FROM ONLY {}.{}) TO STDOUT (FORMAT binary)",
            columns.join(", "),
            quoted(&self.schema().await?),
            quoted(&scan.table)
        );
        let stream = self
            .client
            .copy_out(&sql)
            .await
            .map_err(|error| transfer_error(&error))?;
        pin_mut!(stream);
        let mut rows = BinaryRows {
            with_place: scan.place.is_some(),
            ..BinaryRows::default()
        };
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| transfer_error(&error))?;
            rows.feed(&chunk, &mut reader).ok_or_else(|| {
                TransferError::Failed(format!(
                    "PostgreSQL sent the table {:?} in a form that is not understood",
                    scan.table
                ))
            })?;
        }
        // The end is marked; without the mark the last rows may be missing.
        if !rows.ended {
            return Err(TransferError::Unreachable(format!(
                "PostgreSQL broke off while sending the table {:?}",
                scan.table
            )));
        }
        Ok(reader)
    }

    async fn count_rows(&self, table: &str) -> TransferResult<u64> {
        let sql = format!(
            "SELECT count(*) FROM ONLY {}.{}",
            quoted(&self.schema().await?),
            quoted(table)
        );
        let row = self
            .client
            .query_one(&sql, &[])
            .await
            .map_err(|error| transfer_error(&error))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    async fn count_values(&self, table: &str, columns: &[String]) -> TransferResult<Vec<u64>> {
        let counts: Vec<String> = columns
            .iter()
            .map(|name| format!("count({})", quoted(name)))
            .collect();
        let schema = quoted(&self.schema().await?);
        let sql = format!(
            "SELECT {} FROM ONLY {schema}.{}",
            counts.join(", "),
            quoted(table)
        );
        let row = self
            .client
            .query_one(&sql, &[])
            .await
            .map_err(|error| transfer_error(&error))?;
        Ok((0..counts.len())
            .map(|at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0))
            .collect())
    }

    async fn largest_rowid(&self, _: &str, _: &str) -> TransferResult<Option<i64>> {
        Ok(None)
    }

    async fn own_notes(&self) -> TransferResult<OwnNotes> {
        let mut notes = OwnNotes {
            ledger: self.exists("cutover.ledger").await?,
            ..OwnNotes::default()
        };
        if self.exists("cutover.planted_rows").await? {
            let rows = self
                .client
                .query("SELECT table_name, key FROM cutover.planted_rows", &[])
                .await;
            for row in rows.map_err(|error| transfer_error(&error))? {
                let keys: &mut HashSet<String> = notes.planted.entry(row.get(0)).or_default();
                keys.insert(row.get(1));
            }
        }
        if self.exists("cutover.quarantine").await? {
            let sql = "SELECT table_name, count(*) FROM cutover.quarantine GROUP BY table_name";
            let rows = self
                .client
                .query(sql, &[])
                .await
                .map_err(|error| transfer_error(&error))?;
            let counts = rows
                .iter()
                .map(|row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).unwrap_or(0)));
            notes.quarantined = counts.collect();
        }
        Ok(notes)
    }
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
    use cutover_domain::transfer::canonical::{Form, Logical};
    use cutover_domain::transfer::catalog::PgKind;
    use cutover_domain::transfer::digest::{Collector, Digest, RowShape};

    use super::*;

    fn reader() -> RowReader {
        let text = Form {
            logical: Logical::Text,
            postgres: Some(PgKind::Text),
        };
        let shape = RowShape {
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
