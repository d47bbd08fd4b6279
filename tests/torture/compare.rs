//! The judge: everything that a SQLite file holds, read value by value, and what two files differ in.
//!
//! It shares no code with the transfer. Values are told apart by storage class and bytes: `1`, `1.0`, `'1'` and `x'31'` are four
//! values, `0.0` and `-0.0` are two, `''`, `x''` and NULL three.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use cutover_domain::transfer::refusal::OWN_TABLES;
use cutover_tests::rusqlite::types::ValueRef;
use cutover_tests::rusqlite::{self, Connection, OpenFlags, Row as SqliteRow};

/// A value: its storage class and its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    /// Its bits.
    Real(u64),
    /// UTF-8 if it is text at all; what is stored if it is not.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

pub(crate) type Row = Vec<Cell>;

/// A table, or a virtual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    /// How often each row is there.
    pub(crate) rows: BTreeMap<Row, usize>,
}

/// Everything that a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) tables: BTreeMap<String, Table>,
    /// Virtual tables whose module is not there.
    pub(crate) unreadable: BTreeSet<String>,
    /// The SQL of everything in the schema, by type and name.
    pub(crate) objects: BTreeMap<(String, String), String>,
    /// What `AUTOINCREMENT` has given last, by table.
    pub(crate) sequences: BTreeMap<String, i64>,
}

/// A row that was set apart, as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetApart {
    /// The table's name in the source.
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    pub(crate) row: Row,
}

impl Contents {
    /// Reads the file at `path`: a copy, for SQLite may write to it.
    pub(crate) fn read(path: &Path) -> Self {
        // Without SQLITE_OPEN_URI, a path is a path.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        // A collation that the programs of some themes have.
        connection.create_collation("unicase", unicase).unwrap();
        Self::of(&connection)
    }

    pub(crate) fn of(connection: &Connection) -> Self {
        let encoding: String = connection
            .query_row("PRAGMA encoding", [], |row| row.get(0))
            .unwrap();
        let mut contents = Self {
            tables: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            objects: BTreeMap::new(),
            sequences: BTreeMap::new(),
        };
        let sql = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY name";
        let schema: Vec<(String, String, String)> =
            listed(connection, sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let virtuals: Vec<&str> = schema
            .iter()
            .filter(|(_, _, sql)| is_virtual(sql))
            .map(|(_, name, _)| name.as_str())
            .collect();
        for (kind, name, sql) in &schema {
            let internal = name.to_ascii_lowercase().starts_with("sqlite_");
            if internal || OWN_TABLES.contains(&name.as_str()) || is_shadow(name, &virtuals) {
                continue;
            }
            contents.objects.insert((kind.clone(), name.clone()), sql.clone());
            if kind == "table" {
                match read_table(connection, name, is_virtual(sql), &encoding) {
                    Some(table) => drop(contents.tables.insert(name.clone(), table)),
                    None => drop(contents.unreadable.insert(name.clone())),
                }
            }
        }
        if schema.iter().any(|(_, name, _)| name == "sqlite_sequence") {
            let sql = "SELECT name, CAST(seq AS INTEGER) FROM sqlite_sequence WHERE seq IS NOT NULL";
            let rows: Vec<(String, i64)> = listed(connection, sql, |row| Ok((row.get(0)?, row.get(1)?)));
            contents.sequences.extend(rows);
        }
        contents
    }
}

/// Blind to case, all alphabets included.
pub(crate) fn unicase(one: &str, other: &str) -> std::cmp::Ordering {
    one.to_lowercase().cmp(&other.to_lowercase())
}

fn listed<T>(
    connection: &Connection,
    sql: &str,
    from_row: impl Fn(&SqliteRow<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], from_row).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn is_virtual(sql: &str) -> bool {
    let words: Vec<String> = sql
        .split_whitespace()
        .take(2)
        .map(str::to_ascii_uppercase)
        .collect();
    words == ["CREATE", "VIRTUAL"]
}

/// Whether a table is where FTS or an R-Tree keep what they hold.
pub(crate) fn is_shadow(name: &str, virtuals: &[&str]) -> bool {
    const PARTS: [&str; 11] = [
        "data", "idx", "content", "docsize", "config", "segments", "segdir", "stat", "node", "rowid",
        "parent",
    ];
    virtuals.iter().any(|of| {
        let rest = name.strip_prefix(of).and_then(|rest| rest.strip_prefix('_'));
        rest.is_some_and(|part| PARTS.contains(&part))
    })
}

/// None if SQLite itself cannot read it, the module of a virtual table being missing, or what that needs.
fn read_table(connection: &Connection, name: &str, with_rowid: bool, encoding: &str) -> Option<Table> {
    let mut statement = connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid")
        .unwrap();
    let columns = statement
        .query_map([name], |row| row.get::<_, String>(0))
        .unwrap();
    let mut columns: Vec<String> = columns.collect::<Result<_, _>>().ok()?;
    if with_rowid && !columns.iter().any(|column| column.eq_ignore_ascii_case("rowid")) {
        columns.insert(0, "rowid".to_owned());
    }
    // The class, the text as SQLite hands it out in UTF-8, and the bytes as they are stored.
    let fields: Vec<String> = columns
        .iter()
        .map(|column| format!("{0}, CAST({0} AS BLOB)", identifier(column)))
        .collect();
    let mut rows = BTreeMap::new();
    // A SELECT has 2,000 columns at most.
    let halves: Vec<&[String]> = fields.chunks(900).collect();
    let mut read: Vec<Row> = Vec::new();
    for fields in halves {
        let sql = format!(
            "SELECT {} FROM {} NOT INDEXED",
            fields.join(", "),
            identifier(name)
        );
        let sql = if with_rowid {
            sql.replace(" NOT INDEXED", "")
        } else {
            sql
        };
        let mut statement = connection.prepare(&sql).unwrap();
        let mut found = statement.query([]).unwrap();
        let mut at = 0;
        loop {
            let row = match found.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                // For want of a tokenizer.
                Err(_) if with_rowid => return None,
                Err(error) => panic!("{name}: {error}"),
            };
            let cells = (0..fields.len()).map(|column| {
                cell(
                    row.get_ref(2 * column).unwrap(),
                    row.get_ref(2 * column + 1).unwrap(),
                    encoding,
                )
            });
            match read.get_mut(at) {
                Some(begun) => begun.extend(cells),
                None => read.push(cells.collect()),
            }
            at += 1;
        }
    }
    for row in read {
        *rows.entry(row).or_insert(0) += 1;
    }
    Some(Table { columns, rows })
}

