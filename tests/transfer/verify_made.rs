//! Verification of schemas that a copy makes: every class and every rendering, compared by storage class and bytes.
//!
//! The tables and the notes of their renderings are made here by hand, and PostgreSQL reads its values from literals, so that
//! nothing of the copy takes part.

use std::collections::BTreeSet;

use cutover_domain::time::Timestamp;
use cutover_domain::transfer::difference::Counts;
use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::TestFile;
use rusqlite::types::Value;

use crate::verify_model::{Random, Side};
use crate::{VerifyReport, compare, file, found, options, schema_of, table};

/// A value as the file holds it, and as the literal of the made column with its class.
#[derive(Debug, Clone, PartialEq)]
struct Cell {
    stored: Value,
    made: Option<String>,
    class: Option<&'static str>,
}

/// A column of the file, and the one that is made for it.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    made: &'static str,
    kind: &'static str,
    rendering: &'static str,
    class: Option<&'static str>,
}

const fn column(name: &'static str, kind: &'static str, rendering: &'static str) -> Column {
    Column {
        name,
        made: name,
        kind,
        rendering,
        class: None,
    }
}

const fn mixed(name: &'static str, kind: &'static str, class: &'static str) -> Column {
    Column {
        class: Some(class),
        ..column(name, kind, "mixed")
    }
}

struct Model {
    name: &'static str,
    made: &'static str,
    columns: &'static [Column],
    /// The keys of both sides; none if there are none.
    key: Option<(&'static str, &'static str)>,
}

/// Longer than PostgreSQL's names can be.
const LONG: &str =
    "a name of a table that is longer than the sixty-three bytes that PostgreSQL gives to a name";

const MODELS: [Model; 4] = [
    Model {
        name: "all",
        made: "all",
        columns: &[
            column("id", "bigint", "integer"),
            column("n", "bigint", "integer"),
            column("flag", "boolean", "boolean"),
            column("x", "double precision", "real"),
            column("number", "double precision", "number"),
            column("d", "numeric", "decimal"),
            column("t", "text", "text"),
            column("b", "bytea", "blob"),
            column("u", "uuid", "uuid"),
            column("ub", "uuid", "uuid-blob"),
            column("j", "json", "json"),
            column("jn", "json", "json-number"),
            column("jb", "jsonb", "jsonb"),
            mixed("m", "text", "m class"),
            mixed("mb", "bytea", "mb_class"),
        ],
        key: Some(("id", "id")),
    },
    Model {
        name: LONG,
        made: "a_name_of_a_table_1f3a",
        columns: &[
            Column {
                made: "xmin_",
                ..column("xmin", "text", "text")
            },
            column("day", "date", "date"),
            column("tm", "time", "time minutes"),
            column("ts", "time", "time seconds"),
            column("t3", "time", "time fixed3"),
            column("tt", "time", "time trimmed"),
            column("at_s", "timestamp", "timestamp T seconds"),
            column("at_m", "timestamp", "timestamp space minutes"),
            column("at_6", "timestamp", "timestamp T fixed6"),
            column("at_1", "timestamp", "timestamp space fixed1"),
            column("at_n", "timestamp", "timestamp T six-or-none"),
            column("z", "timestamptz", "timestamptz T trimmed Z"),
            column("z0", "timestamptz", "timestamptz space fixed6 +00:00"),
            column("z1", "timestamptz", "timestamptz T seconds -03:30"),
            column("z2", "timestamptz", "timestamptz T six-or-none +0200"),
            column("z3", "timestamptz", "timestamptz space minutes +00"),
            column("z4", "timestamptz", "timestamptz space fixed3 _+0200"),
        ],
        key: Some(("xmin", "xmin_")),
    },
    Model {
        name: "Mixed key",
        made: "Mixed key",
        columns: &[
            Column {
                made: "k_",
                rendering: "mixed bytea",
                ..mixed("k", "bytea", "k_class")
            },
            column("t", "text", "text"),
        ],
        key: Some(("k", "k_, k_class")),
    },
    Model {
        name: "log",
        made: "log",
        columns: &[
            Column {
                rendering: "mixed text",
                ..mixed("m", "text", "m_class")
            },
            column("n", "bigint", "integer"),
            column("x", "double precision", "number"),
            column("at", "timestamptz", "timestamptz T six-or-none Z"),
        ],
        key: None,
    },
];

fn pick<T: Clone>(random: &mut Random, items: &[T]) -> T {
    items[usize::try_from(random.below(items.len() as u64)).unwrap()].clone()
}

fn bits(random: &mut Random) -> u64 {
    random.below(1 << 32) << 32 | random.below(1 << 32)
}

fn text(random: &mut Random) -> String {
    let parts = [
        "a", "Z", " ", "é", "e\u{301}", "😀", "\\N", "'", "\"", "\n", "\t", "\u{feff}", "1", "1.0", "\u{7f}",
    ];
    (0..random.below(7)).map(|_| pick(random, &parts)).collect()
}

fn bytes(random: &mut Random) -> Vec<u8> {
    (0..random.below(9))
        .map(|_| u8::try_from(random.below(256)).unwrap())
        .collect()
}

fn bytea(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\\x{}", digits.concat())
}

fn double(random: &mut Random) -> f64 {
    match random.below(3) {
        0 => pick(
            random,
            &[
                0.0,
                -0.0,
                0.1,
                1.0,
                -7.0,
                1e300,
                5e-324,
                1e15,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::MAX,
                9.3e18,
            ],
        ),
        _ => Some(f64::from_bits(bits(random)))
            .filter(|n| !n.is_nan())
            .unwrap_or(0.5),
    }
}

fn double_literal(n: f64) -> String {
    if n.is_infinite() {
        if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{n:?}")
    }
}

/// A class of any value that a mixed column may hold, with text as PostgreSQL's text can hold it.
fn any_value(random: &mut Random) -> Value {
    match random.below(4) {
        0 => Value::Integer(pick(random, &[0, 1, -1, i64::MAX, i64::MIN, 1_000])),
        1 => Value::Real(double(random)),
        2 => Value::Blob(pick(
            random,
            &[vec![], b"1".to_vec(), b"1.0".to_vec(), vec![0, 255]],
        )),
        _ => Value::Text(pick(random, &["", "1", "1.0", "-0.0", "inf", "x", " 1"]).to_owned()),
    }
}

fn mixed_cell(stored: Value, in_bytes: bool, random: &mut Random) -> Cell {
    let (class, content) = match &stored {
        Value::Null => (None, None),
        Value::Integer(n) => (Some("integer"), Some(n.to_string().into_bytes())),
        Value::Real(n) => (Some("real"), Some(format!("{n:?}").into_bytes())),
        Value::Text(text) => (Some("text"), Some(text.clone().into_bytes())),
        Value::Blob(bytes) => (Some("blob"), Some(bytes.clone())),
    };
    // NULL has the class that the column's type holds as it is, or whatever.
    let own = if in_bytes { "blob" } else { "text" };
    let class = class.or_else(|| pick(random, &[Some(own), None, Some("integer")]));
    let made = content.map(|content| {
        if in_bytes {
            bytea(&content)
        } else {
            String::from_utf8(content).unwrap()
        }
    });
    Cell { stored, made, class }
}

