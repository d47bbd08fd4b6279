//! Rows of every type, written to both databases in the spellings of each.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cutover::transfer::verify::VerifyOptions;
use cutover_domain::time::{LegacyZone, LegacyZones, Timestamp};
use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::TestFile;
use rusqlite::types::Value;

/// A value of the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Decimal(String),
    Text(String),
    Blob(Vec<u8>),
    Json(String),
    Instant(i64),
    Local(i64),
    Day(i64),
    Clock(i64),
    Uuid(u128),
    Bool(bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Side {
    File,
    Database,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    columns: &'static [&'static str],
    key: &'static [&'static str],
}

pub(crate) const TABLES: [Model; 4] = [
    // SQLite makes 0.0 of -0.0 in a column declared REAL, and rounds decimals in one declared NUMERIC; without a type they stay.
    Model {
        name: "item",
        sqlite: "id TEXT PRIMARY KEY, n INTEGER, x, d, t TEXT, b BLOB, doc TEXT, at TEXT, local TEXT, day TEXT,
                 clock TEXT, u TEXT, flag BOOLEAN",
        postgres: "id text PRIMARY KEY, n bigint, x double precision, d numeric, t text, b bytea, doc jsonb, at timestamptz,
                   local timestamp, day date, clock time, u uuid, flag boolean",
        columns: &["id", "n", "x", "d", "t", "b", "doc", "at", "local", "day", "clock", "u", "flag"],
        key: &["id"],
    },
    // A key of two columns, the first one a number; the collation of the target is not that of the source.
    Model {
        name: "pair",
        sqlite: "b TEXT NOT NULL, a INTEGER NOT NULL, doc TEXT, t TEXT, PRIMARY KEY (a, b)",
        postgres: "a int, b varchar(40) COLLATE \"C\", t varchar(100), doc json, PRIMARY KEY (a, b)",
        columns: &["a", "b", "t", "doc"],
        key: &["a", "b"],
    },
    // Old files: the key is NULL in most rows, the natural one is not.
    Model {
        name: "nat",
        sqlite: "id TEXT PRIMARY KEY, e TEXT NOT NULL, s TEXT NOT NULL, at TEXT, UNIQUE (e, s)",
        postgres: "id text UNIQUE, e text, s text, at timestamptz, PRIMARY KEY (e, s)",
        columns: &["id", "e", "s", "at"],
        key: &["e", "s"],
    },
    // No key at all, and some rows twice.
    Model {
        name: "log",
        sqlite: "at TEXT, t TEXT, n INTEGER, x REAL",
        postgres: "at timestamptz, t text, n smallint, x real",
        columns: &["at", "t", "n", "x"],
        key: &[],
    },
];

/// A generator that gives the same numbers each time.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }

    fn micros(&mut self) -> i64 {
        // 1990 to 2060, sometimes whole seconds and minutes.
        let micros = 631_152_000_000_000 + i64::try_from(self.below(2_200_000_000_000_000)).unwrap();
        let unit = *self.pick(&[1, 1, 1_000_000, 60_000_000]);
        micros / unit * unit
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 14] = [
            "a", "Z", " ", "é", "e\u{301}", "😀", "\\N", "'", "\"", "\n", "\t", "\u{feff}", "1.0", "\u{7f}",
        ];
        (0..self.below(9)).map(|_| *self.pick(&PARTS)).collect()
    }

    fn document(&mut self, depth: u64) -> String {
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => "null".to_owned(),
            1 => ["true", "false"][usize::try_from(self.below(2)).unwrap()].to_owned(),
            2 => i64::from_ne_bytes(self.next().to_ne_bytes()).to_string(),
            3 => format!("{}.{:03}", self.below(100), self.below(1000)),
            4 => serde_json::Value::from(self.text()).to_string(),
            5 => {
                let items: Vec<_> = (0..self.below(4)).map(|_| self.document(depth - 1)).collect();
                format!("[{}]", items.join(", "))
            }
            _ => {
                let members: Vec<_> = (0..self.below(4))
                    .map(|at| format!("\"k{at}é\": {}", self.document(depth - 1)))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }
}

