//! Expressions of SQLite and what `translate` makes of them, evaluated by both databases over the same rows: a condition must
//! be true, false and NULL for the same rows, a value must be the same value, an index must order the rows alike; and
//! PostgreSQL must take all of it where it is to stand.
//!
//! A difference is reported with its seed, and the same seed makes the same expressions again. `CUTOVER_TRANSLATE_SEEDS` is one
//! seed or a range (`1..200`); each seed tries some hundred expressions.
//!
//! One difference is allowed: PostgreSQL may say that a number is out of range where SQLite goes on with a rounded real.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what cannot be made or set up fails the test"
)]
#![expect(
    clippy::float_cmp,
    reason = "equal is equal to the bit, but for the sign of zero"
)]

#[path = "translate/random.rs"]
mod random;

use std::ops::Range;

use cutover_domain::transfer::catalog::{Affinity, PgKind};
use cutover_domain::transfer::translate::{self, ExprColumn};
use cutover_tests::postgres::TestDatabase;
use random::Random;
use rusqlite::Connection;
use rusqlite::types::Value;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

const EXPRESSIONS: usize = 400;
const ROWS: u16 = 24;

/// A column: its name, SQLite's declaration, PostgreSQL's type and what we know about it.
struct Spec {
    name: &'static str,
    declared: &'static str,
    postgres: &'static str,
    kind: PgKind,
}

const fn spec(name: &'static str, declared: &'static str, postgres: &'static str, kind: PgKind) -> Spec {
    Spec {
        name,
        declared,
        postgres,
        kind,
    }
}

const COLUMNS: [Spec; 22] = [
    spec("i", "INTEGER", "bigint", PgKind::Int8),
    spec("j", "INTEGER NOT NULL", "bigint NOT NULL", PgKind::Int8),
    spec("s4", "INT", "integer", PgKind::Int4),
    spec("s2", "SMALLINT", "smallint", PgKind::Int2),
    spec("r", "REAL", "double precision", PgKind::Float8),
    spec("n", "NUMERIC", "double precision", PgKind::Float8),
    spec("d", "DECIMAL", "numeric", PgKind::Numeric(None)),
    spec(
        "q",
        "DOUBLE NOT NULL",
        "double precision NOT NULL",
        PgKind::Float8,
    ),
    spec("t", "TEXT", "text COLLATE \"C\"", PgKind::Text),
    spec(
        "u",
        "VARCHAR(9) NOT NULL",
        "text COLLATE \"C\" NOT NULL",
        PgKind::Text,
    ),
    spec("nc", "TEXT COLLATE NOCASE", "text COLLATE \"C\"", PgKind::Text),
    spec("rt", "TEXT COLLATE RTRIM", "text COLLATE \"C\"", PgKind::Text),
    spec("bare", "", "text COLLATE \"C\"", PgKind::Text),
    spec("dt", "DATETIME", "text COLLATE \"C\"", PgKind::Text),
    spec("f", "BOOLEAN", "boolean", PgKind::Bool),
    spec("g", "BOOLEAN NOT NULL", "boolean NOT NULL", PgKind::Bool),
    spec("b", "BLOB", "bytea", PgKind::Bytea),
    spec("day", "DATE", "date", PgKind::Date),
    spec("day2", "TEXT", "date", PgKind::Date),
    spec("id", "TEXT", "uuid", PgKind::Uuid),
    spec("doc", "JSON", "json", PgKind::Json),
    spec("at", "TIMESTAMP", "timestamp", PgKind::Timestamp(6)),
];

impl Spec {
    fn column(&self) -> ExprColumn {
        let declared = self.declared.replace(" NOT NULL", "");
        let (declared, collation) = match declared.split_once(" COLLATE ") {
            Some((declared, collation)) => (declared.to_owned(), Some(collation.to_owned())),
            None => (declared, None),
        };
        ExprColumn {
            source: self.name.to_owned(),
            target: self.name.to_owned(),
            kind: self.kind,
            affinity: Affinity::of(&declared),
            collation,
            not_null: self.declared.ends_with("NOT NULL"),
            null_is_text: false,
            computed: None,
        }
    }

