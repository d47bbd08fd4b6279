//! Renderings on a real PostgreSQL: what goes in by a binary COPY comes out of one the same, and the server understands by it what a
//! person does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where its preparation fails"
)]

use std::io::Cursor;
use std::pin::pin;

use cutover_domain::transfer::json_text;
use cutover_domain::transfer::outcome::Reject;
use cutover_domain::transfer::rendering::Rendering;
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::value::Value;
use cutover_tests::postgres::TestDatabase;
use futures_util::{SinkExt, StreamExt};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio_postgres::Client;

const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

async fn database() -> (TestDatabase, Client) {
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    // Far from what a careless conversion would take for granted.
    client
        .batch_execute("SET TIME ZONE 'America/St_Johns'; SET DateStyle = 'German'")
        .await
        .unwrap();
    (database, client)
}

/// A new table of the rendering's type with these values, by a binary COPY.
async fn load(client: &Client, rendering: &Rendering, values: &[Value<'_>]) {
    let class = if rendering.has_class() {
        ", class text NOT NULL"
    } else {
        ""
    };
    let kind = rendering.pg_type().name;
    let create = format!("DROP TABLE IF EXISTS t; CREATE TABLE t (k bigint, c {kind}{class})");
    client.batch_execute(&create).await.unwrap();
    let mut copy = COPY_HEADER.to_vec();
    for (key, value) in values.iter().enumerate() {
        let columns = 2 + i16::from(rendering.has_class());
        copy.extend_from_slice(&columns.to_be_bytes());
        let key = i64::try_from(key).unwrap();
        Rendering::Integer.encode(Value::Integer(key), &mut copy).unwrap();
        rendering
            .encode(*value, &mut copy)
            .unwrap_or_else(|reject| panic!("{rendering} refuses {}: {reject}", value.describe()));
    }
    copy.extend_from_slice(&(-1_i16).to_be_bytes());
    let sink = client.copy_in("COPY t FROM STDIN (FORMAT binary)").await.unwrap();
    let mut sink = pin!(sink);
    sink.send(Cursor::new(copy)).await.unwrap();
    let rows = sink.finish().await.unwrap();
    assert_eq!(rows, u64::try_from(values.len()).unwrap());
}

/// The values of the table, by a binary COPY.
async fn unload(client: &Client, rendering: &Rendering) -> RowBatch {
    let class = if rendering.has_class() { ", class" } else { "" };
    let copy = format!("COPY (SELECT c{class} FROM t ORDER BY k) TO STDOUT (FORMAT binary)");
    let stream = client.copy_out(&copy).await.unwrap();
    let mut stream = pin!(stream);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let mut rest = bytes.strip_prefix(COPY_HEADER).unwrap();
    let mut take = |count: usize| {
        let (taken, behind) = rest.split_at(count);
        rest = behind;
        taken
    };
    let mut batch = RowBatch::new(1, 0);
    loop {
        let columns = i16::from_be_bytes(take(2).try_into().unwrap());
        if columns < 0 {
            return batch;
        }
        let mut fields = [None, None];
        for field in fields.iter_mut().take(usize::try_from(columns).unwrap()) {
            let length = i32::from_be_bytes(take(4).try_into().unwrap());
            *field = usize::try_from(length).ok().map(&mut take);
        }
        rendering.decode(fields[0], fields[1], &mut batch);
    }
}

fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

async fn check_return(client: &Client, rendering: &Rendering, values: &[Value<'_>]) {
    load(client, rendering, values).await;
    let batch = unload(client, rendering).await;
    assert_eq!(batch.refused(), [], "{rendering}");
    let returned: Vec<Value<'_>> = batch.rows().map(|row| row.value(0)).collect();
    assert_eq!(returned.len(), values.len(), "{rendering}");
    for (before, after) in values.iter().zip(returned) {
        assert!(
            same(*before, after),
            "{rendering}: {} came back as {}",
            before.describe(),
            after.describe()
        );
    }
}

/// What PostgreSQL shows of the values, as most sessions have it.
async fn shown(client: &Client) -> Vec<Option<String>> {
    client
        .batch_execute("SET TIME ZONE 'UTC'; SET DateStyle = 'ISO'")
        .await
        .unwrap();
    let rows = client
        .query("SELECT c::text FROM t ORDER BY k", &[])
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Values of a rendering, each with what PostgreSQL shows of it.
struct Case {
    rendering: &'static str,
    values: Vec<(Value<'static>, &'static str)>,
}

fn case(rendering: &'static str, values: &[(Value<'static>, &'static str)]) -> Case {
    Case {
        rendering,
        values: values.to_vec(),
    }
}

/// Text, and what is shown of it.
fn texts(rendering: &'static str, values: &[(&'static str, &'static str)]) -> Case {
    Case {
        rendering,
        values: values
            .iter()
            .map(|(text, shown)| (Value::Text(text.as_bytes()), *shown))
            .collect(),
    }
}

fn numbers() -> Vec<Case> {
    let (integer, real) = (Value::Integer, Value::Real);
    vec![
        case(
            "integer",
            &[
                (integer(0), "0"),
                (integer(i64::MIN), "-9223372036854775808"),
                (integer(i64::MAX), "9223372036854775807"),
            ],
        ),
        case("boolean", &[(integer(0), "false"), (integer(1), "true")]),
        case(
            "real",
            &[
                (real(0.1), "0.1"),
                (real(1.0), "1"),
                (real(-0.0), "-0"),
                (real(1.0 / 3.0), "0.3333333333333333"),
                (real(f64::INFINITY), "Infinity"),
                (real(f64::NEG_INFINITY), "-Infinity"),
                (real(5e-324), "5e-324"),
                (real(f64::MAX), "1.7976931348623157e+308"),
            ],
        ),
        case(
            "number",
            &[
                (integer(0), "0"),
                (integer(-3), "-3"),
                (integer(1 << 53), "9.007199254740992e+15"),
                (integer(i64::MIN), "-9.223372036854776e+18"),
                (real(0.5), "0.5"),
                (real(1e300), "1e+300"),
            ],
        ),
        case(
            "decimal",
            &[
                (integer(0), "0"),
                (integer(i64::MIN), "-9223372036854775808"),
                (integer(10_000), "10000"),
                (real(19.99), "19.99"),
                (real(-0.000_01), "-0.00001"),
                (real(0.1 + 0.2), "0.30000000000000004"),
                (real(1e20), "100000000000000000000"),
                (Value::Text(b"1.50"), "1.50"),
                (Value::Text(b"0.000"), "0.000"),
                (Value::Text(b"-0.10"), "-0.10"),
                (
                    Value::Text(b"123456789012345678901234567890.5"),
                    "123456789012345678901234567890.5",
                ),
            ],
        ),
        case(
            "json-number",
            &[
                (integer(42), "42"),
                (integer(-1), "-1"),
                (real(1.0), "1.0"),
                (real(1e300), "1e300"),
                (real(-0.0), "-0.0"),
                (real(1e-7), "1e-7"),
                (Value::Text(b" 42"), " 42"),
                (Value::Text(b"1e400"), "1e400"),
                (Value::Text(b"[1,2]"), "[1,2]"),
                (Value::Text(b"null"), "null"),
            ],
        ),
        case(
            "mixed text",
            &[
                (integer(1), "1"),
                (real(1.0), "1.0"),
                (Value::Text(b"1"), "1"),
                (Value::Text(b""), ""),
                (real(f64::INFINITY), "inf"),
                (real(-0.0), "-0.0"),
            ],
        ),
        case(
            "mixed bytea",
            &[
                (integer(1), "\\x31"),
                (real(1.0), "\\x312e30"),
                (Value::Text(b"1"), "\\x31"),
                (Value::Blob(b"1"), "\\x31"),
                (Value::Text(b"\0\xff"), "\\x00ff"),
                (Value::Blob(b""), "\\x"),
            ],
        ),
    ]
}

fn bytes_and_documents() -> Vec<Case> {
    vec![
        texts(
            "text",
            &[
                ("", ""),
                ("\\N\t\\.\r\n", "\\N\t\\.\r\n"),
                ("\u{feff}e\u{301}é😀", "\u{feff}e\u{301}é😀"),
                ("now", "now"),
            ],
        ),
        case(
            "blob",
            &[
                (Value::Blob(b""), "\\x"),
                (Value::Blob(b"\0\xff"), "\\x00ff"),
                (Value::Blob(b"abc"), "\\x616263"),
            ],
        ),
        texts(
            "uuid",
            &[(
                "0d6e4079-e367-4e11-a42f-97a46cf9b9c0",
                "0d6e4079-e367-4e11-a42f-97a46cf9b9c0",
            )],
        ),
        case(
            "uuid-blob",
            &[(
                Value::Blob(b"\x0d\x6e\x40\x79\xe3\x67\x4e\x11\xa4\x2f\x97\xa4\x6c\xf9\xb9\xc0"),
                "0d6e4079-e367-4e11-a42f-97a46cf9b9c0",
            )],
        ),
        texts(
            "json",
            &[
                (
                    "{\"b\":1, \"a\":1.0,\n\"b\":\"\\u0000\\ud800\"}",
                    "{\"b\":1, \"a\":1.0,\n\"b\":\"\\u0000\\ud800\"}",
                ),
                ("null", "null"),
                (" 1e400 ", " 1e400 "),
            ],
        ),
        texts(
            "jsonb",
            &[
                ("{\"a\": 1.0, \"bb\": [1, {}]}", "{\"a\": 1.0, \"bb\": [1, {}]}"),
                ("\"é\\n\\u0001\"", "\"é\\n\\u0001\""),
                ("null", "null"),
            ],
        ),
    ]
}

fn times() -> Vec<Case> {
    vec![
        texts(
            "date",
            &[
                ("0001-01-01", "0001-01-01"),
                ("1582-10-10", "1582-10-10"),
                ("2000-02-29", "2000-02-29"),
                ("9999-12-31", "9999-12-31"),
            ],
        ),
        texts("time minutes", &[("00:00", "00:00:00"), ("23:59", "23:59:00")]),
        texts("time seconds", &[("23:59:59", "23:59:59")]),
        texts("time fixed1", &[("10:20:30.5", "10:20:30.5")]),
        texts("time fixed2", &[("10:20:30.50", "10:20:30.5")]),
        texts("time fixed3", &[("10:20:30.000", "10:20:30")]),
        texts("time fixed4", &[("10:20:30.0001", "10:20:30.0001")]),
        texts("time fixed5", &[("10:20:30.00010", "10:20:30.0001")]),
        texts("time fixed6", &[("23:59:59.999999", "23:59:59.999999")]),
        texts(
            "time six-or-none",
            &[("10:20:30", "10:20:30"), ("10:20:30.500000", "10:20:30.5")],
        ),
        texts(
            "time trimmed",
            &[("10:20:30", "10:20:30"), ("10:20:30.05", "10:20:30.05")],
        ),
        texts(
            "timestamp space seconds",
            &[
                ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
                ("1969-12-31 23:59:59", "1969-12-31 23:59:59"),
                ("9999-12-31 23:59:59", "9999-12-31 23:59:59"),
            ],
        ),
        texts(
            "timestamp T trimmed",
            &[("1999-12-31T23:59:59.999999", "1999-12-31 23:59:59.999999")],
        ),
        texts(
            "timestamp T minutes",
            &[("2024-01-31T10:20", "2024-01-31 10:20:00")],
        ),
        texts(
            "timestamptz T fixed3 Z",
            &[("2024-01-31T10:20:30.120Z", "2024-01-31 10:20:30.12+00")],
        ),
        texts(
            "timestamptz space six-or-none +02:00",
            &[
                ("2024-01-31 10:20:30+02:00", "2024-01-31 08:20:30+00"),
                ("0001-01-01 00:00:00+02:00", "0001-12-31 22:00:00+00 BC"),
            ],
        ),
        texts(
            "timestamptz T seconds -0330",
            &[
                ("2024-01-31T22:20:30-0330", "2024-02-01 01:50:30+00"),
                ("9999-12-31T23:59:59-0330", "10000-01-01 03:29:59+00"),
            ],
        ),
        texts(
            "timestamptz space minutes +00",
            &[("2024-01-31 10:20+00", "2024-01-31 10:20:00+00")],
        ),
    ]
}

/// What somebody has told.
fn told() -> Vec<Case> {
    let integer = Value::Integer;
    vec![
        case(
            "timestamptz from seconds",
            &[
                (integer(0), "1970-01-01 00:00:00+00"),
                (integer(-1), "1969-12-31 23:59:59+00"),
                (integer(1_706_696_430), "2024-01-31 10:20:30+00"),
                (integer(-210_866_803_200), "4714-11-24 00:00:00+00 BC"),
                (integer(9_224_318_015_999), "294276-12-31 23:59:59+00"),
            ],
        ),
        case(
            "timestamp from milliseconds",
            &[
                (integer(1_706_696_430_001), "2024-01-31 10:20:30.001"),
                (integer(-1), "1969-12-31 23:59:59.999"),
            ],
        ),
        case(
            "timestamptz from microseconds",
            &[
                (integer(-1), "1969-12-31 23:59:59.999999+00"),
                (integer(i64::MAX), "294247-01-10 04:00:54.775807+00"),
            ],
        ),
        case(
            "boolean from 1/-1",
            &[(integer(1), "true"), (integer(-1), "false")],
        ),
        texts("boolean from 'n'/'y'", &[("n", "true"), ("y", "false")]),
        case(
            "numeric(10,2) from numbers",
            &[
                (integer(20), "20.00"),
                (Value::Real(-0.5), "-0.50"),
                (integer(0), "0.00"),
            ],
        ),
        case(
            "numeric(10,2) from reals",
            &[
                (Value::Real(20.0), "20.00"),
                (Value::Real(1_234_567.89), "1234567.89"),
                (Value::Real(0.0), "0.00"),
            ],
        ),
        case(
            "text from windows-1252",
            &[(Value::Text(b"\x80 \xe9\x9f"), "€ éŸ"), (Value::Text(b""), "")],
        ),
    ]
}

/// The server has tables of its own. It knows no meaning for some bytes, which others take for controls or have given one since.
#[tokio::test]
async fn a_byte_of_a_charset_means_what_the_server_takes_it_for() {
    const NAMES: [(&str, &str); 25] = [
        ("windows-1252", "WIN1252"),
        ("iso-8859-1", "LATIN1"),
        ("iso-8859-15", "LATIN9"),
        ("windows-1250", "WIN1250"),
        ("windows-1251", "WIN1251"),
        ("windows-1253", "WIN1253"),
        ("windows-1254", "WIN1254"),
        ("windows-1255", "WIN1255"),
        ("windows-1256", "WIN1256"),
        ("windows-1257", "WIN1257"),
        ("windows-1258", "WIN1258"),
        ("windows-874", "WIN874"),
        ("iso-8859-2", "LATIN2"),
        ("iso-8859-3", "LATIN3"),
        ("iso-8859-4", "LATIN4"),
        ("iso-8859-5", "ISO_8859_5"),
        ("iso-8859-6", "ISO_8859_6"),
        ("iso-8859-7", "ISO_8859_7"),
        ("iso-8859-8", "ISO_8859_8"),
        ("iso-8859-10", "LATIN6"),
        ("iso-8859-13", "LATIN7"),
        ("iso-8859-14", "LATIN8"),
        ("iso-8859-16", "LATIN10"),
        ("koi8-r", "KOI8R"),
        ("ibm866", "WIN866"),
    ];
    let (_database, client) = database().await;
    for (charset, theirs) in NAMES {
        let rendering: Rendering = format!("text from {charset}").parse().unwrap();
        let mut same = 0;
        for byte in 1..=u8::MAX {
            let stored = [byte];
            let mut field = vec![];
            if rendering.encode(Value::Text(&stored), &mut field).is_err() {
                continue;
            }
            let ours = std::str::from_utf8(&field[4..]).unwrap();
            // An error: the byte means nothing to the server.
            let sql = "SELECT convert_from($1, $2)";
            let Ok(row) = client.query_one(sql, &[&&stored[..], &theirs]).await else {
                continue;
            };
            same += 1;
            assert_eq!(ours, row.get::<_, String>(0), "{charset} {byte:x}");
        }
        assert!(same >= 200, "{charset}: {same}");
    }
}

#[tokio::test]
async fn every_rendering_returns_what_it_was_given() {
    let (_database, client) = database().await;
    for case in numbers()
        .into_iter()
        .chain(bytes_and_documents())
        .chain(times())
        .chain(told())
    {
        let rendering: Rendering = case.rendering.parse().unwrap();
        let mut values: Vec<Value<'_>> = case.values.iter().map(|(value, _)| *value).collect();
        values.push(Value::Null);
        check_return(&client, &rendering, &values).await;
        let expected = case.values.iter().map(|(_, shown)| Some((*shown).to_owned()));
        let expected: Vec<Option<String>> = expected.chain([None]).collect();
        assert_eq!(shown(&client).await, expected, "{rendering}");
        let kind = rendering.pg_type();
        let column = client
            .query_one("SELECT format_type(atttypid, atttypmod), atttypid, atttypmod FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'", &[])
            .await
            .unwrap();
        assert_eq!(column.get::<_, String>(0), kind.name, "{rendering}");
        let read = cutover_domain::transfer::catalog::PgKind::of(column.get(1), column.get(2));
        assert_eq!(read, kind.kind, "{rendering}");
    }
}

#[tokio::test]
async fn the_longest_decimals_return() {
    let (_database, client) = database().await;
    let longest = "9".repeat(131_072) + "." + &"9".repeat(16_383);
    let smallest = "-0.".to_owned() + &"0".repeat(16_382) + "1";
    let values = [
        Value::Text(longest.as_bytes()),
        Value::Text(smallest.as_bytes()),
        Value::Real(5e-324),
        Value::Real(f64::MAX),
    ];
    check_return(&client, &Rendering::Decimal, &values).await;
    assert_eq!(shown(&client).await[0].as_ref(), Some(&longest));
}

/// Many values of a strategy.
fn samples<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::default();
    let one = |_| strategy.new_tree(&mut runner).unwrap().current();
    (0..count).map(one).collect()
}

#[tokio::test]
async fn random_numbers_and_times_return() {
    let (_database, client) = database().await;
    let reals: Vec<f64> = samples(&any::<u64>(), 2_000)
        .into_iter()
        .map(f64::from_bits)
        .filter(|number| !number.is_nan())
        .collect();
    let values: Vec<Value<'_>> = reals.iter().map(|number| Value::Real(*number)).collect();
    check_return(&client, &Rendering::Real, &values).await;
    check_return(&client, &Rendering::MixedText, &values).await;

    let amounts = samples(&(-1_000_000_000_i64..1_000_000_000, 0_i32..12), 2_000);
    let amounts = amounts
        .into_iter()
        .map(|(digits, scale)| format!("{digits}e-{scale}").parse::<f64>().unwrap());
    let decimals: Vec<Value<'_>> = amounts
        .chain(reals)
        .map(Value::Real)
        .filter(|value| Rendering::Decimal.encode(*value, &mut Vec::new()).is_ok())
        .collect();
    assert!(decimals.len() > 1_000);
    check_return(&client, &Rendering::Decimal, &decimals).await;
    for (value, shown) in decimals.iter().zip(shown(&client).await) {
        let Value::Real(number) = value else {
            panic!("{value:?}")
        };
        assert_eq!(shown, Some(number.to_string()));
    }

    // PostgreSQL reads the very text: what it makes of it is what we made of it.
    let moment = "[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{0,5}[1-9])?";
    let rendering: Rendering = "timestamp space trimmed".parse().unwrap();
    let texts: Vec<String> = samples(&moment, 6_000)
        .into_iter()
        .filter(|text| {
            rendering
                .encode(Value::Text(text.as_bytes()), &mut Vec::new())
                .is_ok()
        })
        .collect();
    assert!(texts.len() > 500, "{}", texts.len());
    let values: Vec<Value<'_>> = texts.iter().map(|text| Value::Text(text.as_bytes())).collect();
    check_return(&client, &rendering, &values).await;
    let shown: Vec<String> = shown(&client).await.into_iter().flatten().collect();
    assert_eq!(shown, texts);
}

/// JSON as people and programs write it, mostly but not always as `jsonb` would.
fn document() -> impl Strategy<Value = String> {
    let pick = |from: &'static [&'static str]| proptest::sample::select(from).prop_map(str::to_owned);
    let string = move || {
        proptest::collection::vec(
            prop_oneof![
                4 => "[a-z]{1,3}",
                1 => pick(&[
                    "\\n", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r", "\\t", "\\u0000", "\\u0001", "\\u001f",
                    "\\u001F", "\\u000a", "\\u007f", "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\\udc00", "é", "😀",
                    "\u{7f}", "\u{2028}", "\\x", "\n", "'",
                ]),
            ],
            0..3,
        )
        .prop_map(|parts| format!("\"{}\"", parts.concat()))
    };
    let number = prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?",
        1 => "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][-+]?[0-9]{1,3})?",
        1 => pick(&["1e131071", "1e131072", "1e-16383", "1e-16384", "-0", "-0.0", "0e5", "1E400", "0.10", "00", "1.", ".5", "+1"]),
    ];
    let leaf = prop_oneof![
        4 => number,
        4 => string(),
        3 => pick(&["null", "true", "false"]),
        1 => pick(&["NaN", "undefined", "", "'a'", "nul", "[]", "{}", "{ }", "\u{feff}1"]),
    ];
    let blank = || {
        prop_oneof![
            30 => Just(" "),
            1 => Just(""),
            1 => Just("\n"),
            1 => Just("\t "),
            1 => Just("\u{a0}"),
        ]
    };
    let none = || prop_oneof![40 => Just(""), 1 => Just(" "), 1 => Just(","), 1 => Just("\r\n")];
    leaf.prop_recursive(4, 16, 4, move |inner| {
        let key = prop_oneof![4 => "\"[a-c]{1,2}\"".boxed(), 1 => string().boxed()];
        let member =
            (key, blank(), inner.clone()).prop_map(|(key, blank, value)| format!("{key}:{blank}{value}"));
        let join = |items: Vec<(&'static str, String)>| {
            let items: Vec<String> = items
                .into_iter()
                .enumerate()
                .map(|(at, (blank, item))| if at == 0 { item } else { format!(",{blank}{item}") })
                .collect();
            items.concat()
        };
        prop_oneof![
            (none(), proptest::collection::vec((blank(), inner), 0..4), none())
                .prop_map(move |(before, items, after)| format!("[{before}{}{after}]", join(items))),
            (
                none(),
                proptest::collection::vec((blank(), member), 0..4),
                none(),
                any::<bool>()
            )
                .prop_map(move |(before, mut items, after, sorted)| {
                    if sorted {
                        items.sort_by_key(|(_, item)| {
                            let key = item.split(':').next().unwrap_or_default().to_owned();
                            (key.len(), key)
                        });
                    }
                    format!("{{{before}{}{after}}}", join(items))
                }),
        ]
    })
}

