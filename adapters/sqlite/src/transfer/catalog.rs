//! The catalog of a SQLite file.

use std::collections::{HashMap, HashSet};
use std::str::{self, Utf8Error};

use cutover_domain::transfer::catalog::{
    Action, Affinity, Catalog, Column, ColumnKind, Deferrable, Engine, ForeignKey, Generated, Identity,
    Index, IndexPart, Key, Origin, OriginObject, Other, OtherKind, Storage, Table,
};
use cutover_domain::transfer::ddl::{self, TableDdl};
use cutover_domain::transfer::name::{quoted, quoted_list};
use cutover_domain::transfer::words::counted;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};

use super::own_tables;

/// The setting of a file that has figures for SQLite's planner: the table with the most of them.
pub(super) const ANALYZED: &str = "analyzed";

/// Reads the catalog of the file's main schema.
pub fn read(connection: &Connection) -> rusqlite::Result<Catalog> {
    let mut tables = Vec::new();
    let unreadable = unreadable_tables(connection)?;
    let is_unreadable = |name: &str| unreadable.iter().any(|table| table.name == name);
    let mut others = schema_objects(connection)?;
    for (name, rows) in own_tables::quarantined(connection)? {
        let rows = counted(rows, "row");
        let told = format!("{rows} that this file could not take, in its _cutover_quarantine");
        others.push(Other::in_quarantine(name, told));
    }
    let known = Known::read(connection)?;
    others.extend(odd_sequences(connection)?);
    let (shadows, listed): (Vec<_>, Vec<_>) = listed_tables(connection)?
        .into_iter()
        .partition(|listed| listed.kind == "shadow");
    let own = own_tables::present(connection)?;
    let mut closed = Vec::new();
    let mut indexing = Vec::new();
    for listed in listed {
        match listed.kind.as_str() {
            "table" if !own.contains(&listed.name) && !is_unreadable(&listed.name) => {
                tables.push(table(connection, listed, &known)?);
            }
            "virtual" => match virtual_table(connection, &listed) {
                Ok(table) => tables.push(table),
                Err(why) => {
                    match why {
                        NoRows::Unreadable(_) | NoRows::Contentless | NoRows::Unfillable(_) => {
                            closed.push(listed.name.clone());
                        }
                        NoRows::Index => indexing.push(listed.name.clone()),
                        NoRows::Module | NoRows::Nothing => {}
                    }
                    others.push(Other {
                        kind: OtherKind::VirtualTable,
                        name: listed.name,
                        sql: listed.sql,
                        table: None,
                        why: Some(why.to_string()),
                    });
                }
            },
            _ => {}
        }
    }
    // What a virtual table keeps its rows in has them also where nobody can open it. And SQLite takes a table for a part of an index over
    // it, if it is called so.
    let has_rows = |shadow: &str| {
        let (owner, part) = shadow.rsplit_once('_').unwrap_or((shadow, ""));
        let is_among = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case(owner));
        is_among(&closed) || (part.eq_ignore_ascii_case("content") && is_among(&indexing))
    };
    let (mut opened, mut taken) = (HashSet::new(), Vec::new());
    for shadow in shadows {
        if has_rows(&shadow.name) {
            opened.insert(shadow.name.clone());
            tables.push(table(connection, shadow, &known)?);
        } else {
            taken.push(shadow.name);
        }
    }
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    others.extend(unreadable);
    others.extend(low_sequences(connection, &tables)?);
    let mut catalog = Catalog {
        engine: Engine::Sqlite,
        schema: "main".to_owned(),
        tables,
        others,
        taken,
        origin: Some(origin(connection, &known.sequences, &opened, &own)?),
    };
    name_parent_columns(&mut catalog);
    Ok(catalog)
}