fn cell(value: ValueRef<'_>, stored: ValueRef<'_>, encoding: &str) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number.to_bits()),
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
        ValueRef::Text(_) => Cell::Text(text(stored.as_blob().unwrap(), encoding)),
    }
}

/// SQLite turns halves of surrogate pairs into something else without a word, so that UTF-16 is read here.
fn text(stored: &[u8], encoding: &str) -> Vec<u8> {
    let unit: fn([u8; 2]) -> u16 = match encoding {
        "UTF-16le" => u16::from_le_bytes,
        "UTF-16be" => u16::from_be_bytes,
        _ => return stored.to_vec(),
    };
    if stored.len() % 2 == 1 {
        return stored.to_vec();
    }
    let units: Vec<u16> = stored.chunks(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16(&units).map_or_else(|_| stored.to_vec(), String::into_bytes)
}

/// A name as SQL.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| match bytes.len() {
            0..=60 => write!(f, "'{}'", bytes.escape_ascii()),
            length => write!(f, "'{}…' ({length} bytes)", bytes[..60].escape_ascii()),
        };
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(bits) => write!(f, "real {:?} ({bits:016x})", f64::from_bits(*bits)),
            Self::Text(text) => bytes(f, text),
            Self::Blob(blob) => {
                f.write_str("x")?;
                bytes(f, blob)
            }
        }
    }
}

/// What of `source` is not in `back`, or is there and was not in `source`. SQL may differ in blanks.
pub(crate) fn differences(source: &Contents, back: &Contents) -> Vec<String> {
    let mut found = Vec::new();
    let names: BTreeSet<&String> = source.tables.keys().chain(back.tables.keys()).collect();
    for name in names {
        match (source.tables.get(name), back.tables.get(name)) {
            (Some(was), Some(is)) => found.extend(table_differences(name, was, is)),
            (Some(_), None) => found.push(format!("the table {name} is missing")),
            (None, _) => found.push(format!("there is a table {name} too many")),
        }
    }
    for (object, sql) in &source.objects {
        let (kind, name) = object;
        let excused = source.unreadable.contains(name);
        match back.objects.get(object) {
            None if !excused => found.push(format!("the {kind} {name} is missing")),
            Some(other) if !excused && blanks_aside(sql) != blanks_aside(other) => {
                found.push(format!("the {kind} {name} was {sql} and is {other}"));
            }
            _ => {}
        }
    }
    for (kind, name) in back.objects.keys() {
        if !source.objects.contains_key(&(kind.clone(), name.clone())) {
            found.push(format!("there is a {kind} {name} too many"));
        }
    }
    if source.sequences != back.sequences {
        found.push(format!(
            "sqlite_sequence was {:?} and is {:?}",
            source.sequences, back.sequences
        ));
    }
    found
}