impl Cell {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Decimal(_) => "decimal",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
            Self::Json(_) => "json",
            Self::Instant(_) => "instant",
            Self::Local(_) => "local",
            Self::Day(_) => "day",
            Self::Clock(_) => "clock",
            Self::Uuid(_) => "uuid",
            Self::Bool(_) => "bool",
        }
    }

    /// A random value of a column.
    fn random(table: &str, column: &str, row: usize, random: &mut Random) -> Self {
        let key = (table, column);
        let required = matches!(key, ("item", "id") | ("pair", "a" | "b") | ("nat", "e" | "s"));
        if !required && random.below(6) == 0 {
            return Self::Null;
        }
        match key {
            ("item", "id") => Self::Text(format!("item-{row}")),
            ("pair", "a") => Self::Integer(i64::try_from(row % 7).unwrap() - 3),
            ("pair", "b") => Self::Text(format!("{}{row}", ["b", "B", "é", "_"][row % 4])),
            ("nat", "id") => {
                if row.is_multiple_of(3) {
                    Self::Text(format!("n{row}"))
                } else {
                    Self::Null
                }
            }
            ("nat", "e") => Self::Text(format!("e{}", row / 5)),
            ("nat", "s") => Self::Text(format!("s{}", row % 5)),
            ("log", "n") => Self::Integer(i64::try_from(row).unwrap()),
            ("log", "x") => Self::Real(f64::from(i16::try_from(random.below(1000)).unwrap()) / 8.0),
            (_, "n") => Self::Integer(i64::from_ne_bytes(random.next().to_ne_bytes()) >> random.below(64)),
            (_, "x") => Self::Real(*random.pick(&[
                0.0,
                -0.5,
                0.1,
                1.0 / 3.0,
                1e300,
                5e-324,
                -2.5e-10,
                1e15,
                f64::INFINITY,
                f64::MAX,
            ])),
            (_, "d") => Self::Decimal(format!("{}.{}", random.below(1_000_000), 1 + 2 * random.below(4))),
            ("pair" | _, "doc") => Self::Json(random.document(3)),
            (_, "t") => Self::Text(random.text()),
            (_, "b") => Self::Blob(
                (0..random.below(12))
                    .map(|_| u8::try_from(random.below(256)).unwrap())
                    .collect(),
            ),
            (_, "at") => Self::Instant(random.micros()),
            (_, "local") => Self::Local(random.micros()),
            (_, "day") => Self::Day(i64::try_from(random.below(40_000)).unwrap()),
            (_, "clock") => Self::Clock(i64::try_from(random.below(86_400_000_000)).unwrap()),
            (_, "u") => Self::Uuid(u128::from(random.next()) << 64 | u128::from(random.next())),
            (_, "flag") => Self::Bool(random.below(2) == 1),
            other => panic!("{other:?}"),
        }
    }

    /// The smallest change, or NULL now and then.
    fn changed(&self, random: &mut Random) -> Self {
        let bit = |limit| 1_i64 << (random.0 % limit);
        match self {
            Self::Null => panic!("NULL is given another value by its column"),
            _ if random.0.is_multiple_of(11) => Self::Null,
            Self::Integer(n) => Self::Integer(n ^ bit(8)),
            Self::Real(n) if *n == 0.0 => Self::Real(-n),
            Self::Real(n) if n.is_finite() => {
                Self::Real(f64::from(i16::try_from(random.below(1000)).unwrap()) / 8.0 + 200.0)
            }
            Self::Real(n) => Self::Real(-n),
            Self::Decimal(text) => Self::Decimal(format!("{text}1")),
            Self::Text(text) => Self::Text(match random.below(3) {
                0 => format!("{text} "),
                1 => format!(" {text}"),
                _ => format!("{text}\u{301}"),
            }),
            Self::Blob(bytes) => {
                let mut bytes = bytes.clone();
                match bytes.last_mut() {
                    Some(last) => *last ^= 1 << (random.0 % 8),
                    None => bytes.push(0),
                }
                Self::Blob(bytes)
            }
            Self::Json(text) => Self::Json(if text.ends_with(|c: char| c.is_ascii_digit()) {
                // The last digit, which may be beyond what a double holds.
                let (head, last) = text.split_at(text.len() - 1);
                format!("{head}{}", (last.parse::<u8>().unwrap() + 1) % 10)
            } else {
                format!("[{text}]")
            }),
            Self::Instant(n) => Self::Instant(n + 1),
            Self::Local(n) => Self::Local(n - 1),
            Self::Day(n) => Self::Day(n + 1),
            Self::Clock(n) => Self::Clock(n ^ 1),
            Self::Uuid(n) => Self::Uuid(n ^ (1 << (random.0 % 128))),
            Self::Bool(value) => Self::Bool(!value),
        }
    }

    /// In one of the spellings that files hold.
    fn in_file(&self, column: &str, zone: &LegacyZone, random: &mut Random) -> Value {
        let iso = |micros: i64| Timestamp::from_micros(micros).unwrap().to_iso();
        let text = match self {
            Self::Null => return Value::Null,
            Self::Integer(n) => return Value::Integer(*n),
            Self::Real(n) => return Value::Real(*n),
            Self::Blob(bytes) => return Value::Blob(bytes.clone()),
            Self::Bool(value) => return Value::Integer(i64::from(*value)),
            Self::Decimal(text) => match text.parse::<f64>() {
                // As a real where that has the same digits.
                Ok(n) if n.to_string() == *text && random.below(2) == 0 => return Value::Real(n),
                _ => text.clone(),
            },
            Self::Text(text) => text.clone(),
            // The column `pair.doc` keeps spellings.
            Self::Json(text) if column == "json" => text.clone(),
            Self::Json(text) => respelled(text, random),
            Self::Instant(micros) => instant_text(*micros, zone, random),
            Self::Local(micros) => {
                let text = iso(*micros).replace("+00:00", "");
                if random.below(2) == 0 {
                    text.replace('T', " ")
                } else {
                    text
                }
            }
            Self::Day(days) => iso(days * 86_400_000_000)[..10].to_owned(),
            Self::Clock(micros) => iso(*micros)[11..26].to_owned(),
            Self::Uuid(n) => uuid(*n),
        };
        Value::Text(text)
    }

    /// As a literal of PostgreSQL.
    fn in_database(&self) -> String {
        let iso = |micros: i64| Timestamp::from_micros(micros).unwrap().to_iso();
        let text = match self {
            Self::Null => return "NULL".to_owned(),
            Self::Integer(n) => n.to_string(),
            Self::Real(n) if n.is_infinite() => if *n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            Self::Real(n) => format!("{n:?}"),
            Self::Decimal(text) | Self::Text(text) | Self::Json(text) => text.clone(),
            Self::Blob(bytes) => {
                let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("\\x{}", digits.concat())
            }
            Self::Instant(micros) => iso(*micros),
            Self::Local(micros) => iso(*micros)[..26].to_owned(),
            Self::Day(days) => iso(days * 86_400_000_000)[..10].to_owned(),
            Self::Clock(micros) => iso(*micros)[11..26].to_owned(),
            Self::Uuid(n) => uuid(*n),
            Self::Bool(value) => value.to_string(),
        };
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    }
}

