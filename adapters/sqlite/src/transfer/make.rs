//! What is made of tables and what belongs to them: before the rows are there, and when they are.

use std::collections::HashSet;

use cutover_domain::transfer::back;
use cutover_domain::transfer::catalog::{Catalog, Origin, OriginObject};
use cutover_domain::transfer::ddl;
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::schema::Weakened;
use cutover_ports::transfer::{TransferError, TransferResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _};

use super::connection::{is_about_a_row, writing_schema};
use super::{catalog, collations, named, own_tables, remade};

/// The tables that an origin will make, as they are while rows are loaded: loose ones, where they can be read under their own text
/// afterwards. What cannot be made here (a module that is not there) is left out.
pub(super) fn as_it_will_be(origin: &Origin) -> Option<Catalog> {
    let connection = Connection::open_in_memory().ok()?;
    for object in origin.objects.iter().filter(|object| object.kind == "table") {
        if !ddl::is_one_create(&object.sql) || comes_with_its_index(origin, object) {
            continue;
        }
        let made = ddl::loosened(&object.sql)
            .filter(|loose| reads_as(&object.name, loose, &object.sql).is_ok())
            .unwrap_or_else(|| object.sql.clone());
        // One that cannot be made is none that will be.
        let make = || {
            collations::stand_in(&connection, &made)?;
            connection.execute_batch(&made)
        };
        drop(make());
    }
    catalog::read(&connection).ok()
}

/// Makes a table by one text and reads it by another, in a database of its own: both have the same columns and keys.
fn reads_as(name: &str, loose: &str, sql: &str) -> rusqlite::Result<()> {
    let connection = Connection::open_in_memory()?;
    collations::stand_in(&connection, sql)?;
    connection.execute_batch(loose)?;
    give_texts(&connection, &[(name.to_owned(), sql.to_owned())])
}

/// Gives tables the text that they are to be read by from now on.
fn give_texts(connection: &Connection, texts: &[(String, String)]) -> rusqlite::Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    writing_schema(connection, || {
        let sql = "UPDATE sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1";
        let mut statement = connection.prepare(sql)?;
        let mut texts = texts.iter();
        texts.try_for_each(|(name, text)| statement.execute([name, text]).map(drop))
    })?;
    texts.iter().try_for_each(|(name, _)| {
        let sql = format!("SELECT * FROM {} LIMIT 0", quoted(name));
        connection.prepare(&sql).map(drop)
    })
}

/// Gives loose tables their own text back. Told is which tables could not be made by it.
pub(super) fn tighten(
    connection: &Connection,
    origin: &Origin,
    tables: &[TablePlan],
) -> rusqlite::Result<Vec<Weakened>> {
    let mut texts = Vec::new();
    let mut weakened = Vec::new();
    for object in origin.objects.iter().filter(|object| object.kind == "table") {
        let Some(table) = tables.iter().find(|table| table.target == object.name) else {
            continue;
        };
        let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let made: Option<String> = connection
            .query_row(sql, [&object.name], |row| row.get(0))
            .optional()?;
        let is_made = |text: &str| made.as_ref().is_none_or(|made| made == text);
        let is_loose = |text: &str| {
            let loose = ddl::loosened(text);
            loose.is_some_and(|loose| made.as_ref().is_some_and(|made| ddl::alike(&loose, made)))
        };
        let reason = match remade::text(origin, table) {
            Some(Ok(text)) if is_made(&text) => None,
            Some(Ok(text)) if is_loose(&text) => {
                texts.push((object.name.clone(), text));
                None
            }
            Some(Ok(_)) if is_by_definition(table) => Some("made by another text than its own".to_owned()),
            Some(Err(error)) => Some(format!(
                "made of the columns and keys that PostgreSQL has, because SQLite does not make it without what is gone there: {error}"
            )),
            _ if is_made(&object.sql) => None,
            _ => why_not(&object.sql).map(|reason| {
                format!("made of its columns and its key only, because SQLite does not make it: {reason}")
            }),
        };
        weakened.extend(reason.map(|reason| Weakened {
            table: object.name.clone(),
            constraint: object.name.clone(),
            sql: object.sql.clone(),
            reason,
            ..Weakened::default()
        }));
    }
    give_texts(connection, &texts)?;
    Ok(weakened)
}

/// Why a table cannot be made by its own text; none if it can.
fn why_not(sql: &str) -> Option<String> {
    let make = || {
        let connection = Connection::open_in_memory()?;
        collations::stand_in(&connection, sql)?;
        connection.execute_batch(sql)
    };
    make().err().map(|error: rusqlite::Error| error.to_string())
}

