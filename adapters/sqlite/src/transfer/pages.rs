//! The rows of a table, read from the pages of a file that nobody can change meanwhile.
//!
//! The source of every rule here is SQLite's description of its file format (fileformat2.html, §1.5 to §2.1). What does not look as it says is
//! left to SQLite, which reads on from there and knows what to say.

use cutover_domain::transfer::catalog::{Affinity, Column, ColumnKind, Generated, Identity};
use cutover_ports::transfer::Scan;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};

use super::open::Bytes;

/// So many bytes are read at once where the pages lie side by side.
const AT_ONCE: usize = 128 * 1024;
/// A tree is never as high: SQLite's own limit.
const HEIGHT: usize = 20;
const HEADER: usize = 100;
const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

/// What is not as the format says, or cannot be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strange;

type Read<T> = Result<T, Strange>;

/// The pages of a file as one snapshot sees them.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    file: Bytes,
    size: usize,
    /// Of each page, without what is reserved at its end.
    usable: usize,
    count: u32,
    is_logged: bool,
}

impl Pages {
    /// The pages of a file in UTF-8 that holds `count` of them.
    pub(super) fn of(file: Bytes, count: u32) -> Read<Self> {
        let mut header = [0_u8; HEADER];
        file.read_exact_at(&mut header, 0).map_err(|_| Strange)?;
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size => usize::from(size),
        };
        let usable = size.saturating_sub(header[20].into());
        let is_utf8 = header[56..60] == [0, 0, 0, 1];
        if !is_utf8 || usable < 480 {
            return Err(Strange);
        }
        Ok(Self {
            file,
            size,
            usable,
            count,
            is_logged: header[18..20] != [1, 1],
        })
    }

    /// Whether what is written goes to a log (WAL) first.
    pub(super) fn is_logged(&self) -> bool {
        self.is_logged
    }

    /// The size of all.
    fn bytes(&self) -> u64 {
        u64::try_from(self.size).map_or(0, |size| u64::from(self.count) * size)
    }

    /// How many of so many pages that lie side by side are read at once.
    fn at_once(&self, wanted: usize) -> usize {
        wanted.min(AT_ONCE / self.size).max(1)
    }

    /// Reads `count` pages from this one.
    fn read(&self, first: u32, count: usize, into: &mut Vec<u8>) -> Read<()> {
        let last = first.checked_add(u32::try_from(count).map_err(|_| Strange)?);
        if first == 0 || last.is_none_or(|last| last - 1 > self.count) {
            return Err(Strange);
        }
        into.resize(count * self.size, 0);
        let size = u64::try_from(self.size).map_err(|_| Strange)?;
        self.file
            .read_exact_at(into, u64::from(first - 1) * size)
            .map_err(|_| Strange)
    }
}

/// Pages that lie side by side, of which some are wanted soon.
#[derive(Debug, Default)]
struct Window {
    first: u32,
    bytes: Vec<u8>,
}

impl Window {
    /// A page; where it is not at hand, those behind it come along.
    fn page(&mut self, pages: &Pages, number: u32, soon: usize) -> Read<&[u8]> {
        if self.at_hand(pages, number).is_err() {
            pages.read(number, pages.at_once(soon), &mut self.bytes)?;
            self.first = number;
        }
        self.at_hand(pages, number)
    }

    fn at_hand(&self, pages: &Pages, number: u32) -> Read<&[u8]> {
        let place = number.checked_sub(self.first).ok_or(Strange)?;
        let start = usize::try_from(place).map_err(|_| Strange)? * pages.size;
        self.bytes.get(start..start + pages.usable).ok_or(Strange)
    }
}

/// Where the value of a column is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Rowid,
    Field {
        at: usize,
        /// SQLite stores whole reals as integers.
        is_real: bool,
    },
}

/// How the values of a scan lie in the records of its table.
#[derive(Debug)]
pub(super) struct Layout {
    root: u32,
    places: Vec<Place>,
    /// A record of fewer fields was written before columns with defaults were added.
    least: usize,
}

