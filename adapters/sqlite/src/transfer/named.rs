//! Which rows of a file something is true of, by what names them.

use cutover_domain::transfer::catalog::{ForeignKey, Storage, Table};
use cutover_domain::transfer::ddl;
use cutover_domain::transfer::name::quoted;
use rusqlite::Connection;

use super::open::unindexed;

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

/// How many rows a foreign key does not find a parent of, and the first of them. SQLite's own check looks for parents in an index, which may be
/// damaged, and knows no rowids of some tables.
pub(super) fn orphans(
    connection: &Connection,
    table: &Table,
    key: &ForeignKey,
) -> rusqlite::Result<(u64, Vec<String>)> {
    let columns = key.columns.iter().map(|column| quoted(column));
    let is_given: Vec<String> = columns
        .clone()
        .map(|column| format!("child.{column} IS NOT NULL"))
        .collect();
    let is_given = is_given.join(" AND ");
    let parents = key.parent_columns.iter().enumerate();
    let kept: Vec<String> = parents
        .map(|(at, parent)| format!("parent.{} AS p{at}", quoted(parent)))
        .collect();
    // With the affinity and the collation of the parent, as SQLite looks for it.
    let is_same: Vec<String> = columns
        .enumerate()
        .map(|(at, column)| format!("parents.p{at} = +child.{column}"))
        .collect();
    let parent = quoted(&key.parent);
    let child = format!(
        "SELECT {} FROM {} AS child {}",
        name(table),
        quoted(&table.name),
        unindexed(connection, &table.name)?
    );
    // GROUP BY keeps the parents apart, for SQLite to make an index of its own over them; sorted they come into it in order.
    let places: Vec<String> = (1..=kept.len()).map(|place| place.to_string()).collect();
    let without = format!(
        "{child} LEFT JOIN (SELECT {} FROM {parent} AS parent {} GROUP BY {}) AS parents ON {}
         WHERE parents.p0 IS NULL AND {is_given}",
        kept.join(", "),
        unindexed(connection, &key.parent)?,
        places.join(", "),
        is_same.join(" AND ")
    );
    if connection.prepare(&without).is_ok() {
        return counted(connection, &without);
    }
    // Without the parent's table none has one; without its key SQLite cannot tell.
    let is_there = connection.prepare(&format!("SELECT 1 FROM {parent}")).is_ok();
    counted(connection, &format!("{child} WHERE {is_given} AND {}", !is_there))
}

/// How many names a query finds, and the first of them.
fn counted(connection: &Connection, sql: &str) -> rusqlite::Result<(u64, Vec<String>)> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut count, mut first) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        count += 1;
        if first.len() < NAMED {
            let name = row.get_ref(0)?.as_bytes().unwrap_or_default();
            first.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok((count, first))
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