/// Whether a table is made by what its origin knows of it.
pub(super) fn is_by_definition(table: &TablePlan) -> bool {
    table.created && table.definition.is_some()
}

/// Gives a file that holds nothing yet the form that can only be given then: of its settings those of these names, in this order.
pub(super) fn shape_file(
    connection: &Connection,
    settings: &[(String, String)],
    names: &[&str],
) -> rusqlite::Result<()> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages > 0 || !connection.is_autocommit() {
        return Ok(());
    }
    for name in names {
        let value = settings.iter().find(|(setting, _)| setting == name);
        if let Some((_, value)) = value.filter(|(_, value)| is_word(value)) {
            connection.execute_batch(&format!("PRAGMA {name} = '{value}'"))?;
        }
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether all tables of rows that an origin has are copied.
fn is_whole(origin: &Origin, tables: &[TablePlan]) -> bool {
    let known = origin.objects.iter().filter(|object| object.kind == "table");
    let mut known = known.filter(|object| ddl::module(&object.sql).is_none());
    known.all(|object| tables.iter().any(|table| table.target == object.name))
}

/// Whether a file that is made comes from one in WAL mode, and is all of it.
pub(super) fn wants_wal(plan: &Plan) -> bool {
    let is_wal = |(name, value): &(String, String)| name == "journal_mode" && value == "wal";
    let is_from_wal = |origin: &Origin| origin.settings.iter().any(is_wal) && is_whole(origin, &plan.tables);
    plan.tables.iter().all(|table| table.created) && plan.origin.as_ref().is_some_and(is_from_wal)
}

/// Makes what an origin has beside tables of rows: indexes, views, triggers, full-text indexes over other tables; and sets what
/// AUTOINCREMENT goes on from. `tables` are those that were copied.
pub(super) fn complete(
    connection: &Connection,
    origin: &Origin,
    tables: &[TablePlan],
) -> rusqlite::Result<Vec<Weakened>> {
    let (mut weakened, mut unmade) = (Vec::new(), Vec::new());
    let planned: HashSet<&str> = tables.iter().map(|table| table.target.as_str()).collect();
    let has_all_columns = tables.iter().all(|table| table.gone.is_empty());
    let whole = is_whole(origin, tables);
    let useless = if whole && has_all_columns {
        HashSet::new()
    } else {
        remade::useless(connection, origin)?
    };
    let is_virtual = |object: &OriginObject| object.kind == "table" && ddl::module(&object.sql).is_some();
    let mut objects = origin.objects.iter();
    let left_out = objects.any(|object| is_virtual(object) && !planned.contains(object.name.as_str()));
    let with_rows = left_out.then(|| as_it_will_be(origin)).flatten();
    let with_rows = with_rows.map_or_else(Vec::new, |catalog| catalog.tables);
    let named = origin.objects.iter();
    let named = named.filter(|object| matches!(object.kind.as_str(), "table" | "view"));
    let known: HashSet<String> = named.map(|object| object.name.to_ascii_lowercase()).collect();
    // A column that is gone must not become a string because of its quotes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, has_all_columns)?;
    for (at, object) in origin.objects.iter().enumerate() {
        let is_virtual = is_virtual(object);
        let wanted = match object.kind.as_str() {
            "index" | "trigger" if planned.contains(object.table.as_str()) => true,
            "index" | "trigger" if known.contains(&object.table.to_ascii_lowercase()) => whole,
            "index" | "trigger" => is_shadow(connection, &object.table)?,
            // Tables of rows were made before; what is left are virtual ones that hold none of their own.
            "table" => is_virtual,
            _ => true,
        };
        // One with rows of its own was not copied.
        let wanted = wanted && !(is_virtual && with_rows.iter().any(|table| table.name == object.name));
        if !wanted || !ddl::is_one_create(&object.sql) {
            continue;
        }
        let not_made = |reason: &str| Weakened {
            table: object.table.clone(),
            constraint: object.name.clone(),
            sql: object.sql.clone(),
            reason: format!("not made: {reason}"),
            ..Weakened::default()
        };
        let (kind, name) = (&object.kind, &object.name);
        if let Some(there) = text_of(connection, kind, name)? {
            // Its own text, or one of the same name that comes before it.
            if !is_among(origin.objects.get(..=at).unwrap_or_default(), kind, name, &there) {
                weakened.push(not_made(&format!(
                    "the file has another {kind} of this name: {there}"
                )));
            }
            continue;
        }
        if (is_virtual && !whole) || useless.contains(&object.name) {
            weakened.push(not_made(
                "it needs tables or columns of the file that did not come with it",
            ));
            continue;
        }
        if is_virtual && comes_with_its_index(origin, object) {
            unmade.push(object);
            continue;
        }
        collations::stand_in(connection, &object.sql)?;
        if let Err(error) = connection.execute_batch(&object.sql) {
            if is_virtual {
                unmade.push(object);
            } else {
                let (rows, keys) = if is_about_a_row(&error) {
                    doubles(connection, object)?
                } else {
                    (0, vec![])
                };
                weakened.push(Weakened {
                    rows,
                    keys,
                    ..not_made(&error.to_string())
                });
            }
        } else if is_virtual && let Some(reason) = why_empty(connection, object) {
            weakened.push(Weakened {
                reason: format!("it is empty, and the application must fill it: {reason}"),
                ..not_made("")
            });
        }
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, true)?;
    for index in &mut weakened {
        let made = text_of(connection, "index", &index.constraint)?;
        let is_ours = |made: &String| is_among(&origin.objects, "index", &index.constraint, made);
        if let Some(made) = made.filter(is_ours) {
            index.reason = format!("made as PostgreSQL has it: {made}");
        }
    }
    enter(connection, &unmade)?;
    weakened.extend(remade::dangling(connection, origin, tables)?);
    count_on(connection, origin, &planned)?;
    if whole {
        mark(connection, origin)?;
    }
    Ok(weakened)
}

/// Lets AUTOINCREMENT go on from where it was.
fn count_on(connection: &Connection, origin: &Origin, tables: &HashSet<&str>) -> rusqlite::Result<()> {
    if text_of(connection, "table", "sqlite_sequence")?.is_none() {
        return Ok(());
    }
    let sequences = origin.sequences.iter();
    for (table, last) in sequences.filter(|(table, _)| tables.contains(table.as_str())) {
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
        connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
            rusqlite::params![table, last],
        )?;
    }
    Ok(())
}