/// The tables that are made by a text, or have an index that is, which SQLite does not understand (its schema is loaded without them then),
/// or which is not UTF-8: SQLite takes any bytes, but what they say has to be kept.
fn unreadable_tables(connection: &Connection) -> rusqlite::Result<Vec<Other>> {
    // Both lists are made once: SQLite goes through all tables, or all indexes of one, wherever it is asked for a single name.
    let sql = "SELECT s.type, s.name, s.tbl_name, s.sql,
                   CASE s.type WHEN 'table' THEN s.name COLLATE NOCASE IN (
                       SELECT name FROM pragma_table_list WHERE schema = 'main')
                   ELSE s.name COLLATE NOCASE IN (
                       SELECT l.name FROM pragma_table_list AS t JOIN pragma_index_list(t.name, 'main') AS l
                       WHERE t.schema = 'main') END
               FROM sqlite_schema AS s WHERE s.type IN ('table', 'index') AND s.sql IS NOT NULL ORDER BY s.type DESC, s.name";
    let found = collect(connection, sql, [], |row| {
        let reason = match text(row, 3)? {
            Err(error) => format!(
                "is not UTF-8 from its byte {} on; make it anew with a text in UTF-8 (sqlite3's .schema shows it)",
                error.valid_up_to() + 1
            ),
            Ok(_) if row.get(4)? => return Ok(None),
            Ok(_) => "is none that SQLite understands; restore the file from a backup, or recover it with sqlite3's .recover".to_owned(),
        };
        let (kind, name) = (lossy_text(row, 0)?, lossy_text(row, 1)?);
        Ok(Some(Other {
            kind: OtherKind::Unreadable,
            name: lossy_text(row, 2)?,
            sql: lossy_text(row, 3)?,
            table: None,
            why: Some(format!("the text that makes the {kind} {name} {reason}")),
        }))
    })?;
    let mut others: Vec<Other> = found.into_iter().flatten().collect();
    let mut seen = HashSet::new();
    others.retain(|other| seen.insert(other.name.clone()));
    Ok(others)
}

/// A text, if it is UTF-8.
fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Result<&'r str, Utf8Error>> {
    Ok(str::from_utf8(
        row.get_ref(column)?.as_bytes().unwrap_or_default(),
    ))
}

/// A text, with a replacement character for what is not UTF-8.
pub(super) fn lossy_text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    let bytes = row.get_ref(column)?.as_bytes().unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

struct Listed {
    name: String,
    kind: String,
    clustered: bool,
    strict: bool,
    sql: String,
}

/// Tables as SQLite classes them: `table`, `view`, `virtual`, and `shadow` for what belongs to a virtual table.
fn listed_tables(connection: &Connection) -> rusqlite::Result<Vec<Listed>> {
    let sql = r"SELECT l.name, l.type, l.wr, l.strict, coalesce(s.sql, '')
                FROM pragma_table_list AS l LEFT JOIN sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
                WHERE l.schema = 'main' AND l.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY l.name";
    collect(connection, sql, [], |row| {
        Ok(Listed {
            // Views and unreadable tables are among them, which may be called anything.
            name: lossy_text(row, 0)?,
            kind: row.get(1)?,
            clustered: row.get(2)?,
            strict: row.get(3)?,
            sql: lossy_text(row, 4)?,
        })
    })
}

fn schema_objects(connection: &Connection) -> rusqlite::Result<Vec<Other>> {
    let sql = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema
               WHERE type IN ('view', 'trigger') ORDER BY type DESC, name";
    collect(connection, sql, [], |row| {
        let kind = if row.get_ref(0)?.as_str()? == "view" {
            OtherKind::View
        } else {
            OtherKind::Trigger
        };
        let is_text = text(row, 2)?.is_ok();
        Ok(Other {
            kind,
            name: lossy_text(row, 1)?,
            sql: lossy_text(row, 2)?,
            table: None,
            why: (!is_text)
                .then(|| "its text is not UTF-8, so that it is not made on the way back either".to_owned()),
        })
    })
}

