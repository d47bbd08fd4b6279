//! What SQLite tells only in the text of `CREATE TABLE`: checks, names of constraints, when a foreign key is checked,
//! expressions of generated columns, collations, AUTOINCREMENT.
//!
//! The text has been accepted by SQLite, so it is read for what is looked for and nothing is validated. Text that cannot be
//! followed (a schema damaged on purpose) yields less, never a panic.

use super::catalog::{Check, Deferrable};
use super::translate::token::{Token, tokens};

/// What a `CREATE TABLE` says beyond what the pragmas tell.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct TableDdl {
    /// CHECK constraints in order.
    pub checks: Vec<Check>,
    /// Foreign keys in order.
    pub foreign_keys: Vec<ForeignKeyDdl>,
    /// PRIMARY KEY and UNIQUE constraints that have a name: the name and the columns.
    pub named_keys: Vec<(String, Vec<String>)>,
    /// Columns with an expression.
    pub generated: Vec<(String, String)>,
    /// Columns with a collation.
    pub collations: Vec<(String, String)>,
    /// Whether the key is AUTOINCREMENT.
    pub autoincrement: bool,
}

/// A foreign key's name and timing.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKeyDdl {
    /// The constraint's name.
    pub name: Option<String>,
    /// When it is checked.
    pub deferrable: Deferrable,
}

/// Reads the text of a `CREATE TABLE`.
pub fn parse(sql: &str) -> TableDdl {
    let tokens = tokens(sql);
    let mut ddl = TableDdl::default();
    let Some(open) = tokens.iter().position(|token| token.is("(")) else {
        return ddl;
    };
    let close = matching(&tokens, open);
    let mut start = open + 1;
    while start < close {
        let mut end = start;
        while end < close && !tokens[end].is(",") {
            end = if tokens[end].is("(") {
                matching(&tokens, end)
            } else {
                end
            } + 1;
        }
        definition(sql, &tokens[start..end.min(close)], &mut ddl);
        start = end + 1;
    }
    ddl
}

/// The condition of a partial index, from its `CREATE INDEX`.
pub fn predicate(sql: &str) -> Option<String> {
    let tokens = tokens(sql);
    let open = tokens.iter().position(|token| token.is("("))?;
    let close = matching(&tokens, open);
    let from = tokens.get(close + 1).filter(|token| token.is("WHERE"))?;
    sql.get(from.start + "WHERE".len()..)
        .map(|text| text.trim().to_owned())
}

/// One column with its constraints, or one or more table constraints (SQLite lets the comma between those be left out).
fn definition(sql: &str, tokens: &[Token<'_>], ddl: &mut TableDdl) {
    let table_constraint = tokens.first().is_some_and(|first| {
        ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]
            .iter()
            .any(|word| first.is(word))
    });
    let (column, mut at) = match tokens.first() {
        Some(first) if !table_constraint => (Some(first.name()), 1),
        _ => (None, 0),
    };
    let mut name: Option<String> = None;
    while let Some(token) = tokens.get(at) {
        let group = |from: usize| -> Option<usize> {
            tokens
                .get(from)
                .filter(|token| token.is("("))
                .map(|_| matching(tokens, from))
        };
        if token.is("CONSTRAINT") {
            name = tokens.get(at + 1).map(Token::name);
            at += 2;
            continue;
        }
        if token.is("CHECK")
            && let Some(end) = group(at + 1)
        {
            ddl.checks.push(Check {
                name: name.take(),
                expression: inside(sql, tokens, at + 1, end),
            });
            at = end + 1;
            continue;
        }
        if token.is("AS")
            && let (Some(end), Some(column)) = (group(at + 1), &column)
        {
            ddl.generated
                .push((column.clone(), inside(sql, tokens, at + 1, end)));
            at = end + 1;
            continue;
        }
        if token.is("COLLATE")
            && let (Some(collation), Some(column)) = (tokens.get(at + 1), &column)
        {
            ddl.collations.push((column.clone(), collation.name()));
        } else if token.is("AUTOINCREMENT") {
            ddl.autoincrement = true;
        } else if token.is("PRIMARY") || token.is("UNIQUE") {
            let list = at + 1 + usize::from(token.is("PRIMARY"));
            if let Some(name) = name.take() {
                let columns = match (&column, group(list)) {
                    (Some(column), _) => vec![column.clone()],
                    (None, Some(end)) => first_names(&tokens[list + 1..end]),
                    (None, None) => vec![],
                };
                ddl.named_keys.push((name, columns));
            }
        } else if token.is("REFERENCES") {
            ddl.foreign_keys.push(ForeignKeyDdl {
                name: name.take(),
                deferrable: Deferrable::No,
            });
        } else if token.is("DEFERRABLE")
            && let Some(key) = ddl.foreign_keys.last_mut()
        {
            let refused = at > 0 && tokens[at - 1].is("NOT");
            let deferred = tokens.get(at + 2).is_some_and(|token| token.is("DEFERRED"));
            key.deferrable = match (refused, deferred) {
                (true, _) => Deferrable::No,
                (false, true) => Deferrable::Deferred,
                (false, false) => Deferrable::Immediate,
            };
        }
        at = if token.is("(") { matching(tokens, at) } else { at } + 1;
    }
}

