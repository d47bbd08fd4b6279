//! What became of a file's rules: SQLite's pragmas on one side, PostgreSQL's catalog on the other.
//!
//! A rule is carried, or the report lists it under `not_carried` or `weakened`. A rule that is in neither place is lost.

use std::collections::{BTreeMap, BTreeSet};

use cutover_tests::rusqlite::{self, Connection};
use cutover_tests::tokio_postgres::Client;

use crate::compare::{identifier, is_shadow};
use crate::theme::Copied;

const OF_USERS: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'cutover')";

/// The tables and views that are not our own.
pub(crate) async fn tables(client: &Client) -> Vec<String> {
    let sql = format!(
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE {OF_USERS} AND c.relkind IN ('r', 'v', 'm', 'p') ORDER BY 1"
    );
    let rows = client.query(&sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The types of all columns, by table and column.
pub(crate) async fn types(client: &Client) -> BTreeMap<(String, String), String> {
    let sql = format!(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
         JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE {OF_USERS} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
    );
    let rows = client.query(&sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| ((row.get(0), row.get(1)), row.get(2)))
        .collect()
}

/// A column as PostgreSQL has it.
struct Column {
    not_null: bool,
    default: Option<String>,
    /// Whether it gives the next key by itself.
    identity: bool,
    generated: bool,
}

/// An index as PostgreSQL has it.
#[derive(Debug)]
struct Index {
    name: String,
    unique: bool,
    primary: bool,
    partial: bool,
    /// The columns, an expression as `(…)`; whether each is descending.
    parts: Vec<(String, bool)>,
}

/// A foreign key, as either has it.
#[derive(Debug, PartialEq, Eq)]
struct ForeignKey {
    columns: Vec<String>,
    parent: String,
    parent_columns: Vec<String>,
    on_update: String,
    on_delete: String,
}

struct Table {
    columns: BTreeMap<String, Column>,
    indexes: Vec<Index>,
    foreign_keys: Vec<(ForeignKey, bool)>,
    checks: usize,
    triggers: Vec<String>,
}

impl Table {
    async fn read(client: &Client, name: &str) -> Self {
        let sql = format!(
            "SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE {OF_USERS} AND c.relname = $1 AND c.relkind IN ('r', 'p')"
        );
        let oid: u32 = client
            .query_one(&sql, &[&name])
            .await
            .unwrap_or_else(|_| panic!("there is no table {name}"))
            .get(0);
        let sql = "SELECT a.attname::text, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity <> '', a.attgenerated <> ''
                   FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                   WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";
        let rows = client.query(sql, &[&oid]).await.unwrap();
        let columns = rows.iter().map(|row| {
            let default: Option<String> = row.get(2);
            let column = Column {
                not_null: row.get(1),
                identity: row.get::<_, bool>(3)
                    || default.as_ref().is_some_and(|text| text.starts_with("nextval(")),
                generated: row.get(4),
                default,
            };
            (row.get(0), column)
        });
        let columns = columns.collect();
        let sql = "SELECT c.relname::text, i.indisunique, i.indisprimary, i.indpred IS NOT NULL,
                     ARRAY(SELECT coalesce(a.attname::text, '(' || pg_get_indexdef(i.indexrelid, k.n::int, true) || ')')
                           FROM generate_series(1, i.indnkeyatts) AS k(n)
                           LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n - 1] ORDER BY k.n),
                     ARRAY(SELECT i.indoption[k.n - 1] & 1 = 1 FROM generate_series(1, i.indnkeyatts) AS k(n) ORDER BY k.n)
                   FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = $1";
        let rows = client.query(sql, &[&oid]).await.unwrap();
        let indexes = rows.iter().map(|row| {
            let (names, descending): (Vec<String>, Vec<bool>) = (row.get(4), row.get(5));
            Index {
                name: row.get(0),
                unique: row.get(1),
                primary: row.get(2),
                partial: row.get(3),
                parts: names.into_iter().zip(descending).collect(),
            }
        });
        let indexes = indexes.collect();
        let names = |numbers: &str, table: &str| {
            format!(
                "ARRAY(SELECT a.attname::text FROM unnest({numbers}) WITH ORDINALITY AS k(n, o)
                       JOIN pg_attribute AS a ON a.attrelid = {table} AND a.attnum = k.n ORDER BY k.o)"
            )
        };
        let sql = format!(
            "SELECT {}, p.relname::text, {}, f.confupdtype::text, f.confdeltype::text, f.convalidated
             FROM pg_constraint AS f JOIN pg_class AS p ON p.oid = f.confrelid WHERE f.conrelid = $1 AND f.contype = 'f'",
            names("f.conkey", "f.conrelid"),
            names("f.confkey", "f.confrelid")
        );
        let rows = client.query(&sql, &[&oid]).await.unwrap();
        let foreign_keys = rows.iter().map(|row| {
            // The classes that stand beside mixed columns are no columns of the file's key; both sides have them at the same places.
            let (columns, parent_columns): (Vec<String>, Vec<String>) = (row.get(0), row.get(2));
            let pairs = columns.into_iter().zip(parent_columns);
            let pairs =
                pairs.filter(|(one, other)| !(one.ends_with("__class") && other.ends_with("__class")));
            let (columns, parent_columns) = pairs.unzip();
            let key = ForeignKey {
                columns,
                parent: row.get(1),
                parent_columns,
                on_update: action(row.get(3)),
                on_delete: action(row.get(4)),
            };
            (key, row.get(5))
        });
        let foreign_keys = foreign_keys.collect();
        let sql = "SELECT count(*) FROM pg_constraint WHERE conrelid = $1 AND contype = 'c'";
        let checks: i64 = client.query_one(sql, &[&oid]).await.unwrap().get(0);
        let sql = "SELECT tgname::text FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal";
        let rows = client.query(sql, &[&oid]).await.unwrap();
        let triggers = rows.iter().map(|row| row.get(0)).collect();
        Self {
            columns,
            indexes,
            foreign_keys,
            checks: usize::try_from(checks).unwrap(),
            triggers,
        }
    }
}