/// `HH:MM` and what a rendering's precision has behind it.
fn clock(micros: i64, precision: &str) -> String {
    let iso = Timestamp::from_micros(micros.rem_euclid(86_400_000_000))
        .unwrap()
        .to_iso();
    let (minutes, seconds, fraction) = (&iso[11..16], &iso[11..19], &iso[20..26]);
    match precision {
        "minutes" => minutes.to_owned(),
        "seconds" => seconds.to_owned(),
        "six-or-none" if fraction == "000000" => seconds.to_owned(),
        "six-or-none" => format!("{seconds}.{fraction}"),
        "trimmed" => format!("{seconds}.{fraction}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        fixed => {
            let digits: usize = fixed.strip_prefix("fixed").unwrap().parse().unwrap();
            format!("{seconds}.{}", &fraction[..digits])
        }
    }
}

/// The unit that a precision can write.
fn unit(precision: &str) -> i64 {
    match precision {
        "minutes" => 60_000_000,
        "seconds" => 1_000_000,
        "six-or-none" | "trimmed" => 1,
        fixed => 10_i64.pow(6 - fixed.strip_prefix("fixed").unwrap().parse::<u32>().unwrap()),
    }
}

/// Years 1 to 9999, a margin for zones aside.
fn instant(random: &mut Random, precision: &str) -> i64 {
    let micros = if random.below(4) == 0 {
        -62_135_500_000_000_000 + i64::try_from(random.below(315_537_800_000_000_000)).unwrap()
    } else {
        i64::try_from(random.below(2_000_000_000_000_000)).unwrap()
    };
    let unit = unit(precision).max(pick(random, &[1, 10, 1_000, 1_000_000]));
    micros.div_euclid(unit) * unit
}

fn iso(micros: i64) -> String {
    Timestamp::from_micros(micros).unwrap().to_iso()
}

fn date_time(micros: i64, separator: &str, precision: &str) -> String {
    let separator = if separator == "T" { "T" } else { " " };
    format!("{}{separator}{}", &iso(micros)[..10], clock(micros, precision))
}

impl Cell {
    fn null() -> Self {
        Self {
            stored: Value::Null,
            made: None,
            class: None,
        }
    }

    fn text(stored: impl Into<String>, made: impl Into<String>) -> Self {
        Self::of(Value::Text(stored.into()), made)
    }

    fn of(stored: Value, made: impl Into<String>) -> Self {
        Self {
            stored,
            made: Some(made.into()),
            class: None,
        }
    }

    fn random(column: &Column, row: usize, random: &mut Random) -> Self {
        let number = i64::try_from(row).unwrap();
        match column.name {
            "id" => return Self::of(Value::Integer(number), number.to_string()),
            "xmin" => return Self::text(format!("row {row}"), format!("row {row}")),
            "k" => {
                let stored = match row % 4 {
                    0 => Value::Integer(number / 4),
                    1 => Value::Text((number / 4).to_string()),
                    2 => Value::Real((number / 4) as f64 + 0.5),
                    _ => Value::Blob((number / 4).to_string().into_bytes()),
                };
                return mixed_cell(stored, true, random);
            }
            _ if random.below(6) == 0 && column.class.is_some() => {
                return mixed_cell(Value::Null, column.kind == "bytea", random);
            }
            _ if random.below(6) == 0 => return Self::null(),
            _ => {}
        }
        let words: Vec<&str> = column.rendering.split(' ').collect();
        match *words.as_slice() {
            ["integer"] => {
                let n = bits(random).cast_signed() >> random.below(64);
                Self::of(Value::Integer(n), n.to_string())
            }
            ["boolean"] => {
                let n = i64::try_from(random.below(2)).unwrap();
                Self::of(Value::Integer(n), (n == 1).to_string())
            }
            ["real"] => {
                let n = double(random);
                Self::of(Value::Real(n), double_literal(n))
            }
            ["number"] => {
                let n = double(random);
                let whole = n.fract() == 0.0 && n.abs() < 9e18;
                if whole || random.below(3) == 0 {
                    let n = i64::try_from(random.below(100)).unwrap() - 50;
                    Self::of(Value::Integer(n), n.to_string())
                } else {
                    Self::of(Value::Real(n), double_literal(n))
                }
            }
            ["decimal"] => match random.below(4) {
                0 => {
                    let n = bits(random).cast_signed();
                    Self::of(Value::Integer(n), n.to_string())
                }
                1 => {
                    let n = pick(random, &[0.1, -2.5, 1e20, 0.000_001, 123_456.789]);
                    Self::of(Value::Real(n), n.to_string())
                }
                // More digits than a double, or a zero at the end (of no zero with a sign, which `numeric` has not).
                2 => {
                    let digits = format!("{}.{:030}", 1 + random.below(1000), random.below(1 << 40));
                    Self::text(digits.clone(), digits)
                }
                _ => {
                    let digits = format!("-{}.{}0", 1 + random.below(1000), random.below(1000));
                    Self::text(digits.clone(), digits)
                }
            },
            ["text"] => {
                let text = text(random);
                Self::text(text.clone(), text)
            }
            ["blob"] => {
                let bytes = bytes(random);
                Self::of(Value::Blob(bytes.clone()), bytea(&bytes))
            }
            ["uuid" | "uuid-blob"] => {
                let digits = format!("{:016x}{:016x}", bits(random), bits(random));
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
                if column.rendering == "uuid" {
                    return Self::text(parts.join("-"), digits.clone());
                }
                let number = u128::from_str_radix(&digits, 16).unwrap();
                Self::of(Value::Blob(number.to_be_bytes().to_vec()), digits)
            }
            ["json"] => {
                let text = pick(
                    random,
                    &[
                        "{ \"b\": 1e2, \"a\":1.0, \"a\":2}",
                        "[1 ,2]",
                        " null",
                        "\"\\u0041\"",
                        "1.50",
                    ],
                );
                Self::text(text, text)
            }
            ["json-number"] => {
                let (stored, made) = pick(
                    random,
                    &[
                        (Value::Integer(42), "42"),
                        (Value::Integer(i64::MIN), "-9223372036854775808"),
                        (Value::Real(1.0), "1.0"),
                        (Value::Real(-0.0), "-0.0"),
                        (Value::Real(1e300), "1e300"),
                        (
                            Value::Text("9223372036854775808".to_owned()),
                            "9223372036854775808",
                        ),
                        (Value::Text("-0".to_owned()), "-0"),
                        (Value::Text(" 42".to_owned()), " 42"),
                        (Value::Text("1.50".to_owned()), "1.50"),
                        (Value::Text("[1]".to_owned()), "[1]"),
                    ],
                );
                Self::of(stored, made)
            }
            ["jsonb"] => {
                let text = pick(
                    random,
                    &["{\"a\": 1, \"b\": [true, null]}", "1.50", "[]", "\"é\"", "100"],
                );
                Self::text(text, text)
            }
            ["date"] => {
                let text = iso(instant(random, "minutes"))[..10].to_owned();
                Self::text(text.clone(), text)
            }
            ["time", precision] => {
                let micros = instant(random, precision).rem_euclid(86_400_000_000);
                Self::text(clock(micros, precision), &iso(micros)[11..26])
            }
            ["timestamp", separator, precision] => {
                let micros = instant(random, precision);
                Self::text(date_time(micros, separator, precision), &iso(micros)[..26])
            }
            ["timestamptz", separator, precision, suffix] => {
                let micros = instant(random, precision);
                // As it is noted, and as it is written.
                let suffix = suffix.replace('_', " ");
                let minutes = match suffix.trim_start() {
                    "-03:30" => -210,
                    "+0200" => 120,
                    _ => 0,
                };
                let local = date_time(micros + minutes * 60_000_000, separator, precision);
                Self::text(format!("{local}{suffix}"), iso(micros))
            }
            ["mixed", ..] if column.kind == "text" => loop {
                let stored = any_value(random);
                if !matches!(stored, Value::Blob(_)) {
                    return mixed_cell(stored, false, random);
                }
            },
            ["mixed", ..] => mixed_cell(any_value(random), true, random),
            _ => panic!("{column:?}"),
        }
    }