/// What makes the file anew. What SQLite makes by itself (indexes of constraints, its own tables, shadow tables but those of `opened`) is left
/// out, not what somebody has made on a shadow table; and so are the tables that are Cutover's `own`.
fn origin(
    connection: &Connection,
    sequences: &HashMap<String, i64>,
    opened: &HashSet<String>,
    own: &[String],
) -> rusqlite::Result<Origin> {
    let sql = r"SELECT s.type, s.name, s.tbl_name, s.sql, s.tbl_name COLLATE NOCASE IN (
                    SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')
                FROM sqlite_schema AS s
                WHERE s.sql IS NOT NULL AND s.name NOT LIKE 'sqlite\_%' ESCAPE '\'
                ORDER BY s.rowid";
    let objects: Vec<Option<(OriginObject, bool)>> = collect(connection, sql, [], |row| {
        // What cannot be read is not made again.
        if text(row, 3)?.is_err() {
            return Ok(None);
        }
        let object = OriginObject {
            kind: row.get(0)?,
            name: row.get(1)?,
            table: row.get(2)?,
            sql: row.get(3)?,
        };
        Ok(Some((object, row.get(4)?)))
    })?;
    let objects = objects
        .into_iter()
        .flatten()
        .filter(|(object, is_shadow)| !is_shadow || object.kind != "table" || opened.contains(&object.table))
        .filter(|(object, _)| !own.contains(&object.table))
        .map(|(object, _)| object)
        .collect();
    let mut settings = Vec::new();
    for pragma in [
        "encoding",
        "page_size",
        "auto_vacuum",
        "journal_mode",
        "user_version",
        "application_id",
    ] {
        let value = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| {
            Ok(match row.get_ref(0)? {
                ValueRef::Integer(number) => number.to_string(),
                other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
            })
        })?;
        settings.push((pragma.to_owned(), value));
    }
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4')
               ORDER BY name DESC LIMIT 1";
    let figures = collect(connection, sql, [], |row| row.get(0))?;
    settings.extend(
        figures
            .into_iter()
            .map(|table: String| (ANALYZED.to_owned(), table)),
    );
    let mut sequences: Vec<(String, i64)> = sequences
        .iter()
        .map(|(name, last)| (name.clone(), *last))
        .collect();
    sequences.sort();
    Ok(Origin {
        objects,
        settings,
        sequences,
    })
}

/// Modules whose tables hold rows of their own, and whether the rowid is one of their columns.
const MODULES: [(&str, bool); 5] = [
    ("fts3", false),
    ("fts4", false),
    ("fts5", false),
    ("rtree", true),
    ("rtree_i32", true),
];

/// Modules whose tables show what others hold.
const MODULES_WITHOUT_ROWS: [&str; 4] = ["dbstat", "fts3tokenize", "fts4aux", "fts5vocab"];

/// Why a virtual table is none that has rows.
#[derive(Debug, thiserror::Error)]
enum NoRows {
    #[error("its module is not known here, so that nobody can read it")]
    Module,
    #[error("it holds nothing of its own, and shows what is kept elsewhere")]
    Nothing,
    #[error("it indexes rows that are kept elsewhere")]
    Index,
    #[error("it indexes texts that are kept nowhere, so that the tables of the index itself are copied")]
    Contentless,
    #[error("it indexes what cannot be read here, so that the tables of the index itself are copied: {0}")]
    Unfillable(rusqlite::Error),
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] rusqlite::Error),
}

/// A virtual table as a table: its rowid and its columns.
fn virtual_table(connection: &Connection, listed: &Listed) -> Result<Table, NoRows> {
    let module = ddl::module(&listed.sql).unwrap_or_default().to_ascii_lowercase();
    let known = MODULES.iter().find(|(name, _)| *name == module);
    let Some((_, has_rowid)) = known else {
        return Err(if MODULES_WITHOUT_ROWS.contains(&module.as_str()) {
            NoRows::Nothing
        } else {
            NoRows::Module
        });
    };
    let options = full_text_options(&module, &listed.sql);
    match content(&options) {
        None => {}
        Some("") => return Err(NoRows::Contentless),
        Some(_) => {
            return Err(
                read_as_index(connection, &listed.name).map_or_else(NoRows::Unfillable, |()| NoRows::Index)
            );
        }
    }
    let (mut columns, _) = columns(connection, &listed.name, &TableDdl::default())?;
    // Which language a row is in has a column of its own, which is hidden.
    for (_, name) in options
        .into_iter()
        .filter(|(name, _)| *name == FullText::LanguageId)
    {
        columns.push(Column {
            name,
            not_null: false,
            identity: Identity::No,
            ..rowid_column()
        });
    }
    if !*has_rowid {
        columns.insert(0, rowid_column());
    }
    // Its module may want functions that only the application has.
    let names = quoted_list(columns.iter().map(|column| &column.name));
    let probe = format!("SELECT {names} FROM {} LIMIT 1", quoted(&listed.name));
    collect(connection, &probe, [], |_| Ok(()))?;
    let key = columns.first_mut().ok_or(NoRows::Module)?;
    key.identity = Identity::ByDefault;
    key.not_null = true;
    let key = key.name.clone();
    Ok(Table {
        name: listed.name.clone(),
        storage: Storage::Rowid { alias: Some("rowid") },
        strict: false,
        columns,
        primary_key: Some(Key::plain(None, vec![key])),
        uniques: vec![],
        checks: vec![],
        foreign_keys: vec![],
        indexes: vec![],
        sequence: None,
        sql: listed.sql.clone(),
        module: Some(module),
        made_for: None,
    })
}