fn action(code: &str) -> String {
    let words = match code {
        "r" => "RESTRICT",
        "c" => "CASCADE",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => "NO ACTION",
    };
    words.to_owned()
}

/// What was lost of a table.
struct Losses<'a> {
    copied: &'a Copied,
    table: &'a str,
    found: Vec<String>,
}

impl Losses<'_> {
    /// Something that is lost whatever the report says.
    fn always(&mut self, what: &str) {
        self.found.push(format!("{}: {what}", self.table));
    }

    /// Something that is lost unless an entry of the report names all of these.
    fn unless_listed(&mut self, what: &str, names: &[&str]) {
        if !self.copied.is_listed(names) {
            self.always(what);
        }
    }
}

/// The rules of `file` that are neither in the database nor in the report.
pub(crate) async fn lost(file: &Connection, copied: &Copied) -> Vec<String> {
    let schema: Vec<(String, String, String, String)> = query(
        file,
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY name",
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    );
    let is_virtual = |sql: &str| sql.to_ascii_uppercase().starts_with("CREATE VIRTUAL");
    let virtuals: Vec<&str> = schema
        .iter()
        .filter(|(.., sql)| is_virtual(sql))
        .map(|(_, name, ..)| name.as_str())
        .collect();
    let relations = tables(copied.client()).await;
    let mut lost = Vec::new();
    let mut triggers = Vec::new();
    for (kind, name, _, sql) in &schema {
        let internal = name.to_ascii_lowercase().starts_with("sqlite_") || is_shadow(name, &virtuals);
        if kind == "table" && !internal && !is_virtual(sql) {
            let table = Table::read(copied.client(), &copied.target(name)).await;
            let mut losses = Losses {
                copied,
                table: name,
                found: vec![],
            };
            columns_and_key(file, &table, &mut losses);
            indexes(file, &table, &mut losses);
            foreign_keys(file, &table, &mut losses);
            checks(sql, &table, &mut losses);
            class_columns(file, &mut losses).await;
            next_key(file, &table, &mut losses).await;
            lost.extend(losses.found);
            triggers.extend(table.triggers);
        }
    }
    for (kind, name, table, _) in &schema {
        let there = match kind.as_str() {
            "view" => relations.contains(name),
            "trigger" => triggers.iter().any(|trigger| trigger.contains(name.as_str())),
            _ => continue,
        };
        if !there && !copied.is_listed(&[name]) {
            lost.push(format!(
                "the {kind} {name} (of {table}) is neither there nor listed"
            ));
        }
    }
    lost
}