    /// A value of the column as a literal of SQLite and one of PostgreSQL.
    fn value(&self, random: &mut Random, mild: bool) -> (String, String) {
        let null = ("NULL".to_owned(), "NULL".to_owned());
        if !self.declared.ends_with("NOT NULL") && random.below(5) == 0 {
            return null;
        }
        let both = |sql: &str| (sql.to_owned(), sql.to_owned());
        match self.name {
            "i" | "j" => loop {
                let n = random.integer(mild);
                if n != "9223372036854775808" {
                    let plain = n.replace('_', "").replace("0x10", "16");
                    return (n, format!("'{plain}'"));
                }
            },
            "s4" => both(random.pick(&["0", "1", "-1", "5", "2147483647", "-2147483648"])),
            "s2" => both(random.pick(&["0", "1", "-1", "5", "32767", "-32768"])),
            "r" | "q" => {
                let n = random.real(mild);
                let typed = if n.ends_with("e999") {
                    n.replace("1e999", "Infinity")
                } else {
                    n.clone()
                };
                (n, format!("'{typed}'"))
            }
            "n" => both(random.pick(&[
                "0",
                "1",
                "2.5",
                "-0.5",
                "9007199254740992",
                "0.1",
                "7",
                "1e-3",
                "3",
            ])),
            "d" => both(random.pick(&["0", "1", "2.5", "-0.5", "0.1", "100.25", "7", "12345678901"])),
            "t" | "u" | "nc" | "rt" | "bare" => {
                let text = random.text();
                let typed = format!("E{}", text.replace('\\', "\\\\"));
                (text, typed)
            }
            "dt" => both(random.pick(&["'2024-01-01'", "'2024-01-01 10:00:00'", "'abc'", "''", "'Abc'"])),
            "f" | "g" => random_pair(random, &[("0", "false"), ("1", "true")]),
            "b" => random_pair(
                random,
                &[
                    ("x''", "decode('', 'hex')"),
                    ("x'00'", "decode('00', 'hex')"),
                    ("x'00ff'", "decode('00ff', 'hex')"),
                    ("x'616263'", "decode('616263', 'hex')"),
                ],
            ),
            "day" | "day2" => {
                both(random.pick(&["'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'2024-01-01'"]))
            }
            "id" => both("'0189d0c2-0000-7000-8000-00000000abcd'"),
            "doc" => both(random.pick(&["'{}'", "'[1, 2]'", "'null'", "'\"x\"'"])),
            "at" => both("'2024-01-01 10:00:00'"),
            other => panic!("no values for {other}"),
        }
    }
}

fn random_pair(random: &mut Random, pairs: &[(&str, &str)]) -> (String, String) {
    let (sqlite, postgres) = pairs[random.below(pairs.len())];
    (sqlite.to_owned(), postgres.to_owned())
}

/// Columns that values are put into.
const TARGETS: [Spec; 9] = [
    spec("x", "INTEGER", "bigint", PgKind::Int8),
    spec("x", "REAL", "double precision", PgKind::Float8),
    spec("x", "NUMERIC", "double precision", PgKind::Float8),
    spec("x", "NUMERIC", "numeric", PgKind::Numeric(None)),
    spec("x", "TEXT", "text COLLATE \"C\"", PgKind::Text),
    spec("x", "", "text COLLATE \"C\"", PgKind::Text),
    spec("x", "BOOLEAN", "boolean", PgKind::Bool),
    spec("x", "BLOB", "bytea", PgKind::Bytea),
    spec("x", "DATE", "date", PgKind::Date),
];

struct Both {
    sqlite: Connection,
    postgres: Client,
    seed: u64,
    columns: Vec<ExprColumn>,
    /// Expressions that were translated and compared, those refused, and rows out of PostgreSQL's range.
    compared: usize,
    refused: usize,
    out_of_range: usize,
    failures: Vec<String>,
}