/// Reads what an index over rows elsewhere is made anew from: the rows, and the tokenizer.
fn read_as_index(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    let name = quoted(name);
    for probe in [
        format!("SELECT * FROM {name} LIMIT 1"),
        format!("SELECT rowid FROM {name} WHERE {name} MATCH 'a' LIMIT 1"),
    ] {
        collect(connection, &probe, [], |_| Ok(()))?;
    }
    Ok(())
}

/// Where a full-text index has its texts, if it does not hold them: the name of a table, or nothing.
pub(super) fn content_elsewhere(sql: &str) -> Option<String> {
    let module = ddl::module(sql)?.to_ascii_lowercase();
    content(&full_text_options(&module, sql)).map(str::to_owned)
}

fn content(options: &[(FullText, String)]) -> Option<&str> {
    let mut options = options.iter();
    let found = options.find(|(name, _)| *name == FullText::Content);
    found.map(|(_, value)| value.as_str())
}

/// The table that every index of a full-text module is kept in.
pub(super) fn index_table(name: &str, sql: &str) -> Option<String> {
    let part = match ddl::module(sql)?.to_ascii_lowercase().as_str() {
        "fts3" | "fts4" => "segdir",
        "fts5" => "data",
        _ => return None,
    };
    Some(format!("{name}_{part}"))
}

/// An option of a full-text table that changes what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FullText {
    /// Its texts are elsewhere (`content=`).
    Content,
    /// A hidden column (`languageid=`).
    LanguageId,
}

/// Such options with their values. An argument without `=` is a column, whatever its name; FTS3 has columns only, and FTS5 takes the beginning of
/// an option's name for it.
fn full_text_options(module: &str, sql: &str) -> Vec<(FullText, String)> {
    let option = |argument: &String| {
        let (name, value) = argument.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        let quote = value.chars().next().filter(|first| "'\"`[".contains(*first));
        let value = match quote {
            Some(open) => {
                let close = if open == '[' { ']' } else { open };
                let inner = value.strip_prefix(open)?;
                inner
                    .strip_suffix(close)?
                    .replace(&format!("{close}{close}"), &close.to_string())
            }
            None => value.to_owned(),
        };
        match module {
            "fts4" if name == "content" => Some((FullText::Content, value)),
            "fts4" if name == "languageid" => Some((FullText::LanguageId, value)),
            "fts5" if !name.is_empty() && "content".starts_with(&name) => Some((FullText::Content, value)),
            _ => None,
        }
    };
    ddl::module_arguments(sql).iter().filter_map(option).collect()
}

fn rowid_column() -> Column {
    Column {
        name: "rowid".to_owned(),
        kind: ColumnKind::Sqlite {
            declared: "INTEGER".to_owned(),
            affinity: Affinity::Integer,
        },
        not_null: true,
        default: None,
        generated: Generated::No,
        identity: Identity::ByDefault,
        collation: None,
        made_for: None,
    }
}

fn sequences(connection: &Connection) -> rusqlite::Result<HashMap<String, i64>> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    if collect(connection, sql, [], |_| Ok(()))?.is_empty() {
        return Ok(HashMap::new());
    }
    // Anything can be written into this table by hand, and SQLite takes it for a number.
    let sql = "SELECT name, max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE typeof(name) = 'text' AND seq IS NOT NULL
               GROUP BY name";
    Ok(
        collect(connection, sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect(),
    )
}