fn columns_and_key(file: &Connection, table: &Table, losses: &mut Losses<'_>) {
    let (name, copied) = (losses.table, losses.copied);
    let columns: Vec<(String, bool, Option<String>, i64, i64)> = query_with(
        file,
        r#"SELECT name, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid"#,
        name,
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
    );
    let mut key: Vec<(i64, String)> = Vec::new();
    for (column, not_null, default, place, hidden) in &columns {
        let target = copied.target_column(name, column);
        if *place > 0 {
            key.push((*place, target.clone()));
        }
        let Some(found) = table.columns.get(&target) else {
            losses.unless_listed(&format!("the column {column} is missing"), &[name, column]);
            continue;
        };
        if *not_null && !found.not_null {
            losses.unless_listed(&format!("{column} was NOT NULL"), &[name, column]);
        }
        if found.not_null && !*not_null && *place == 0 {
            losses.always(&format!("{column} was not NOT NULL"));
        }
        let default = default
            .as_ref()
            .filter(|default| !default.eq_ignore_ascii_case("NULL"));
        if default.is_some() && found.default.is_none() {
            losses.unless_listed(&format!("{column} had the default {default:?}"), &[name, column]);
        }
        if default.is_none() && found.default.is_some() && !found.identity && !found.generated {
            losses.always(&format!("{column} had no default and has {:?}", found.default));
        }
        if *hidden > 1 && !found.generated {
            losses.unless_listed(&format!("{column} was generated"), &[name, column]);
        }
    }
    key.sort();
    let key: Vec<String> = key.into_iter().map(|(_, column)| column).collect();
    match table.indexes.iter().find(|index| index.primary) {
        None if key.is_empty() => {}
        None => losses.unless_listed(&format!("the primary key {key:?} is missing"), &[name]),
        Some(index) if plain(&index.parts) == key => {}
        Some(index) => losses.always(&format!("the primary key {key:?} is {:?}", index.parts)),
    }
}

fn checks(sql: &str, table: &Table, losses: &mut Losses<'_>) {
    let checks = words(sql)
        .iter()
        .filter(|word| word.eq_ignore_ascii_case("CHECK"))
        .count();
    let lists = ["not_carried", "weakened"].map(|list| losses.copied.report[list].as_array().unwrap());
    let entries = lists
        .iter()
        .copied()
        .flatten()
        .map(|entry| entry.to_string().to_lowercase());
    let listed = entries.filter(|entry| entry.contains("check")).count();
    if table.checks + listed < checks {
        losses.always(&format!(
            "of {checks} checks {} are there and {listed} are listed",
            table.checks
        ));
    }
}

/// The columns of a key without the classes that stand beside mixed ones.
fn plain(parts: &[(String, bool)]) -> Vec<String> {
    parts
        .iter()
        .map(|(name, _)| name.clone())
        .filter(|name| !name.ends_with("__class"))
        .collect()
}

fn indexes(file: &Connection, table: &Table, losses: &mut Losses<'_>) {
    let (name, copied) = (losses.table, losses.copied);
    let listed: Vec<(String, bool, String, bool)> = query_with(
        file,
        r#"SELECT name, "unique", origin, partial FROM pragma_index_list(?1)"#,
        name,
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    );
    for (index, unique, origin, partial) in listed {
        let parts: Vec<(Option<String>, bool)> = query_with(
            file,
            r#"SELECT name, "desc" FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno"#,
            &index,
            |row| Ok((row.get(0)?, row.get(1)?)),
        );
        let mut columns: Vec<String> = parts
            .iter()
            .map(|(column, _)| {
                column
                    .as_ref()
                    .map_or_else(|| "()".to_owned(), |c| copied.target_column(name, c))
            })
            .collect();
        if origin == "u" {
            // No constraint over there has a column twice.
            let mut met = BTreeSet::new();
            columns.retain(|column| met.insert(column.clone()));
        }
        // A column under another collation is an expression over there.
        let alike = |found: &Index| {
            let found = plain(&found.parts);
            found.len() == columns.len()
                && found
                    .iter()
                    .zip(&columns)
                    .all(|(found, column)| found == column || found.starts_with('('))
        };
        match origin.as_str() {
            "u" => {
                let there = |found: &Index| found.unique && !found.partial && alike(found);
                if table.indexes.iter().any(there) {
                    continue;
                }
                let names: Vec<&str> = [name]
                    .into_iter()
                    .chain(parts.iter().filter_map(|(column, _)| column.as_deref()))
                    .collect();
                losses.unless_listed(&format!("UNIQUE ({}) is missing", columns.join(", ")), &names);
            }
            "c" => {
                let same = |found: &&Index| found.name == copied.renamed("index", &index);
                let found = table.indexes.iter().filter(same).find(|found| {
                    let directions = parts.iter().map(|(_, descending)| *descending);
                    let kept = found
                        .parts
                        .iter()
                        .filter(|(part, _)| !part.ends_with("__class"))
                        .map(|(_, d)| *d);
                    alike(found) && found.unique == unique && found.partial == partial && directions.eq(kept)
                });
                if found.is_none() {
                    losses.unless_listed(
                        &format!("the index {index} is missing or another: {:?}", table.indexes),
                        &[&index],
                    );
                }
            }
            _ => {}
        }
    }
}