impl Both {
    async fn new(postgres: Client, seed: u64) -> Self {
        let sqlite = Connection::open_in_memory().unwrap();
        let random = &mut Random(seed);
        let columns = COLUMNS
            .map(|spec| format!("{} {}", spec.name, spec.declared))
            .join(", ");
        sqlite
            .execute_batch(&format!("CREATE TABLE tab (k INTEGER PRIMARY KEY, {columns})"))
            .unwrap();
        let columns = COLUMNS
            .map(|spec| format!("{} {}", spec.name, spec.postgres))
            .join(", ");
        // Whatever the application has set, the text of an expression means the same.
        let setting = if seed.is_multiple_of(2) { "off" } else { "on" };
        let make = format!(
            "SET standard_conforming_strings = {setting}; SET escape_string_warning = off; SET DateStyle = 'SQL, DMY'; \
             DROP TABLE IF EXISTS tab, bare_tab; CREATE TABLE tab (k bigint PRIMARY KEY, {columns}); \
             CREATE TABLE bare_tab (LIKE tab)"
        );
        postgres.batch_execute(&make).await.unwrap();
        for k in 0..ROWS {
            let values: Vec<(String, String)> = COLUMNS
                .iter()
                .map(|spec| spec.value(random, !seed.is_multiple_of(3)))
                .collect();
            let (one, other): (Vec<_>, Vec<_>) = values.into_iter().unzip();
            sqlite
                .execute_batch(&format!("INSERT INTO tab VALUES ({k}, {})", one.join(", ")))
                .unwrap();
            let sql = format!("INSERT INTO tab VALUES ({k}, {})", other.join(", "));
            postgres
                .batch_execute(&sql)
                .await
                .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        }
        Self {
            sqlite,
            postgres,
            seed,
            columns: COLUMNS.iter().map(Spec::column).collect(),
            compared: 0,
            refused: 0,
            out_of_range: 0,
            failures: vec![],
        }
    }

    fn fail(&mut self, what: &str, sql: &str, made: &str, detail: &str) {
        self.failures.push(format!(
            "seed {}: {what}\n  SQLite:     {sql}\n  PostgreSQL: {made}\n  {detail}",
            self.seed
        ));
    }

    /// What SQLite makes of a query for each row, by key; none where it is an error.
    fn ask_sqlite(&self, query: &str) -> Vec<(u16, Option<Value>)> {
        let mut statement = self
            .sqlite
            .prepare(&format!("{query} WHERE k = ?1"))
            .unwrap_or_else(|error| panic!("seed {}: {query}: {error}", self.seed));
        (0..ROWS)
            .map(|k| (k, statement.query_row([k], |row| row.get::<_, Value>(0)).ok()))
            .collect()
    }

    /// What PostgreSQL makes of an expression for each row as text; none where a number is out of range.
    async fn ask_postgres(&mut self, sql: &str, made: &str) -> Vec<Option<Option<String>>> {
        let all = self
            .postgres
            .simple_query(&format!("SELECT {made} FROM tab ORDER BY k"))
            .await;
        match all {
            Ok(messages) => return first_column(&messages).into_iter().map(Some).collect(),
            Err(error) if error.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => {}
            Err(error) => {
                self.fail("PostgreSQL refuses it", sql, made, &message(&error));
                return vec![];
            }
        }
        let mut rows = Vec::with_capacity(usize::from(ROWS));
        for k in 0..ROWS {
            let one = self
                .postgres
                .simple_query(&format!("SELECT {made} FROM tab WHERE k = {k}"))
                .await;
            rows.push(match one {
                Ok(messages) => first_column(&messages).into_iter().next(),
                Err(error) if error.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => {
                    self.out_of_range += 1;
                    None
                }
                Err(error) => {
                    self.fail("PostgreSQL refuses it", sql, made, &message(&error));
                    return vec![];
                }
            });
        }
        rows
    }

    async fn condition(&mut self, sql: &str) {
        let Ok(made) = translate::condition(sql, &self.columns) else {
            self.refused += 1;
            return;
        };
        self.compared += 1;
        let expected = self.ask_sqlite(&format!(
            "SELECT CASE WHEN ({sql}) THEN 't' WHEN NOT ({sql}) THEN 'f' END FROM tab"
        ));
        let found = self.ask_postgres(sql, &format!("({made})")).await;
        for ((k, expected), found) in expected.into_iter().zip(found) {
            let (Some(expected), Some(found)) = (expected, found) else {
                continue;
            };
            let expected = match expected {
                Value::Text(text) => Some(text),
                _ => None,
            };
            if expected != found {
                self.fail(
                    "another truth",
                    sql,
                    &made,
                    &format!("row {k}: {expected:?}, {found:?}"),
                );
                return;
            }
        }
        if self.compared.is_multiple_of(4) {
            self.accepted(sql, &made, &format!("ALTER TABLE bare_tab ADD CHECK ({made})"))
                .await;
            self.accepted(sql, &made, &format!("CREATE INDEX ON bare_tab (k) WHERE {made}"))
                .await;
        }
    }

