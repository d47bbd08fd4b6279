//! Reading a PostgreSQL schema from its catalogs, expressions in the form that the server itself gives them.

use crate::connection::Connection;
use crate::context::Context;
use crate::error::Result;
use crate::postgres::PostgresDatabase;
use crate::schema::{Column, Constraint, Schema, Table};

/// The tables of the connection's default schema.
pub(crate) async fn read(database: &mut PostgresDatabase) -> Result<Schema> {
    let mut schema = Schema::default();
    let sql = "SELECT CAST(relname AS text), \
               CASE WHEN relrowsecurity THEN 'row security' ELSE '' END || \
               CASE relkind WHEN 'p' THEN 'partitioned' ELSE '' END FROM pg_class \
               WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relkind IN ('r', 'p')";
    for row in database.rows(sql, &[]).await? {
        let table = Table {
            options: row.string(1),
            ..Table::default()
        };
        schema.tables.insert(row.string(0), table);
    }
    read_columns(database, &mut schema).await?;
    read_constraints(database, &mut schema).await?;
    read_indexes(database, &mut schema).await?;
    Ok(schema)
}

async fn read_columns(database: &mut PostgresDatabase, schema: &mut Schema) -> Result<()> {
    let sql = "SELECT CAST(c.relname AS text), CAST(a.attname AS text), format_type(a.atttypid, a.atttypmod), \
               CASE WHEN l.collname <> 'default' THEN CAST(l.collname AS text) END, \
               CASE WHEN a.attnotnull THEN CAST(1 AS bigint) ELSE 0 END, pg_get_expr(d.adbin, d.adrelid, true), \
               CAST(a.attgenerated AS text) || CAST(a.attidentity AS text) \
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
               LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
               LEFT JOIN pg_collation l ON l.oid = a.attcollation \
               WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND c.relkind IN ('r', 'p') \
               AND a.attnum > 0 AND NOT a.attisdropped";
    for row in database.rows(sql, &[]).await? {
        let collation = row
            .text(3)
            .map(|name| format!(" COLLATE {name}"))
            .unwrap_or_default();
        let generation = row.string(6);
        let expression = row.text(5).map(str::to_owned);
        let column = Column {
            kind: format!("{}{collation}", row.string(2)),
            not_null: row.integer(4) == Some(1),
            generated: (!generation.is_empty()).then(|| format!("{generation} {}", row.string(5))),
            default: expression.filter(|_| generation.is_empty()),
        };
        if let Some(table) = schema.tables.get_mut(&row.string(0)) {
            table.columns.insert(row.string(1), column);
        }
    }
    Ok(())
}

async fn read_constraints(database: &mut PostgresDatabase, schema: &mut Schema) -> Result<()> {
    let sql = "SELECT CAST(c.relname AS text), CAST(k.conname AS text), pg_get_constraintdef(k.oid, true), \
               CASE WHEN k.convalidated THEN CAST(1 AS bigint) ELSE 0 END, \
               (SELECT string_agg(CAST(a.attname AS text), chr(1)) FROM pg_attribute a \
                WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey)) \
               FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
               WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND k.contype IN ('p', 'u', 'c', 'f', 'x')";
    for row in database.rows(sql, &[]).await? {
        let text = row.string(2);
        let constraint = Constraint {
            name: Some(row.string(1)),
            validated: row.integer(3) == Some(1),
            columns: row
                .text(4)
                .map(|names| names.split('\u{1}').map(str::to_owned).collect())
                .unwrap_or_default(),
        };
        if let Some(table) = schema.tables.get_mut(&row.string(0)) {
            let text = text.strip_suffix(" NOT VALID").unwrap_or(&text).to_owned();
            table.constraints.insert(text, constraint);
        }
    }
    Ok(())
}

async fn read_indexes(database: &mut PostgresDatabase, schema: &mut Schema) -> Result<()> {
    // An index that backs a constraint is told by it.
    let sql = "SELECT CAST(c.relname AS text), CAST(i.relname AS text), pg_get_indexdef(x.indexrelid, 0, true) || \
               CASE WHEN x.indisvalid THEN '' ELSE ' (invalid: building it failed)' END \
               FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
               WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) \
               AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))";
    for row in database.rows(sql, &[]).await? {
        if let Some(table) = schema.tables.get_mut(&row.string(0)) {
            table.indexes.insert(row.string(1), row.string(2));
        }
    }
    Ok(())
}

/// What the scripts make, made as temporary tables in a transaction that is rolled back. That needs no right but the one
/// to make temporary tables, and leaves nothing behind.
pub(crate) async fn reference(
    database: &mut PostgresDatabase,
    context: &Context,
    version: i64,
) -> Result<Schema> {
    // For the session, not for the transaction: a script may commit, and what follows must not land in the real schema.
    database.batch("SET search_path TO pg_temp").await?;
    database.batch("BEGIN").await?;
    let schema = make(database, context, version).await;
    for statement in ["ROLLBACK", "DISCARD TEMP", "RESET search_path"] {
        database.batch(statement).await?;
    }
    schema
}

async fn make(database: &mut PostgresDatabase, context: &Context, version: i64) -> Result<Schema> {
    for step in context.versions.iter().filter(|step| step.number <= version) {
        // What runs outside of a transaction does so for this word's sake only.
        database
            .batch(&step.postgres.up.replace(" CONCURRENTLY", ""))
            .await?;
    }
    read(database).await
}
