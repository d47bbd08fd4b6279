//! Random schemas of SQLite, and values that are likely to hurt.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cutover_tests::rusqlite::types::Value;
use cutover_tests::rusqlite::{Connection, params_from_iter};

use crate::compare::identifier;

/// SplitMix64: the same seed gives the same file for ever.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True so many times of a hundred.
    pub(crate) fn chance(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    #[expect(clippy::cast_possible_wrap, reason = "all bits are wanted")]
    fn integer(&mut self) -> i64 {
        self.next() as i64
    }
}

const TABLES: [&str; 22] = [
    "t",
    "Order",
    "select",
    "a b",
    "quo\"te",
    "semi;colon",
    "naïve",
    "表",
    "😀",
    "pg_class",
    "table_whose_name_is_longer_than_the_sixty_three_bytes_of_postgres_1",
    "table_whose_name_is_longer_than_the_sixty_three_bytes_of_postgres_2",
    "it's",
    "back\\slash",
    "$1",
    "%s",
    "new\nline",
    "--comment",
    "/* c */",
    "[x]",
    "e\u{301}",
    "é",
];
const COLUMNS: [&str; 26] = [
    "id",
    "a",
    "B",
    "x y",
    "q\"q",
    "select",
    "xmin",
    "ctid",
    "Ünï",
    "column_whose_name_is_longer_than_the_sixty_three_bytes_of_postgres_1",
    "column_whose_name_is_longer_than_the_sixty_three_bytes_of_postgres_2",
    "rowid",
    "class",
    "a class",
    "it's",
    "$2",
    "b_class",
    "values",
    "?1",
    "-- x",
    "日本",
    "user",
    "oid",
    "default",
    "tab\there",
    "a.b",
];
const TYPES: [&str; 38] = [
    "INTEGER",
    "INT",
    "BIGINT",
    "TINYINT(1)",
    "UNSIGNED BIG INT",
    "BOOLEAN",
    "BOOL",
    "REAL",
    "DOUBLE PRECISION",
    "FLOAT",
    "NUMERIC",
    "DECIMAL(10,2)",
    "MONEY",
    "NUMBER",
    "TEXT",
    "VARCHAR(5)",
    "CHAR(3)",
    "CLOB",
    "NVARCHAR(100)",
    "BLOB",
    "BYTEA",
    "",
    "DATE",
    "DATETIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "TIMESTAMP WITH TIME ZONE",
    "TIME",
    "JSON",
    "JSONB",
    "UUID",
    "GUID",
    "UNIQUEIDENTIFIER",
    "FLOATING POINT",
    "STRING",
    "no such type",
    "INET",
    "BIT(3)",
];
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
const DEFAULTS: [&str; 24] = [
    "0",
    "-1",
    "+5",
    "1.5",
    "'it''s'",
    "''",
    "'now'",
    "'5'",
    "x'00ff'",
    "NULL",
    "TRUE",
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "(datetime('now'))",
    "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    "(1 + 1)",
    "(random())",
    "(lower(hex(randomblob(16))))",
    "\"dq\"",
    "9223372036854775808",
    "1e400",
    "('a' || 'b')",
    "(unixepoch())",
    "'2024-01-31'",
];
const ACTIONS: [&str; 5] = ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"];
const TEXTS: [&str; 32] = [
    "",
    " ",
    "a",
    "A",
    "abc  ",
    "  abc",
    "é",
    "e\u{301}",
    "É",
    "😀",
    "007",
    "1.0",
    "+1",
    "1e2",
    "0x1F",
    "\\N",
    "\\.",
    "\\x00ff",
    "a\tb\r\nc",
    "'; DROP TABLE t; --",
    "$$",
    "NULL",
    "now",
    "infinity",
    "\u{feff}bom",
    "\u{1}\u{7f}",
    "{}",
    "true",
    "2024-13-01",
    "\u{10ffff}",
    "9223372036854775808",
    "-0",
];
const INTEGERS: [i64; 16] = [
    0,
    1,
    -1,
    2,
    255,
    32_768,
    2_147_483_647,
    -2_147_483_648,
    2_147_483_648,
    1 << 53,
    (1 << 53) + 1,
    -(1 << 53) - 1,
    1 << 62,
    i64::MAX,
    i64::MIN,
    20_240_131,
];
const REALS: [f64; 20] = [
    0.0,
    -0.0,
    0.1,
    1.5,
    -2.25,
    1.0 / 3.0,
    0.1 + 0.2,
    1e15,
    1e16,
    9_007_199_254_740_993.0,
    9_223_372_036_854_775_807.0,
    -9_223_372_036_854_775_808.0,
    1e300,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
    123_456.789,
    100.0,
];
const DOCUMENTS: [&str; 14] = [
    "{}",
    "[]",
    "null",
    "42",
    "\"x\"",
    r#"{"a": 1}"#,
    r#"{"b":1,"a":2}"#,
    r#"{"a": 1, "a": 2}"#,
    "[1, 2.50, 1e2]",
    r#"["\u0000"]"#,
    r#"["\ud800"]"#,
    r#"{"é": "\u00e9"}"#,
    "[0.1, 1e400]",
    " {} ",
];

