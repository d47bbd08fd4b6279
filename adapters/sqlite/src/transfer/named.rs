//! Which rows of a file something is true of, by what names them.

use cutover_domain::transfer::catalog::{ForeignKey, Storage, Table};
use cutover_domain::transfer::ddl;
use cutover_domain::transfer::name::quoted;
use rusqlite::Connection;

/// How many offenders of a rule are named.
pub(super) const NAMED: usize = 10;

/// What names a row of a table, as an expression: its rowid, or the values of its key.
pub(super) fn name(table: &Table) -> String {
    if let Storage::Rowid { alias: Some(alias) } = table.storage {
        return format!("'rowid ' || {alias}");
    }
    let key = table.primary_key.iter().flat_map(|key| &key.columns);
    let parts: Vec<String> = key
        .map(|column| {
            let named = format!("{column} = ").replace('\'', "''");
            format!("'{named}' || substr(quote({}), 1, 100)", quoted(column))
        })
        .collect();
    if parts.is_empty() {
        "'a row'".to_owned()
    } else {
        parts.join(" || ', ' || ")
    }
}

/// The first rows that a foreign key does not find a parent of, where SQLite does not tell which ones they are: it knows no rowids of such
/// tables.
pub(super) fn orphans(connection: &Connection, table: &Table, key: &ForeignKey) -> Vec<String> {
    let is_given = key
        .columns
        .iter()
        .map(|column| format!("child.{} IS NOT NULL", quoted(column)));
    let is_given = is_given.collect::<Vec<_>>().join(" AND ");
    let pairs = key.columns.iter().zip(&key.parent_columns);
    // With the affinity and the collation of the parent, as SQLite looks for it.
    let is_same =
        pairs.map(|(child, parent)| format!("parent.{} = +child.{}", quoted(parent), quoted(child)));
    let is_same = is_same.collect::<Vec<_>>().join(" AND ");
    let no_parent = format!(
        "NOT EXISTS (SELECT 1 FROM {} AS parent WHERE {is_same})",
        quoted(&key.parent)
    );
    let first = |condition: &str| {
        let name = name(table);
        let sql = format!(
            "SELECT {name} FROM {} AS child WHERE {condition} LIMIT {NAMED}",
            quoted(&table.name)
        );
        names(connection, &sql)
    };
    // Without the parent's table, or its key, none has one.
    first(&format!("{is_given} AND {no_parent}"))
        .or_else(|_| first(&is_given))
        .unwrap_or_default()
}

/// How many rows share their values in a unique index, and the first of them.
pub(super) fn doubles(
    connection: &Connection,
    table: &Table,
    index: &str,
) -> rusqlite::Result<(u64, Vec<String>)> {
    let terms = ddl::index_terms(index);
    let is_given = terms.iter().map(|term| format!("({term}) IS NOT NULL"));
    let holds = ddl::predicate(index).map(|condition| format!("({condition}\n)"));
    let condition = is_given.chain(holds).collect::<Vec<_>>().join(" AND ");
    let counted = format!(
        "(SELECT {} AS name, count(*) OVER (PARTITION BY {}) AS alike FROM {} WHERE {condition}) WHERE alike > 1",
        name(table),
        terms.join(", "),
        quoted(&table.name)
    );
    let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {counted}"), [], |row| row.get(0))?;
    let first = names(connection, &format!("SELECT name FROM {counted} LIMIT {NAMED}"))?;
    Ok((u64::try_from(rows).unwrap_or(0), first))
}

pub(super) fn names(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| {
        Ok(String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()).into_owned())
    })?;
    names.collect()
}
