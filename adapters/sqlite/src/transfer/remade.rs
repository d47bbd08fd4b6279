//! A file that comes back with less than it had, or with more: its tables' texts, and what can no longer be used in it.

use std::collections::HashSet;

use cutover_domain::transfer::back;
use cutover_domain::transfer::catalog::{Column, ForeignKey, Origin, OriginObject, Storage, Table};
use cutover_domain::transfer::ddl;
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::plan::TablePlan;
use cutover_domain::transfer::schema::Weakened;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{catalog, collations, named};

/// The views and triggers of an origin that can be used there and cannot here, because a table or a column is missing.
pub(super) fn useless(connection: &Connection, origin: &Origin) -> rusqlite::Result<HashSet<String>> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL ORDER BY rowid";
    let mut statement = connection.prepare(sql)?;
    let here: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let tables = origin.objects.iter().filter(|object| object.kind == "table");
    let there: Vec<String> = tables.map(|object| object.sql.clone()).collect();
    let mut useless = HashSet::new();
    // A name in double quotes is a string where nothing has it, so that it may be missed only if it cannot be one.
    for takes_strings in [false, true] {
        let mut lost = usable(&there, origin, takes_strings)?;
        lost.retain({
            let usable = usable(&here, origin, takes_strings)?;
            move |name| !usable.contains(name)
        });
        useless.extend(lost);
    }
    Ok(useless)
}

/// The views and triggers of an origin whose names all mean something beside these tables.
fn usable(tables: &[String], origin: &Origin, takes_strings: bool) -> rusqlite::Result<HashSet<String>> {
    let connection = Connection::open_in_memory()?;
    for config in [
        DbConfig::SQLITE_DBCONFIG_DQS_DDL,
        DbConfig::SQLITE_DBCONFIG_DQS_DML,
    ] {
        connection.set_db_config(config, takes_strings)?;
    }
    let make = |sql: &str| {
        collations::stand_in(&connection, sql)?;
        connection.execute_batch(sql)
    };
    for sql in tables.iter().filter(|sql| ddl::is_one_create(sql)) {
        // What cannot be made is missed by what needs it.
        drop(make(sql));
    }
    // A name that nothing in the file has.
    let mut probe = "probe".to_owned();
    let texts = || {
        tables
            .iter()
            .chain(origin.objects.iter().map(|object| &object.sql))
    };
    while texts().any(|sql| sql.contains(&probe)) {
        probe.push('_');
    }
    connection.execute_batch(&format!("CREATE TABLE {probe} (x)"))?;
    // Before it gives a table another name, SQLite looks up every name in every view and trigger.
    let rename = format!("ALTER TABLE {probe} RENAME TO {probe}d; ALTER TABLE {probe}d RENAME TO {probe}");
    let objects = origin.objects.iter();
    let mut waiting: Vec<&OriginObject> = objects
        .filter(|object| {
            matches!(object.kind.as_str(), "view" | "trigger") && ddl::is_one_create(&object.sql)
        })
        .collect();
    let mut usable = HashSet::new();
    loop {
        let before = waiting.len();
        let mut left = Vec::new();
        for object in waiting {
            connection.execute_batch("SAVEPOINT probe")?;
            if make(&object.sql)
                .and_then(|()| connection.execute_batch(&rename))
                .is_ok()
            {
                usable.insert(object.name.clone());
            } else {
                connection.execute_batch("ROLLBACK TO probe")?;
                left.push(object);
            }
            connection.execute_batch("RELEASE probe")?;
        }
        // One view may need another.
        if left.is_empty() || left.len() == before {
            return Ok(usable);
        }
        waiting = left;
    }
}

