//! Reading a SQLite file's schema: from the pragmas, and what they do not tell from the text of its tables.

use std::collections::BTreeSet;

use crate::connection::{Connection, Value};
use crate::error::Result;
use crate::expression::{self, Token};
use crate::schema::{Column, Constraint, Schema, Table};
use crate::sqlite::SqliteFile;

/// All tables but SQLite's own and ours.
pub(crate) async fn read(file: &mut SqliteFile) -> Result<Schema> {
    let mut schema = Schema::default();
    for row in file
        .rows(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name",
            &[],
        )
        .await?
    {
        let (name, sql) = (row.string(0), row.string(1));
        if !name.starts_with("sqlite_") && !name.starts_with("_cutover_") {
            let table = read_table(file, &name, &sql).await?;
            schema.tables.insert(name, table);
        }
    }
    Ok(schema)
}

async fn read_table(file: &mut SqliteFile, name: &str, sql: &str) -> Result<Table> {
    let mut table = Table::default();
    let tokens = expression::tokens(sql);
    if tokens.get(1).is_some_and(|token| token.is("virtual")) {
        // Its columns are its module's, which may not be here.
        return Ok(table);
    }
    let argument = [Value::Text(name.to_owned())];
    let sql = "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo($1)";
    let mut key = Vec::new();
    for row in file.rows(sql, &argument).await? {
        let position = row.integer(4).unwrap_or_default();
        if position > 0 {
            key.push((position, row.string(0)));
        }
        let column = Column {
            kind: row
                .string(1)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .to_uppercase(),
            not_null: row.integer(2) == Some(1),
            default: row.text(3).map(expression::normal),
            generated: None,
        };
        table.columns.insert(row.string(0), column);
    }
    key.sort();
    if !key.is_empty() {
        let columns = key.into_iter().map(|(_, column)| column).collect();
        constrain(&mut table, "PRIMARY KEY", columns, "");
    }
    written_in(&tokens, &mut table);
    read_indexes(file, name, &mut table).await?;
    read_foreign_keys(file, name, &mut table).await?;
    Ok(table)
}

fn constrain(table: &mut Table, kind: &str, columns: Vec<String>, more: &str) {
    let text = format!("{kind} ({}){more}", columns.join(", "));
    let constraint = Constraint {
        name: None,
        validated: true,
        columns: columns.into_iter().collect(),
    };
    table.constraints.insert(text, constraint);
}

/// Checks, collations and computed columns: only the text of CREATE TABLE has them.
fn written_in(tokens: &[Token], table: &mut Table) {
    let Some(open) = tokens.iter().position(|token| token.is("(")) else {
        return;
    };
    let close = expression::closing(tokens, open);
    table.options = expression::spelled(tokens.get(close + 1..).unwrap_or_default());
    for item in expression::split(tokens.get(open + 1..close).unwrap_or_default(), ",") {
        let mut at = 0;
        while at < item.len() {
            let next_opens = item.get(at + 1).is_some_and(|token| token.is("("));
            if item[at].is("check") && next_opens {
                let end = expression::closing(item, at + 1);
                add_check(item.get(at + 2..end).unwrap_or_default(), table);
                at = end;
            } else if item[at].is("collate") && at > 1 {
                let collation = item
                    .get(at + 1)
                    .map(|token| token.text.to_uppercase())
                    .unwrap_or_default();
                if let Some(column) = table.columns.get_mut(&item[0].text) {
                    column.kind = format!("{} COLLATE {collation}", column.kind);
                }
            } else if item[at].is("as") && next_opens {
                let end = expression::closing(item, at + 1);
                if let Some(column) = table.columns.get_mut(&item[0].text) {
                    column.generated = Some(expression::spelled(&item[at + 1..]));
                }
                at = end;
            } else if item[at].is("(") {
                at = expression::closing(item, at);
            }
            at += 1;
        }
    }
}

fn add_check(tokens: &[Token], table: &mut Table) {
    let columns: BTreeSet<String> = tokens
        .iter()
        .filter_map(|token| table.columns.keys().find(|name| token.names(name)).cloned())
        .collect();
    let constraint = Constraint {
        name: None,
        validated: true,
        columns,
    };
    let text = format!("CHECK ({})", expression::normal_tokens(tokens));
    table.constraints.insert(text, constraint);
}

async fn read_indexes(file: &mut SqliteFile, name: &str, table: &mut Table) -> Result<()> {
    let sql = "SELECT l.name, l.\"unique\", l.origin, s.sql FROM pragma_index_list($1) AS l \
               LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name";
    for index in file.rows(sql, &[Value::Text(name.to_owned())]).await? {
        let (index_name, origin) = (index.string(0), index.string(2));
        let sql = "SELECT name, \"desc\", coll FROM pragma_index_xinfo($1) WHERE key = 1 ORDER BY seqno";
        let columns = file.rows(sql, &[Value::Text(index_name.clone())]).await?;
        if origin == "u" {
            constrain(
                table,
                "UNIQUE",
                columns.iter().map(|row| row.string(0)).collect(),
                "",
            );
        } else if origin == "c" {
            let tokens = expression::tokens(&index.string(3));
            let unique = if index.integer(1) == Some(1) {
                "UNIQUE "
            } else {
                ""
            };
            let condition = tokens
                .iter()
                .position(|token| token.is("where"))
                .map_or_else(String::new, |at| {
                    format!(" WHERE {}", expression::normal_tokens(&tokens[at + 1..]))
                });
            let text = if columns.iter().any(|row| row.text(0).is_none()) {
                // An index on an expression: only its text has it.
                let open = tokens.iter().position(|token| token.is("(")).unwrap_or(0);
                expression::spelled(&tokens[open..])
            } else {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|row| {
                        let collation = match row.text(2) {
                            Some("BINARY") | None => String::new(),
                            Some(other) => format!(" COLLATE {other}"),
                        };
                        let order = if row.integer(1) == Some(1) { " DESC" } else { "" };
                        format!("{}{collation}{order}", row.string(0))
                    })
                    .collect();
                format!("({}){condition}", columns.join(", "))
            };
            table.indexes.insert(index_name, format!("{unique}{text}"));
        }
    }
    Ok(())
}

async fn read_foreign_keys(file: &mut SqliteFile, name: &str, table: &mut Table) -> Result<()> {
    // A foreign key that names no columns means the primary key of its parent.
    let sql = "SELECT f.id, f.\"table\", f.\"from\", \
               coalesce(f.\"to\", (SELECT p.name FROM pragma_table_info(f.\"table\") AS p WHERE p.pk = f.seq + 1)), \
               f.on_update, f.on_delete FROM pragma_foreign_key_list($1) AS f ORDER BY f.id, f.seq";
    let rows = file.rows(sql, &[Value::Text(name.to_owned())]).await?;
    for group in rows.chunk_by(|a, b| a.integer(0) == b.integer(0)) {
        let Some(first) = group.first() else { continue };
        let parents: Vec<String> = group.iter().map(|row| row.string(3)).collect();
        let action = |what: &str, action: String| match action.as_str() {
            "NO ACTION" => String::new(),
            other => format!(" {what} {other}"),
        };
        let more = format!(
            " REFERENCES {} ({}){}{}",
            first.string(1),
            parents.join(", "),
            action("ON UPDATE", first.string(4)),
            action("ON DELETE", first.string(5))
        );
        constrain(
            table,
            "FOREIGN KEY",
            group.iter().map(|row| row.string(2)).collect(),
            &more,
        );
    }
    Ok(())
}