fn foreign_keys(file: &Connection, table: &Table, losses: &mut Losses<'_>) {
    let (name, copied) = (losses.table, losses.copied);
    let rows: Vec<(i64, String, String, Option<String>, String, String)> = query_with(
        file,
        r#"SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq"#,
        name,
        |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        },
    );
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    for (id, parent, from, to, on_update, on_delete) in rows {
        let parent = file_table(file, &parent).unwrap_or(parent);
        let key = keys.entry(id).or_insert_with(|| ForeignKey {
            columns: vec![],
            parent: parent.clone(),
            parent_columns: vec![],
            on_update,
            on_delete,
        });
        key.columns.push(from);
        key.parent_columns.extend(to);
    }
    for (_, mut key) in keys {
        if key.parent_columns.is_empty() {
            let sql = "SELECT name FROM pragma_table_xinfo(?1) WHERE pk > 0 ORDER BY pk";
            key.parent_columns = query_with(file, sql, &key.parent, |row| row.get(0));
        }
        let there = file_table(file, &key.parent);
        let targets = |table: &str, columns: &[String]| -> Vec<String> {
            columns
                .iter()
                .map(|column| column_name(file, table, column))
                .map(|column| copied.target_column(table, &column))
                .collect()
        };
        let same = |found: &ForeignKey| {
            there.is_some()
                && found.parent == copied.target(&key.parent)
                && found.columns == targets(name, &key.columns)
                && found.parent_columns == targets(&key.parent, &key.parent_columns)
                && (&found.on_update, &found.on_delete) == (&key.on_update, &key.on_delete)
        };
        let what = format!("the foreign key {key:?}");
        match table.foreign_keys.iter().find(|(found, _)| same(found)) {
            None => losses.unless_listed(
                &format!("{what} is missing: {:?}", table.foreign_keys),
                &[name, &key.parent],
            ),
            Some((_, false)) => losses.unless_listed(&format!("{what} is not valid"), &[name]),
            Some(_) => {}
        }
    }
}

/// The table that a name means.
fn file_table(file: &Connection, written: &str) -> Option<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    query_with(file, sql, written, |row| row.get(0)).pop()
}

/// The column that a name means.
fn column_name(file: &Connection, table: &str, written: &str) -> String {
    let names: Vec<String> = query_with(file, "SELECT name FROM pragma_table_xinfo(?1)", table, |row| {
        row.get(0)
    });
    let found = names.into_iter().find(|name| name.eq_ignore_ascii_case(written));
    found.unwrap_or_else(|| written.to_owned())
}

/// Beside a mixed column stands the class of each value.
async fn class_columns(file: &Connection, losses: &mut Losses<'_>) {
    let (name, copied) = (losses.table, losses.copied);
    let columns: Vec<String> = query_with(
        file,
        "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1",
        name,
        |row| row.get(0),
    );
    for column in columns {
        if copied.class_column(name, &column).is_none() || copied.rejected(name) > 0 {
            continue;
        }
        let target = copied.target_column(name, &column);
        let without = if copied.type_of(name, &column) == Some("bytea") {
            "blob"
        } else {
            "text"
        };
        // A value that the application has written over there has no class of its own.
        let sql = format!(
            "SELECT coalesce({0}::text, '{without}'), count(*) FROM {1} WHERE {2} IS NOT NULL GROUP BY 1 ORDER BY 1",
            identifier(&format!("{target}__class")),
            identifier(&copied.target(name)),
            identifier(&target)
        );
        let is = copied.query(&sql).await;
        let sql = format!(
            "SELECT typeof({0}), count(*) FROM {1} NOT INDEXED WHERE {0} IS NOT NULL GROUP BY 1 ORDER BY 1",
            identifier(&column),
            identifier(name)
        );
        let was: Vec<Vec<Option<String>>> = query(file, &sql, |row| {
            Ok(vec![Some(row.get(0)?), Some(row.get::<_, i64>(1)?.to_string())])
        });
        if is != was {
            losses.always(&format!("the classes of {column} were {was:?} and are {is:?}"));
        }
    }
}

