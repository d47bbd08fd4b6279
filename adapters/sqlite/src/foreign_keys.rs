//! Rows referred to across databases.

use async_trait::async_trait;
use cutover_domain::relations::{OnDelete, Relation};
use cutover_ports::{PortableRow, ReferredRows, StoreResult};
use rusqlite::types::Value;

use crate::Database;
use crate::error::is_unnamed_foreign_key;
use crate::row::sql_value;

#[async_trait]
impl ReferredRows for Database {
    async fn row(
        &self,
        table: &'static str,
        key_column: &'static str,
        key: &str,
    ) -> StoreResult<Option<PortableRow>> {
        let key = key.to_owned();
        self.read("foreign_keys.row", move |session| {
            let sql = format!("SELECT * FROM {table} WHERE {key_column} = ?1");
            session.query_opt(&sql, [key], |columns| columns.portable_row())
        })
        .await
    }

    async fn exists(&self, table: &'static str, key_column: &'static str, key: &str) -> StoreResult<bool> {
        let key = key.to_owned();
        self.look_up("foreign_keys.exists", move |session| {
            let sql = format!("SELECT 1 FROM {table} WHERE {key_column} = ?1");
            Ok(session.query_opt(&sql, [&key], |_| Ok(()))?.is_some())
        })
        .await
    }

    async fn plant(
        &self,
        table: &'static str,
        key_column: &'static str,
        key: &str,
        row: &PortableRow,
    ) -> StoreResult<()> {
        const LEDGER: &str = "CREATE TABLE IF NOT EXISTS _cutover_planted_rows
            (table_name TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (table_name, key)) WITHOUT ROWID";
        const NOTE: &str = "INSERT OR IGNORE INTO _cutover_planted_rows (table_name, key) VALUES (?1, ?2)";
        let (key, row) = (key.to_owned(), row.clone());
        self.atomic("foreign_keys.plant", move |session| {
            let there = format!("SELECT 1 FROM {table} WHERE {key_column} = ?1");
            if session.query_opt(&there, [&key], |_| Ok(()))?.is_some() {
                return Ok(());
            }
            // A file may lack a column that the other side has: the copy does without it.
            let mut columns = Vec::new();
            let mut values: Vec<Value> = Vec::new();
            for (column, value) in &row {
                if session.has_column(table, column)? {
                    columns.push(format!("\"{}\"", column.replace('"', "\"\"")));
                    values.push(sql_value(value));
                }
            }
            let marks = vec!["?"; columns.len()].join(", ");
            let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
            session.execute(&sql, rusqlite::params_from_iter(values))?;
            session.execute(LEDGER, [])?;
            session.execute(NOTE, [table, key.as_str()])?;
            Ok(())
        })
        .await
    }

    async fn release(&self, relations: &[&'static Relation], key: &str) -> StoreResult<()> {
        let Some(first) = relations.first() else {
            return Ok(());
        };
        let (parent, parent_key) = (first.parent, first.parent_key);
        let (relations, key) = (relations.to_vec(), key.to_owned());
        self.atomic("foreign_keys.release", move |session| {
            for Relation {
                child,
                column,
                on_delete,
                ..
            } in relations
            {
                let sql = match on_delete {
                    OnDelete::Cascade => format!("DELETE FROM {child} WHERE {column} = ?1"),
                    OnDelete::SetNull => format!("UPDATE {child} SET {column} = NULL WHERE {column} = ?1"),
                    OnDelete::Refuse => continue,
                };
                session.execute(&sql, [&key])?;
            }
            let sql = format!("DELETE FROM {parent} WHERE {parent_key} = ?1");
            match session.execute(&sql, [&key]) {
                Err(error) if is_unnamed_foreign_key(&error) => return Ok(()),
                outcome => outcome?,
            };
            if session.has_table("_cutover_planted_rows")? {
                let sql = "DELETE FROM _cutover_planted_rows WHERE table_name = ?1 AND key = ?2";
                session.execute(sql, [parent, key.as_str()])?;
            }
            Ok(())
        })
        .await
    }
}