impl Layout {
    /// The layout of a table by its rowid; none where its records do not hold all that is asked for.
    pub(super) fn of(connection: &Connection, scan: &Scan) -> rusqlite::Result<Option<Self>> {
        let table = &scan.table;
        let is_computed = |column: &Column| column.generated != Generated::No;
        if table.module.is_some() || table.columns.iter().any(is_computed) {
            return Ok(None);
        }
        let mut least = 0;
        let mut places = Vec::new();
        for name in &scan.columns {
            let found = table
                .columns
                .iter()
                .enumerate()
                .find(|(_, column)| column.name == *name);
            let Some((at, column)) = found else {
                return Ok(None);
            };
            if column.identity != Identity::No {
                places.push(Place::Rowid);
                continue;
            }
            if column.default.is_some() {
                least = least.max(at + 1);
            }
            let is_real = matches!(
                column.kind,
                ColumnKind::Sqlite {
                    affinity: Affinity::Real,
                    ..
                }
            );
            places.push(Place::Field { at, is_real });
        }
        let sql =
            "SELECT max(rootpage) FROM sqlite_schema WHERE type = 'table' AND name = ?1 HAVING count(*) = 1";
        let root: Option<i64> = connection
            .query_row(sql, [&table.name], |row| row.get(0))
            .optional()?;
        let root = root.and_then(|root| u32::try_from(root).ok());
        Ok(root.map(|root| Self { root, places, least }))
    }
}

/// A value within a record: its serial type, and where it begins.
#[derive(Debug, Clone, Copy)]
struct Field {
    kind: u32,
    start: u32,
}

/// The bytes of a value of this serial type.
fn length(kind: u32) -> Read<u32> {
    match kind {
        0 | 8 | 9 => Ok(0),
        1..=4 => Ok(kind),
        5 => Ok(6),
        6 | 7 => Ok(8),
        10 | 11 => Err(Strange),
        _ => Ok((kind - 12) / 2),
    }
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    places: &'a [Place],
    fields: &'a [Field],
    payload: &'a [u8],
    rowid: i64,
}

impl<'a> Record<'a> {
    /// The value of a column of the scan; behind the last one, the rowid.
    pub(super) fn value(&self, column: usize) -> ValueRef<'a> {
        let (at, is_real) = match self.places.get(column) {
            Some(Place::Field { at, is_real }) => (*at, *is_real),
            Some(Place::Rowid) | None => return ValueRef::Integer(self.rowid),
        };
        // A record that is too short was written before its last columns were added.
        let Some(&Field { kind, start }) = self.fields.get(at) else {
            return ValueRef::Null;
        };
        let number = match kind {
            0 => return ValueRef::Null,
            7 => {
                let number = f64::from_bits(self.number(start, 8).cast_unsigned());
                return if number.is_nan() {
                    ValueRef::Null
                } else {
                    ValueRef::Real(number)
                };
            }
            8 => 0,
            9 => 1,
            kind => {
                let length = length(kind).unwrap_or_default();
                if kind < 10 {
                    self.number(start, length)
                } else if kind % 2 == 0 {
                    return ValueRef::Blob(self.bytes(start, length));
                } else {
                    return ValueRef::Text(self.bytes(start, length));
                }
            }
        };
        if is_real {
            ValueRef::Real(number as f64)
        } else {
            ValueRef::Integer(number)
        }
    }

    fn bytes(&self, start: u32, length: u32) -> &'a [u8] {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let rest = self.payload.get(place(start)..);
        rest.and_then(|rest| rest.get(..place(length)))
            .unwrap_or_default()
    }

    /// A number of one to eight bytes.
    fn number(&self, start: u32, length: u32) -> i64 {
        // Mostly eight can be taken at once.
        if let Some(eight) = self.bytes(start, 8).first_chunk() {
            return i64::from_be_bytes(*eight) >> (64 - 8 * length);
        }
        let bytes = self.bytes(start, length);
        let number = bytes
            .iter()
            .fold(0, |number, byte| number << 8 | i64::from(*byte));
        let unused = 64 - 8 * length;
        number << unused >> unused
    }
}