    /// PostgreSQL must take the statement.
    async fn accepted(&mut self, sql: &str, made: &str, statement: &str) {
        let taken = self.postgres.batch_execute(&format!("BEGIN; {statement}")).await;
        self.postgres.batch_execute("ROLLBACK").await.unwrap();
        // PostgreSQL calculates what is constant beforehand, and may be out of range then.
        if let Err(error) = taken
            && error.code() != Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE)
        {
            let detail = format!("{statement}: {}", message(&error));
            self.fail("it cannot stand in its place", sql, made, &detail);
        }
    }

    async fn value(&mut self, sql: &str, target: &Spec) {
        let Ok(made) = translate::value(sql, &self.columns, &target.column()) else {
            self.refused += 1;
            return;
        };
        self.compared += 1;
        self.sqlite
            .execute_batch(&format!(
                "DROP TABLE IF EXISTS made; CREATE TABLE made (k INTEGER PRIMARY KEY, x {})",
                target.declared
            ))
            .unwrap();
        for k in 0..ROWS {
            // A row that is an error in SQLite is none here either.
            drop(self.sqlite.execute(
                &format!("INSERT INTO made SELECT k, {sql} FROM tab WHERE k = ?1"),
                [k],
            ));
        }
        let expected = self.ask_sqlite("SELECT x FROM made");
        let typed = target.postgres.replace(" COLLATE \"C\"", "");
        let shown = match target.kind {
            PgKind::Bytea => format!("encode(({made})::bytea, 'hex')"),
            PgKind::Date => format!("to_char(({made})::date, 'YYYY-MM-DD')"),
            _ => format!("({made})::{typed}"),
        };
        let found = self.ask_postgres(sql, &shown).await;
        for ((k, expected), found) in expected.into_iter().zip(found) {
            let (Some(expected), Some(found)) = (expected, found) else {
                continue;
            };
            if !same(&expected, found.as_deref(), target.kind) {
                self.fail(
                    &format!("another value in {} {}", target.declared, target.postgres),
                    sql,
                    &made,
                    &format!("row {k}: {expected:?}, {found:?}"),
                );
                return;
            }
        }
        if self.compared.is_multiple_of(4) {
            let statement = format!(
                "ALTER TABLE bare_tab ADD COLUMN made {} GENERATED ALWAYS AS ({made}) STORED",
                target.postgres
            );
            self.accepted(sql, &made, &statement).await;
        }
    }

    /// An index must order the rows alike and find the same ones equal.
    async fn index_part(&mut self, sql: &str) {
        let collation = ["BINARY", "NOCASE", "RTRIM"][self.compared % 3];
        let Ok(made) = translate::index_part(sql, Some(collation), &self.columns) else {
            self.refused += 1;
            return;
        };
        let made = made.sql;
        // A lone number in ORDER BY is the place of a column.
        let dense = |expression: &str, nulls: &str| {
            format!("SELECT k, dense_rank() OVER (ORDER BY {expression}{nulls}) FROM tab ORDER BY k")
        };
        let mut statement = self
            .sqlite
            .prepare(&dense(&format!("({sql}) COLLATE {collation}"), ""))
            .unwrap();
        let expected: Result<Vec<String>, _> = statement
            .query_map([], |row| Ok(row.get::<_, i64>(1)?.to_string()))
            .unwrap()
            .collect();
        let Ok(expected) = expected else { return };
        drop(statement);
        self.accepted(sql, &made, &format!("CREATE INDEX ON bare_tab ({made})"))
            .await;
        // The index takes the collation of the expression.
        let query = dense(&made, " NULLS FIRST");
        let found = match self.postgres.simple_query(&query).await {
            Ok(messages) => column(&messages, 1),
            Err(error) if error.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => return,
            Err(error) => {
                self.fail("PostgreSQL refuses it", sql, &made, &message(&error));
                return;
            }
        };
        self.compared += 1;
        let found: Vec<String> = found.into_iter().flatten().collect();
        if expected != found {
            self.fail("another order", sql, &made, &format!("{expected:?}\n  {found:?}"));
        }
    }
}