/// What `sqlite_sequence` has that SQLite would not have written: it, and a copy, make the best of it.
fn odd_sequences(connection: &Connection) -> rusqlite::Result<Vec<Other>> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    if collect(connection, sql, [], |_| Ok(()))?.is_empty() {
        return Ok(vec![]);
    }
    let sql = "SELECT CAST(name AS TEXT), count(*), count(*) FILTER (WHERE typeof(seq) <> 'integer'),
                      EXISTS (SELECT 1 FROM sqlite_schema AS s WHERE s.type = 'table' AND s.name = q.name)
               FROM sqlite_sequence AS q GROUP BY name ORDER BY name";
    let found = collect(connection, sql, [], |row| {
        let name: Option<String> = row.get(0)?;
        Ok((name.unwrap_or_default(), row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let odd = found
        .into_iter()
        .filter_map(|(name, rows, no_numbers, is_there): (String, i64, i64, bool)| {
            let why = if !is_there {
                "sqlite_sequence has a row for it, and there is no such table".to_owned()
            } else if rows > 1 {
                format!("sqlite_sequence has {rows} rows for it: the largest number counts")
            } else if no_numbers > 0 {
                "sqlite_sequence has no integer for it: what SQLite reads as one counts".to_owned()
            } else {
                return None;
            };
            Some(Other {
                kind: OtherKind::Sequence,
                name,
                sql: String::new(),
                table: None,
                why: Some(why),
            })
        });
    Ok(odd.collect())
}

/// Numbers of `sqlite_sequence` below those that the tables have: SQLite goes on from the latter, as a copy does, which keeps no others.
fn low_sequences(connection: &Connection, tables: &[Table]) -> rusqlite::Result<Vec<Other>> {
    let counts = |column: &Column| column.identity == Identity::Autoincrement;
    let counting = tables
        .iter()
        .filter(|table| table.sequence.is_some() || table.columns.iter().any(counts));
    let mut low = Vec::new();
    for table in counting {
        let Storage::Rowid { alias: Some(rowid) } = &table.storage else {
            continue;
        };
        let has = table
            .sequence
            .map_or_else(|| "nothing".to_owned(), |last| last.to_string());
        let sql = format!("SELECT max({rowid}) FROM {} NOT INDEXED", quoted(&table.name));
        let largest = match connection.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0)) {
            // Whoever reads its rows is told; the table may be left out.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => continue,
            outcome => outcome?,
        };
        let largest = largest.filter(|largest| Some(*largest) > table.sequence);
        low.extend(largest.map(|largest| Other {
            kind: OtherKind::Sequence,
            name: table.name.clone(),
            sql: String::new(),
            table: None,
            why: Some(format!(
                "sqlite_sequence has {has} for it, below its largest key {largest}: numbers go on from there, as they would have"
            )),
        }));
    }
    Ok(low)
}

/// What is read once for all tables, by names.
struct Known {
    /// The numbers in `sqlite_sequence`.
    sequences: HashMap<String, i64>,
    /// The texts that make indexes.
    indexes: HashMap<String, String>,
}

impl Known {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
        let indexes = collect(connection, sql, [], |row| {
            Ok((lossy_text(row, 0)?, lossy_text(row, 1)?))
        })?;
        Ok(Self {
            sequences: sequences(connection)?,
            indexes: indexes.into_iter().collect(),
        })
    }
}