    /// The same cell with the smallest change of one side.
    fn changed(&self, column: &Column, side: Side, random: &mut Random) -> Self {
        let mut changed = self.clone();
        match side {
            Side::File => changed.stored = changed_value(&self.stored, random),
            Side::Database => match &self.made {
                None => {
                    // What the column would hold if it were not NULL.
                    let cell = loop {
                        let cell = Self::random(column, 1, random);
                        if cell.made.is_some() {
                            break cell;
                        }
                    };
                    (changed.made, changed.class) = (cell.made, cell.class);
                }
                Some(_) if random.below(8) == 0 => (changed.made, changed.class) = (None, None),
                Some(made) => match (column.class, random.below(2)) {
                    (Some(_), 0) => changed.class = self.other_class(random),
                    _ => changed.made = Some(changed_literal(made, column, self.class, random)),
                },
            },
        }
        changed
    }

    fn other_class(&self, random: &mut Random) -> Option<&'static str> {
        let own = match &self.stored {
            Value::Integer(_) => "integer",
            Value::Real(_) => "real",
            Value::Text(_) => "text",
            Value::Blob(_) => "blob",
            Value::Null => panic!("NULL has no class"),
        };
        let others = [
            Some("integer"),
            Some("real"),
            Some("text"),
            Some("blob"),
            Some("Integer"),
            None,
        ];
        loop {
            let class = pick(random, &others);
            if class != Some(own) {
                return class;
            }
        }
    }
}

/// Another value of SQLite: a bit, a blank, a separator, a class.
pub(crate) fn changed_value(value: &Value, random: &mut Random) -> Value {
    match (value, random.below(3)) {
        (Value::Null, 0) => Value::Text(String::new()),
        (Value::Null, 1) => Value::Integer(0),
        (Value::Null, _) => Value::Blob(vec![]),
        (_, 0) if random.below(4) == 0 => Value::Null,
        (Value::Integer(n), 0) => Value::Text(n.to_string()),
        (Value::Integer(n), 1) => Value::Real(*n as f64),
        (Value::Integer(n), _) => Value::Integer(n ^ (1 << random.below(8))),
        (Value::Real(n), 0) => Value::Text(format!("{n:?}")),
        (Value::Real(n), 1) => Value::Real(-n),
        (Value::Real(n), _) if n.is_finite() => Value::Real(n.next_up()),
        (Value::Real(n), _) => Value::Real(-n),
        (Value::Text(text), 0) => Value::Blob(text.clone().into_bytes()),
        (Value::Text(text), 1) if text.contains('T') => Value::Text(text.replacen('T', " ", 1)),
        (Value::Text(text), 1) if text.contains(' ') => Value::Text(text.replacen(' ', "T", 1)),
        (Value::Text(text), 1) => Value::Text(format!(" {text}")),
        (Value::Text(text), _) => Value::Text(format!("{text} ")),
        (Value::Blob(bytes), 0) => Value::Blob([bytes.as_slice(), &[0]].concat()),
        (Value::Blob(bytes), _) => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                return Value::Text(text.to_owned());
            }
            let mut bytes = bytes.clone();
            bytes[0] ^= 1;
            Value::Blob(bytes)
        }
    }
}