fn message(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

fn first_column(messages: &[SimpleQueryMessage]) -> Vec<Option<String>> {
    column(messages, 0)
}

fn column(messages: &[SimpleQueryMessage], at: usize) -> Vec<Option<String>> {
    messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(at).map(str::to_owned)),
            _ => None,
        })
        .collect()
}

/// Whether SQLite's value, stored in a column, is what PostgreSQL shows.
fn same(expected: &Value, found: Option<&str>, kind: PgKind) -> bool {
    match (expected, found, kind) {
        (Value::Null, None, _) => true,
        (Value::Integer(n), Some(found), PgKind::Int8 | PgKind::Numeric(_)) => n.to_string() == found,
        (Value::Integer(n), Some(found), PgKind::Bool) => {
            (if *n == 1 { "t" } else { "f" }) == found && (0..=1).contains(n)
        }
        (Value::Integer(n), Some(found), PgKind::Float8) => {
            found.parse::<f64>().is_ok_and(|x| x == *n as f64)
        }
        (Value::Real(n), Some(found), PgKind::Float8 | PgKind::Numeric(_)) => {
            found.parse::<f64>().is_ok_and(|x| x == *n)
        }
        (Value::Text(text), Some(found), PgKind::Text | PgKind::Date) => text == found,
        (Value::Blob(bytes), Some(found), PgKind::Bytea) => {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .concat()
                == found
        }
        _ => false,
    }
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("CUTOVER_TRANSLATE_SEEDS") else {
        return 1..7;
    };
    let range = match text.split_once("..") {
        Some((from, to)) => from.parse().ok().zip(to.parse().ok()).map(|(from, to)| from..to),
        None => text.parse().ok().map(|seed| seed..seed + 1),
    };
    range.unwrap_or_else(|| panic!("CUTOVER_TRANSLATE_SEEDS is {text}, neither a number nor a range"))
}

#[tokio::test]
async fn random_expressions_mean_the_same() {
    let database = TestDatabase::create().await;
    for seed in seeds() {
        let mut both = Both::new(database.connect().await, seed).await;
        let mut random = Random(!seed);
        for _ in 0..EXPRESSIONS {
            let depth = random.below(4);
            match random.below(5) {
                0..=2 => {
                    let sql = random.condition(depth + 1);
                    both.condition(&sql).await;
                }
                3 => {
                    let sql = random.any(depth);
                    let target = random.below(TARGETS.len());
                    both.value(&sql, &TARGETS[target]).await;
                }
                _ => {
                    let sql = random.any(depth);
                    both.index_part(&sql).await;
                }
            }
        }
        assert!(both.failures.is_empty(), "{}", both.failures.join("\n"));
        assert!(
            both.compared * 4 > EXPRESSIONS,
            "seed {seed}: only {} of {EXPRESSIONS} expressions were compared",
            both.compared
        );
        println!(
            "seed {seed}: {} compared, {} refused, {} rows out of range",
            both.compared, both.refused, both.out_of_range
        );
    }
}

/// How the values of a default must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agree {
    Exactly,
    /// Times and numbers that move on between the two inserts: the same form, and not far apart.
    Soon,
    /// Random digits: the same form, and another value each time.
    InForm,
}

/// Each character as its kind: digits of random numbers are of one case.
fn form(text: &str) -> String {
    let upper = text.contains(|c| matches!(c, 'A'..='F'));
    text.chars()
        .map(|c| match c {
            '0'..='9' if upper => 'X',
            '0'..='9' | 'a'..='f' => 'x',
            'A'..='F' => 'X',
            other => other,
        })
        .collect()
}

fn soon(one: &str, other: &str) -> bool {
    if let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) {
        return (one - other).abs() <= one.abs() * 1e-8;
    }
    let days = |text: &str| -> f64 {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .query_row("SELECT julianday(?1)", [text], |row| row.get(0))
            .unwrap()
    };
    let apart = (days(one) - days(other)).abs();
    // A clock without a date may have passed midnight.
    form(one) == form(other) && !(1e-3..=0.999).contains(&apart)
}