/// A number of one to nine bytes, and what follows it.
#[inline]
fn varint(bytes: &[u8]) -> Read<(u64, &[u8])> {
    match bytes {
        [first @ 0..0x80, rest @ ..] => Ok((u64::from(*first), rest)),
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &[u8]) -> Read<(u64, &[u8])> {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(8) {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((number, bytes.get(place + 1..).unwrap_or_default()));
        }
    }
    // The ninth counts whole.
    let last = bytes.get(8).ok_or(Strange)?;
    Ok((number << 8 | u64::from(*last), bytes.get(9..).unwrap_or_default()))
}

/// Four bytes at this place.
fn word(bytes: &[u8], at: usize) -> Read<u32> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(Strange)?;
    Ok(u32::from_be_bytes(*word))
}

/// Two bytes at this place.
fn half(bytes: &[u8], at: usize) -> Read<usize> {
    let half = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(Strange)?;
    Ok(usize::from(u16::from_be_bytes(*half)))
}

/// Reads the rows of a table in the order of their rowids.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pages: &'a Pages,
    layout: Layout,
    /// Rows behind this one are shown.
    after: Option<i64>,
    up_to: i64,
    /// The last row that was seen, shown or not.
    last: Option<i64>,
    /// So many pages may be visited still: each but once.
    left: u32,
    leaves: Window,
    overflow: Window,
    fields: Vec<Field>,
    payload: Vec<u8>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(pages: &'a Pages, layout: Layout, after: Option<i64>, up_to: Option<i64>) -> Self {
        Self {
            pages,
            layout,
            after,
            up_to: up_to.unwrap_or(i64::MAX),
            last: None,
            left: pages.count,
            leaves: Window::default(),
            overflow: Window::default(),
            fields: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// The rowid behind which nothing was shown.
    pub(super) fn last(&self) -> Option<i64> {
        self.last.max(self.after)
    }

    /// Shows each row to `take` until that wants no more, and says whether it does at the end.
    pub(super) fn rows(&mut self, mut take: impl FnMut(&Record<'_>) -> rusqlite::Result<bool>) -> Read<bool> {
        let root = self.layout.root;
        self.page(root, 1, i64::MAX, 0, &mut take)
    }

    /// The rows of a page and those below it, whose rowids are not above `most`. Behind it lie `soon - 1` pages that are wanted next.
    fn page(
        &mut self,
        number: u32,
        soon: usize,
        most: i64,
        height: usize,
        take: &mut impl FnMut(&Record<'_>) -> rusqlite::Result<bool>,
    ) -> Read<bool> {
        self.left = self
            .left
            .checked_sub(1)
            .filter(|_| height < HEIGHT)
            .ok_or(Strange)?;
        let page = self.leaves.page(self.pages, number, soon)?;
        let cells = half(page, 3)?;
        match page.first() {
            Some(&LEAF) => {
                // The window is lent to the rows, which need the rest of the walk.
                let leaves = std::mem::take(&mut self.leaves);
                let rows = self.leaf(&leaves, number, cells, most, take);
                self.leaves = leaves;
                rows
            }
            Some(&INTERIOR) => {
                let children = children(page, cells, most)?;
                for (at, &(child, key)) in children.iter().enumerate() {
                    if self.after.is_some_and(|after| key <= after) {
                        continue;
                    }
                    let rest = children.iter().skip(at).take(self.pages.at_once(children.len()));
                    let soon = together(rest.map(|(child, _)| *child));
                    if !self.page(child, soon, key, height + 1, take)? {
                        return Ok(false);
                    }
                    if key >= self.up_to {
                        return Ok(true);
                    }
                }
                Ok(true)
            }
            _ => Err(Strange),
        }
    }

    fn leaf(
        &mut self,
        leaves: &Window,
        number: u32,
        cells: usize,
        most: i64,
        take: &mut impl FnMut(&Record<'_>) -> rusqlite::Result<bool>,
    ) -> Read<bool> {
        let page = leaves.at_hand(self.pages, number)?;
        let pointers = page.get(8..8 + 2 * cells).ok_or(Strange)?;
        for pointer in pointers.chunks_exact(2) {
            let cell = page.get(half(pointer, 0)?..).ok_or(Strange)?;
            let (length, rest) = varint(cell)?;
            let (rowid, rest) = varint(rest)?;
            let rowid = rowid.cast_signed();
            if rowid > most || self.last.is_some_and(|last| rowid <= last) {
                return Err(Strange);
            }
            if self.after.is_some_and(|after| rowid <= after) {
                self.last = Some(rowid);
                continue;
            }
            if rowid > self.up_to {
                return Ok(true);
            }
            let length = usize::try_from(length).map_err(|_| Strange)?;
            let usable = self.pages.usable;
            let payload = if length <= usable - 35 {
                rest.get(..length).ok_or(Strange)?
            } else {
                self.spilled(rest, length)?;
                &self.payload
            };
            fields(payload, &mut self.fields)?;
            if self.fields.len() < self.layout.least {
                return Err(Strange);
            }
            let record = Record {
                places: &self.layout.places,
                fields: &self.fields,
                payload,
                rowid,
            };
            let wants_more = take(&record).map_err(|_| Strange)?;
            self.last = Some(rowid);
            if !wants_more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts together a payload that does not fit into its page.
    fn spilled(&mut self, cell: &[u8], length: usize) -> Read<()> {
        let usable = self.pages.usable;
        if u64::try_from(length).map_err(|_| Strange)? > self.pages.bytes() {
            return Err(Strange);
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let kept = match least + (length - least) % (usable - 4) {
            kept if kept <= usable - 35 => kept,
            _ => least,
        };
        self.payload.clear();
        self.payload.extend_from_slice(cell.get(..kept).ok_or(Strange)?);
        let mut next = word(cell, kept)?;
        while self.payload.len() < length {
            let rest = length - self.payload.len();
            let behind = self.pages.count.checked_sub(next).ok_or(Strange)?;
            let there = usize::try_from(behind).unwrap_or(0) + 1;
            let soon = rest.div_ceil(usable - 4).min(there);
            let page = self.overflow.page(self.pages, next, soon)?;
            let (pointer, bytes) = page.split_at_checked(4).ok_or(Strange)?;
            next = word(pointer, 0)?;
            self.payload
                .extend(bytes.get(..rest.min(usable - 4)).ok_or(Strange)?);
        }
        Ok(())
    }
}

/// The pages below an interior one, each with the largest rowid that it may hold.
fn children(page: &[u8], cells: usize, most: i64) -> Read<Vec<(u32, i64)>> {
    let pointers = page.get(12..12 + 2 * cells).ok_or(Strange)?;
    let mut children = Vec::with_capacity(cells + 1);
    for pointer in pointers.chunks_exact(2) {
        let at = half(pointer, 0)?;
        let (key, _) = varint(page.get(at + 4..).ok_or(Strange)?)?;
        let key = key.cast_signed();
        let is_behind = children.last().is_none_or(|(_, before)| *before < key);
        if !is_behind || key > most {
            return Err(Strange);
        }
        children.push((word(page, at)?, key));
    }
    children.push((word(page, 8)?, most));
    Ok(children)
}

/// How many of these pages lie side by side, from the first.
fn together(mut children: impl Iterator<Item = u32>) -> usize {
    let first = children.next().unwrap_or_default();
    let expected = first.saturating_add(1)..;
    1 + children
        .zip(expected)
        .take_while(|(child, expected)| child == expected)
        .count()
}

/// The fields of a record.
fn fields(payload: &[u8], into: &mut Vec<Field>) -> Read<()> {
    into.clear();
    let (header, rest) = varint(payload)?;
    let own = payload.len() - rest.len();
    let end = usize::try_from(header).map_err(|_| Strange)?;
    let mut kinds = payload.get(own..end).ok_or(Strange)?;
    let mut start = u32::try_from(header).map_err(|_| Strange)?;
    while !kinds.is_empty() {
        let (kind, rest) = varint(kinds)?;
        let kind = u32::try_from(kind).map_err(|_| Strange)?;
        into.push(Field { kind, start });
        start = start.checked_add(length(kind)?).ok_or(Strange)?;
        kinds = rest;
    }
    if usize::try_from(start) == Ok(payload.len()) {
        Ok(())
    } else {
        Err(Strange)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use cutover_domain::transfer::catalog::Table;
    use cutover_ports::transfer::Position;

    use super::*;
    use crate::transfer::open::SourceFile;
    use crate::transfer::{catalog, scan};

    /// So many files, or as many as `CUTOVER_PAGES` says.
    fn seeds(usual: u64) -> std::ops::RangeInclusive<u64> {
        let wanted = std::env::var("CUTOVER_PAGES").ok();
        1..=wanted.map_or(usual, |wanted| wanted.parse().unwrap())
    }

    /// Numbers that look random, the same for the same seed (xorshift).
    struct Dice(u64);

    impl Dice {
        fn seeded(seed: u64) -> Self {
            Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        }

        fn roll(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, sides: usize) -> usize {
            usize::try_from(self.roll() % u64::try_from(sides).unwrap()).unwrap()
        }

        fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
            of[self.below(of.len())]
        }

        /// A value as SQL, of any class and length that a page of this size tells apart.
        fn value(&mut self, page_size: usize) -> String {
            let edge = self.one_of(&[
                0,
                1,
                57,
                64,
                127,
                128,
                page_size / 2,
                page_size - 35,
                page_size,
                3 * page_size,
            ]);
            let length = (edge + self.below(9)).saturating_sub(4);
            match self.below(8) {
                0 => "NULL".to_owned(),
                1 => self.one_of(&[0, 1, -1, 2]).to_string(),
                // Of each width, both sides of its ends.
                2 => {
                    let bits = self.one_of(&[7, 8, 15, 16, 23, 24, 31, 32, 47, 48, 62]);
                    let number = (1_i64 << bits) - i64::from(self.below(3) == 0);
                    self.one_of(&[number, -number, -number - 1]).to_string()
                }
                3 => self.roll().cast_signed().to_string(),
                4 => self
                    .one_of(&["-0.0", "1e300", "-2.5", "3.0", "9e999", "1e18"])
                    .to_owned(),
                5 => format!("zeroblob({length})"),
                6 => format!("'{}'", "ä€\u{1f600}z".repeat(length / 10)),
                _ => format!("'{}'", "x".repeat(length)),
            }
        }
    }

    /// A file of tables that have been written to in every way, with the rows scattered.
    fn make(path: &Path, dice: &mut Dice, most: usize) {
        let page_size = dice.one_of(&[512, 512, 1024, 4096, 65_536]);
        let made = Connection::open(path).unwrap();
        let run = |sql: &str| {
            let done = made.execute_batch(sql);
            done.unwrap_or_else(|error| panic!("{error}: {sql:.200}"));
        };
        run(&format!(
            "PRAGMA page_size = {page_size}; PRAGMA auto_vacuum = {}; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN;
             CREATE TABLE keyed (id INTEGER PRIMARY KEY, a, b REAL, c TEXT, d NUMERIC);
             CREATE INDEX keyed_a ON keyed (a);
             CREATE TABLE plain (a INT, b DOUBLE, rowid TEXT, c BLOB);
             CREATE TABLE one (a); CREATE TABLE none (a);",
            dice.below(3)
        ));
        for _ in 0..dice.below(most) {
            let id = match dice.below(3) {
                0 => "NULL".to_owned(),
                1 => dice.below(1000).to_string(),
                _ => dice.roll().cast_signed().to_string(),
            };
            let values: Vec<String> = (0..4).map(|_| dice.value(page_size)).collect();
            run(&format!(
                "INSERT OR REPLACE INTO keyed VALUES ({id}, {})",
                values.join(", ")
            ));
            run(&format!("INSERT INTO plain VALUES ({})", values.join(", ")));
            if dice.below(5) == 0 {
                run(&format!("DELETE FROM keyed WHERE id % 7 = {}", dice.below(7)));
                run(&format!(
                    "UPDATE plain SET c = {} WHERE _rowid_ % 9 = 1",
                    dice.value(page_size)
                ));
            }
        }
        run(&format!("INSERT INTO one VALUES ({})", dice.value(page_size)));
        run("ALTER TABLE plain ADD COLUMN later REAL; INSERT INTO plain DEFAULT VALUES");
        if dice.below(2) == 0 {
            run(
                "ALTER TABLE keyed ADD COLUMN late DEFAULT 'late'; INSERT INTO keyed (late) VALUES ('x'), (NULL)",
            );
        }
        run("COMMIT");
    }

    /// A row by its rowid and its values.
    type Row = (Option<i64>, Vec<String>);

    /// All rows of a table, by the pages or by SQLite.
    fn rows(
        connection: &Connection,
        pages: Option<&Pages>,
        wanted: &Scan,
    ) -> (rusqlite::Result<()>, Vec<Row>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let rows = Arc::clone(&seen);
        let end = scan::read(connection, pages, wanted, move |batch| {
            for row in batch.rows() {
                let values = row.values().map(|value| format!("{value:?}")).collect();
                rows.lock().unwrap().push((row.rowid(), values));
            }
            true
        });
        let rows = std::mem::take(&mut *seen.lock().unwrap());
        (end, rows)
    }

    fn whole(table: &Table) -> Scan {
        Scan {
            table: table.clone(),
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
            after: Position::default(),
            up_to: None,
        }
    }

    #[test]
    fn pages_hold_what_sqlite_reads() {
        let directory = tempfile::tempdir().unwrap();
        let mut seen = 0;
        for seed in seeds(40) {
            let mut dice = Dice::seeded(seed);
            let path = directory.path().join(format!("{seed}.db"));
            make(&path, &mut dice, 600);
            let file = SourceFile::new(&path, Duration::from_secs(1)).unwrap();
            let readers = file.snapshot(1).unwrap();
            let pages = file.pages(&readers[0]).unwrap();
            for table in catalog::read(&readers[0]).unwrap().tables {
                let all = whole(&table);
                let expected = rows(&readers[0], None, &all);
                expected.0.unwrap();
                let (end, found) = rows(&readers[0], Some(&pages), &all);
                end.unwrap();
                assert_eq!(found, expected.1, "{seed}: {}", table.name);
                // By the pages alone, where no row lacks what was added later.
                let layout = Layout::of(&readers[0], &all).unwrap().unwrap();
                let lacks = layout.least > 0;
                let mut count = 0;
                let mut walk = Walk::new(&pages, layout, None, None);
                let walked = walk.rows(|_| {
                    count += 1;
                    Ok(true)
                });
                assert!(lacks || walked == Ok(true), "{seed}: {}", table.name);
                assert!(lacks || count == expected.1.len(), "{seed}: {}", table.name);
                seen += count;

                // Some of the columns in another order, and a part of the rows.
                let mut part = all.clone();
                part.columns.reverse();
                part.columns.truncate(1 + dice.below(table.columns.len()));
                let rowids: Vec<i64> = found.iter().filter_map(|(rowid, _)| *rowid).collect();
                for _ in 0..3 {
                    let mut end =
                        || (!rowids.is_empty()).then(|| rowids[dice.below(rowids.len())].saturating_sub(1));
                    part.after.rowid = end();
                    part.up_to = end();
                    let expected = rows(&readers[0], None, &part).1;
                    assert_eq!(
                        rows(&readers[0], Some(&pages), &part).1,
                        expected,
                        "{seed}: {part:?}"
                    );
                }
            }
        }
        assert!(seen > 1_000, "{seen} rows are too few to say anything");
    }

    /// Whatever a page says, the walk comes to an end, and what SQLite finds nothing wrong with is read as SQLite reads it.
    #[test]
    fn damage_is_left_to_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        let (mut left, mut equal) = (0, 0);
        for seed in seeds(60) {
            let mut dice = Dice::seeded(seed);
            let path = directory.path().join(format!("{seed}.db"));
            make(&path, &mut dice, 150);
            let whole_bytes = std::fs::read(&path).unwrap();
            let page_size = usize::from(u16::from_be_bytes([whole_bytes[16], whole_bytes[17]]).max(512));
            for _ in 0..4 {
                let mut bytes = whole_bytes.clone();
                for _ in 0..=dice.below(20) {
                    // Behind the schema, most at the heads of pages, where their cells are told.
                    let page = dice.below(bytes.len() / page_size - 1) + 1;
                    let within = [dice.below(16), dice.below(16), dice.below(page_size)];
                    let at = page * page_size + dice.one_of(&within);
                    bytes[at] = dice.one_of(&[0, 1, 5, 13, 255, bytes[at] ^ 1, bytes[at].wrapping_add(1)]);
                }
                std::fs::write(&path, &bytes).unwrap();
                let file = SourceFile::new(&path, Duration::from_secs(1)).unwrap();
                let Ok(readers) = file.snapshot(1) else { continue };
                let pages = file.pages(&readers[0]).unwrap();
                let Ok(catalog) = catalog::read(&readers[0]) else {
                    continue;
                };
                for table in catalog.tables {
                    let all = whole(&table);
                    let (_, found) = rows(&readers[0], Some(&pages), &all);
                    let check = format!("PRAGMA quick_check({})", table.name);
                    let said: rusqlite::Result<String> = readers[0].query_row(&check, [], |row| row.get(0));
                    if said.is_ok_and(|said| said == "ok") {
                        assert_eq!(found, rows(&readers[0], None, &all).1, "{seed}: {}", table.name);
                        equal += 1;
                    } else {
                        left += 1;
                    }
                }
            }
        }
        assert!(left > 50 && equal > 50, "{left} damaged, {equal} not");
    }

    /// What others write while a snapshot lasts is not seen, wherever they write it.
    #[test]
    fn a_log_is_left_to_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a); INSERT INTO t VALUES (1)",
            )
            .unwrap();
        let begin = || {
            let file = SourceFile::new(&path, Duration::from_secs(1)).unwrap();
            let readers = file.snapshot(1).unwrap();
            let pages = file.pages(&readers[0]);
            (readers, pages)
        };
        assert!(begin().1.is_none(), "the row is in the log");
        let empty_log = |how: &str| {
            let busy: bool = writer
                .query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| row.get(0))
                .unwrap();
            busy
        };
        assert!(!empty_log("TRUNCATE"));
        let (readers, pages) = begin();
        let pages = pages.expect("the log is empty");
        writer
            .execute_batch("UPDATE t SET a = 2; INSERT INTO t VALUES (3)")
            .unwrap();
        for how in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
            empty_log(how);
        }
        let table = &catalog::read(&readers[0]).unwrap().tables[0];
        let old = vec![(Some(1), vec!["Integer(1)".to_owned()])];
        assert_eq!(rows(&readers[0], Some(&pages), &whole(table)).1, old);
        drop(readers);
        assert!(!empty_log("TRUNCATE"));
        let (readers, pages) = begin();
        let new = rows(&readers[0], pages.as_ref(), &whole(table)).1;
        assert_eq!(new.len(), 2);
        assert!(pages.is_some());
    }

    /// A file that is put in the place of the one that was looked at.
    #[cfg(unix)]
    #[test]
    fn another_file_in_its_place_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a.db"), directory.path().join("b.db"));
        for (path, value) in [(&path, 1), (&other, 2)] {
            Connection::open(path)
                .unwrap()
                .execute_batch(&format!("CREATE TABLE t (a); INSERT INTO t VALUES ({value})"))
                .unwrap();
        }
        let file = SourceFile::new(&path, Duration::from_secs(1)).unwrap();
        assert!(file.pages(&file.snapshot(1).unwrap()[0]).is_some());
        std::fs::rename(&other, &path).unwrap();
        assert!(file.pages(&file.snapshot(1).unwrap()[0]).is_none());
    }
}