/// Another literal that means another value, which the rendering may or may not be able to write.
fn changed_literal(made: &str, column: &Column, class: Option<&str>, random: &mut Random) -> String {
    let micros = |text: &str| {
        Timestamp::parse(text, &cutover_domain::time::LegacyZone::utc())
            .unwrap()
            .as_micros()
    };
    let step = pick(random, &[1, -1, 1_000_000, 3_600_000_000]);
    match (column.kind, column.rendering) {
        ("bigint", _) => (made.parse::<i64>().unwrap() ^ (1 << random.below(8))).to_string(),
        ("boolean", _) => (made != "true").to_string(),
        ("double precision", _) => {
            let n: f64 = made.parse().unwrap();
            let other = pick(random, &[-n, n.next_up(), n.next_down(), f64::NAN]);
            // Beyond the largest double there is no next one.
            let other = if other.to_bits() == n.to_bits() { -n } else { other };
            if other.is_nan() {
                "NaN".to_owned()
            } else {
                double_literal(other)
            }
        }
        ("numeric", _) if random.below(2) == 0 && made.contains('.') => format!("{made}0"),
        ("numeric", _) if made.contains('.') => format!("{made}1"),
        ("numeric", _) => pick(
            random,
            &[format!("{made}.0"), format!("{made}1"), "NaN".to_owned()],
        ),
        ("bytea", _) if matches!(class, Some("integer" | "real")) => format!("{made}30"),
        ("bytea", _) => format!("{made}00"),
        ("uuid", _) => {
            let number = u128::from_str_radix(made, 16).unwrap() ^ (1 << random.below(128));
            format!("{number:032x}")
        }
        ("json", _) => pick(
            random,
            &[format!("{made} "), format!(" {made}"), format!("[{made}]")],
        ),
        ("jsonb", _) => pick(
            random,
            &[format!("[{made}]"), "1.5".to_owned(), "null".to_owned()],
        ),
        ("date", _) if made == "9999-12-31" => "infinity".to_owned(),
        ("date", _) => iso(micros(made) + 86_400_000_000)[..10].to_owned(),
        ("time", _) => {
            let of_day = (micros(&format!("2000-01-01T{made}")) + step).rem_euclid(86_400_000_000);
            iso(of_day)[11..26].to_owned()
        }
        ("timestamp", _) => iso(micros(made) + step)[..26].to_owned(),
        ("timestamptz", _) => iso(micros(made) + step),
        _ => pick(
            random,
            &[format!("{made} "), format!(" {made}"), format!("{made}\u{301}")],
        ),
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: Option<&str>) -> String {
    text.map_or("NULL".to_owned(), |text| {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    })
}

/// A file, and a schema as a copy would make it.
struct Made {
    file: TestFile,
    schema: String,
    rows: Vec<Vec<Vec<Cell>>>,
}

/// A file of all classes and spellings.
pub(crate) fn made_file(seed: u64, count: usize) -> TestFile {
    let made = Made::without_schema(seed, count);
    made.fill_file();
    made.file
}

impl Made {
    async fn new(database: &TestDatabase, seed: u64, count: usize) -> Self {
        let made = Self::without_schema(seed, count);
        made.fill_file();
        made.fill_schema(database).await;
        made
    }

    fn without_schema(seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed);
        let rows = MODELS.iter().map(|model| {
            let row = |row| {
                model
                    .columns
                    .iter()
                    .map(|column| Cell::random(column, row, &mut random))
                    .collect()
            };
            let mut rows: Vec<Vec<Cell>> = (0..count).map(row).collect();
            if model.key.is_none() {
                // Some rows are there twice.
                rows.extend(rows.clone().into_iter().step_by(7));
            }
            rows
        });
        Self {
            rows: rows.collect(),
            file: TestFile::empty(),
            schema: format!("Made {seed}"),
        }
    }

    fn fill_file(&self) {
        let raw = self.file.raw();
        raw.execute_batch("PRAGMA journal_mode = OFF; BEGIN").unwrap();
        for (model, rows) in MODELS.iter().zip(&self.rows) {
            // Without declared types values stay what they are.
            let columns: Vec<String> = model.columns.iter().map(|column| quoted(column.name)).collect();
            let key = model.key.map_or(String::new(), |(key, _)| {
                format!(", PRIMARY KEY ({})", quoted(key))
            });
            let marks = vec!["?"; columns.len()].join(", ");
            raw.execute_batch(&format!(
                "CREATE TABLE {} ({}{key})",
                quoted(model.name),
                columns.join(", ")
            ))
            .unwrap();
            let mut insert = raw
                .prepare(&format!("INSERT INTO {} VALUES ({marks})", quoted(model.name)))
                .unwrap();
            for row in rows {
                let values = row.iter().map(|cell| &cell.stored);
                insert.execute(rusqlite::params_from_iter(values)).unwrap();
            }
        }
        raw.execute_batch("COMMIT").unwrap();
    }

    async fn fill_schema(&self, database: &TestDatabase) {
        let schema = quoted(&self.schema);
        let mut sql = format!(
            "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS cutover; CREATE TABLE IF NOT EXISTS cutover.rendering (
                schema_name text, table_name text, column_name text, source_table text NOT NULL, source_column text NOT NULL,
                rendering text NOT NULL, class_column text, PRIMARY KEY (schema_name, table_name, column_name));
             CREATE SCHEMA {schema}; SET search_path = {schema};"
        );
        for (model, rows) in MODELS.iter().zip(&self.rows) {
            let mut columns = Vec::new();
            for column in model.columns {
                columns.push(format!("{} {}", quoted(column.made), column.kind));
                columns.extend(column.class.map(|class| format!("{} text", quoted(class))));
                let note = [
                    self.schema.as_str(),
                    model.made,
                    column.made,
                    model.name,
                    column.name,
                    column.rendering,
                ];
                let note: Vec<String> = note.iter().map(|word| literal(Some(word))).collect();
                sql += &format!(
                    "INSERT INTO cutover.rendering VALUES ({}, {});",
                    note.join(", "),
                    literal(column.class)
                );
            }
            // NULL classes keep a mixed key from being a primary one.
            let key = model
                .key
                .map_or(String::new(), |(_, key)| format!(", UNIQUE ({key})"));
            sql += &format!(
                "CREATE TABLE {} ({}{key});",
                quoted(model.made),
                columns.join(", ")
            );
            for row in rows.iter().rev() {
                let mut values = Vec::new();
                for (column, cell) in model.columns.iter().zip(row) {
                    values.push(literal(cell.made.as_deref()));
                    values.extend(column.class.map(|_| literal(cell.class)));
                }
                sql += &format!(
                    "INSERT INTO {} VALUES ({});",
                    quoted(model.made),
                    values.join(", ")
                );
            }
        }
        database.connect().await.batch_execute(&sql).await.unwrap();
    }

    /// Writes one cell on one side.
    async fn write(&self, database: &TestDatabase, side: Side, at: (usize, usize, usize), cell: &Cell) {
        let (model, row, place) = (&MODELS[at.0], at.1, at.2);
        let column = &model.columns[place];
        match side {
            Side::File => {
                let sql = format!(
                    "UPDATE {} SET {} = ?1 WHERE rowid = ?2",
                    quoted(model.name),
                    quoted(column.name)
                );
                let rowid = i64::try_from(row + 1).unwrap();
                let changed = self.file.raw().execute(&sql, (&cell.stored, rowid)).unwrap();
                assert_eq!(changed, 1);
            }
            Side::Database => {
                let mut set = format!("{} = {}", quoted(column.made), literal(cell.made.as_deref()));
                if let Some(class) = column.class {
                    set += &format!(", {} = {}", quoted(class), literal(cell.class));
                }
                // Rows were written from the last to the first, and each version of a row lies somewhere else.
                let number = self.rows[at.0].len() - row;
                let table = format!("{}.{}", quoted(&self.schema), quoted(model.made));
                let client = database.connect().await;
                let pristine = format!("pristine.model_{}", at.0);
                let sql = format!(
                    "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS pristine; CREATE TABLE IF NOT EXISTS {pristine} AS SELECT row_number() OVER (ORDER BY ctid) AS place, * FROM {table};
                     TRUNCATE {table}; INSERT INTO {table} SELECT {0} FROM {pristine} WHERE place <> {number};
                     CREATE TEMP TABLE one AS SELECT {0} FROM {pristine} WHERE place = {number}; UPDATE one SET {set};
                     INSERT INTO {table} TABLE one; DROP TABLE one",
                    model
                        .columns
                        .iter()
                        .flat_map(|column| [Some(column.made), column.class])
                        .flatten()
                        .map(quoted)
                        .collect::<Vec<_>>()
                        .join(", ")
                );
                client.batch_execute(&sql).await.unwrap();
            }
        }
    }

    /// The key of a row as a report may name it.
    fn keys(&self, at: (usize, usize, usize)) -> Vec<String> {
        let rows = &self.rows[at.0];
        if MODELS[at.0].key.is_none() {
            let equal = (0..rows.len()).filter(|other| {
                let same = |(one, other): (&Cell, &Cell)| one.stored == other.stored;
                rows[*other].iter().zip(&rows[at.1]).all(same)
            });
            return equal.map(|row| format!("rowid={}", row + 1)).collect();
        }
        let key = match &rows[at.1][0].stored {
            Value::Integer(n) => n.to_string(),
            Value::Real(n) => format!("{n:?}"),
            Value::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Value::Blob(bytes) => format!("\"x'{}'\"", bytea(bytes).replace("\\x", "")),
            Value::Null => "null".to_owned(),
        };
        vec![format!("{}={key}", MODELS[at.0].columns[0].name)]
    }
}