/// What gives keys gives one above every old one.
async fn next_key(file: &Connection, table: &Table, losses: &mut Losses<'_>) {
    let (name, copied) = (losses.table, losses.copied);
    let keys: Vec<(String, String)> = query_with(
        file,
        "SELECT name, type FROM pragma_table_xinfo(?1) WHERE pk > 0",
        name,
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    let indexed: Vec<String> = query_with(
        file,
        "SELECT origin FROM pragma_index_list(?1) WHERE origin = 'pk'",
        name,
        |row| row.get(0),
    );
    let [(column, declared)] = keys.as_slice() else {
        return;
    };
    // A key with an index of its own is not the rowid.
    if !declared.eq_ignore_ascii_case("INTEGER") || !indexed.is_empty() {
        return;
    }
    let target = copied.target_column(name, column);
    if !table.columns.get(&target).is_some_and(|column| column.identity) {
        // A type that was asked for may be none of numbers.
        let listed = [column.as_str(), "gives out no keys"];
        losses.unless_listed(&format!("{column} gives no next key"), &listed);
        return;
    }
    let largest: Vec<Option<i64>> = query(
        file,
        &format!(
            "SELECT max({}) FROM {} NOT INDEXED",
            identifier(column),
            identifier(name)
        ),
        |row| row.get(0),
    );
    let has_sequences = !query(
        file,
        "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'",
        |row| row.get::<_, i64>(0),
    )
    .is_empty();
    let given: Vec<i64> = if has_sequences {
        query_with(
            file,
            "SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = ?1",
            name,
            |row| row.get(0),
        )
    } else {
        vec![]
    };
    let largest = largest
        .into_iter()
        .flatten()
        .chain(given)
        .max()
        .unwrap_or(0)
        .max(0);
    let sql = "SELECT pg_get_serial_sequence('public.' || quote_ident($1), $2)";
    let row = copied
        .client()
        .query_one(sql, &[&copied.target(name), &target])
        .await
        .unwrap();
    let sequence: String = row.get(0);
    let sql = format!("SELECT last_value, is_called FROM {sequence}");
    let row = copied.client().query_one(&sql, &[]).await.unwrap();
    let next = i128::from(row.get::<_, i64>(0)) + i128::from(row.get::<_, bool>(1));
    if next != i128::from(largest) + 1 && !(largest == i64::MAX && copied.is_listed(&[name, column])) {
        losses.always(&format!("the next {column} is {next}, the largest was {largest}"));
    }
}

/// The words of an SQL text, outside of strings, names in quotes and comments.
fn words(sql: &str) -> Vec<String> {
    let mut bare = String::new();
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        let closing = match character {
            '\'' | '"' | '`' => character,
            '[' => ']',
            '-' if characters.peek() == Some(&'-') => '\n',
            '/' if characters.peek() == Some(&'*') => '/',
            other => {
                bare.push(other);
                continue;
            }
        };
        let mut last = ' ';
        for inside in characters.by_ref() {
            if inside == closing && (closing != '/' || last == '*') {
                break;
            }
            last = inside;
        }
        bare.push(' ');
    }
    bare.split(|c: char| !c.is_alphanumeric() && c != '_')
        .map(str::to_owned)
        .collect()
}

fn query<T>(
    connection: &Connection,
    sql: &str,
    from_row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut statement = connection.prepare(sql).unwrap();
    statement
        .query_map([], from_row)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn query_with<T>(
    connection: &Connection,
    sql: &str,
    name: &str,
    from_row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut statement = connection.prepare(sql).unwrap();
    statement
        .query_map([name], from_row)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}
