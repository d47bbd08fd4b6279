//! How many rows each table holds.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_ports::StoreResult;
use cutover_ports::inventory::{Inventory, TableRows};
use postgres_types::Type;

use crate::Database;
use crate::database::Lease;
use crate::row::Columns;

#[async_trait]
impl Inventory for Database {
    async fn count(
        &self,
        tables: &[(&'static str, &'static str)],
    ) -> StoreResult<HashMap<&'static str, TableRows>> {
        const EXISTS: &str = "SELECT to_regclass($1) IS NOT NULL";
        let lease = self.lease("inventory.count").await?;
        let has_ledger = exists(&lease, EXISTS, "cutover.planted_rows").await?;
        let mut counts = HashMap::new();
        for (table, seeds) in tables {
            if exists(&lease, EXISTS, table).await? {
                counts.insert(*table, count(&lease, table, seeds, has_ledger).await?);
            }
        }
        Ok(counts)
    }
}

async fn exists(lease: &Lease, sql: &'static str, table: &str) -> StoreResult<bool> {
    let row = lease.query_one(sql, &[(&table, Type::TEXT)]).await?;
    Columns::new("pg_class", &row).get()
}

async fn count(lease: &Lease, table: &str, seeds: &str, has_ledger: bool) -> StoreResult<TableRows> {
    const PLANTED: &str = "SELECT count(*) FROM cutover.planted_rows WHERE table_name = $1";
    let sql = format!("SELECT count(*), count(*) FILTER (WHERE {seeds}) FROM {table}");
    let (mut rows, mut seeded, mut planted) = (0, 0, 0);
    if let Some(row) = lease.query_dynamic(&sql, &[]).await?.first() {
        let mut columns = Columns::new("count", row);
        (rows, seeded) = (columns.count()?, columns.count()?);
    }
    if has_ledger {
        let row = lease.query_one(PLANTED, &[(&table, Type::TEXT)]).await?;
        planted = Columns::new("count", &row).count()?;
    }
    Ok(TableRows {
        rows,
        planted,
        seeded,
        max_rowid: None,
    })
}