#[tokio::test]
async fn equal_made_schemas_are_never_reported() {
    let database = TestDatabase::create().await;
    for seed in 0..100 {
        let made = Made::new(&database, seed, 40).await;
        let there = schema_of(&database, &made.schema).await;
        let here = file(&made.file.path()).await;
        let report = compare(&here, &there, &options()).await.unwrap();
        assert_eq!(found(&report), [], "seed {seed}");
        assert!(report.ok());
        assert_eq!(report.only_in_target, [], "a long name is no table of its own");
        for (model, rows) in MODELS.iter().zip(&made.rows) {
            let table = table(&report, model.name);
            assert_eq!(table.rows_source, u64::try_from(rows.len()).unwrap());
            assert_eq!(table.target.as_deref(), Some(model.made));
            assert_eq!(
                table.notes,
                Vec::<String>::new(),
                "a column of classes is none of the application's"
            );
        }
        let back = compare(&there, &here, &options()).await.unwrap();
        assert_eq!(found(&back), [], "seed {seed}, back");
        assert_eq!(back.tables.len(), MODELS.len());
    }
}

#[tokio::test]
async fn every_changed_value_of_a_made_schema_is_found_and_named() {
    let database = TestDatabase::create().await;
    let made = Made::new(&database, 1_000, 60).await;
    let mut random = Random::new(77);
    let mut met = BTreeSet::new();
    for number in 0..240 {
        let side = if number % 2 == 0 {
            Side::File
        } else {
            Side::Database
        };
        let model = &MODELS[number / 2 % MODELS.len()];
        let at_model = number / 2 % MODELS.len();
        let row = usize::try_from(random.below(60)).unwrap();
        let first = usize::from(model.key.is_some());
        let place = first + usize::try_from(random.below((model.columns.len() - first) as u64)).unwrap();
        let column = &model.columns[place];
        let at = (at_model, row, place);
        let cell = &made.rows[at_model][row][place];
        let changed = cell.changed(column, side, &mut random);
        let what = format!(
            "change {number}: {}.{} {side:?} from {cell:?} to {changed:?}",
            model.name, column.name
        );
        made.write(&database, side, at, &changed).await;
        let here = file(&made.file.path()).await;
        let there = schema_of(&database, &made.schema).await;
        let forth = compare(&here, &there, &options()).await.unwrap();
        let back = compare(&there, &here, &options()).await.unwrap();
        drop((here, there));
        let counts = Counts {
            different: 1,
            ..Counts::default()
        };
        for (report, forth) in [(forth, true), (back, false)] {
            let name = if forth { model.name } else { model.made };
            let found = found(&report);
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            assert_eq!(
                (found[0].0.as_str(), found[0].1),
                (name, counts),
                "{what}: {found:?}"
            );
            let column = if forth { column.name } else { column.made };
            let keys = made.keys(at).into_iter();
            let expected: Vec<String> = keys.map(|key| format!("different {key} {column}")).collect();
            // On the way back rows and keys have PostgreSQL's names.
            let named = if forth {
                expected.contains(&found[0].2[0])
            } else {
                found[0].2[0].starts_with("different ") && found[0].2[0].ends_with(&format!(" {column}"))
            };
            assert!(
                named && found[0].2.len() == 1,
                "{what}: {found:?}, expected one of {expected:?}"
            );
        }
        met.insert((column.rendering, format!("{side:?}")));
        made.write(&database, side, at, cell).await;
    }
    assert!(met.len() >= 50, "every rendering on both sides: {met:?}");
    let here = file(&made.file.path()).await;
    let there = schema_of(&database, &made.schema).await;
    assert_eq!(found(&compare(&here, &there, &options()).await.unwrap()), []);
}