/// The text between a parenthesis and its match.
fn inside(sql: &str, tokens: &[Token<'_>], open: usize, close: usize) -> String {
    let from = tokens.get(open).map_or(0, |token| token.start + 1);
    let to = tokens.get(close).map_or(sql.len(), |token| token.start);
    sql.get(from..to).unwrap_or_default().trim().to_owned()
}

/// The first name of each part of a list.
fn first_names(tokens: &[Token<'_>]) -> Vec<String> {
    let parts = tokens.split(|token| token.is(","));
    parts.filter_map(|part| part.first().map(Token::name)).collect()
}

/// The index of the parenthesis that closes the one at `open`; the end if there is none.
fn matching(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_pragmas_do_not_tell_is_read() {
        let ddl = parse(
            r#"CREATE TABLE "t (x" ( -- a comment with CHECK (1)
                 id INTEGER PRIMARY KEY AUTOINCREMENT,
                 "na""me" TEXT COLLATE nocase CONSTRAINT short CHECK (length("na""me") <= 3 AND x <> ')'),
                 [a b] TEXT GENERATED ALWAYS AS (id || ',') STORED /* , CHECK(2) */,
                 p INT DEFAULT (1 + (2)) REFERENCES q(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
                 r INT REFERENCES q NOT DEFERRABLE INITIALLY DEFERRED CHECK(r IN (1,2)),
                 CONSTRAINT pair UNIQUE (p COLLATE binary, "r" DESC)
                 CONSTRAINT fk FOREIGN KEY (p, r) REFERENCES s (a, b) DEFERRABLE,
                 CHECK (p > 0)
               ) STRICT"#,
        );
        let checks: Vec<_> = ddl
            .checks
            .iter()
            .map(|c| (c.name.as_deref(), c.expression.as_str()))
            .collect();
        assert_eq!(
            checks,
            [
                (Some("short"), r#"length("na""me") <= 3 AND x <> ')'"#),
                (None, "r IN (1,2)"),
                (None, "p > 0")
            ]
        );
        assert_eq!(ddl.generated, [("a b".to_owned(), "id || ','".to_owned())]);
        assert_eq!(ddl.collations, [("na\"me".to_owned(), "nocase".to_owned())]);
        assert!(ddl.autoincrement);
        assert_eq!(
            ddl.named_keys,
            [("pair".to_owned(), vec!["p".to_owned(), "r".to_owned()])]
        );
        let keys: Vec<_> = ddl
            .foreign_keys
            .iter()
            .map(|k| (k.name.as_deref(), k.deferrable))
            .collect();
        assert_eq!(
            keys,
            [
                (None, Deferrable::Deferred),
                (None, Deferrable::No),
                (Some("fk"), Deferrable::Immediate)
            ]
        );
    }

    #[test]
    fn the_condition_of_a_partial_index_is_read() {
        let sql = "CREATE UNIQUE INDEX \"i (\" ON t (a, lower(b)) WHERE a > (1) AND b <> 'where'";
        assert_eq!(predicate(sql).as_deref(), Some("a > (1) AND b <> 'where'"));
        assert_eq!(predicate("CREATE INDEX i ON t (a)"), None);
        assert_eq!(predicate(""), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(sql in r#"(CREATE TABLE|CHECK|AS|REFERENCES|[a-z é"'`\[\](),*/-]){0,40}"#) {
            parse(&sql);
        }
    }
}
