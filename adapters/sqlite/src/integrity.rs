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

/// A key with its place and its number of rows.
type Placed = (String, (String, u64));

/// Keys of one kind of storage class. Text comes first, and is found by an index of the column; whatever else a column holds is rare,
/// and comes in the order of its text. A place is the section's letter and the hexadecimal form of a key's bytes: it has their order, and also
/// names a key that is no UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Text,
    Other,
}

impl Section {
    const fn letter(self) -> char {
        match self {
            Self::Text => 't',
            Self::Other => 'x',
        }
    }

    /// The section of a place, and the place in it; none if it is no place.
    fn parse(place: &str) -> Option<(Self, Option<&str>)> {
        let sections = [Self::Text, Self::Other];
        let within = |section: Self| Some((section, Some(place.strip_prefix(section.letter())?)));
        sections.into_iter().find_map(within)
    }

    /// The next keys of this section behind the place `after` in it.
    fn page(
        self,
        session: &Session,
        relation: &Relation,
        after: Option<&str>,
        limit: u32,
    ) -> StoreResult<Vec<Placed>> {
        let sql = self.sql(relation, after.is_some());
        session.query(&sql, params![after, limit], |columns| {
            let place = format!("{}{}", self.letter(), columns.text()?);
            Ok((place, (columns.text()?, columns.count()?)))
        })
    }