/// What PostgreSQL itself prints for random values, by rendering.
const PRINTED: [(&str, &str, &str, &str); 19] = [
    (
        "date",
        "date",
        "date '0001-01-01' + floor(random() * 3652059)::int",
        "to_char(v, 'YYYY-MM-DD')",
    ),
    (
        "time minutes",
        "time",
        "time '00:00' + floor(random() * 1440) * interval '1 minute'",
        "to_char(v, 'HH24:MI')",
    ),
    (
        "time trimmed",
        "time",
        "time '00:00' + floor(random() * 86400e6) * interval '1 us'",
        "rtrim(rtrim(to_char(v, 'HH24:MI:SS.US'), '0'), '.')",
    ),
    (
        "timestamp T fixed6",
        "timestamp",
        "timestamp '0001-01-01' + random() * 3652058 * interval '1 day'",
        "to_char(v, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
    ),
    (
        "timestamp space fixed3",
        "timestamp",
        "date_trunc('milliseconds', timestamp '1960-01-01' + random() * 36520 * interval '1 day')",
        "to_char(v, 'YYYY-MM-DD HH24:MI:SS.MS')",
    ),
    (
        "timestamp T seconds",
        "timestamp",
        "date_trunc('second', timestamp '0001-01-01' + random() * 3652058 * interval '1 day')",
        "to_char(v, 'YYYY-MM-DD\"T\"HH24:MI:SS')",
    ),
    (
        "timestamp space six-or-none",
        "timestamp",
        "date_trunc(CASE WHEN random() < 0.5 THEN 'second' ELSE 'microseconds' END, timestamp '1999-12-31' + random() * interval '2 days')",
        "CASE WHEN v = date_trunc('second', v) THEN to_char(v, 'YYYY-MM-DD HH24:MI:SS') ELSE to_char(v, 'YYYY-MM-DD HH24:MI:SS.US') END",
    ),
    (
        "timestamptz T fixed6 +05:45",
        "timestamptz",
        "timestamptz '0001-01-02Z' + random() * 3652056 * interval '1 day'",
        "to_char(v AT TIME ZONE 'UTC' + interval '5:45', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+05:45'",
    ),
    (
        "timestamptz space trimmed -0930",
        "timestamptz",
        "timestamptz '0001-01-02Z' + random() * 3652056 * interval '1 day'",
        "rtrim(rtrim(to_char(v AT TIME ZONE 'UTC' - interval '9:30', 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.') || '-0930'",
    ),
    ("uuid", "uuid", "gen_random_uuid()", "v::text"),
    (
        "jsonb",
        "jsonb",
        "jsonb_build_object('bé', random(), 'a', jsonb_build_array(random() * 1e20, NULL, E'\\u00e9\"\\\\'))",
        "v::text",
    ),
    (
        "decimal",
        "numeric",
        "round((random() * 10 ^ floor(random() * 25 - 4))::numeric, floor(random() * 12)::int) * (CASE WHEN random() < 0.5 THEN -1 ELSE 1 END)",
        "v::text",
    ),
    (
        "real",
        "double precision",
        "(random() - 0.5) * 10 ^ floor(random() * 600 - 300)",
        "v::text",
    ),
    (
        "number",
        "double precision",
        "CASE WHEN random() < 0.5 THEN floor(random() * 1e15) ELSE random() * 10 ^ floor(random() * 40 - 20) END",
        "v::text",
    ),
    (
        "integer",
        "bigint",
        "(random() * 1e18)::bigint * (CASE WHEN random() < 0.5 THEN -1 ELSE 1 END)",
        "v::text",
    ),
    (
        "timestamptz from seconds",
        "timestamptz",
        "date_trunc('second', timestamptz '4713-01-01Z BC' + random() * 100000000 * interval '1 day')",
        "extract(epoch FROM v)::bigint::text",
    ),
    (
        "timestamp from milliseconds",
        "timestamp",
        "date_trunc('milliseconds', timestamp '1969-12-01' + random() * 60 * interval '1 day')",
        "(extract(epoch FROM v) * 1000)::bigint::text",
    ),
    (
        "timestamptz from microseconds",
        "timestamptz",
        "timestamptz '1900-01-01Z' + random() * 73000 * interval '1 day'",
        "(extract(epoch FROM v) * 1000000)::bigint::text",
    ),
    (
        "boolean from ''yes''/-1",
        "boolean",
        "random() < 0.5",
        "CASE WHEN v THEN 'yes' ELSE '-1' END",
    ),
];

/// What SQLite holds for what PostgreSQL prints.
fn stored(rendering: &str, printed: &str) -> Value {
    let text = || Value::Text(printed.to_owned());
    match rendering {
        "integer" => Value::Integer(printed.parse().unwrap()),
        told if told.contains(" from ") => printed.parse().map_or_else(|_| text(), Value::Integer),
        "real" => Value::Real(printed.parse().unwrap()),
        "number" => {
            let n: f64 = printed.parse().unwrap();
            let whole = format!("{n:.0}").parse().ok().filter(|_| n.fract() == 0.0);
            whole.map_or(Value::Real(n), Value::Integer)
        }
        "decimal" if !printed.contains('.') => {
            printed.parse().map_or_else(|_| decimal(printed), Value::Integer)
        }
        "decimal" => decimal(printed),
        _ => text(),
    }
}

fn decimal(printed: &str) -> Value {
    let n: f64 = printed.parse().unwrap();
    if n.to_string() == printed {
        Value::Real(n)
    } else {
        Value::Text(printed.to_owned())
    }
}

#[tokio::test]
async fn random_values_of_postgres_come_back_as_it_prints_them() {
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    let here = TestFile::empty();
    let raw = here.raw();
    let mut sql = "CREATE SCHEMA cutover; CREATE TABLE cutover.rendering (schema_name text, table_name text, column_name text,
        source_table text, source_column text, rendering text, class_column text);"
        .to_owned();
    for (at, (rendering, kind, value, _)) in PRINTED.iter().enumerate() {
        sql += &format!(
            "CREATE TABLE t{at} (id int PRIMARY KEY, v {kind});
             INSERT INTO t{at} SELECT n, {value} FROM generate_series(1, 3000) AS n;
             INSERT INTO cutover.rendering VALUES ('public', 't{at}', 'v', 't{at}', 'v', '{rendering}');"
        );
    }
    client.batch_execute(&sql).await.unwrap();
    raw.execute_batch("BEGIN").unwrap();
    for (at, (rendering, _, _, printed)) in PRINTED.iter().enumerate() {
        raw.execute_batch(&format!("CREATE TABLE t{at} (id INTEGER PRIMARY KEY, v)"))
            .unwrap();
        let mut insert = raw
            .prepare(&format!("INSERT INTO t{at} VALUES (?1, ?2)"))
            .unwrap();
        let rows = client
            .query(&format!("SELECT id, {printed} FROM t{at}"), &[])
            .await
            .unwrap();
        for row in rows {
            insert
                .execute((row.get::<_, i32>(0), stored(rendering, row.get(1))))
                .unwrap();
        }
    }
    raw.execute_batch("COMMIT").unwrap();
    let report = compared(&here, &database).await;
    for table in &report.tables {
        let at: usize = table.name[1..].parse().unwrap();
        assert_eq!((table.rows_source, table.rows_target), (3000, 3000));
        assert!(table.equal(), "{}: {}", PRINTED[at].0, table.to_json(true));
    }
    assert_eq!(report.tables.len(), PRINTED.len());
}

/// A file and a database with a note of its renderings: table, column, rendering and class column.
async fn pair(
    sqlite: &str,
    postgres: &str,
    notes: &[(&str, &str, &str, Option<&str>)],
) -> (TestFile, TestDatabase) {
    let here = TestFile::empty();
    here.raw().execute_batch(sqlite).unwrap();
    let there = TestDatabase::create().await;
    let client = there.connect().await;
    let own = "CREATE SCHEMA cutover; CREATE TABLE cutover.rendering (schema_name text, table_name text, column_name text,
        source_table text, source_column text, rendering text, class_column text);";
    client.batch_execute(&format!("{own} {postgres}")).await.unwrap();
    for (table, column, rendering, class) in notes {
        let sql = "INSERT INTO cutover.rendering VALUES ('public', $1, $2, $1, $2, $3, $4)";
        client
            .execute(sql, &[table, column, rendering, class])
            .await
            .unwrap();
    }
    (here, there)
}

/// The file compared with the schema that was made for it.
async fn compared(here: &TestFile, there: &TestDatabase) -> VerifyReport {
    let (here, there) = (file(&here.path()).await, schema_of(there, "public").await);
    compare(&here, &there, &options()).await.unwrap()
}