/// What the values of a column look like, most of the time.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Flags,
    Small,
    Integers,
    Reals,
    Decimals,
    Numbers,
    Texts,
    Uuids,
    UuidBlobs,
    Dates,
    /// Written in this way throughout.
    Moments(usize),
    Times(usize),
    Documents,
    Objects,
    Blobs,
    Anything,
    Nothing,
}

const SHAPES: [Shape; 16] = [
    Shape::Flags,
    Shape::Small,
    Shape::Integers,
    Shape::Reals,
    Shape::Decimals,
    Shape::Numbers,
    Shape::Texts,
    Shape::Uuids,
    Shape::UuidBlobs,
    Shape::Dates,
    Shape::Documents,
    Shape::Objects,
    Shape::Blobs,
    Shape::Anything,
    Shape::Nothing,
    Shape::Small,
];

struct Column {
    name: String,
    declared: String,
    shape: Shape,
    not_null: bool,
    nocase: bool,
    generated: bool,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    key: Vec<usize>,
    sql: String,
}

/// What a file is made of beside its seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// Rows that PostgreSQL cannot hold.
    pub(crate) rejects: bool,
    /// At most so many rows a table.
    pub(crate) rows: usize,
}

/// Fills an empty database. Returns what was done, to be read when something is wrong.
pub(crate) fn fill(connection: &Connection, seed: u64, wish: Wish) -> String {
    // As in most applications: orphans and all.
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let mut random = Random(seed);
    let mut script = String::new();
    let mut run = |connection: &Connection, sql: &str| {
        // Not everything that can be thought of is legal: what SQLite refuses is no part of the file.
        let done = connection.execute_batch(sql).is_ok();
        if done {
            writeln!(script, "{sql};").unwrap();
        }
        done
    };
    if random.chance(10) {
        let encoding = *random.pick(&["UTF-16le", "UTF-16be"]);
        run(connection, &format!("PRAGMA encoding = '{encoding}'"));
    }
    if random.chance(30) {
        run(connection, "PRAGMA ignore_check_constraints = ON");
    }
    if random.chance(20) {
        run(
            connection,
            &format!("PRAGMA user_version = {}", random.below(1_000)),
        );
    }
    let names = distinct(&mut random, &TABLES, 6);
    let mut tables: Vec<Table> = Vec::new();
    for name in names {
        let table = table(&mut random, name, &tables);
        if run(connection, &table.sql) {
            tables.push(table);
        }
    }
    for (number, table) in tables.iter().enumerate() {
        for index in 0..random.below(4) {
            let sql = index_sql(&mut random, table, &format!("i{number}{index} on {}", table.name));
            run(connection, &sql);
        }
    }
    if random.chance(30) {
        let table = random.pick(&tables);
        let name = identifier(&table.name);
        run(
            connection,
            &format!("CREATE VIEW \"a view\" AS SELECT count(*) AS n FROM {name}"),
        );
        run(
            connection,
            &format!("CREATE TRIGGER \"a trigger\" AFTER DELETE ON {name} BEGIN SELECT 1; END"),
        );
    }
    // One row a statement, for rules of the schema refuse some.
    connection.execute_batch("BEGIN").unwrap();
    let mut keys: Vec<(String, Value)> = Vec::new();
    for table in &tables {
        for _ in 0..random.below(wish.rows + 1) {
            insert(connection, &mut random, table, wish, &mut keys);
        }
        if random.chance(10) {
            let sql = format!("DELETE FROM {} WHERE rowid % 3 = 1", identifier(&table.name));
            drop(connection.execute_batch(&sql));
        }
    }
    // A table that has no number left for a row ends the transaction.
    if !connection.is_autocommit() {
        connection.execute_batch("COMMIT").unwrap();
    }
    script
}