fn table(connection: &Connection, listed: Listed, known: &Known) -> rusqlite::Result<Table> {
    let ddl = ddl::parse(&listed.sql);
    let (mut columns, key_columns) = columns(connection, &listed.name, &ddl)?;
    for column in columns.iter_mut().filter(|_| listed.strict) {
        if let ColumnKind::Sqlite { declared, affinity } = &mut column.kind
            && declared.eq_ignore_ascii_case("ANY")
        {
            // In a STRICT table, and nowhere else, it takes values as they come.
            *affinity = Affinity::Blob;
        }
    }
    let (keys, indexes) = indexes(connection, &listed.name, &ddl, &known.indexes)?;
    let primary = keys
        .iter()
        .find(|(origin, _)| origin == "pk")
        .map(|(_, key)| key.clone());
    // A key without an index of its own is the rowid under another name.
    let is_rowid = !listed.clustered && primary.is_none() && key_columns.len() == 1;
    if is_rowid && let Some(column) = columns.iter_mut().find(|column| column.name == key_columns[0]) {
        column.identity = if ddl.autoincrement {
            Identity::Autoincrement
        } else {
            Identity::ByDefault
        };
    }
    let primary_key = match primary {
        Some(key) => Some(key),
        None if key_columns.is_empty() => None,
        None => Some(Key::plain(key_name(&ddl, &key_columns), key_columns)),
    };
    let storage = if listed.clustered {
        Storage::Clustered
    } else {
        let hidden = |alias: &&str| {
            !columns
                .iter()
                .any(|column| column.name.eq_ignore_ascii_case(alias))
        };
        Storage::Rowid {
            alias: ["rowid", "_rowid_", "oid"].into_iter().find(hidden),
        }
    };
    Ok(Table {
        foreign_keys: foreign_keys(connection, &listed.name, &ddl)?,
        uniques: keys
            .into_iter()
            .filter(|(origin, _)| origin == "u")
            .map(|(_, key)| key)
            .collect(),
        sequence: known.sequences.get(&listed.name).copied(),
        name: listed.name,
        storage,
        strict: listed.strict,
        columns,
        primary_key,
        checks: ddl.checks,
        indexes,
        sql: listed.sql,
        module: None,
        made_for: None,
    })
}

/// The columns, and the names of those of the primary key in its order.
fn columns(
    connection: &Connection,
    table: &str,
    ddl: &TableDdl,
) -> rusqlite::Result<(Vec<Column>, Vec<String>)> {
    let sql = r#"SELECT name, type, "notnull", dflt_value, hidden, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1"#;
    let mut key: Vec<(i64, String)> = Vec::new();
    let columns = collect(connection, sql, [table], |row| {
        let name: String = row.get(0)?;
        let declared: String = row.get::<_, Option<String>>(1)?.unwrap_or_default();
        let expression = || {
            let found = ddl.generated.iter().find(|(column, _)| *column == name);
            found
                .map(|(_, expression)| expression.clone())
                .unwrap_or_default()
        };
        let generated = match row.get::<_, i64>(4)? {
            2 => Generated::Virtual(expression()),
            3 => Generated::Stored(expression()),
            _ => Generated::No,
        };
        let collation = ddl.collations.iter().find(|(column, _)| *column == name);
        let collation = collation.map(|(_, collation)| collation.clone());
        if let position @ 1.. = row.get::<_, i64>(5)? {
            key.push((position, name.clone()));
        }
        Ok(Column {
            // SQLite writes the keywords behind a generated column's type into the type.
            kind: ColumnKind::Sqlite {
                affinity: Affinity::of(&declared),
                declared,
            },
            not_null: row.get(2)?,
            default: row.get(3)?,
            generated,
            identity: Identity::No,
            collation: collation.filter(|collation| !collation.eq_ignore_ascii_case("BINARY")),
            made_for: None,
            name,
        })
    })?;
    key.sort_unstable();
    Ok((columns, key.into_iter().map(|(_, name)| name).collect()))
}

type Keys = Vec<(String, Key)>;