#[tokio::test]
async fn rows_without_a_key_are_told_apart_by_class_and_number() {
    let notes = [("t", "a", "mixed", Some("c"))];
    let sqlite = "CREATE TABLE t (a); INSERT INTO t VALUES (1), (1), ('1'), (x'31'), (1.0), (NULL), (NULL)";
    let postgres = "CREATE TABLE t (a bytea, c text);
        INSERT INTO t VALUES (NULL, NULL), ('1.0', 'real'), ('1', 'blob'), ('1', 'integer'), ('1', 'text'), ('1', 'integer'), (NULL, NULL)";
    let (here, there) = pair(sqlite, postgres, &notes).await;
    let verify = async || compared(&here, &there).await;
    assert_eq!(found(&verify().await), []);
    let client = there.connect().await;
    for (change, missing, extra) in [
        // The same number of rows, one of them in another class.
        (
            "UPDATE t SET c = 'text' WHERE ctid = (SELECT min(ctid) FROM t WHERE c = 'integer')",
            1,
            1,
        ),
        (
            "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t WHERE c = 'integer')",
            1,
            0,
        ),
        ("INSERT INTO t VALUES ('1', 'integer')", 0, 1),
        (
            "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t WHERE a IS NULL)",
            1,
            0,
        ),
        ("DELETE FROM t WHERE a IS NULL", 2, 0),
        // Swapped: one more of one, one less of another.
        (
            "UPDATE t SET c = NULL WHERE c = 'text'; UPDATE t SET c = 'text' WHERE c = 'integer'",
            2,
            2,
        ),
    ] {
        client
            .batch_execute(&format!(
                "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS cutover.kept AS TABLE t; {change}"
            ))
            .await
            .unwrap();
        let report = verify().await;
        let counts = table(&report, "t").counts;
        assert_eq!(
            (counts.missing, counts.extra, counts.different),
            (missing, extra, 0),
            "{change}"
        );
        assert_eq!(table(&report, "t").missing.len() as u64, missing, "{change}");
        client
            .batch_execute("TRUNCATE t; INSERT INTO t TABLE cutover.kept")
            .await
            .unwrap();
    }
    assert_eq!(found(&verify().await), []);
}

#[tokio::test]
async fn a_million_equal_rows_are_counted() {
    let sqlite = "CREATE TABLE t (a TEXT, n INTEGER);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO t SELECT 'x', 1 FROM n;
        INSERT INTO t VALUES ('y', 1)";
    let postgres =
        "CREATE TABLE t (a text, n bigint); INSERT INTO t SELECT 'x', 1 FROM generate_series(1, 300001)";
    let notes = [("t", "a", "text", None), ("t", "n", "integer", None)];
    let (here, there) = pair(sqlite, postgres, &notes).await;
    let report = compared(&here, &there).await;
    let counts = Counts {
        different: 1,
        ..Counts::default()
    };
    let rows = vec!["different rowid=300001 a".to_owned()];
    assert_eq!(found(&report), [("t".to_owned(), counts, rows)]);
}

#[tokio::test]
async fn a_row_with_null_in_its_key_is_named_by_its_place() {
    let rows = "INSERT INTO t VALUES (NULL, 'a', 'p'), (NULL, 'b', 'q'), ('k', 'c', 'r'), (NULL, 'b', 'q')";
    let sqlite = format!("CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT, w TEXT); {rows}");
    let postgres = format!(
        "CREATE TABLE t (id text UNIQUE, v text, w text); {rows}; UPDATE t SET v = 'A' WHERE v = 'a'"
    );
    let notes = ["id", "v", "w"].map(|column| ("t", column, "text", None));
    let (here, there) = pair(&sqlite, &postgres, &notes).await;
    let report = compared(&here, &there).await;
    assert_eq!(found(&report)[0].2, ["different rowid=1 v"]);
}

#[tokio::test]
async fn a_row_whose_rowid_no_name_reaches_is_named_by_its_number() {
    let rows = "INSERT INTO t VALUES ('a', 'b', 'c'), ('d', 'e', 'f'), ('g', 'h', 'i')";
    let sqlite = format!("CREATE TABLE t (rowid TEXT, oid TEXT, _rowid_ TEXT); {rows}");
    let postgres = format!(
        "CREATE TABLE t (rowid text, o text, _rowid_ text); {rows}; DELETE FROM t WHERE rowid = 'g';
         UPDATE t SET o = 'E' WHERE rowid = 'd'"
    );
    let notes = ["rowid", "_rowid_"].map(|column| ("t", column, "text", None));
    let (here, there) = pair(&sqlite, &postgres, &notes).await;
    let note = "INSERT INTO cutover.rendering VALUES ('public', 't', 'o', 't', 'oid', 'text', NULL)";
    there.connect().await.batch_execute(note).await.unwrap();
    let report = compared(&here, &there).await;
    assert_eq!(found(&report)[0].2, ["different row=2 oid", "missing row=3 "]);
}

#[tokio::test]
async fn generated_columns_and_virtual_tables_are_compared_like_others() {
    let sqlite =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, up TEXT AS (upper(a)), n AS (length(a)) STORED);
        INSERT INTO t (id, a) VALUES (1, 'x'), (2, 'yé')";
    let postgres = "CREATE TABLE t (id bigint PRIMARY KEY, a text, up text, n bigint GENERATED ALWAYS AS (length(a)) STORED);
        INSERT INTO t VALUES (1, 'x', 'X'), (2, 'yé', 'Yé')";
    let notes = [
        ("t", "id", "integer", None),
        ("t", "a", "text", None),
        ("t", "up", "text", None),
        ("t", "n", "integer", None),
    ];
    let (here, there) = pair(sqlite, postgres, &notes).await;
    let verify = async || found(&compared(&here, &there).await);
    assert_eq!(verify().await, []);
    let client = there.connect().await;
    client
        .batch_execute("UPDATE t SET up = 'YÉ' WHERE id = 2")
        .await
        .unwrap();
    assert_eq!(verify().await[0].2, ["different id=2 up"]);
}

#[tokio::test]
async fn a_note_that_does_not_fit_is_a_problem_and_the_column_is_compared_by_its_type() {
    let sqlite = "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, n INTEGER, m);
        INSERT INTO t VALUES (1, '2026-01-01', 1, 'a'), (2, '2026-01-02', 2, 'b')";
    let postgres = "CREATE TABLE t (id bigint PRIMARY KEY, at date, n text, m text); INSERT INTO t VALUES (1, '2026-01-01', '1', 'a'), (2, '2026-01-03', '2', 'b')";
    let notes = [
        ("t", "id", "integer", None),
        ("t", "at", "date by moonlight", None),
        ("t", "n", "integer", None),
        ("t", "m", "mixed", Some("no such column")),
        ("t", "gone", "text", None),
        ("gone", "a", "text", None),
    ];
    let (here, there) = pair(sqlite, postgres, &notes).await;
    let report = compared(&here, &there).await;
    let one = table(&report, "t");
    assert_eq!(one.problems.len(), 3, "{:?}", one.problems);
    for (problem, column) in one.problems.iter().zip(["\"at\"", "\"m\"", "\"n\""]) {
        assert!(problem.contains(column), "{problem}");
    }
    assert_eq!(found(&report)[0].2, ["different id=1 n", "different id=2 at,n"]);
}