/// Gives the file the numbers by which its programs know it.
fn mark(connection: &Connection, origin: &Origin) -> rusqlite::Result<()> {
    for (name, value) in &origin.settings {
        if matches!(name.as_str(), "user_version" | "application_id") && value.parse::<i32>().is_ok() {
            connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
        }
    }
    Ok(())
}

/// Whether a virtual table that is there keeps its rows in this table.
fn is_shadow(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_list
                              WHERE schema = 'main' AND type = 'shadow' AND name = ?1 COLLATE NOCASE)";
    connection.query_row(sql, [name], |row| row.get(0))
}

/// The text of an object of the file, if there is one of this name.
fn text_of(connection: &Connection, kind: &str, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = ?1 AND name = ?2";
    let text = connection.query_row(sql, [kind, name], |row| row.get(0));
    text.optional().map(Option::flatten)
}

/// Whether an object of the file is one of these.
fn is_among(objects: &[OriginObject], kind: &str, name: &str, text: &str) -> bool {
    let mut named = objects
        .iter()
        .filter(|object| object.kind == kind && object.name == name);
    named.any(|object| ddl::alike(&object.sql, text))
}

/// The rows because of which a unique index cannot be made.
fn doubles(connection: &Connection, index: &OriginObject) -> rusqlite::Result<(u64, Vec<String>)> {
    let catalog = catalog::read(connection)?;
    match catalog.table(&index.table) {
        Some(table) => named::doubles(connection, table, &index.sql),
        None => Ok((0, vec![])),
    }
}

/// Whether the tables that a full-text index is kept in are tables of rows here: it is entered over them, and answers as it did.
fn comes_with_its_index(origin: &Origin, object: &OriginObject) -> bool {
    catalog::index_table(&object.name, &object.sql).is_some_and(|index| {
        let mut objects = origin.objects.iter();
        objects.any(|other| other.kind == "table" && other.name.eq_ignore_ascii_case(&index))
    })
}

/// Fills a full-text index that was made over other rows. Told is why that cannot be done.
fn why_empty(connection: &Connection, object: &OriginObject) -> Option<String> {
    let content = catalog::content_elsewhere(&object.sql)?;
    if content.is_empty() {
        return Some("its texts are kept nowhere".to_owned());
    }
    let name = quoted(&object.name);
    let rebuild = format!("INSERT INTO {name} ({name}) VALUES ('rebuild')");
    connection
        .execute_batch(&rebuild)
        .err()
        .map(|error| error.to_string())
}