/// The keys with their origin (`pk`, `u`), and the other indexes, which are `written` in these texts.
fn indexes(
    connection: &Connection,
    table: &str,
    ddl: &TableDdl,
    written: &HashMap<String, String>,
) -> rusqlite::Result<(Keys, Vec<Index>)> {
    // The list is in reverse order of creation.
    let sql = r#"SELECT name, "unique", origin FROM pragma_index_list(?1) ORDER BY seq DESC"#;
    let listed: Vec<(String, bool, String)> = collect(connection, sql, [table], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let mut keys = Vec::new();
    let mut indexes = Vec::new();
    for (name, unique, origin) in listed {
        let sql = written.get(&name).map_or("", String::as_str);
        let parts = index_parts(connection, &name, sql)?;
        if origin == "c" {
            indexes.push(Index {
                predicate: ddl::predicate(sql),
                name,
                unique,
                parts,
                sql: sql.to_owned(),
            });
            continue;
        }
        let collations = parts.iter().map(|part| part.collation.clone()).collect();
        let columns: Vec<String> = parts.into_iter().filter_map(|part| part.column).collect();
        keys.push((
            origin,
            Key {
                name: key_name(ddl, &columns),
                columns,
                collations,
            },
        ));
    }
    indexes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((keys, indexes))
}

fn key_name(ddl: &TableDdl, columns: &[String]) -> Option<String> {
    let same = |names: &[String]| {
        names.len() == columns.len() && names.iter().zip(columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    ddl.named_keys
        .iter()
        .find(|(_, names)| same(names))
        .map(|(name, _)| name.clone())
}

/// The parts of the key; `written` is the index's SQL, which alone tells expressions.
fn index_parts(connection: &Connection, index: &str, written: &str) -> rusqlite::Result<Vec<IndexPart>> {
    let sql =
        r#"SELECT name, "desc", coll, cid, seqno FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno"#;
    let expressions = ddl::index_parts(written);
    collect(connection, sql, [index], |row| {
        let collation: Option<String> = row.get(2)?;
        let column: Option<String> = row.get(0)?;
        let place = usize::try_from(row.get::<_, i64>(4)?).unwrap_or(usize::MAX);
        // -1 is the rowid, which has no name here; -2 an expression.
        let expression = if column.is_none() {
            expressions.get(place).cloned()
        } else {
            None
        };
        Ok(IndexPart {
            column,
            expression,
            descending: row.get(1)?,
            collation: collation.filter(|name| !name.eq_ignore_ascii_case("BINARY")),
        })
    })
}

fn foreign_keys(connection: &Connection, table: &str, ddl: &TableDdl) -> rusqlite::Result<Vec<ForeignKey>> {
    // Numbered from the last written to the first.
    let sql = r#"SELECT id, "table", "from", "to", on_delete, on_update FROM pragma_foreign_key_list(?1)
                 ORDER BY id DESC, seq"#;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    let rows = collect(connection, sql, [table], |row| {
        let actions: (String, String) = (row.get(4)?, row.get(5)?);
        Ok((
            row.get(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, Option<String>>(3)?,
            actions,
        ))
    })?;
    for (id, parent, from, to, (on_delete, on_update)) in rows {
        if keys.last().is_none_or(|(last, _)| *last != id) {
            keys.push((
                id,
                ForeignKey {
                    name: None,
                    columns: vec![],
                    parent,
                    parent_columns: vec![],
                    on_delete: Action::of(&on_delete),
                    on_update: Action::of(&on_update),
                    deferrable: Deferrable::No,
                    validated: false,
                    beyond: None,
                },
            ));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(from);
            key.parent_columns.extend(to);
        }
    }
    if keys.len() == ddl.foreign_keys.len() {
        for ((_, key), written) in keys.iter_mut().zip(&ddl.foreign_keys) {
            key.name.clone_from(&written.name);
            key.deferrable = written.deferrable;
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// `REFERENCES parent` without columns means the parent's primary key.
fn name_parent_columns(catalog: &mut Catalog) {
    let primary_keys: HashMap<String, Vec<String>> = catalog
        .tables
        .iter()
        .filter_map(|table| {
            Some((
                table.name.to_ascii_lowercase(),
                table.primary_key.clone()?.columns,
            ))
        })
        .collect();
    let keys = catalog
        .tables
        .iter_mut()
        .flat_map(|table| &mut table.foreign_keys);
    for key in keys.filter(|key| key.parent_columns.is_empty()) {
        if let Some(columns) = primary_keys.get(&key.parent.to_ascii_lowercase()) {
            key.parent_columns.clone_from(columns);
        }
    }
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    from_row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection
        .prepare_cached(sql)?
        .query_map(params, from_row)?
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn catalog(sql: &str) -> Catalog {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        read(&connection).unwrap()
    }

    /// What SQLite does to read a catalog, in steps of its programs.
    fn steps(schema: &str) -> u64 {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(schema).unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(100, Some(count)).unwrap();
        read(&connection).unwrap();
        steps.load(Ordering::Relaxed)
    }

    #[test]
    fn the_work_grows_as_the_schema_does() {
        let tables = |count: u64| -> String {
            let one = |n| {
                format!(
                    "CREATE TABLE t{n} (a, b); CREATE INDEX a{n} ON t{n} (a); CREATE INDEX b{n} ON t{n} (b);"
                )
            };
            (0..count).map(one).collect()
        };
        let indexes = |count: u64| -> String {
            let one = |n| format!("CREATE INDEX i{n} ON t (a);");
            "CREATE TABLE t (a);".to_owned() + &(0..count).map(one).collect::<String>()
        };
        for (small, large) in [(tables(100), tables(400)), (indexes(200), indexes(800))] {
            let (small, large) = (steps(&small), steps(&large));
            assert!(
                large < 5 * small,
                "{small} steps, and {large} for four times as much"
            );
        }
    }

    #[test]
    fn keys_columns_and_indexes_are_read() {
        let catalog = catalog(
            r"CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, rowid TEXT, g AS (id + 1) STORED);
               INSERT INTO parent (id) VALUES (7); DELETE FROM parent;
               CREATE TABLE child (a TEXT, b INT NOT NULL DEFAULT 'it''s', p INT CONSTRAINT fk REFERENCES PARENT ON DELETE CASCADE,
                                   PRIMARY KEY (b, a), UNIQUE (p, a COLLATE NOCASE), CHECK (b > 0)) WITHOUT ROWID;
               CREATE UNIQUE INDEX part ON child (b DESC, lower(a)) WHERE b > 3;
               CREATE TABLE _cutover_planted_rows (table_name, key); CREATE TABLE _cutover_ledger (x);
               CREATE VIEW v AS SELECT 1;
               CREATE VIRTUAL TABLE f USING fts5(body);",
        );
        let names: Vec<_> = catalog.tables.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["_cutover_ledger", "child", "f", "parent"]);
        let others: Vec<_> = catalog.others.iter().map(|o| (o.kind, o.name.as_str())).collect();
        assert_eq!(others, [(OtherKind::View, "v")]);
        let origin = catalog.origin.as_ref().unwrap();
        let objects: Vec<_> = origin
            .objects
            .iter()
            .map(|o| (o.kind.as_str(), o.name.as_str()))
            .collect();
        assert_eq!(
            objects,
            [
                ("table", "parent"),
                ("table", "child"),
                ("index", "part"),
                ("table", "_cutover_ledger"),
                ("view", "v"),
                ("table", "f")
            ]
        );
        assert_eq!(origin.sequences, [("parent".to_owned(), 7)]);
        let full_text = catalog.table("f").unwrap();
        assert_eq!(full_text.module.as_deref(), Some("fts5"));
        let columns: Vec<_> = full_text.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(columns, ["rowid", "body"]);

        let parent = catalog.table("parent").unwrap();
        assert_eq!(parent.sequence, Some(7));
        assert_eq!(
            parent.storage,
            Storage::Rowid {
                alias: Some("_rowid_")
            }
        );
        assert_eq!(parent.columns[0].identity, Identity::Autoincrement);
        assert_eq!(
            parent.columns[2].generated,
            Generated::Stored("id + 1".to_owned())
        );
        assert_eq!(
            parent.row_key().map(|k| k.columns.clone()),
            Some(vec!["id".to_owned()])
        );

        let child = catalog.table("child").unwrap();
        assert_eq!(child.storage, Storage::Clustered);
        assert_eq!(
            child.primary_key.as_ref().map(|k| k.columns.join(",")).as_deref(),
            Some("b,a")
        );
        assert!(
            child.columns[0].not_null,
            "a key column of a WITHOUT ROWID table refuses NULL"
        );
        assert_eq!(child.columns[1].default.as_deref(), Some("'it''s'"));
        assert_eq!(child.uniques.len(), 1);
        assert!(!child.uniques[0].bytewise());
        assert_eq!(child.checks[0].expression, "b > 0");
        let key = &child.foreign_keys[0];
        assert_eq!(
            (key.name.as_deref(), key.parent_columns.join(",")),
            (Some("fk"), "id".to_owned())
        );
        assert_eq!(key.on_delete, Action::Cascade);
        let index = &child.indexes[0];
        assert_eq!(index.predicate.as_deref(), Some("b > 3"));
        assert_eq!(
            (index.parts[0].column.as_deref(), index.parts[0].descending),
            (Some("b"), true)
        );
        assert_eq!(index.parts[1].column, None);
        assert_eq!(index.parts[1].expression.as_deref(), Some("lower(a)"));
    }
}
