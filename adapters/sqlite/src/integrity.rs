//! Rows that break a promise.

use async_trait::async_trait;
use cutover_domain::relations::Relation;
use cutover_ports::integrity::{BrokenRule, Integrity, References, Rule};
use cutover_ports::place::up_to_here;
use cutover_ports::{StoreError, StoreResult};
use rusqlite::params;

use crate::database::Session;
use crate::error::is_unknown_name;
use crate::row::json_array;
use crate::transfer::open::SourceFile;

#[async_trait]
impl Integrity for SourceFile {
    async fn references(
        &self,
        relation: &'static Relation,
        after: Option<String>,
        limit: u32,
    ) -> StoreResult<References> {
        let Relation { child, column, .. } = relation;
        examine(self, move |session| {
            if !(session.has_table(child)? && session.has_column(child, column)?) {
                return Ok(References::default());
            }
            // Keys are text; what else a column without STRICT holds comes in the order of its text. A place is the hexadecimal form of
            // a key's bytes: it has their order, and also names a key that is no UTF-8.
            let sql = format!(
                "SELECT hex(CAST({column} AS TEXT)) AS place, CAST({column} AS TEXT), count(*) FROM {child}
                 WHERE {column} IS NOT NULL AND (?1 IS NULL OR hex(CAST({column} AS TEXT)) > ?1)
                 GROUP BY place ORDER BY place LIMIT ?2"
            );
            let found = session.query(&sql, params![after, limit], |columns| {
                Ok((columns.text()?, (columns.text()?, columns.count()?)))
            })?;
            let (keys, next) = up_to_here(found, limit);
            Ok(References { keys, next })
        })
        .await
    }

    async fn missing(&self, relation: &'static Relation, keys: &[String]) -> StoreResult<Vec<String>> {
        let Relation {
            parent, parent_key, ..
        } = relation;
        let keys = keys.to_vec();
        examine(self, move |session| {
            if !session.has_table(parent)? {
                return Ok(keys);
            }
            let sql = format!(
                "SELECT value FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM {parent} WHERE {parent_key} = value)"
            );
            session.query(&sql, [json_array(&keys)], |columns| columns.text())
        })
        .await
    }

    async fn broken_rules(&self, tables: &[&'static str], rules: &[Rule]) -> StoreResult<Vec<BrokenRule>> {
        let rules: Vec<Rule> = rules
            .iter()
            .filter(|rule| tables.contains(&rule.table.as_str()))
            .cloned()
            .collect();
        examine(self, move |session| {
            let mut broken = Vec::new();
            for Rule { table, condition } in rules {
                if !session.has_table(&table)? {
                    continue;
                }
                let sql = format!("SELECT count(*) FROM \"{table}\" WHERE NOT ({condition})");
                let rows = match session.query_opt(&sql, [], |columns| columns.count()) {
                    Ok(rows) => rows.unwrap_or(0),
                    // An old file may lack an optional column, and then no row of it breaks a rule.
                    Err(error) if is_unknown_name(&error) => 0,
                    Err(error) => return Err(error),
                };
                if rows > 0 {
                    broken.push(BrokenRule {
                        table,
                        rule: condition,
                        rows,
                    });
                }
            }
            Ok(broken)
        })
        .await
    }
}

/// On a connection of its own, which can do nothing but read.
async fn examine<T: Send + 'static>(
    file: &SourceFile,
    work: impl FnOnce(&Session) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    let file = file.clone();
    let examination = tokio::task::spawn_blocking(move || {
        let connection = file
            .connect()
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        work(&Session::on(connection.into_connection()))
    });
    examination
        .await
        .map_err(|error| StoreError::Backend(error.into()))?
}