#[tokio::test]
async fn what_a_person_has_altered_in_the_notes_is_told() {
    let sqlite =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, m); INSERT INTO t VALUES (1, '2026-01-01', 'a')";
    let postgres = "CREATE TABLE t (id bigint PRIMARY KEY, at date, m text, c text); INSERT INTO t VALUES (1, '2026-01-01', 'a', 'text')";
    let notes = [
        ("t", "id", "integer", None),
        ("t", "at", "date", None),
        ("t", "m", "mixed", Some("c")),
    ];
    let (here, there) = pair(sqlite, postgres, &notes).await;
    let verify = async || {
        let (file, schema) = (file(&here.path()).await, schema_of(&there, "public").await);
        compare(&file, &schema, &options()).await
    };
    assert!(verify().await.unwrap().ok());
    let client = there.connect().await;
    for (change, columns) in [
        (
            "UPDATE cutover.rendering SET rendering = NULL WHERE column_name = 'at'",
            &["\"at\""][..],
        ),
        (
            "ALTER TABLE cutover.rendering ALTER class_column TYPE bytea USING class_column::bytea",
            &["\"at\"", "\"m\""],
        ),
        (
            "ALTER TABLE cutover.rendering ALTER rendering TYPE bytea USING rendering::bytea",
            &["\"at\"", "\"id\"", "\"m\""],
        ),
    ] {
        client.batch_execute(change).await.unwrap();
        let report = verify().await.unwrap();
        let problems = &table(&report, "t").problems;
        let noted: Vec<&String> = problems.iter().filter(|text| text.contains("is noted")).collect();
        assert_eq!(noted.len(), columns.len(), "{change}: {problems:?}");
        for (problem, column) in noted.iter().zip(columns) {
            assert!(problem.contains(column), "{change}: {problem}");
        }
    }
    client
        .batch_execute("UPDATE cutover.rendering SET source_table = NULL")
        .await
        .unwrap();
    let error = verify().await.map(|_| ()).unwrap_err().to_string();
    assert!(
        error.starts_with("cutover.rendering has in its column source_table NULL"),
        "{error}"
    );
}

#[tokio::test]
async fn a_table_in_many_parts_is_the_same_as_in_one() {
    // Rowids far apart, and most of them in one place.
    let sqlite = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE u (id INTEGER PRIMARY KEY, a TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24000)
        INSERT INTO t SELECT CASE i WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE i * 3 END, printf('%0400d', i) FROM n;
        INSERT INTO u SELECT * FROM t WHERE id > 0 AND id < 66000";
    let postgres = "CREATE TABLE t (id bigint PRIMARY KEY, a text); CREATE TABLE u (id bigint PRIMARY KEY, a text);
        INSERT INTO t SELECT CASE i WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE i * 3 END, lpad(i::text, 400, '0')
        FROM generate_series(1, 24000) AS i;
        INSERT INTO u SELECT * FROM t WHERE id > 0 AND id < 66000";
    let notes = ["t", "u"].map(|table| (table, "a", "text", None));
    let (here, there) = pair(sqlite, postgres, &notes).await;
    let client = there.connect().await;
    let mut digests = BTreeSet::new();
    for jobs in [1, 2, 7] {
        let url = cutover_postgres::PgServer::parse(&there.url()).unwrap();
        let verify = async || {
            let ours = crate::VerifyFile::open(&here.path(), std::time::Duration::from_secs(1), jobs)
                .await
                .unwrap();
            let theirs = crate::VerifyDatabase::open(&url, None, jobs).await.unwrap();
            let options = crate::VerifyOptions { jobs, ..options() };
            compare(&ours, &theirs, &options).await.unwrap()
        };
        let report = verify().await;
        assert_eq!(found(&report), [], "{jobs} jobs");
        digests.insert(table(&report, "t").digest.clone());
        client
            .batch_execute("DELETE FROM t WHERE id = 9223372036854775807; UPDATE u SET a = a || ' ' WHERE id = 60000; DELETE FROM t WHERE id = -9223372036854775808")
            .await
            .unwrap();
        let report = verify().await;
        assert_eq!(
            table(&report, "t")
                .missing
                .iter()
                .map(|row| format!("{:?}", row.key))
                .collect::<BTreeSet<_>>(),
            BTreeSet::from([i64::MIN, i64::MAX].map(|id| format!("[(\"id\", Integer({id}))]"))),
            "{jobs} jobs"
        );
        assert_eq!(found(&report)[1].2, ["different id=60000 a"], "{jobs} jobs");
        client
            .batch_execute("INSERT INTO t VALUES (-9223372036854775808, lpad('1', 400, '0')), (9223372036854775807, lpad('2', 400, '0'));
                            UPDATE u SET a = rtrim(a) WHERE id = 60000")
            .await
            .unwrap();
    }
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[tokio::test]
async fn a_file_in_utf_16_is_read_by_its_units() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        // A unit of a pair that stands alone, and a letter behind it: SQLite makes one letter of both.
        let half = if encoding == "UTF-16le" {
            "3dd86100"
        } else {
            "d83d0061"
        };
        let sqlite = format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE \"té\" (id INTEGER PRIMARY KEY, a);
             INSERT INTO \"té\" VALUES (1, 'é😀'), (2, x'3dd8'), (3, NULL), (4, CAST(x'{half}' AS TEXT)), (5, '')"
        );
        let here = TestFile::empty();
        here.raw().execute_batch(&sqlite).unwrap();
        // What SQLite's conversion says, which is how a copy may have read it.
        let read: String = here
            .raw()
            .query_row("SELECT a FROM \"té\" WHERE id = 4", [], |row| row.get(0))
            .unwrap();
        let there = TestDatabase::create().await;
        let client = there.connect().await;
        client
            .batch_execute("CREATE SCHEMA cutover; CREATE TABLE cutover.rendering (schema_name text, table_name text, column_name text,
                source_table text, source_column text, rendering text, class_column text);
                INSERT INTO cutover.rendering VALUES ('public', 'té', 'a', 'té', 'a', 'mixed', 'c');
                CREATE TABLE \"té\" (id bigint PRIMARY KEY, a bytea, c text);
                INSERT INTO \"té\" VALUES (1, convert_to('é😀', 'UTF8'), 'text'), (2, '\\x3dd8', 'blob'), (3, NULL, NULL), (5, '', 'text')")
            .await
            .unwrap();
        client
            .execute("INSERT INTO \"té\" VALUES (4, $1, 'text')", &[&read.as_bytes()])
            .await
            .unwrap();
        let report = compared(&here, &there).await;
        assert_eq!(found(&report)[0].2, ["different id=4 a"], "{encoding}");
    }
}