/// Enters virtual tables in the schema that only the application's own modules and functions can open, as they were entered at their origin:
/// what they keep their rows in is there.
fn enter(connection: &Connection, tables: &[&OriginObject]) -> rusqlite::Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    writing_schema(connection, || {
        let sql =
            "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ?1, ?1, 0, ?2)";
        let mut statement = connection.prepare(sql)?;
        let mut tables = tables.iter();
        tables.try_for_each(|table| statement.execute([&table.name, &table.sql]).map(drop))
    })
}

/// Makes the figures anew that SQLite's planner goes by, up to the table `figures`; the rows that they were made of may be others by now. Told is
/// why that cannot be done.
pub(super) fn count_anew(connection: &Connection, figures: &str) -> rusqlite::Result<Option<Weakened>> {
    if let Err(error) = connection.execute_batch("ANALYZE") {
        return Ok(Some(Weakened {
            table: "sqlite_stat1".to_owned(),
            constraint: "sqlite_stat1".to_owned(),
            sql: "ANALYZE".to_owned(),
            reason: format!("not made: {error}"),
            ..Weakened::default()
        }));
    }
    if figures != "sqlite_stat4" {
        connection.execute_batch("DROP TABLE IF EXISTS sqlite_stat4")?;
    }
    let sql = "SELECT name FROM sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4')";
    let mut statement = connection.prepare(sql)?;
    let figures: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in figures {
        for own in own_tables::present(connection)? {
            connection.execute(&format!("DELETE FROM {table} WHERE tbl = ?1"), [own])?;
        }
    }
    Ok(None)
}

/// The statements that make what the target lacks; refused if a column of the source would be lost.
pub(super) fn additions(plan: &Plan) -> TransferResult<Vec<String>> {
    let mut statements = Vec::new();
    // In the order in which they once were made.
    let objects = plan.origin.iter().flat_map(|origin| &origin.objects);
    let order: Vec<&str> = objects.map(|object| object.name.as_str()).collect();
    let mut tables: Vec<&TablePlan> = plan.tables.iter().collect();
    tables.sort_by_key(|table| order.iter().position(|name| *name == table.target));
    for table in tables {
        if !table.created {
            let name = quoted(&table.target);
            let columns = remade::added_columns(table);
            statements.extend(columns.map(|column| format!("ALTER TABLE {name} ADD COLUMN {column}")));
            continue;
        }
        let statement = statement(plan, table);
        if let Some(column) = remade::lost_column(table, &statement) {
            return Err(TransferError::Refused(format!(
                "the table {} would come back without its column {column}, for SQLite does not make it by its text without what is gone there; \
                 give it back the columns that PostgreSQL has no more, drop {column} as well, or leave the table out (--exclude {})",
                table.source.name, table.source.name
            )));
        }
        statements.push(statement);
    }
    Ok(statements)
}

/// The statement that makes a table.
pub(super) fn statement(plan: &Plan, table: &TablePlan) -> String {
    let definition = table.definition.as_ref();
    if let Some(definition) = definition.filter(|sql| remade::is_altered(table) || ddl::is_one_create(sql)) {
        let text = plan
            .origin
            .as_ref()
            .and_then(|origin| remade::text(origin, table));
        match text {
            Some(Ok(text)) if text == *definition => loose_or(table, text),
            Some(Err(_)) => back::create_table(table),
            Some(Ok(_)) | None => definition.clone(),
        }
    } else {
        back::create_table(table)
    }
}

/// The loose form of a table's text, if the table can be read by that text afterwards.
fn loose_or(table: &TablePlan, text: String) -> String {
    let loose = ddl::loosened(&text).filter(|loose| reads_as(&table.target, loose, &text).is_ok());
    loose.unwrap_or(text)
}

/// What is true of rows without a parent that the source holds to their foreign key.
const LOST_PARENTS: &str = "rows break it, and in PostgreSQL they have their parents: those are rejects, or their keys are equal in PostgreSQL and \
                            not in SQLite (1.0 and 1.00, capitals, blanks at the end)";

