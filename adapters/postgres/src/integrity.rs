//! Rows that break a promise.

use async_trait::async_trait;
use cutover_domain::relations::Relation;
use cutover_ports::StoreResult;
use cutover_ports::integrity::{BrokenRule, Integrity, References, Rule};
use cutover_ports::place::up_to_here;
use postgres_types::Type;

use crate::Database;
use crate::database::Lease;
use crate::row::Columns;

#[async_trait]
impl Integrity for Database {
    async fn references(
        &self,
        relation: &'static Relation,
        after: Option<String>,
        limit: u32,
    ) -> StoreResult<References> {
        let Relation { child, column, .. } = relation;
        let lease = self.lease("integrity.references").await?;
        if !has_table(&lease, child).await? {
            return Ok(References::default());
        }
        let sql = format!(
            "SELECT {column}::text COLLATE \"C\" AS key, count(*) FROM {child}
             WHERE {column} IS NOT NULL AND ($1::text IS NULL OR {column}::text COLLATE \"C\" > $1)
             GROUP BY key ORDER BY key LIMIT $2"
        );
        let rows = lease
            .query_dynamic(&sql, &[(&after, Type::TEXT), (&i64::from(limit), Type::INT8)])
            .await?;
        let read = rows.iter().map(|row| {
            let mut columns = Columns::new("references", row);
            let (key, rows) = (columns.text()?, columns.count()?);
            Ok((key.clone(), (key, rows)))
        });
        let found: Vec<(String, (String, u64))> = read.collect::<StoreResult<_>>()?;
        let (keys, next) = up_to_here(found, limit);
        Ok(References { keys, next })
    }

    async fn missing(&self, relation: &'static Relation, keys: &[String]) -> StoreResult<Vec<String>> {
        let Relation {
            parent, parent_key, ..
        } = relation;
        let lease = self.lease("integrity.missing").await?;
        if !has_table(&lease, parent).await? {
            return Ok(keys.to_vec());
        }
        let sql = format!(
            "SELECT key FROM unnest($1::text[]) AS key
             WHERE NOT EXISTS (SELECT 1 FROM {parent} WHERE {parent_key}::text = key)"
        );
        // The server cannot even be asked about U+0000, and no row of it has a key with one.
        let (strange, keys): (Vec<&String>, Vec<&String>) = keys.iter().partition(|key| key.contains('\0'));
        let rows = lease.query_dynamic(&sql, &[(&keys, Type::TEXT_ARRAY)]).await?;
        let missing = rows.iter().map(|row| Columns::new("keys", row).text());
        strange.into_iter().cloned().map(Ok).chain(missing).collect()
    }

    /// The server keeps every rule that it has, but for those that are not valid: they watch new rows only.
    async fn broken_rules(&self, tables: &[&'static str], _: &[Rule]) -> StoreResult<Vec<BrokenRule>> {
        const UNPROVEN: &str =
            "SELECT c.conrelid::regclass::text, c.conname::text, pg_get_constraintdef(c.oid),
                CASE c.contype WHEN 'c' THEN pg_get_expr(c.conbin, c.conrelid) END
            FROM pg_constraint c JOIN unnest($1::text[]) AS name ON c.conrelid = to_regclass(name)
            WHERE NOT c.convalidated ORDER BY 1, 2";
        let lease = self.lease("integrity.broken_rules").await?;
        let rows = lease.query(UNPROVEN, &[(&tables, Type::TEXT_ARRAY)]).await?;
        let mut broken = Vec::new();
        for row in &rows {
            let mut columns = Columns::new("pg_constraint", row);
            let (table, name, definition) = (columns.text()?, columns.text()?, columns.text()?);
            // Of a foreign key the rows are counted as orphans.
            let Some(condition) = columns.opt_text()? else {
                continue;
            };
            // Both were spelled by the server, from what it holds.
            let sql = format!("SELECT count(*) FROM {table} WHERE NOT ({condition})");
            let counted = lease.query_dynamic(&sql, &[]).await?;
            let rows = counted
                .first()
                .map_or(Ok(0), |row| Columns::new("count", row).count())?;
            if rows > 0 {
                broken.push(BrokenRule {
                    table,
                    rule: format!("{name} {definition}"),
                    rows,
                });
            }
        }
        Ok(broken)
    }
}

async fn has_table(lease: &Lease, table: &str) -> StoreResult<bool> {
    const EXISTS: &str = "SELECT to_regclass($1) IS NOT NULL";
    let row = lease.query_one(EXISTS, &[(&table, Type::TEXT)]).await?;
    Columns::new("pg_class", &row).get()
}
