//! Taking rows out of tables that stay, so that no other table loses or changes any by it.

use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{TransferError, TransferResult};
use tokio_postgres::Client;

use super::connection::{Bracket, run};
use super::error::transfer_error;
use super::make;

/// The condition of all rows.
pub(super) const ALL: &str = "true";

/// Rows to be taken out. Where no other table refers to theirs, whole tables are truncated. PostgreSQL truncates none to which another table
/// could refer, even if that has no row that does: then rows are deleted.
#[derive(Debug)]
pub(super) struct Removal {
    /// What takes them out; none if there is nothing to do.
    pub(super) statement: Option<String>,
    references: Vec<Reference>,
}

/// A foreign key by which another table refers to rows that are taken out.
#[derive(Debug)]
struct Reference {
    table: String,
    parent: String,
    /// The parent for SQL, with its schema.
    locked: String,
    /// Tells whether it does.
    asked: String,
}

impl Removal {
    /// Takes out of tables of a schema, by their names, the rows that each one's condition tells. Tables `among` which they are, by the same
    /// transaction, are left with no row that refers to them anyway.
    pub(super) async fn of(
        client: &Client,
        schema: &str,
        rows: &[(&str, String)],
        among: &[&str],
    ) -> TransferResult<Self> {
        let table = |name: &str| format!("{}.{}", quoted(schema), quoted(name));
        let parents: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        let references = outside(client, schema, &parents, among).await?;
        let references = references.into_iter().filter_map(|(child, parent, same)| {
            let (_, condition) = rows.iter().find(|(name, _)| *name == parent)?;
            let locked = table(&parent);
            Some(Reference {
                asked: format!(
                    "SELECT EXISTS (SELECT FROM {child} AS c JOIN (SELECT * FROM {locked} WHERE {condition}) AS p ON {same})"
                ),
                table: child,
                parent,
                locked,
            })
        });
        let references: Vec<Reference> = references.collect();
        let statement = if rows.is_empty() {
            None
        } else if references.is_empty() && rows.iter().all(|(_, condition)| condition == ALL) {
            let tables: Vec<String> = parents.iter().map(|name| table(name)).collect();
            Some(format!("TRUNCATE {}", tables.join(", ")))
        } else {
            // As one statement, at whose end foreign keys are looked at: rows may refer to each other in a circle.
            let deletes = rows.iter().enumerate().map(|(at, (name, condition))| {
                format!("d{at} AS (DELETE FROM {} WHERE {condition})", table(name))
            });
            let deletes: Vec<String> = deletes.collect();
            Some(format!("WITH {} SELECT 1", deletes.join(", ")))
        };
        Ok(Self {
            statement,
            references,
        })
    }

    /// Whether other tables could refer to the rows.
    pub(super) fn is_watched(&self) -> bool {
        !self.references.is_empty()
    }

    /// Runs statements as one, the removal's among them; `Refused` if another table's rows refer to what is taken out: they would go along with
    /// it, or lose what they refer to.
    pub(super) async fn together(
        &self,
        client: &Client,
        bracket: Bracket,
        statements: &[String],
    ) -> TransferResult<()> {
        if !self.is_watched() {
            return make::together(client, bracket, statements).await;
        }
        run(client, bracket.begin).await?;
        let outcome = async {
            self.refuse_referred(client).await?;
            run(client, &format!("{}; {}", statements.join("; "), bracket.commit)).await
        };
        let outcome = outcome.await;
        if outcome.is_err() {
            // The first error is the one to tell.
            drop(run(client, bracket.rollback).await);
        }
        outcome
    }

    /// From now to the end of the transaction nobody can write a row that refers to these.
    async fn refuse_referred(&self, client: &Client) -> TransferResult<()> {
        let locked: Vec<&str> = self.references.iter().map(|key| key.locked.as_str()).collect();
        // A foreign key locks the row that it refers to.
        let lock = format!("LOCK TABLE {} IN EXCLUSIVE MODE", locked.join(", "));
        run(client, &lock).await?;
        for key in &self.references {
            let row = client.query_one(&key.asked, &[]).await;
            if row.map_err(|error| transfer_error(&error))?.get(0) {
                return Err(TransferError::Refused(format!(
                    "the table {} has rows that refer to rows of {}, and would lose them or what they refer to; copy both tables together, or \
                     delete those rows first",
                    key.table, key.parent
                )));
            }
        }
        Ok(())
    }
}

/// Refuses to make tables anew to which others refer that are not: they would have to lose their foreign keys.
pub(super) async fn refuse_held(client: &Client, schema: &str, dropped: &[&str]) -> TransferResult<()> {
    match outside(client, schema, dropped, dropped).await?.first() {
        None => Ok(()),
        Some((child, parent, _)) => Err(TransferError::Refused(format!(
            "the table {parent} cannot be made anew, because {child} refers to it; nothing was written. Copy both tables together, \
             or drop that foreign key first"
        ))),
    }
}

/// The foreign keys that refer to tables from ones that are not `among` those of the schema: the table, for SQL; to which it refers; and what
/// tells which row `c` refers to which row `p`.
async fn outside(
    client: &Client,
    schema: &str,
    parents: &[&str],
    among: &[&str],
) -> TransferResult<Vec<(String, String, String)>> {
    const SQL: &str = "SELECT k.conrelid::regclass::text, p.relname::text,
            (SELECT string_agg(format('c.%I = p.%I', ca.attname, pa.attname), ' AND ' ORDER BY u.at)
             FROM unnest(k.conkey, k.confkey) WITH ORDINALITY AS u (child, parent, at)
             JOIN pg_attribute AS ca ON ca.attrelid = k.conrelid AND ca.attnum = u.child
             JOIN pg_attribute AS pa ON pa.attrelid = k.confrelid AND pa.attnum = u.parent)
        FROM pg_constraint AS k JOIN pg_class AS p ON p.oid = k.confrelid
        WHERE k.contype = 'f' AND k.conparentid = 0 AND p.relnamespace = to_regnamespace(quote_ident($1)) AND p.relname = ANY ($2)
          AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = coalesce(pg_partition_root(k.conrelid), k.conrelid)
                          AND c.relnamespace = p.relnamespace AND c.relname = ANY ($3))
        ORDER BY 1, 2";
    let found = client.query(SQL, &[&schema, &parents, &among]).await;
    let found = found.map_err(|error| transfer_error(&error))?;
    Ok(found
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect())
}