/// The rows whose parents are missing in those tables of a plan, by foreign key.
pub(super) fn broken_foreign_keys(
    connection: &Connection,
    tables: &[String],
    plans: &[TablePlan],
) -> rusqlite::Result<Vec<Weakened>> {
    let catalog = catalog::read(connection)?;
    let mut weakened: Vec<Weakened> = Vec::new();
    for table in tables {
        // One that was not made yet has no rows.
        let Some(found) = catalog.table(table) else {
            continue;
        };
        let mut statement = connection.prepare("SELECT rowid, fkid FROM pragma_foreign_key_check(?1)")?;
        let mut rows = statement.query([table])?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                // One that refers to no key cannot be checked, here as at its origin.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => break,
                Err(error) => return Err(error),
            };
            let number = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX - 1);
            // Numbered from the last written to the first.
            let keys = found.foreign_keys.as_slice();
            let key = keys.len().checked_sub(number + 1).and_then(|at| keys.get(at));
            let sql = key.map_or_else(String::new, remade::foreign_key_text);
            let name = key
                .and_then(|key| key.name.clone())
                .unwrap_or_else(|| sql.clone());
            let known = weakened
                .iter()
                .position(|entry| entry.table == *table && entry.constraint == name);
            let at = known.unwrap_or(weakened.len());
            if known.is_none() {
                let rowid: Option<i64> = row.get(0)?;
                let keys = match key.filter(|_| rowid.is_none()) {
                    Some(key) => named::orphans(connection, found, key)?.1,
                    None => vec![],
                };
                let parent = key.filter(|key| catalog.table(&key.parent).is_none());
                weakened.push(Weakened {
                    table: table.clone(),
                    constraint: name,
                    sql,
                    rows: 0,
                    keys,
                    reason: match parent {
                        Some(key) => format!(
                            "rows break it, as they are in the source: there is no table {}",
                            key.parent
                        ),
                        None if key.is_some_and(|key| back::is_held(plans, table, key)) => {
                            LOST_PARENTS.to_owned()
                        }
                        None => {
                            "rows break it, as they are in the source: their parents are missing".to_owned()
                        }
                    },
                });
            }
            let Some(entry) = weakened.get_mut(at) else {
                continue;
            };
            entry.rows += 1;
            if entry.keys.len() < named::NAMED {
                let rowid: Option<i64> = row.get(0)?;
                entry.keys.extend(rowid.map(|rowid| format!("rowid {rowid}")));
            }
        }
    }
    Ok(weakened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_no_sound_foreign_key() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY, k TEXT UNIQUE, n TEXT); INSERT INTO p VALUES (1, 'a', 'a');
                 CREATE TABLE no_key (n TEXT REFERENCES p (n)); INSERT INTO no_key VALUES ('b');
                 CREATE TABLE c (k TEXT REFERENCES p (k)); INSERT INTO c VALUES ('a'), ('b');",
            )
            .unwrap();
        let broken = |table: &str| broken_foreign_keys(&connection, &[table.to_owned()], &[]);
        assert_eq!(broken("no_key").unwrap(), []);
        let rows: Vec<u64> = broken("c").unwrap().iter().map(|weak| weak.rows).collect();
        assert_eq!(rows, [1]);
        // The index that tells of the parent's keys is a table's page.
        writing_schema(&connection, || {
            let sql = "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'p') WHERE type = 'index'";
            connection.execute_batch(sql)
        })
        .unwrap();
        let error = broken("c").unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt));
    }

    /// A loose table takes what its own text would change or refuse, and is read by that text.
    #[test]
    fn a_loose_table_is_read_by_its_own_text() {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL UNIQUE, r REAL, s TEXT CHECK (s REGEXP 'x'), k COLLATE own, UNIQUE (k, n))";
        let connection = Connection::open_in_memory().unwrap();
        collations::stand_in(&connection, sql).unwrap();
        connection.execute_batch(&ddl::loosened(sql).unwrap()).unwrap();
        connection
            .execute_batch("INSERT INTO t VALUES (7, NULL, -0.0, 5, 'a'), (9, '5', 1, 1.0, 'b')")
            .unwrap();
        give_texts(&connection, &[("t".to_owned(), sql.to_owned())]).unwrap();
        let text: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 't'", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(text, sql);
        let classes: String = connection
            .query_row(
                "SELECT group_concat(typeof(n) || ' ' || typeof(s)) FROM t",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(classes, "null integer,text real");
        let next: i64 = connection
            .query_row("PRAGMA ignore_check_constraints = ON", [], |_| Ok(0))
            .or_else(|_| {
                connection.query_row("INSERT INTO t (n, k) VALUES (1, 'c') RETURNING id", [], |row| {
                    row.get(0)
                })
            })
            .unwrap();
        assert_eq!(next, 10);
        assert!(give_texts(&connection, &[("t".to_owned(), "CREATE TABLE t (".to_owned())]).is_err());
    }
}