fn table_differences(name: &str, was: &Table, is: &Table) -> Vec<String> {
    if was.columns != is.columns {
        return vec![format!(
            "the columns of {name} were {:?} and are {:?}",
            was.columns, is.columns
        )];
    }
    let mut found = Vec::new();
    let rows: BTreeSet<&Row> = was.rows.keys().chain(is.rows.keys()).collect();
    for row in rows {
        let (was, is) = (was.rows.get(row).unwrap_or(&0), is.rows.get(row).unwrap_or(&0));
        if was != is {
            found.push(format!(
                "{name}: {was} times in the source, {is} times back: {row:?}"
            ));
        }
    }
    found
}

/// The rows set apart that are none of the source, or are there less often.
pub(crate) fn strangers<'a>(source: &Contents, set_apart: &'a [SetApart]) -> Vec<&'a SetApart> {
    let mut tables = source.tables.clone();
    let strange = |apart: &&SetApart| {
        let count = tables.get_mut(&apart.table).and_then(|table| {
            let row = apart.row_of(&table.columns)?;
            table.rows.get_mut(&row).filter(|count| **count > 0)
        });
        count.map(|count| *count -= 1).is_none()
    };
    set_apart.iter().filter(strange).collect()
}

impl SetApart {
    /// Its values in the order of `columns`.
    fn row_of(&self, columns: &[String]) -> Option<Row> {
        let value = |column: &String| {
            let at = self.columns.iter().position(|name| name == column)?;
            self.row.get(at).cloned()
        };
        columns.iter().map(value).collect()
    }
}