    /// Numbers are less than any text, and blobs are greater. Text is compared and grouped as it is stored, or no index could be used.
    fn sql(self, relation: &Relation, has_place: bool) -> String {
        let Relation { child, column, .. } = relation;
        match self {
            Self::Text => {
                let from = if has_place {
                    "> CAST(unhex(?1) AS TEXT)"
                } else {
                    ">= ''"
                };
                format!(
                    "SELECT hex(CAST({column} AS BLOB)), CAST({column} AS TEXT), count(*) FROM {child}
                     WHERE {column} COLLATE BINARY {from} AND {column} COLLATE BINARY < x''
                     GROUP BY {column} COLLATE BINARY ORDER BY {column} COLLATE BINARY LIMIT ?2"
                )
            }
            Self::Other => format!(
                "SELECT hex(CAST({column} AS TEXT)) AS place, CAST({column} AS TEXT), count(*) FROM {child}
                 WHERE ({column} < '' OR {column} >= x'') AND (?1 IS NULL OR hex(CAST({column} AS TEXT)) > ?1)
                 GROUP BY place ORDER BY place LIMIT ?2"
            ),
        }
    }
}

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
            let place = after
                .as_deref()
                .map_or(Some((Section::Text, None)), Section::parse);
            let Some((section, after)) = place else {
                return Ok(References::default());
            };
            let mut found = section.page(session, relation, after, limit)?;
            if section == Section::Text && found.len() < limit as usize {
                let rest = limit - u32::try_from(found.len()).unwrap_or(limit);
                found.extend(Section::Other.page(session, relation, None, rest)?);
            }
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use cutover_domain::relations::OnDelete;
    use rusqlite::Connection;

    use super::*;

    const RELATION: &Relation = &Relation {
        child: "child",
        column: "parent_id",
        parent: "parent",
        parent_key: "id",
        on_delete: OnDelete::Cascade,
    };

    fn file_with(path: &Path, sql: &str) -> SourceFile {
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
        SourceFile::new(path, Duration::from_secs(1)).unwrap()
    }

    /// Every key, asked for so many at a time.
    async fn all_keys(file: &SourceFile, limit: u32) -> Vec<(String, u64)> {
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = file.references(RELATION, after, limit).await.unwrap();
            assert!(page.keys.len() <= limit as usize);
            keys.extend(page.keys);
            after = page.next;
            if after.is_none() {
                return keys;
            }
        }
    }

    #[tokio::test]
    async fn keys_of_every_storage_class_come_once_whatever_the_column_says() {
        let directory = tempfile::tempdir().unwrap();
        for (name, declared) in [
            ("text", "TEXT"),
            ("none", ""),
            ("number", "NUMERIC"),
            ("nocase", "TEXT COLLATE NOCASE"),
        ] {
            let sql = format!(
                "CREATE TABLE child (parent_id {declared}); CREATE INDEX by_parent ON child (parent_id);
                 INSERT INTO child VALUES (NULL), (''), ('b'), ('B'), ('b'), ('a' || char(0) || 'c'), ('a'), (CAST(x'ff' AS TEXT)),
                   (x'ff00'), (x'ff00'), (x''), (17), (17), (2.5), (char(0xe9))"
            );
            let file = file_with(&directory.path().join(name), &sql);
            // A column of text makes text of numbers.
            let number = |key: &str, rows| (key.to_owned(), rows);
            let (numbers, others) = match declared {
                "" | "NUMERIC" => (vec![], vec![number("17", 2), number("2.5", 1)]),
                _ => (vec![number("17", 2), number("2.5", 1)], vec![]),
            };
            let text = [
                ("B", 1),
                ("a", 1),
                ("a\0c", 1),
                ("b", 2),
                ("é", 1),
                ("\u{FFFD}", 1),
            ];
            let own = |(key, rows): (&str, u64)| (key.to_owned(), rows);
            let mut expected = vec![own(("", 1))];
            expected.extend(numbers);
            expected.extend(text.map(own));
            expected.push(own(("", 1)));
            expected.extend(others);
            expected.push(own(("\u{FFFD}\0", 2)));
            for limit in [1, 2, 3, 6, 100] {
                assert_eq!(
                    all_keys(&file, limit).await,
                    expected,
                    "{name}, {limit} at a time"
                );
            }
        }
    }

    /// Bytes that are no text in UTF-16 are compared as they are stored, too.
    #[tokio::test]
    async fn keys_in_utf_16_come_to_an_end() {
        let directory = tempfile::tempdir().unwrap();
        let file = file_with(
            &directory.path().join("utf16"),
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE child (parent_id TEXT);
             INSERT INTO child VALUES ('a'), ('a'), ('ā'), (CAST(x'fed8' AS TEXT)), (CAST(x'ffdb' AS TEXT))",
        );
        let keys = all_keys(&file, 1).await;
        let rows: Vec<u64> = keys.iter().map(|(_, rows)| *rows).collect();
        assert_eq!(rows, [1, 2, 1, 1], "{keys:?}");
    }

    #[tokio::test]
    async fn nothing_stands_behind_what_is_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let sql = "CREATE TABLE child (parent_id TEXT); INSERT INTO child VALUES ('a')";
        let file = file_with(&directory.path().join("file"), sql);
        let found = file.references(RELATION, Some("61".to_owned()), 9).await;
        assert_eq!(found.unwrap(), References::default());
    }

    /// Each page begins where the one before has ended, and reads no more of the index than it returns.
    #[test]
    fn a_page_is_found_by_the_index_and_sorts_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE child (parent_id TEXT); CREATE INDEX by_parent ON child (parent_id)")
            .unwrap();
        let session = Session::on(connection);
        for has_place in [false, true] {
            assert_eq!(
                plan(&session, &Section::Text.sql(RELATION, has_place)),
                ["SEARCH child USING COVERING INDEX by_parent (parent_id>? AND parent_id<?)"]
            );
        }
        let steps = plan(&session, &Section::Other.sql(RELATION, false));
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{steps:?}");
    }

    /// The steps by which a statement of a page is done.
    fn plan(session: &Session, sql: &str) -> Vec<String> {
        let steps = session.query(
            &format!("EXPLAIN QUERY PLAN {sql}"),
            params![Option::<String>::None, 9],
            |columns| {
                // Numbers stand before the words.
                for _ in 0..3 {
                    columns.count()?;
                }
                columns.text()
            },
        );
        steps.unwrap()
    }
}