fn distinct(random: &mut Random, from: &[&str], most: usize) -> Vec<String> {
    let count = 1 + random.below(most);
    let mut seen = BTreeSet::new();
    let picked = (0..count).map(|_| *random.pick(from));
    let picked: Vec<&str> = picked.collect();
    picked
        .into_iter()
        .filter(|name| seen.insert(name.to_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

fn shape_for(random: &mut Random, declared: &str) -> Shape {
    let fits = match declared {
        "BOOLEAN" | "BOOL" | "TINYINT(1)" => Shape::Flags,
        "INTEGER" | "INT" | "BIGINT" | "UNSIGNED BIG INT" => Shape::Integers,
        "REAL" | "DOUBLE PRECISION" | "FLOAT" | "FLOATING POINT" => Shape::Reals,
        "DECIMAL(10,2)" | "MONEY" => Shape::Decimals,
        "NUMERIC" | "NUMBER" => Shape::Numbers,
        "BLOB" | "BYTEA" => Shape::Blobs,
        "DATE" => Shape::Dates,
        "DATETIME" | "TIMESTAMP" | "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => {
            Shape::Moments(random.below(10))
        }
        "TIME" => Shape::Times(random.below(4)),
        "JSON" | "JSONB" => Shape::Documents,
        "UUID" | "GUID" | "UNIQUEIDENTIFIER" => *random.pick(&[Shape::Uuids, Shape::UuidBlobs]),
        _ => Shape::Texts,
    };
    match random.below(10) {
        0..6 => fits,
        6 => Shape::Moments(random.below(10)),
        _ => *random.pick(&SHAPES),
    }
}

fn table(random: &mut Random, name: String, before: &[Table]) -> Table {
    let strict = random.chance(20);
    let clustered = random.chance(20);
    let mut columns: Vec<Column> = distinct(random, &COLUMNS, 8)
        .into_iter()
        .map(|name| {
            let declared = if strict {
                (*random.pick(&STRICT_TYPES)).to_owned()
            } else {
                (*random.pick(&TYPES)).to_owned()
            };
            Column {
                shape: shape_for(random, &declared),
                name,
                declared,
                not_null: random.chance(20),
                nocase: random.chance(10),
                generated: false,
            }
        })
        .collect();
    let mut parts = Vec::new();
    let mut key = Vec::new();
    let whole_number = !clustered && random.chance(45);
    if whole_number {
        "INTEGER".clone_into(&mut columns[0].declared);
        columns[0].shape = Shape::Small;
        key.push(0);
    } else if clustered || random.chance(60) {
        let wanted = 1 + random.below(3);
        for _ in 0..wanted {
            let at = random.below(columns.len());
            if !key.contains(&at) {
                key.push(at);
            }
        }
    }
    for (at, column) in columns.iter().enumerate() {
        let mut sql = format!("{} {}", identifier(&column.name), column.declared);
        if whole_number && at == 0 {
            sql += " PRIMARY KEY";
            if random.chance(40) {
                sql += " AUTOINCREMENT";
            }
        }
        if column.not_null {
            sql += " NOT NULL";
        }
        if column.nocase {
            sql += " COLLATE NOCASE";
        }
        if random.chance(25) {
            write!(sql, " DEFAULT {}", random.pick(&DEFAULTS)).unwrap();
        }
        if random.chance(10) && at > 0 {
            sql += " UNIQUE";
        }
        if random.chance(15) {
            write!(sql, " CHECK ({})", condition(random, &column.name)).unwrap();
        }
        parts.push(sql);
    }
    // Where rows lie in the order of a key, SQLite may be tempted to sort what it computes.
    if random.chance(if clustered { 90 } else { 25 }) {
        let of = identifier(&random.pick(&columns).name);
        let expression = match random.below(6) {
            0 => format!("{of} || '!'"),
            1 => format!("length({of})"),
            2 => format!("coalesce({of}, 0)"),
            3 => format!("{of} IS NULL"),
            4 => format!("upper({of})"),
            _ => format!("typeof({of})"),
        };
        let kind = *random.pick(&["VIRTUAL", "STORED"]);
        let declared = *random.pick(if strict {
            &["ANY", "REAL", "REAL"]
        } else {
            &["", "TEXT", "INTEGER", "REAL", "REAL", "REAL"]
        });
        let column = Column {
            name: "generated".to_owned(),
            declared: declared.to_owned(),
            shape: Shape::Nothing,
            not_null: false,
            nocase: false,
            generated: true,
        };
        parts.push(format!(
            "\"generated\" {declared} GENERATED ALWAYS AS ({expression}) {kind}"
        ));
        columns.push(column);
    }
    if !key.is_empty() && !whole_number {
        let listed: Vec<String> = key
            .iter()
            .map(|at| identifier(&columns[*at].name) + *random.pick(&["", "", " DESC", " COLLATE NOCASE"]))
            .collect();
        parts.push(format!("PRIMARY KEY ({})", listed.join(", ")));
    }
    if random.chance(20) {
        let column = random.pick(&columns);
        if !column.generated {
            let of = identifier(&column.name);
            parts.push(format!(
                "CONSTRAINT \"the same\" UNIQUE ({of} {})",
                random.pick(&["", "COLLATE NOCASE"])
            ));
        }
    }
    foreign_keys(random, &name, &columns, &key, before, &mut parts);
    let options: Vec<&str> = [(strict, "STRICT"), (clustered, "WITHOUT ROWID")]
        .into_iter()
        .filter_map(|(wanted, word)| wanted.then_some(word))
        .collect();
    let sql = format!(
        "CREATE TABLE {} ({}) {}",
        identifier(&name),
        parts.join(", "),
        options.join(", ")
    );
    Table {
        name,
        columns,
        key,
        sql,
    }
}

/// To tables before, to this one, and to one that may come later or never.
fn foreign_keys(
    random: &mut Random,
    name: &str,
    columns: &[Column],
    key: &[usize],
    before: &[Table],
    parts: &mut Vec<String>,
) {
    for _ in 0..random.below(3) {
        let (parent, parent_key): (String, Vec<String>) = match random.below(4) {
            0 => (
                name.to_owned(),
                key.iter().map(|at| columns[*at].name.clone()).collect(),
            ),
            1 => ((*random.pick(&TABLES)).to_owned(), vec![]),
            _ => {
                if before.is_empty() {
                    continue;
                }
                let parent = random.pick(before);
                let key = parent.key.iter().map(|at| parent.columns[*at].name.clone());
                (parent.name.clone(), key.collect())
            }
        };
        let width = parent_key.len().max(1);
        let children: Vec<String> = (0..width)
            .map(|_| identifier(&random.pick(columns).name))
            .collect();
        let columns_of = if random.chance(50) || parent_key.is_empty() {
            String::new()
        } else {
            let names: Vec<String> = parent_key.iter().map(|name| identifier(name)).collect();
            format!(" ({})", names.join(", "))
        };
        parts.push(format!(
            "FOREIGN KEY ({}) REFERENCES {}{columns_of} ON DELETE {} ON UPDATE {}{}",
            children.join(", "),
            identifier(&parent),
            random.pick(&ACTIONS),
            random.pick(&ACTIONS),
            random.pick(&["", " DEFERRABLE INITIALLY DEFERRED"])
        ));
    }
}

fn condition(random: &mut Random, column: &str) -> String {
    let of = identifier(column);
    match random.below(10) {
        0 => format!("{of} IS NOT NULL OR 1"),
        1 => format!("length({of}) < 100"),
        2 => format!("typeof({of}) <> 'blob'"),
        3 => format!("{of} > 0"),
        4 => format!("{of} IN (0, 1, 'a', NULL)"),
        5 => format!("{of} LIKE 'a%' OR {of} NOT LIKE 'a%'"),
        6 => format!("{of} GLOB '[a-z]*'"),
        7 => format!("json_valid({of})"),
        8 => format!("{of} <> ''"),
        _ => format!("{of} == {of} -- 'quote"),
    }
    .replace(" -- 'quote", " /* it's ) */")
}

fn index_sql(random: &mut Random, table: &Table, name: &str) -> String {
    let parts: Vec<String> = (0..=random.below(3))
        .map(|_| {
            let column = random.pick(&table.columns);
            let of = identifier(&column.name);
            match random.below(8) {
                0 => format!("{of} DESC"),
                1 => format!("{of} COLLATE NOCASE"),
                2 => format!("lower({of})"),
                3 => format!("{of} || 'x'"),
                4 => format!("abs({of}) DESC"),
                _ => of,
            }
        })
        .collect();
    let predicate = if random.chance(30) {
        let column = &random.pick(&table.columns).name;
        format!(" WHERE {}", condition(random, column))
    } else {
        String::new()
    };
    let unique = if random.chance(25) { "UNIQUE " } else { "" };
    format!(
        "CREATE {unique}INDEX {} ON {} ({}){predicate}",
        identifier(name),
        identifier(&table.name),
        parts.join(", ")
    )
}

fn insert(
    connection: &Connection,
    random: &mut Random,
    table: &Table,
    wish: Wish,
    keys: &mut Vec<(String, Value)>,
) {
    let (mut names, mut marks, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let spoilt = wish.rejects && random.chance(8);
    for (at, column) in table.columns.iter().enumerate() {
        // Left out: the default.
        if column.generated || random.chance(5) {
            continue;
        }
        names.push(identifier(&column.name));
        let value = if !keys.is_empty() && random.chance(15) {
            random.pick(keys).1.clone()
        } else {
            value(random, column)
        };
        // Text as any bytes: only CAST makes it, for a driver gives UTF-8.
        match value {
            Value::Text(mut text) if spoilt && random.chance(50) => {
                marks.push("CAST(? AS TEXT)");
                if random.chance(50) {
                    text += "\0tail";
                    values.push(Value::Blob(text.into_bytes()));
                } else {
                    let mut bytes = text.into_bytes();
                    bytes.extend_from_slice(&[0xff, 0xc3]);
                    values.push(Value::Blob(bytes));
                }
            }
            value => {
                marks.push("?");
                if table.key.contains(&at) {
                    keys.push((table.name.clone(), value.clone()));
                }
                values.push(value);
            }
        }
    }
    let name = identifier(&table.name);
    let sql = if names.is_empty() {
        format!("INSERT INTO {name} DEFAULT VALUES")
    } else {
        format!(
            "INSERT INTO {name} ({}) VALUES ({})",
            names.join(", "),
            marks.join(", ")
        )
    };
    // Whatever a rule of the schema refuses is no row.
    drop(connection.execute(&sql, params_from_iter(values)));
}

fn value(random: &mut Random, column: &Column) -> Value {
    if !column.not_null && random.chance(12) {
        return Value::Null;
    }
    // One that does not belong, now and then.
    let shape = if random.below(400) == 0 {
        Shape::Anything
    } else {
        column.shape
    };
    shaped(random, shape)
}

fn shaped(random: &mut Random, shape: Shape) -> Value {
    let text = |text: String| Value::Text(text);
    match shape {
        Shape::Nothing => Value::Null,
        Shape::Flags => Value::Integer(i64::from(random.chance(50))),
        Shape::Small => Value::Integer(i64::try_from(random.below(40)).unwrap()),
        Shape::Integers => Value::Integer(if random.chance(50) {
            *random.pick(&INTEGERS)
        } else {
            random.integer()
        }),
        Shape::Reals => Value::Real(match random.below(3) {
            0 => *random.pick(&REALS),
            1 => {
                let real = f64::from_bits(random.next());
                if real.is_nan() { 0.5 } else { real }
            }
            _ => f64::from(u32::try_from(random.below(100_000)).unwrap()) / 8.0,
        }),
        Shape::Decimals => match random.below(3) {
            0 => Value::Integer(i64::try_from(random.below(1_000)).unwrap()),
            1 => text(format!("{}.{:02}", random.below(1_000), random.below(100))),
            _ => Value::Real(f64::from(u32::try_from(random.below(100_000)).unwrap()) / 100.0),
        },
        Shape::Numbers => {
            let of = *random.pick(&[Shape::Integers, Shape::Reals, Shape::Small]);
            shaped(random, of)
        }
        Shape::Texts => text(match random.below(20) {
            0 => "long ".repeat(random.below(800)),
            1 => format!("{}", random.next()),
            2..6 => format!("word {}", random.below(1_000)),
            _ => (*random.pick(&TEXTS)).to_owned(),
        }),
        Shape::Uuids => text(format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            random.below(1 << 32),
            random.below(1 << 16),
            random.below(1 << 12),
            random.below(1 << 12),
            random.below(1 << 48)
        )),
        Shape::UuidBlobs => {
            let mut bytes = random.next().to_be_bytes().to_vec();
            bytes.extend(random.next().to_le_bytes());
            Value::Blob(bytes)
        }
        Shape::Dates => text(date(random)),
        Shape::Moments(form) => {
            let (date, time) = (date(random), time(random, form % 4));
            let between = if form % 2 == 0 { " " } else { "T" };
            let zone = ["", "", "Z", "+00:00", "-03:30", "+02", "", "", "Z", ""][form];
            text(format!("{date}{between}{time}{zone}"))
        }
        Shape::Times(form) => text(time(random, form)),
        Shape::Documents => text((*random.pick(&DOCUMENTS)).to_owned()),
        Shape::Objects => text(format!(
            "{{\"a\": {}, \"b\": [{}]}}",
            random.below(10),
            random.below(10)
        )),
        Shape::Blobs => Value::Blob(match random.below(4) {
            0 => vec![],
            1 => b"text".to_vec(),
            2 => (0..=255).collect(),
            _ => random.next().to_be_bytes().to_vec(),
        }),
        Shape::Anything => {
            let of = [
                Shape::Integers,
                Shape::Reals,
                Shape::Texts,
                Shape::Blobs,
                Shape::Dates,
                Shape::Documents,
                Shape::Nothing,
            ];
            let of = *random.pick(&of);
            shaped(random, of)
        }
    }
}

fn date(random: &mut Random) -> String {
    let year = match random.below(20) {
        0 => 1,
        1 => 9_999,
        _ => 1_950 + random.below(120),
    };
    format!(
        "{year:04}-{:02}-{:02}",
        1 + random.below(12),
        1 + random.below(28)
    )
}

/// To the minute, to the second, with three digits, with six or none.
fn time(random: &mut Random, form: usize) -> String {
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    match form {
        0 => format!("{hour:02}:{minute:02}"),
        1 => format!("{hour:02}:{minute:02}:{second:02}"),
        2 => format!("{hour:02}:{minute:02}:{second:02}.{:03}", random.below(1_000)),
        _ if random.chance(10) => format!("{hour:02}:{minute:02}:{second:02}"),
        _ => format!(
            "{hour:02}:{minute:02}:{second:02}.{:06}",
            1 + random.below(999_999)
        ),
    }
}
