//! The rows of a table as they lie in a file, in batches.

use std::cell::RefCell;
use std::collections::HashSet;

use cutover_domain::transfer::catalog::{Storage, Table};
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::rows::RowBatch;
use cutover_ports::transfer::Scan;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;

use super::open::unindexed;
use super::own_tables;
use super::pages::{Layout, Pages, Strange, Walk};

/// The name under which a scan's statement knows what takes its rows.
const TAKE: &str = "cutover_take";

/// Reads the rows in batches until `give` wants no more.
///
/// The rows are not asked for one by one: a function takes them, within the statement's condition. Asked for, each value of a table of
/// numbers costs as much as SQLite needs to find it (a scan takes 1.6 times as long).
pub(super) fn read(
    connection: &Connection,
    pages: Option<&Pages>,
    scan: &Scan,
    give: impl FnMut(RowBatch) -> bool + Send + 'static,
) -> rusqlite::Result<()> {
    let planted = planted(connection, &scan.table)?;
    let encoding = Encoding::of(connection)?;
    let key = planted.as_ref().map(|planted| planted.column.as_str());
    let selected = encoding.selected(&scan.columns, key);
    let rowid = match &scan.table.storage {
        Storage::Rowid { alias } => *alias,
        Storage::Clustered | Storage::Partitioned => None,
    };
    let values: Vec<String> = selected.into_iter().chain(rowid.map(str::to_owned)).collect();
    let mut taker = Taker {
        width: scan.columns.len(),
        encoding,
        rowid_at: rowid.map(|_| values.len() - 1),
        planted_at: planted.as_ref().and_then(|planted| planted.at(scan, encoding)),
        planted: planted.map_or_else(HashSet::new, |planted| planted.keys),
        skip: if rowid.is_some() && scan.after.rowid.is_some() {
            0
        } else {
            scan.after.rows
        },
        next: scan.after.rows,
        batch: RowBatch::new(scan.columns.len(), scan.after.rows),
        give,
    };
    let mut after = scan.after.rowid;
    if let (Some(pages), Some(_)) = (pages, rowid)
        && let Some(layout) = Layout::of(connection, scan)?
    {
        let mut walk = Walk::new(pages, layout, after, scan.up_to);
        match walk.rows(|record| taker.take(|at| Ok(record.value(at)))) {
            Ok(wants_more) => {
                if wants_more {
                    taker.give_rest();
                }
                return Ok(());
            }
            Err(Strange) => after = walk.last(),
        }
    }
    let ends = rowid.map_or_else(Vec::new, |rowid| ends(rowid, after, scan.up_to));
    let how = unindexed(connection, &scan.table.name)?;
    let from = format!("FROM {} {how}", quoted(&scan.table.name));
    // As they lie, by the rowid or by the key of a table without. SQLite sorts nothing here: it takes the whole numbers of a generated REAL
    // column out of its sorter as integers.
    let order = rowid.map_or_else(String::new, |rowid| format!(" ORDER BY {rowid}"));
    if values.len() > usize::try_from(connection.limit(Limit::SQLITE_LIMIT_FUNCTION_ARG)?).unwrap_or(0) {
        let condition = if ends.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", ends.join(" AND "))
        };
        return taker.take_each(
            connection,
            &format!("SELECT {} {from}{condition}{order}", values.join(", ")),
        );
    }
    let take = format!("{TAKE}({})", values.join(", "));
    let condition: Vec<String> = ends.into_iter().chain([take]).collect();
    taker.take_within(
        connection,
        &format!("SELECT 1 {from} WHERE {}{order}", condition.join(" AND ")),
    )
}

/// The conditions for the part of a table that is scanned.
fn ends(rowid: &str, after: Option<i64>, up_to: Option<i64>) -> Vec<String> {
    // Numbers of our own, not text of somebody else's.
    let from = after.map(|after| format!("{rowid} > {after}"));
    let to = up_to.map(|up_to| format!("{rowid} <= {up_to}"));
    from.into_iter().chain(to).collect()
}

/// Takes the rows of a scan as they come, and gives them away in batches.
struct Taker<G> {
    /// So many values of a row are those of its columns.
    width: usize,
    encoding: Encoding,
    /// Where the rowid stands behind them.
    rowid_at: Option<usize>,
    /// The rows that are not the application's, by a value at this place.
    planted_at: Option<usize>,
    planted: HashSet<Vec<u8>>,
    /// So many rows were taken before.
    skip: u64,
    next: u64,
    batch: RowBatch,
    give: G,
}