#[tokio::test]
async fn defaults_are_the_same_values() {
    use Agree::{Exactly, InForm, Soon};
    const TEXT: (&str, &str, PgKind) = ("TEXT", "text", PgKind::Text);
    const INTEGER: (&str, &str, PgKind) = ("INTEGER", "bigint", PgKind::Int8);
    const REAL: (&str, &str, PgKind) = ("REAL", "double precision", PgKind::Float8);
    const BOOLEAN: (&str, &str, PgKind) = ("BOOLEAN", "boolean", PgKind::Bool);
    const BLOB: (&str, &str, PgKind) = ("BLOB", "bytea", PgKind::Bytea);
    const STAMP: (&str, &str, PgKind) = ("TIMESTAMP", "timestamp", PgKind::Timestamp(6));
    const ZONED: (&str, &str, PgKind) = ("TEXT", "timestamptz", PgKind::Timestamptz(6));
    const DATE: (&str, &str, PgKind) = ("DATE", "date", PgKind::Date);
    const UUID: (&str, &str, PgKind) = ("TEXT", "uuid", PgKind::Uuid);
    const IDIOM: &str = "(lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4' || \
        substr(lower(hex(randomblob(2))),2) || '-' || substr('89ab',abs(random()) % 4 + 1, 1) || \
        substr(lower(hex(randomblob(2))),2) || '-' || lower(hex(randomblob(6))))";
    let plain = "{}::text";
    let stamp = "to_char({}, 'YYYY-MM-DD HH24:MI:SS')";
    let cases = [
        (TEXT, "'it''s'", plain, Exactly),
        (TEXT, "\"dq\"", plain, Exactly),
        (TEXT, "bare", plain, Exactly),
        (TEXT, "'back\\slash'", plain, Exactly),
        (TEXT, "'now'", plain, Exactly),
        (TEXT, "'current_timestamp'", plain, Exactly),
        (TEXT, "5", plain, Exactly),
        (TEXT, "-1.5", plain, Exactly),
        (TEXT, "1e3", plain, Exactly),
        (TEXT, "0.0001", plain, Exactly),
        (TEXT, "TRUE", plain, Exactly),
        (TEXT, "NULL", plain, Exactly),
        (TEXT, "('a' || 'b' || 5)", plain, Exactly),
        (TEXT, "(upper('a') || substr('hello', 2, 3))", plain, Exactly),
        (TEXT, "CURRENT_TIMESTAMP", plain, Soon),
        (TEXT, "CURRENT_DATE", plain, Soon),
        (TEXT, "current_time", plain, Soon),
        (TEXT, "(datetime('now'))", plain, Soon),
        (TEXT, "(datetime())", plain, Soon),
        (TEXT, "(date('now'))", plain, Soon),
        (TEXT, "(time('now'))", plain, Soon),
        (TEXT, "(datetime('NOW', '+7 days', '-3 hours'))", plain, Soon),
        (
            TEXT,
            "(datetime('now', 'start of month', '-1 second'))",
            plain,
            Soon,
        ),
        (TEXT, "(datetime('now') || 'Z')", plain, Soon),
        (TEXT, "(strftime('%Y-%m-%dT%H:%M:%fZ','now'))", plain, Soon),
        (TEXT, "(strftime('%Y-%m-%dT%H:%M:%S+00:00','now'))", plain, Soon),
        (TEXT, "(strftime('%Y%m%d','now') || '')", plain, Exactly),
        (
            TEXT,
            "(strftime('%d%d %j %Y/%m %% %H:%M day', 'now'))",
            plain,
            Exactly,
        ),
        (TEXT, "(strftime('%F %T', 'now'))", plain, Soon),
        (TEXT, "(strftime('%s','now'))", plain, Soon),
        (TEXT, "(hex(randomblob(16)))", plain, InForm),
        (TEXT, "(lower(hex(randomblob(16))))", plain, InForm),
        (TEXT, IDIOM, plain, InForm),
        (UUID, IDIOM, plain, InForm),
        (UUID, "'0189d0c2-0000-7000-8000-00000000abcd'", plain, Exactly),
        (INTEGER, "'5'", plain, Exactly),
        (INTEGER, "'5.0'", plain, Exactly),
        (INTEGER, "(1+1)", plain, Exactly),
        (INTEGER, "(7/2*3%4-1)", plain, Exactly),
        (INTEGER, "-1", plain, Exactly),
        (INTEGER, "+1", plain, Exactly),
        (INTEGER, "1e3", plain, Exactly),
        (INTEGER, "0xff", plain, Exactly),
        (INTEGER, "-9223372036854775808", plain, Exactly),
        (INTEGER, "FALSE", plain, Exactly),
        (INTEGER, "(unixepoch())", plain, Soon),
        (INTEGER, "(unixepoch('now', '-1 day'))", plain, Soon),
        (INTEGER, "(strftime('%s','now'))", plain, Soon),
        (INTEGER, "(strftime('%s','now') * 1000)", plain, Soon),
        (
            INTEGER,
            "(CAST(strftime('%s', 'now') AS INT) * 1000)",
            plain,
            Soon,
        ),
        (
            INTEGER,
            "(CAST(unixepoch('subsec') * 1000 AS INTEGER))",
            plain,
            Soon,
        ),
        (
            INTEGER,
            "(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))",
            plain,
            Soon,
        ),
        (REAL, "1", "{}", Exactly),
        (REAL, "'1.5'", "{}", Exactly),
        (REAL, "(julianday('now'))", plain, Soon),
        (REAL, "(unixepoch('subsec'))", plain, Soon),
        (BOOLEAN, "TRUE", "{}::integer::text", Exactly),
        (BOOLEAN, "0", "{}::integer::text", Exactly),
        (BOOLEAN, "'1'", "{}::integer::text", Exactly),
        (BLOB, "x'00ff'", "encode({}, 'hex')", Exactly),
        (STAMP, "CURRENT_TIMESTAMP", stamp, Soon),
        (STAMP, "'2024-02-29 10:20:30'", stamp, Exactly),
        (STAMP, "(datetime('now', '+1 day'))", stamp, Soon),
        (
            ZONED,
            "(strftime('%Y-%m-%dT%H:%M:%fZ','now'))",
            "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
            Soon,
        ),
        (
            ZONED,
            "(strftime('%Y-%m-%dT%H:%M:%SZ','now', '-2 hours'))",
            "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
            Soon,
        ),
        (DATE, "(date('now'))", "to_char({}, 'YYYY-MM-DD')", Soon),
        (DATE, "'2024-02-29'", "to_char({}, 'YYYY-MM-DD')", Exactly),
    ];
    let database = TestDatabase::create().await;
    let postgres = database.connect().await;
    postgres
        .batch_execute("SET TimeZone = 'America/St_Johns'; SET DateStyle = 'SQL, DMY'; SET standard_conforming_strings = off")
        .await
        .unwrap();
    for ((declared, name, kind), default, show, agree) in cases {
        let case = format!("{declared} DEFAULT {default}");
        let sqlite = Connection::open_in_memory().unwrap();
        sqlite
            .execute_batch(&format!(
                "CREATE TABLE made (k INTEGER PRIMARY KEY, x {case}); INSERT INTO made (k) VALUES (1), (2)"
            ))
            .unwrap();
        let told: String = sqlite
            .query_row(
                "SELECT dflt_value FROM pragma_table_xinfo('made') WHERE name = 'x'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        let expected: Option<String> = sqlite
            .query_row(
                "SELECT CASE typeof(x) WHEN 'blob' THEN lower(hex(x)) ELSE CAST(x AS TEXT) END FROM made",
                [],
                |row| row.get(0),
            )
            .unwrap();
        let into = spec("x", declared, name, kind).column();
        let made = translate::default(&told, &into).unwrap_or_else(|why| panic!("{case}: {why}"));
        let make = format!(
            "DROP TABLE IF EXISTS made; CREATE TABLE made (k bigint PRIMARY KEY, x {name} DEFAULT {made}); \
             INSERT INTO made (k) VALUES (1); INSERT INTO made (k) VALUES (2)"
        );
        postgres
            .batch_execute(&make)
            .await
            .unwrap_or_else(|error| panic!("{case}: {make}: {}", message(&error)));
        let query = format!("SELECT {} FROM made ORDER BY k", show.replace("{}", "x"));
        let found = first_column(&postgres.simple_query(&query).await.unwrap());
        let same = match (&expected, &found[0], agree) {
            (Some(one), Some(other), Exactly) if kind == PgKind::Float8 => {
                one.parse::<f64>() == other.parse::<f64>()
            }
            (one, other, Exactly) => one == other,
            (Some(one), Some(other), Soon) => soon(one, other),
            (Some(one), Some(other), InForm) => {
                form(one) == form(other) && found[0] != found[1] && one != other
            }
            _ => false,
        };
        assert!(same, "{case} is {made}: {expected:?}, {found:?}");
    }
}