fn uuid(n: u128) -> String {
    let digits = format!("{n:032x}");
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

/// An instant in one of the forms that the reference knows.
fn instant_text(micros: i64, zone: &LegacyZone, random: &mut Random) -> String {
    let iso = Timestamp::from_micros(micros).unwrap().to_iso();
    let plain = iso.replace("+00:00", "");
    match random.below(6) {
        0 => iso,
        1 => format!("{plain}Z"),
        2 => iso.replace(".000000", ""),
        3 => format!("{}000+0000", plain.replace('T', " ")),
        4 => {
            let shifted = Timestamp::from_micros(micros - 12_600_000_000).unwrap().to_iso();
            shifted.replace("+00:00", "-03:30")
        }
        _ => {
            // Without a zone, if the local clock shows this time only once.
            let offset = 10_800_000_000;
            let local = Timestamp::from_micros(micros - offset)
                .unwrap()
                .to_iso()
                .replace("+00:00", "");
            let meant = Timestamp::parse(&local, zone).unwrap();
            if meant.as_micros() == micros { local } else { iso }
        }
    }
}

/// The same document with other blanks, escapes and spellings of numbers, and now and then a key twice.
fn respelled(text: &str, random: &mut Random) -> String {
    let mut out = String::new();
    let mut in_string = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if in_string {
            let plain = !escaped && c != '\\' && c != '"';
            if plain && random.below(3) == 0 {
                let mut units = [0; 2];
                c.encode_utf16(&mut units)
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            } else {
                out.push(c);
            }
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            in_string = c == '"';
            if text[at..].starts_with("{\"k0é\"") && random.below(2) == 0 {
                out.push_str("{\"k0\\u00e9\": \"an earlier one\",");
                continue;
            }
            out.push(c);
            if matches!(c, ',' | ':' | '[') && random.below(2) == 0 {
                out.push_str(" \n\t");
            }
        }
    }
    out
}

