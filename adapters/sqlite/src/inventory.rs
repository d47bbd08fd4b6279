//! How many rows each table holds.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_ports::inventory::{Inventory, TableRows};

use cutover_ports::{StoreError, StoreResult};

use crate::Database;
use crate::database::Session;
use crate::transfer::open::SourceFile;

#[async_trait]
impl Inventory for Database {
    async fn count(
        &self,
        tables: &[(&'static str, &'static str)],
    ) -> StoreResult<HashMap<&'static str, TableRows>> {
        let tables = tables.to_vec();
        self.read("inventory.count", move |session| count_all(session, &tables))
            .await
    }
}

/// The same of a file that nothing may change: opened for this question only, strictly to read.
#[async_trait]
impl Inventory for SourceFile {
    async fn count(
        &self,
        tables: &[(&'static str, &'static str)],
    ) -> StoreResult<HashMap<&'static str, TableRows>> {
        let (file, tables) = (self.clone(), tables.to_vec());
        let counting = tokio::task::spawn_blocking(move || {
            let reader = file
                .connect()
                .map_err(|error| StoreError::Unavailable(error.into()))?;
            count_all(&Session::on(reader.into_connection()), &tables)
        });
        counting
            .await
            .map_err(|error| StoreError::Backend(error.into()))?
    }
}

fn count_all(
    session: &Session,
    tables: &[(&'static str, &'static str)],
) -> StoreResult<HashMap<&'static str, TableRows>> {
    let mut counts = HashMap::new();
    for (table, seeds) in tables {
        if session.has_table(table)? {
            counts.insert(*table, count(session, table, seeds)?);
        }
    }
    Ok(counts)
}

fn count(session: &Session, table: &str, seeds: &str) -> StoreResult<TableRows> {
    const PLANTED: &str = "SELECT count(*) FROM _cutover_planted_rows WHERE table_name = ?1";
    let sql = format!("SELECT count(*), count(*) FILTER (WHERE {seeds}), max(rowid) FROM {table}");
    let read = session.query_opt(&sql, [], |columns| {
        Ok((columns.count()?, columns.count()?, columns.opt_integer()?))
    })?;
    let (rows, seeded, max_rowid) = read.unwrap_or((0, 0, None));
    let planted = if session.has_table("_cutover_planted_rows")? {
        session
            .query_opt(PLANTED, [table], |columns| columns.count())?
            .unwrap_or(0)
    } else {
        0
    };
    let max_rowid = max_rowid.and_then(|rowid| rowid.known().copied());
    Ok(TableRows {
        rows,
        planted,
        seeded,
        max_rowid,
    })
}