#[tokio::test]
async fn the_server_takes_and_spells_json_as_predicted() {
    let (_database, client) = database().await;
    client
        .batch_execute(
            "CREATE FUNCTION is_json(d text) RETURNS boolean LANGUAGE plpgsql AS
             'BEGIN PERFORM d::json; RETURN true; EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN false; END';
             CREATE FUNCTION spelled(d text) RETURNS text LANGUAGE plpgsql AS
             'BEGIN RETURN d::jsonb::text; EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN NULL; END';",
        )
        .await
        .unwrap();
    let documents = samples(&document(), 6_000);
    let rows = client
        .query(
            "SELECT is_json(d), spelled(d) FROM unnest($1::text[]) WITH ORDINALITY AS u (d, n) ORDER BY n",
            &[&documents],
        )
        .await
        .unwrap();
    let (mut valid, mut refused, mut as_spelled, mut otherwise) = (0, 0, 0, 0);
    for (document, row) in documents.iter().zip(rows) {
        let (is_json, spelled): (bool, Option<String>) = (row.get(0), row.get(1));
        let verdict = json_text::judge(document.as_bytes());
        assert_eq!(verdict.is_some(), is_json, "{document:?}");
        let Some(verdict) = verdict else { continue };
        valid += 1;
        assert_eq!(
            verdict.jsonb.is_none(),
            spelled.is_some(),
            "{document:?} {verdict:?}"
        );
        let Some(spelled) = spelled else {
            refused += 1;
            continue;
        };
        let kept = !verdict.respelled && !verdict.duplicate_keys;
        assert_eq!(kept, spelled == *document, "{document:?} is spelled {spelled:?}");
        let encoded = Rendering::Jsonb.encode(Value::Text(document.as_bytes()), &mut Vec::new());
        assert_eq!(encoded, if kept { Ok(()) } else { Err(Reject::Changed) });
        if kept {
            as_spelled += 1;
        } else {
            otherwise += 1;
        }
    }
    // Otherwise the documents are none that could prove anything.
    let enough = valid > 2_000 && refused > 30 && as_spelled > 500 && otherwise > 500;
    assert!(enough, "{valid} {refused} {as_spelled} {otherwise}");
}

#[tokio::test]
async fn the_deepest_json_that_is_let_through_is_read() {
    let (_database, client) = database().await;
    let mut deepest = 0;
    for (open, close) in [("[", "]"), ("{\"a\": ", "}"), ("[{\"a\": ", "}]")] {
        let document = |depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
        let fits = |depth: &usize| {
            Rendering::Json
                .encode(Value::Text(document(*depth).as_bytes()), &mut Vec::new())
                .is_ok()
        };
        // The first depth that is refused, by halves.
        let (mut fitting, mut refused) = (0, 1 << 20);
        while refused - fitting > 1 {
            let middle = usize::midpoint(fitting, refused);
            if fits(&middle) {
                fitting = middle;
            } else {
                refused = middle;
            }
        }
        let text = document(fitting);
        let values = [Value::Text(text.as_bytes())];
        check_return(&client, &Rendering::Json, &values).await;
        check_return(&client, &Rendering::Jsonb, &values).await;
        deepest = deepest.max(fitting);
    }
    assert!(deepest >= 2_000, "{deepest}");
}