/// Two databases with the same rows.
#[derive(Debug)]
pub(crate) struct Copies {
    file: TestFile,
    pub(crate) database: TestDatabase,
    rows: BTreeMap<&'static str, Vec<Vec<Cell>>>,
    zone: &'static str,
    spelling: Random,
}

impl Copies {
    pub(crate) async fn make(seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed);
        let zone = ["UTC", "America/Sao_Paulo", "Asia/Kolkata"][usize::try_from(seed % 3).unwrap()];
        let mut rows = BTreeMap::new();
        for table in TABLES {
            let row = |row| {
                table
                    .columns
                    .iter()
                    .map(|column| Cell::random(table.name, column, row, &mut random))
                    .collect()
            };
            let mut made: Vec<Vec<Cell>> = (0..count).map(row).collect();
            if table.key.is_empty() {
                // One row in ten is there twice.
                made.extend(made.clone().into_iter().step_by(10));
            }
            rows.insert(table.name, made);
        }
        let copies = Self {
            file: TestFile::empty(),
            database: TestDatabase::create().await,
            rows,
            zone,
            spelling: Random::new(seed + 1),
        };
        let copies = copies.fill_file();
        copies.fill_database().await;
        copies
    }

    fn fill_file(mut self) -> Self {
        let raw = self.raw();
        raw.execute_batch("PRAGMA journal_mode = WAL; BEGIN").unwrap();
        let zone = LegacyZone::named(self.zone).unwrap();
        for table in TABLES {
            raw.execute_batch(&format!("CREATE TABLE {} ({})", table.name, table.sqlite))
                .unwrap();
            let marks = vec!["?"; table.columns.len()].join(", ");
            let sql = format!(
                "INSERT INTO {} ({}) VALUES ({marks})",
                table.name,
                table.columns.join(", ")
            );
            let mut insert = raw.prepare(&sql).unwrap();
            for row in &self.rows[table.name] {
                let values = table.columns.iter().zip(row).map(|(column, cell)| {
                    let column = if (table.name, *column) == ("pair", "doc") {
                        "json"
                    } else {
                        column
                    };
                    cell.in_file(column, &zone, &mut self.spelling)
                });
                insert.execute(rusqlite::params_from_iter(values)).unwrap();
            }
        }
        raw.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
            .unwrap();
        drop(raw);
        std::fs::copy(self.file.path(), self.pristine()).unwrap();
        self
    }

    async fn fill_database(&self) {
        let client = self.database.connect().await;
        let mut sql = String::from("CREATE SCHEMA pristine;");
        for table in TABLES {
            sql += &format!("CREATE TABLE {} ({});", table.name, table.postgres);
            // From the last to the first: the order of rows is none of a table's values.
            for row in self.rows[table.name].iter().rev() {
                let values: Vec<String> = row.iter().map(Cell::in_database).collect();
                sql += &format!(
                    "INSERT INTO {} ({}) VALUES ({});",
                    table.name,
                    table.columns.join(", "),
                    values.join(", ")
                );
            }
            sql += &format!("CREATE TABLE pristine.{0} AS TABLE {0};", table.name);
        }
        client.batch_execute(&sql).await.unwrap();
    }

    fn pristine(&self) -> PathBuf {
        self.file.path().with_extension("pristine")
    }

    pub(crate) fn path(&self) -> &Path {
        // The directory lives as long as the copies.
        Box::leak(self.file.path().into_boxed_path())
    }

    pub(crate) fn raw(&self) -> rusqlite::Connection {
        self.file.raw()
    }

    pub(crate) fn options(&self) -> VerifyOptions {
        VerifyOptions {
            tables: vec![],
            exclude: vec![],
            rows_named: 100,
            zones: LegacyZones::new([], LegacyZone::named(self.zone).unwrap()),
            jobs: 2,
        }
    }

    pub(crate) fn environment(&self) -> [(OsString, OsString); 1] {
        [("CUTOVER_LAB_LEGACY_TIMEZONE".into(), self.zone.into())]
    }

    /// A row, a column that is no part of the key, and another value for it.
    pub(crate) fn random_change(&self, table: &str, random: &mut Random) -> (usize, &'static str, Cell) {
        let model = TABLES.iter().find(|model| model.name == table).unwrap();
        let free: Vec<_> = (0..model.columns.len())
            .filter(|at| {
                !model.key.contains(&model.columns[*at]) && (table, model.columns[*at]) != ("nat", "id")
            })
            .collect();
        let row = usize::try_from(random.below(self.rows[table].len() as u64)).unwrap();
        let at = *random.pick(&free);
        let column = model.columns[at];
        let cell = match &self.rows[table][row][at] {
            Cell::Null => loop {
                let cell = Cell::random(table, column, row, random);
                if cell != Cell::Null {
                    break cell;
                }
            },
            cell => cell.changed(random),
        };
        (row, column, cell)
    }

    /// The key of a row as a report names it. Of two equal rows without a key, which one differs cannot be told.
    pub(crate) fn keys_of(&self, table: &str, row: usize) -> Vec<String> {
        let model = TABLES.iter().find(|model| model.name == table).unwrap();
        let rows = &self.rows[table];
        if model.key.is_empty() {
            let equal = (0..rows.len()).filter(|at| rows[*at] == rows[row]);
            return equal.map(|at| format!("rowid={}", at + 1)).collect();
        }
        let part = |name: &&str| {
            let at = model.columns.iter().position(|column| column == name).unwrap();
            match &self.rows[table][row][at] {
                Cell::Integer(n) => format!("{name}={n}"),
                Cell::Text(text) => format!("{name}={}", serde_json::Value::from(text.as_str())),
                other => panic!("{other:?}"),
            }
        };
        vec![model.key.iter().map(part).collect::<Vec<_>>().join(",")]
    }

    pub(crate) async fn change(&mut self, side: Side, table: &str, row: usize, column: &str, cell: &Cell) {
        let model = TABLES.iter().find(|model| model.name == table).unwrap();
        let zone = LegacyZone::named(self.zone).unwrap();
        match side {
            Side::File => {
                let spelled = if (table, column) == ("pair", "doc") {
                    "json"
                } else {
                    column
                };
                let value = cell.in_file(spelled, &zone, &mut self.spelling);
                let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
                self.raw()
                    .execute(&sql, (value, i64::try_from(row + 1).unwrap()))
                    .unwrap();
            }
            Side::Database => {
                let at = |name: &str| model.columns.iter().position(|column| *column == name).unwrap();
                let literal = |name: &&str| self.rows[table][row][at(name)].in_database();
                let condition = if model.key.is_empty() {
                    // One of two equal rows, if there are two.
                    let rows: Vec<String> = model
                        .columns
                        .iter()
                        .map(|name| {
                            format!(
                                "{name}::text IS NOT DISTINCT FROM {}::{}::text",
                                literal(name),
                                match *name {
                                    "at" => "timestamptz",
                                    "t" => "text",
                                    "n" => "smallint",
                                    _ => "real",
                                }
                            )
                        })
                        .collect();
                    format!(
                        "ctid = (SELECT min(ctid) FROM {table} WHERE {})",
                        rows.join(" AND ")
                    )
                } else {
                    let parts: Vec<String> = model
                        .key
                        .iter()
                        .map(|name| format!("{name} = {}", literal(name)))
                        .collect();
                    parts.join(" AND ")
                };
                let sql = format!(
                    "UPDATE {table} SET {column} = {} WHERE {condition}",
                    cell.in_database()
                );
                let changed = self
                    .database
                    .connect()
                    .await
                    .execute(sql.as_str(), &[])
                    .await
                    .unwrap();
                assert_eq!(changed, 1, "{sql}");
            }
        }
    }

    /// Takes all changes of a side back.
    pub(crate) async fn restore(&self, side: Side) {
        match side {
            Side::File => {
                for suffix in ["-wal", "-shm"] {
                    let mut name = self.file.path().into_os_string();
                    name.push(suffix);
                    std::fs::remove_file(name).unwrap_or_default();
                }
                std::fs::copy(self.pristine(), self.file.path()).unwrap();
            }
            Side::Database => {
                let sql: Vec<String> = TABLES
                    .iter()
                    .map(|table| {
                        format!(
                            "TRUNCATE {0}; INSERT INTO {0} SELECT * FROM pristine.{0}",
                            table.name
                        )
                    })
                    .collect();
                self.database
                    .connect()
                    .await
                    .batch_execute(&sql.join(";"))
                    .await
                    .unwrap();
            }
        }
    }
}