fn blanks_aside(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
        CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, r REAL, g AS (a || '!'));
        INSERT INTO t (id, a, r) VALUES (1, 'text', 1.5), (2, '', 0.1), (3, NULL, 2), (4, 0.0, 3), (5, 7, 4), (6, x'0001', 5);
        CREATE TABLE twice (a, b);
        INSERT INTO twice VALUES (1, 2), (1, 2), (NULL, NULL);
        CREATE TABLE other (x);
        CREATE INDEX i ON t (a);
        CREATE VIEW v AS SELECT a FROM t;
        CREATE TRIGGER tr AFTER INSERT ON other BEGIN SELECT 1; END;";

    fn contents(sql: &str) -> Contents {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(FILE).unwrap();
        connection.execute_batch(sql).unwrap();
        Contents::of(&connection)
    }

    #[test]
    fn equal_files_do_not_differ() {
        let found = differences(&contents(""), &contents("UPDATE t SET a = a"));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn every_mutation_is_found() {
        let mutations = [
            // One bit of a number, of a double, of a text, of a blob.
            "UPDATE t SET a = 6 WHERE id = 5",
            "UPDATE t SET r = 0.10000000000000002 WHERE id = 2",
            "UPDATE t SET a = 'tezt' WHERE id = 1",
            "UPDATE t SET a = x'0000' WHERE id = 6",
            // A sign, also of zero.
            "UPDATE t SET a = -7 WHERE id = 5",
            "UPDATE t SET a = -0.0 WHERE id = 4",
            // Trailing and leading blanks, a cut text, NULL and nothing.
            "UPDATE t SET a = 'text ' WHERE id = 1",
            "UPDATE t SET a = ' text' WHERE id = 1",
            "UPDATE t SET a = 'tex' WHERE id = 1",
            "UPDATE t SET a = 'text' || char(0) WHERE id = 1",
            "UPDATE t SET a = NULL WHERE id = 2",
            "UPDATE t SET a = '' WHERE id = 3",
            "UPDATE t SET a = x'' WHERE id = 2",
            "UPDATE t SET a = 'NULL' WHERE id = 3",
            // The storage class.
            "UPDATE t SET a = '7' WHERE id = 5",
            "UPDATE t SET a = 7.0 WHERE id = 5",
            "UPDATE t SET a = x'37' WHERE id = 5",
            "UPDATE t SET a = CAST('text' AS BLOB) WHERE id = 1",
            "UPDATE t SET a = 0 WHERE id = 4",
            // Normal forms.
            "UPDATE t SET a = 'TEXT' WHERE id = 1",
            // Rows.
            "DELETE FROM t WHERE id = 4",
            "INSERT INTO t (id, a) VALUES (0, 'new')",
            "UPDATE t SET id = 40 WHERE id = 4",
            "DELETE FROM twice WHERE rowid = 1",
            "INSERT INTO twice VALUES (1, 2)",
            "INSERT INTO twice VALUES (NULL, NULL)",
            "UPDATE twice SET a = b, b = a WHERE rowid = 1",
            // Values that went to another row.
            "UPDATE t SET r = 3 WHERE id = 3; UPDATE t SET r = 2 WHERE id = 4",
            // The schema.
            "DROP TABLE other",
            "CREATE TABLE more (x)",
            "DROP INDEX i",
            "DROP INDEX i; CREATE INDEX i ON t (a DESC)",
            "DROP VIEW v",
            "DROP TRIGGER tr",
            "CREATE VIEW w AS SELECT 1",
            "ALTER TABLE other ADD COLUMN y",
            "ALTER TABLE other RENAME COLUMN x TO X",
            "UPDATE sqlite_sequence SET seq = 7",
            "DELETE FROM sqlite_sequence",
        ];
        let source = contents("");
        for mutation in mutations {
            let back = contents(mutation);
            assert_ne!(differences(&source, &back), Vec::<String>::new(), "{mutation}");
            assert_ne!(
                differences(&back, &source),
                Vec::<String>::new(),
                "{mutation}, seen from there"
            );
        }
    }

    #[test]
    fn generated_values_count() {
        let made = |expression: &str| {
            let connection = Connection::open_in_memory().unwrap();
            let sql = format!("CREATE TABLE t (a, g AS ({expression})); INSERT INTO t VALUES (1);");
            connection.execute_batch(&sql).unwrap();
            Contents::of(&connection)
        };
        let found = differences(&made("a + 1"), &made("a + 2"));
        assert_eq!(
            found.len(),
            3,
            "the row with 2, the one with 3, and the SQL: {found:?}"
        );
    }

    #[test]
    fn a_row_set_apart_must_be_one_of_the_source() {
        let source = contents("");
        let apart = |row: Row| SetApart {
            table: "twice".to_owned(),
            columns: vec!["b".to_owned(), "a".to_owned()],
            row,
        };
        let one = apart(vec![Cell::Integer(2), Cell::Integer(1)]);
        let nulls = apart(vec![Cell::Null, Cell::Null]);
        assert!(strangers(&source, &[one.clone(), nulls.clone(), one.clone()]).is_empty());
        for strange in [
            nulls.clone(),
            apart(vec![Cell::Integer(1), Cell::Integer(2)]),
            apart(vec![Cell::Integer(2), Cell::Text(b"1".to_vec())]),
            apart(vec![Cell::Integer(2)]),
            SetApart {
                table: "nowhere".to_owned(),
                ..one.clone()
            },
        ] {
            let rows = [one.clone(), nulls.clone(), strange.clone()];
            assert_eq!(strangers(&source, &rows), [&strange]);
        }
    }

    #[test]
    fn the_encoding_of_the_file_does_not_matter_but_half_a_pair_does() {
        let made = |encoding: &str, value: &str| {
            let connection = Connection::open_in_memory().unwrap();
            let sql = format!(
                "PRAGMA encoding = '{encoding}'; CREATE TABLE t (a); INSERT INTO t VALUES ({value});"
            );
            connection.execute_batch(&sql).unwrap();
            Contents::of(&connection)
        };
        let eight = made("UTF-8", "'ä😀'");
        for other in ["UTF-16le", "UTF-16be"] {
            assert_eq!(differences(&eight, &made(other, "'ä😀'")), Vec::<String>::new());
            assert_ne!(differences(&eight, &made(other, "'ä😁'")), Vec::<String>::new());
        }
        let half = made("UTF-16le", "CAST(x'410000d84200' AS TEXT)");
        let replaced = made("UTF-8", "CAST(x'41efbfbd42' AS TEXT)");
        assert_ne!(differences(&half, &replaced), Vec::<String>::new());
    }
}