/// The rows that break a NOT NULL or a CHECK of the text that a table has got back, as far as PostgreSQL does not see to it, or a CHECK of a
/// table that was there, to which no row is held while it is loaded.
pub(super) fn broken_rules(connection: &Connection, tables: &[TablePlan]) -> rusqlite::Result<Vec<Weakened>> {
    let is_looked_at = |plan: &&TablePlan| !plan.created || plan.definition.is_some();
    let mut tables = tables.iter().filter(is_looked_at).peekable();
    if tables.peek().is_none() {
        return Ok(vec![]);
    }
    let catalog = catalog::read(connection)?;
    let mut weakened = Vec::new();
    for plan in tables {
        let Some(table) = catalog.table(&plan.target) else {
            continue;
        };
        let may_be_null = |column: &&Column| {
            let mut columns = plan.columns.iter();
            let planned = columns.find(|planned| planned.target == column.name);
            let from = planned.and_then(|planned| plan.source.column(&planned.source));
            plan.created && column.not_null && from.is_some_and(|from| !from.not_null)
        };
        // Asked for NULL, SQLite takes the rule for the answer.
        let not_null = table.columns.iter().filter(may_be_null).map(|column| {
            let name = &column.name;
            (
                name.clone(),
                "NOT NULL".to_owned(),
                format!("typeof({}) = 'null'", quoted(name)),
            )
        });
        let checks = table.checks.iter().map(|check| {
            let sql = format!("CHECK ({})", check.expression);
            // A comment ends with its line.
            let broken = format!("NOT ({}\n)", check.expression);
            (check.name.clone().unwrap_or_else(|| sql.clone()), sql, broken)
        });
        for (constraint, sql, broken) in not_null.chain(checks) {
            let found = match offenders(connection, table, &broken) {
                Ok(found) => found,
                // One that only the application can evaluate is not looked at; one that SQLite can, and not for every row, is.
                Err(_) if connection.prepare(&selected(table, &broken)).is_err() => continue,
                Err(_) => offenders_one_by_one(connection, table, &broken)?,
            };
            let (rows, keys, reason) = found;
            if rows > 0 {
                weakened.push(Weakened {
                    table: table.name.clone(),
                    constraint,
                    sql,
                    rows,
                    keys,
                    reason: reason.to_owned(),
                });
            }
        }
    }
    Ok(weakened)
}

