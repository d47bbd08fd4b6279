//! How many rows each table holds.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_ports::StoreResult;
use cutover_ports::inventory::{Inventory, SeedRow, TableRows};

use crate::Database;
use crate::database::Session;

#[async_trait]
impl Inventory for Database {
    async fn count(
        &self,
        tables: &[&'static str],
        seeds: &'static [SeedRow],
    ) -> StoreResult<HashMap<&'static str, TableRows>> {
        let tables = tables.to_vec();
        self.read("inventory.count", move |session| {
            let mut counts = HashMap::new();
            for table in tables {
                if session.has_table(table)? {
                    counts.insert(table, count(session, table, seeds)?);
                }
            }
            Ok(counts)
        })
        .await
    }
}

fn count(session: &Session, table: &str, seeds: &[SeedRow]) -> StoreResult<TableRows> {
    const PLANTED: &str = "SELECT count(*) FROM _cutover_planted_rows WHERE table_name = ?1";
    let sql = format!("SELECT count(*), max(rowid) FROM {table}");
    let read = session.query_opt(&sql, [], |columns| Ok((columns.count()?, columns.opt_integer()?)))?;
    let (rows, max_rowid) = read.unwrap_or((0, None));
    let planted = match session.has_table("_cutover_planted_rows")? {
        true => session
            .query_opt(PLANTED, [table], |columns| columns.count())?
            .unwrap_or(0),
        false => 0,
    };
    let mut seeded = 0;
    for seed in seeds.iter().filter(|seed| seed.table == table) {
        let sql = format!("SELECT count(*) FROM {table} WHERE {} = ?1", seed.key_column);
        seeded += session
            .query_opt(&sql, [seed.key], |columns| columns.count())?
            .unwrap_or(0);
    }
    let max_rowid = max_rowid.and_then(|rowid| rowid.known().copied());
    Ok(TableRows {
        rows,
        own: rows.saturating_sub(planted + seeded),
        max_rowid,
    })
}
