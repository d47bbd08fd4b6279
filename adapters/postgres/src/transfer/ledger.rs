//! `cutover.ledger`: which tables have been copied into this database, from what, and when they were verified equal.

use cutover_domain::transfer::schema::literal;
use cutover_ports::transfer::{LedgerEntry, TransferResult};
use tokio_postgres::{GenericClient, Row};

use super::error::transfer_error;
use super::own_tables::noted;

/// All entries of the connection's default schema; none if nothing was ever copied or verified. Its statements are not prepared: the service
/// reads this through a pooler, too.
pub async fn read(client: &impl GenericClient) -> TransferResult<Vec<LedgerEntry>> {
    let exists = client
        .query_typed("SELECT to_regclass('cutover.ledger') IS NOT NULL", &[])
        .await
        .map_err(|error| transfer_error(&error))?;
    if !exists.iter().any(|row| row.get(0)) {
        return Ok(vec![]);
    }
    let sql = "SELECT table_name, source, fingerprint, rows, max_rowid, (extract(epoch FROM copied_at) * 1000000)::bigint,
                      (extract(epoch FROM verified_at) * 1000000)::bigint, digest
               FROM cutover.ledger WHERE schema_name = current_schema() ORDER BY table_name COLLATE \"C\"";
    let rows = client
        .query_typed(sql, &[])
        .await
        .map_err(|error| transfer_error(&error))?;
    rows.iter().map(entry).collect()
}

fn entry(row: &Row) -> TransferResult<LedgerEntry> {
    const OWN: &str = "ledger";
    Ok(LedgerEntry {
        table: noted(row, OWN, 0)?,
        source: noted(row, OWN, 1)?,
        fingerprint: noted(row, OWN, 2)?,
        rows: u64::try_from(noted::<i64>(row, OWN, 3)?).unwrap_or(0),
        max_rowid: noted(row, OWN, 4)?,
        copied_at: noted(row, OWN, 5)?,
        verified_at: noted(row, OWN, 6)?,
        digest: noted(row, OWN, 7)?,
    })
}

/// Notes that a table was verified equal just now.
pub async fn set_verified(client: &impl GenericClient, entry: &LedgerEntry) -> TransferResult<()> {
    let sql = "INSERT INTO cutover.ledger (schema_name, table_name, source, fingerprint, rows, max_rowid, verified_at, digest)
               VALUES (current_schema(), $1, $2, $3, $4, $5, now(), $6)
               ON CONFLICT (schema_name, table_name) DO UPDATE SET source = excluded.source, rows = excluded.rows, max_rowid = excluded.max_rowid,
                   verified_at = excluded.verified_at, digest = excluded.digest";
    let rows = i64::try_from(entry.rows).unwrap_or(i64::MAX);
    client
        .execute(
            sql,
            &[
                &entry.table,
                &entry.source,
                &entry.fingerprint,
                &rows,
                &entry.max_rowid,
                &entry.digest,
            ],
        )
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(())
}

/// The statement that notes a table as copied just now, and no longer as verified.
pub(super) fn note_copied(schema: &str, entry: &LedgerEntry) -> String {
    format!(
        "INSERT INTO cutover.ledger (schema_name, table_name, source, fingerprint, rows, max_rowid, copied_at)
         VALUES ({}, {}, {}, {}, {}, {}, now())
         ON CONFLICT (schema_name, table_name) DO UPDATE SET source = excluded.source, fingerprint = excluded.fingerprint, rows = excluded.rows,
             max_rowid = excluded.max_rowid, copied_at = excluded.copied_at, verified_at = NULL, digest = NULL",
        literal(schema),
        literal(&entry.table),
        literal(&entry.source),
        literal(&entry.fingerprint),
        entry.rows,
        entry.max_rowid.map_or_else(|| "NULL".to_owned(), |rowid| rowid.to_string())
    )
}