/// How many rows a condition holds for, the first ones, and what that means.
type Offenders = (u64, Vec<String>, &'static str);

/// The rows that a condition holds for, by what names them.
fn selected(table: &Table, condition: &str) -> String {
    format!(
        "SELECT {} FROM {} WHERE {condition}",
        named::name(table),
        quoted(&table.name)
    )
}

fn offenders(connection: &Connection, table: &Table, condition: &str) -> rusqlite::Result<Offenders> {
    let name = quoted(&table.name);
    let count = format!("SELECT count(*) FROM {name} WHERE {condition}");
    let rows: i64 = connection.query_row(&count, [], |row| row.get(0))?;
    let rows = u64::try_from(rows).unwrap_or(0);
    let first = format!("{} LIMIT {}", selected(table, condition), named::NAMED);
    let keys = named::names(connection, &first)?;
    Ok((rows, keys, "rows break it, as they are in PostgreSQL"))
}

/// As [`offenders`], where an error of one row would hide all others. That row is one of them.
fn offenders_one_by_one(
    connection: &Connection,
    table: &Table,
    condition: &str,
) -> rusqlite::Result<Offenders> {
    let key: Vec<String> = match (&table.storage, &table.primary_key) {
        (Storage::Rowid { alias: Some(alias) }, _) => vec![(*alias).to_owned()],
        (_, Some(key)) => key.columns.iter().map(|column| quoted(column)).collect(),
        _ => table.columns.iter().map(|column| quoted(&column.name)).collect(),
    };
    let is_row: Vec<String> = key.iter().map(|column| format!("{column} IS ?")).collect();
    let is_row = is_row.join(" AND ");
    let name = quoted(&table.name);
    let mut one = connection.prepare(&format!(
        "SELECT ({condition}) IS TRUE FROM {name} WHERE {is_row}"
    ))?;
    let mut named = connection.prepare(&selected(table, &is_row))?;
    let mut statement = connection.prepare(&format!("SELECT {} FROM {name}", key.join(", ")))?;
    let (mut rows, mut names) = (0, Vec::new());
    let mut all = statement.query([])?;
    while let Some(row) = all.next()? {
        let values = (0..key.len()).map(|at| row.get::<_, Value>(at));
        let values: Vec<Value> = values.collect::<rusqlite::Result<_>>()?;
        let breaks = one.query_row(params_from_iter(&values), |row| row.get(0));
        if breaks.unwrap_or(true) {
            rows += 1;
            if names.len() < named::NAMED {
                names.push(named.query_row(params_from_iter(&values), |row| row.get(0))?);
            }
        }
    }
    let reason = "rows break it, or SQLite cannot say whether they do, as they are in PostgreSQL";
    Ok((rows, names, reason))
}

/// Foreign keys to what its origin has and the file has not.
pub(super) fn dangling(
    connection: &Connection,
    origin: &Origin,
    tables: &[TablePlan],
) -> rusqlite::Result<Vec<Weakened>> {
    let catalog = catalog::read(connection)?;
    let known = origin.objects.iter().filter(|object| object.kind == "table");
    let missing: Vec<&str> = known
        .map(|object| object.name.as_str())
        .filter(|name| catalog.table(name).is_none())
        .collect();
    let is_gone = |parent: &str, column: &String| {
        missing.iter().any(|name| name.eq_ignore_ascii_case(parent))
            || tables.iter().any(|table| {
                let mut gone = table.gone.iter();
                table.target.eq_ignore_ascii_case(parent)
                    && gone.any(|gone| gone.eq_ignore_ascii_case(column))
            })
    };
    let mut weakened = Vec::new();
    for table in catalog
        .tables
        .iter()
        .filter(|table| tables.iter().any(|copied| copied.target == table.name))
    {
        let keys = table.foreign_keys.iter();
        for key in keys.filter(|key| {
            let parent_columns = key.parent_columns.iter().chain([&key.parent]);
            parent_columns
                .into_iter()
                .any(|column| is_gone(&key.parent, column))
        }) {
            let sql = foreign_key_text(key);
            weakened.push(Weakened {
                table: table.name.clone(),
                constraint: key.name.clone().unwrap_or_else(|| sql.clone()),
                sql,
                reason: "what it refers to did not come with it: with foreign keys switched on, SQLite takes no rows".to_owned(),
                ..Weakened::default()
            });
        }
    }
    Ok(weakened)
}

pub(super) fn foreign_key_text(key: &ForeignKey) -> String {
    let parent_columns = match key.parent_columns.as_slice() {
        [] => String::new(),
        columns => format!(" ({})", columns.join(", ")),
    };
    format!(
        "FOREIGN KEY ({}) REFERENCES {}{parent_columns}",
        key.columns.join(", "),
        key.parent
    )
}

/// The text by which a table is to be read in the end; none if its origin does not know it. The text of one that lacks columns, or has later
/// ones, is the plan's: the error is SQLite's, where it does not make such a table.
pub(super) fn text(origin: &Origin, table: &TablePlan) -> Option<rusqlite::Result<String>> {
    let mut objects = origin.objects.iter();
    let own = objects.find(|object| object.kind == "table" && object.name == table.target)?;
    if !ddl::is_one_create(&own.sql) {
        return None;
    }
    let altered = table.definition.as_ref().filter(|_| is_altered(table));
    Some(match altered {
        Some(text) => made_columns(&table.target, text).map(|_| text.clone()),
        None => Ok(own.sql.clone()),
    })
}

/// Whether a table that is made is not what its origin knows.
pub(super) fn is_altered(table: &TablePlan) -> bool {
    let is_made = table.created && table.definition.is_some();
    is_made && (!table.gone.is_empty() || table.columns.iter().any(|column| column.added))
}

/// The columns of a table as a statement makes it, and which of them SQLite computes.
fn made_columns(table: &str, sql: &str) -> rusqlite::Result<Vec<(String, bool)>> {
    let connection = Connection::open_in_memory()?;
    collations::stand_in(&connection, sql)?;
    connection.execute_batch(sql)?;
    connection.prepare(&format!("SELECT * FROM {} LIMIT 0", quoted(table)))?;
    let mut statement = connection.prepare("SELECT name, hidden IN (2, 3) FROM pragma_table_xinfo(?1)")?;
    statement
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// A column of the source that a table which is made by this statement has no place for, or another one than was planned: its values would be
/// lost without a word.
pub(super) fn lost_column<'t>(table: &'t TablePlan, sql: &str) -> Option<&'t str> {
    // What SQLite does not make is told when it is made, and a virtual table shows not all that it has.
    let made = made_columns(&table.target, sql).ok()?;
    if ddl::module(sql).is_some() {
        return None;
    }
    let is_lost = |from: &&Column| {
        let planned = table.columns.iter().find(|column| column.source == from.name);
        let (name, is_computed) = match planned {
            Some(column) => (&column.target, column.is_compared),
            // PostgreSQL computes it, and the file does.
            None => (
                from.made_for
                    .as_ref()
                    .map_or(&from.name, |made_for| &made_for.column),
                true,
            ),
        };
        !made
            .iter()
            .any(|(made, computed)| made == name && *computed == is_computed)
    };
    let lost = table.source.columns.iter().find(is_lost);
    lost.map(|column| column.name.as_str())
}

/// The definitions of the columns that a table does not have which is there.
pub(super) fn added_columns(table: &TablePlan) -> impl Iterator<Item = String> {
    let added = table.columns.iter().filter(|column| column.added);
    added.filter_map(|column| back::column_definition(table, column, table.is_strict))
}