impl<G: FnMut(RowBatch) -> bool + Send + 'static> Taker<G> {
    /// Takes the rows that a statement returns.
    fn take_each(mut self, connection: &Connection, sql: &str) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !self.take(|at| row.get_ref(at))? {
                return Ok(());
            }
        }
        self.give_rest();
        Ok(())
    }

    /// Takes the rows that a statement shows to [`TAKE`]. It returns one when no more are wanted. Shown no values, the function gives the rest.
    fn take_within(self, connection: &Connection, sql: &str) -> rusqlite::Result<()> {
        // A connection asks its functions on one thread. A lock would take a third of the time that a row does.
        let taker = RefCell::new(self);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        connection.create_scalar_function(TAKE, -1, flags, move |row| {
            let mut taker = taker.borrow_mut();
            if row.is_empty() {
                taker.give_rest();
                return Ok(false);
            }
            Ok(!taker.take(|at| Ok(row.get_raw(at)))?)
        })?;
        let is_taken = connection.prepare(sql).and_then(|mut statement| {
            let is_enough = statement.exists([])?;
            if is_enough {
                return Ok(());
            }
            connection.query_row(&format!("SELECT {TAKE}()"), [], |_| Ok(()))
        });
        // With it goes what it holds.
        connection.remove_function(TAKE, -1)?;
        is_taken
    }

    /// Takes a row, whose values are asked for by their place, and says whether more are wanted.
    fn take<'a>(
        &mut self,
        value: impl Fn(usize) -> rusqlite::Result<ValueRef<'a>>,
    ) -> rusqlite::Result<bool> {
        if let Some(at) = self.planted_at
            && value(at)?.as_bytes().is_ok_and(|key| self.planted.contains(key))
        {
            return Ok(true);
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(true);
        }
        for column in 0..self.width {
            match (value(column)?, self.encoding) {
                (ValueRef::Null, _) => self.batch.push_null(),
                (ValueRef::Integer(number), _) => self.batch.push_integer(number),
                (ValueRef::Real(number), _) => self.batch.push_real(number),
                (ValueRef::Text(bytes), _) => self.batch.push_text(bytes),
                (ValueRef::Blob(stored), Encoding::Utf16(unit)) if is_text(&value, self.width, column)? => {
                    match decoded(stored, unit) {
                        Some(text) => self.batch.push_text(text.as_bytes()),
                        None => self.batch.push_refused_text(stored),
                    }
                }
                (ValueRef::Blob(bytes), _) => self.batch.push_blob(bytes),
            }
        }
        if let Some(at) = self.rowid_at {
            self.batch.set_rowid(value(at)?.as_i64()?);
        }
        self.next += 1;
        if !self.batch.is_full() {
            return Ok(true);
        }
        let full = std::mem::replace(&mut self.batch, RowBatch::new(self.width, self.next));
        Ok((self.give)(full))
    }

    fn give_rest(&mut self) {
        if !self.batch.is_empty() {
            let rest = std::mem::replace(&mut self.batch, RowBatch::new(self.width, self.next));
            (self.give)(rest);
        }
    }
}

/// In which bytes the file keeps its text.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    /// As it is handed out.
    Utf8,
    /// UTF-16 with this order of bytes. SQLite turns halves of surrogate pairs into other characters without a word, so that such text
    /// is read as it is stored.
    Utf16(fn([u8; 2]) -> u16),
}

impl Encoding {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let name: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0))?;
        Ok(match name.as_str() {
            "UTF-16le" => Self::Utf16(u16::from_le_bytes),
            "UTF-16be" => Self::Utf16(u16::from_be_bytes),
            _ => Self::Utf8,
        })
    }

    /// What is selected of columns: in UTF-16 texts as the bytes that are stored, and behind the columns, for so many of them at a time,
    /// which are texts; and `key` as it is. SQLite has no room for twice as many columns as a table may have.
    fn selected(self, columns: &[String], key: Option<&str>) -> Vec<String> {
        match self {
            Self::Utf8 => columns.iter().map(|column| quoted(column)).collect(),
            Self::Utf16(_) => {
                let stored = columns.iter().map(|column| {
                    let name = quoted(column);
                    format!("iif(typeof({name}) = 'text', CAST({name} AS BLOB), {name})")
                });
                let texts = columns.chunks(CLASSES).map(|columns| {
                    let each = columns
                        .iter()
                        .map(|column| format!("(typeof({}) = 'text')", quoted(column)));
                    // A text of its own, even of one.
                    format!("'' || {}", each.collect::<Vec<_>>().join(" || "))
                });
                let key = key.map(quoted).into_iter();
                stored.chain(texts).chain(key).collect()
            }
        }
    }
}

/// For so many columns it is told at once which are texts: SQLite's limit for the depth of an expression is a thousand.
const CLASSES: usize = 500;

/// Whether a column of a row in UTF-16 is a text, by what was selected behind all columns.
fn is_text<'a>(
    value: impl Fn(usize) -> rusqlite::Result<ValueRef<'a>>,
    width: usize,
    column: usize,
) -> rusqlite::Result<bool> {
    let classes = value(width + column / CLASSES)?.as_bytes()?;
    Ok(classes.get(column % CLASSES) == Some(&b'1'))
}

/// Stored UTF-16 as text, if it is any.
fn decoded(stored: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = stored.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok().filter(|_| rest.is_empty())
}

/// The keys of a table's planted rows, and where the key is in a scanned row.
struct Planted {
    column: String,
    keys: HashSet<Vec<u8>>,
}

impl Planted {
    /// Where the key is among the values of a scanned row.
    fn at(&self, scan: &Scan, encoding: Encoding) -> Option<usize> {
        let width = scan.columns.len();
        match encoding {
            Encoding::Utf8 => scan.columns.iter().position(|column| *column == self.column),
            Encoding::Utf16(_) => Some(width + width.div_ceil(CLASSES)),
        }
    }
}

fn planted(connection: &Connection, table: &Table) -> rusqlite::Result<Option<Planted>> {
    let exists = own_tables::notes_planted_rows(connection)?;
    let key = table.primary_key.as_ref().filter(|key| key.columns.len() == 1);
    let Some(column) = key.and_then(|key| key.columns.first()).filter(|_| exists) else {
        return Ok(None);
    };
    let sql = format!("SELECT key FROM {} WHERE table_name = ?1", own_tables::PLANTED);
    let mut statement = connection.prepare(&sql)?;
    let keys = statement.query_map([&table.name], |row| {
        Ok(row.get_ref(0)?.as_bytes().unwrap_or_default().to_vec())
    })?;
    let keys: HashSet<Vec<u8>> = keys.collect::<Result<_, _>>()?;
    Ok((!keys.is_empty()).then(|| Planted {
        column: column.clone(),
        keys,
    }))
}
