//! `cargo bench -p cutover-tests --bench evidence`: what it costs to look at a value before the load ([`Evidence::observe`]), to write
//! it for a binary COPY and to read it back from one, in nanoseconds per value, by kinds of columns.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot run must fail, and prints what it measured"
)]

use std::hint::black_box;
use std::time::Instant;

use cutover_domain::transfer::catalog::{Affinity, Column, ColumnKind, Generated, Identity};
use cutover_domain::transfer::evidence::{Evidence, Rules};
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::value::Value;

/// Different values of a column; a power of two.
const VALUES: usize = 1024;
const ROUNDS: usize = 20;
const REPEATS: usize = 300;

enum Values {
    Null,
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Texts(Vec<String>),
    Blobs(Vec<Vec<u8>>),
}

impl Values {
    fn all(&self) -> Vec<Value<'_>> {
        match self {
            Self::Null => vec![Value::Null; VALUES],
            Self::Integers(numbers) => numbers.iter().map(|number| Value::Integer(*number)).collect(),
            Self::Reals(numbers) => numbers.iter().map(|number| Value::Real(*number)).collect(),
            Self::Texts(texts) => texts.iter().map(|text| Value::Text(text.as_bytes())).collect(),
            Self::Blobs(blobs) => blobs.iter().map(|bytes| Value::Blob(bytes)).collect(),
        }
    }
}

fn texts(make: impl Fn(usize) -> String) -> Values {
    Values::Texts((0..VALUES).map(make).collect())
}

fn cases() -> Vec<(&'static str, &'static str, Values)> {
    let mixed = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let time = |at: usize, separator: &str, rest: &str| {
        format!(
            "20{:02}-{:02}-{:02}{separator}{:02}:{:02}:{:02}{rest}",
            at % 24,
            at % 12 + 1,
            at % 28 + 1,
            at % 24,
            at % 60,
            at % 59
        )
    };
    let words = |at: usize, bytes: usize| {
        let text = format!("value {at} of a column of plain words, ").repeat(bytes / 30 + 1);
        text.get(..bytes).expect("ASCII").to_owned()
    };
    vec![
        ("NULL", "TEXT", Values::Null),
        (
            "integers",
            "INTEGER",
            Values::Integers((0..1024).map(|at| at * 7_919).collect()),
        ),
        (
            "integers beyond 2^53",
            "INTEGER",
            Values::Integers((0..VALUES).map(|at| mixed(at).cast_signed()).collect()),
        ),
        (
            "reals",
            "REAL",
            Values::Reals((0..VALUES).map(|at| at as f64 / 7.0).collect()),
        ),
        (
            "amounts in DECIMAL",
            "DECIMAL(10,2)",
            Values::Reals((0..VALUES).map(|at| (at * 100 + 37) as f64 / 100.0).collect()),
        ),
        ("text of 10 bytes", "TEXT", texts(|at| words(at, 10))),
        ("text of 100 bytes", "TEXT", texts(|at| words(at, 100))),
        ("text of 1,000 bytes", "TEXT", texts(|at| words(at, 1_000))),
        (
            "text of 1,000 bytes, é",
            "TEXT",
            texts(|at| words(at, 1_000).replace('o', "é")),
        ),
        (
            "UUIDs",
            "TEXT",
            texts(|at| {
                let bits = format!("{:016x}{:016x}", mixed(at), mixed(at + 1));
                let part = |from: usize, to: usize| bits.get(from..to).expect("32 digits").to_owned();
                [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
            }),
        ),
        (
            "dates",
            "TEXT",
            texts(|at| time(at, " ", "").get(..10).expect("a date").to_owned()),
        ),
        ("times to the second", "DATETIME", texts(|at| time(at, " ", ""))),
        (
            "times with ms and Z",
            "TEXT",
            texts(|at| time(at, "T", &format!(".{:03}Z", at % 1000))),
        ),
        (
            "Python's isoformat",
            "TEXT",
            texts(|at| time(at, "T", &format!(".{:06}+00:00", at * 977 + 1))),
        ),
        (
            "words behind one time",
            "TEXT",
            texts(|at| if at == 0 { time(0, " ", "") } else { words(at, 19) }),
        ),
        (
            "JSON of 100 bytes as jsonb writes it",
            "TEXT",
            texts(|at| {
                format!(
                    "{{\"id\": {at}, \"name\": \"{}\", \"tags\": [\"a\", \"b\", null]}}",
                    words(at, 60)
                )
            }),
        ),
        (
            "JSON of 100 bytes",
            "JSON",
            texts(|at| {
                format!(
                    "{{\"name\":\"{}\",\"id\":{at},\"tags\":[\"a\",\"b\",null]}}",
                    words(at, 60)
                )
            }),
        ),
        (
            "blobs",
            "BLOB",
            Values::Blobs((0..VALUES).map(|at| vec![7; at % 100]).collect()),
        ),
    ]
}

/// The best of some repeats: what the machine does besides only makes them longer.
fn nanoseconds(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9 / (VALUES * ROUNDS) as f64
}

fn main() {
    println!(
        "{:38} {:>9} {:>9} {:>9}  rendering",
        "ns per value", "observe", "encode", "decode"
    );
    for (name, declared, values) in cases() {
        let values = values.all();
        let column = Column {
            name: "c".to_owned(),
            kind: ColumnKind::Sqlite {
                declared: declared.to_owned(),
                affinity: Affinity::of(declared),
            },
            not_null: false,
            default: None,
            generated: Generated::No,
            identity: Identity::No,
            collation: None,
            made_for: None,
        };
        let mut evidence = Evidence::new(&column);
        let observe = nanoseconds(|| {
            for _ in 0..ROUNDS {
                for value in &values {
                    evidence.observe(black_box(*value));
                }
            }
        });
        let rendering = evidence.choose(Rules::default()).rendering;
        let mut out = Vec::new();
        let encode = nanoseconds(|| {
            for _ in 0..ROUNDS {
                out.clear();
                for value in &values {
                    rendering
                        .encode(black_box(*value), &mut out)
                        .expect("a value that the column was chosen for");
                }
            }
        });
        let mut fields = Vec::new();
        let mut rest = out.as_slice();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*length)).ok();
            let (field, behind) = behind.split_at(length.unwrap_or(0));
            fields.push(length.map(|_| field));
            rest = behind;
        }
        let decode = nanoseconds(|| {
            for _ in 0..ROUNDS {
                let mut batch = RowBatch::new(1, 0);
                for field in &fields {
                    rendering.decode(black_box(*field), None, &mut batch);
                }
                black_box(&batch);
            }
        });
        println!("{name:38} {observe:9.1} {encode:9.1} {decode:9.1}  {rendering}");
    }
}
