use proptest::prelude::*;

use super::*;
use crate::transfer::catalog::Affinity;
use crate::transfer::rows::RowBatch;
use crate::transfer::value::Value;

fn form(logical: Logical) -> Form {
    Form {
        logical,
        postgres: None,
        rendering: None,
        nulls: Nulls::NONE,
    }
}

fn pg(kind: PgKind) -> Form {
    Form {
        logical: Logical::of_postgres(kind),
        postgres: Some(kind),
        rendering: None,
        nulls: Nulls::NONE,
    }
}

fn canonical_in(zone: &LegacyZone, form: Form, raw: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Canonicaliser::new(zone.clone()).write(&form, raw, &mut out);
    out
}

fn canonical(form: Form, raw: Raw<'_>) -> Vec<u8> {
    canonical_in(&LegacyZone::utc(), form, raw)
}

fn text(logical: Logical, text: &str) -> Vec<u8> {
    canonical(form(logical), Raw::Text(text.as_bytes()))
}

fn all_equal(logical: Logical, spellings: &[&str]) {
    for one in spellings {
        assert_eq!(
            text(logical, one),
            text(logical, spellings[0]),
            "{one} is {}",
            spellings[0]
        );
        assert!(text(logical, one)[0] < 0xf0, "{one} has a canonical form");
    }
}

fn all_different(logical: Logical, values: &[&str]) {
    for (at, one) in values.iter().enumerate() {
        for other in &values[..at] {
            assert_ne!(text(logical, one), text(logical, other), "{one} is not {other}");
        }
    }
}

#[test]
fn spellings_of_one_instant_are_equal() {
    all_equal(
        Logical::Instant,
        &[
            "2026-01-01T12:00:00+00:00",
            "2026-01-01T12:00:00.000000+00:00",
            "2026-01-01T12:00:00Z",
            "2026-01-01 12:00:00",
            "2026-01-01T12:00",
            "2026-01-01t12:00:00,0z",
            "2026-01-01T09:00:00-03:00",
            "2026-01-01T09:00:00-03",
            "2026-01-01T17:30:00.000000000+0530",
            "2026-01-01T12:00:30+00:00:30",
        ],
    );
    // The last that there is, beyond jiff's own.
    all_equal(
        Logical::Instant,
        &["9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"],
    );
    all_equal(Logical::Instant, &["0001-01-01", "0001-01-01T00:00:00+00:00"]);
    let zone = LegacyZone::named("America/Sao_Paulo").unwrap();
    assert_eq!(
        canonical_in(&zone, form(Logical::Instant), Raw::Text(b"2026-01-01 09:00:00")),
        text(Logical::Instant, "2026-01-01T12:00:00Z")
    );
}

#[test]
fn one_microsecond_is_a_difference() {
    all_different(
        Logical::Instant,
        &[
            "2026-01-01T12:00:00Z",
            "2026-01-01T12:00:00.000001Z",
            "2026-01-01T11:59:59.999999Z",
            "2026-01-01T12:00:01Z",
            "2026-01-01T12:00:00+01:00",
            "2026-02-01T12:00:00Z",
            "2024-02-29T00:00:00Z",
            "2024-03-01T00:00:00Z",
            "now",
            "",
            "2026-02-29T12:00:00Z",
            "2026-01-01T12:00:00.0000001Z",
        ],
    );
}

#[test]
fn what_is_no_time_stands_for_itself() {
    for unreadable in [
        "",
        "now",
        "2026-02-30",
        "0000-01-01",
        "2026-01-01T24:00:00",
        "2026-01-01T12:00:00.",
        "12026-01-01",
        "2026-01-01T12:00:00+0000:00",
        "2026-01-01T12:00:00+24:00",
        "2026-01-01X12:00",
        "1767268800",
        "2026-01-01T12:00:00.0000001",
    ] {
        let expected = canonical(form(Logical::Stored), Raw::Text(unreadable.as_bytes()));
        assert_eq!(text(Logical::Instant, unreadable), expected, "{unreadable}");
        assert_eq!(expected[0], tag::STORED_TEXT);
    }
    let number = canonical(form(Logical::Instant), Raw::Integer(1_767_268_800));
    assert_eq!(number[0], tag::STORED_INTEGER);
}

#[test]
fn the_sides_meet() {
    let equal = |logical, stored: Raw<'_>, kind, sent: &[u8]| {
        let ours = canonical(form(logical), stored);
        assert_eq!(
            ours,
            canonical(pg(kind), Raw::Postgres(sent)),
            "{stored:?} is {kind:?} {sent:?}"
        );
        assert!(ours[0] < 0xf0, "{stored:?} has a canonical form");
    };
    equal(Logical::Bool, Raw::Integer(1), PgKind::Bool, &[1]);
    equal(
        Logical::Integer,
        Raw::Integer(-2),
        PgKind::Int2,
        &(-2_i16).to_be_bytes(),
    );
    equal(
        Logical::Integer,
        Raw::Real(3.0),
        PgKind::Int4,
        &3_i32.to_be_bytes(),
    );
    equal(
        Logical::Integer,
        Raw::Integer(i64::MIN),
        PgKind::Int8,
        &i64::MIN.to_be_bytes(),
    );
    equal(
        Logical::Double,
        Raw::Real(-0.0),
        PgKind::Float8,
        &(-0.0_f64).to_be_bytes(),
    );
    equal(
        Logical::Double,
        Raw::Real(0.5),
        PgKind::Float4,
        &0.5_f32.to_be_bytes(),
    );
    equal(
        Logical::Double,
        Raw::Integer(1 << 60),
        PgKind::Float8,
        &((1_u64 << 60) as f64).to_be_bytes(),
    );
    equal(Logical::Text, Raw::Text(b"a "), PgKind::Text, b"a ");
    equal(Logical::PaddedText, Raw::Text(b"a"), PgKind::Char(4), b"a   ");
    equal(Logical::Bytes, Raw::Blob(b"\0"), PgKind::Bytea, b"\0");
    equal(Logical::JsonText, Raw::Text(b"{ }"), PgKind::Json, b"{ }");
    equal(
        Logical::JsonDocument,
        Raw::Text(b"{\"b\":1e2,\"a\":[]}"),
        PgKind::Jsonb,
        b"\x01{\"a\": [], \"b\": 100}",
    );
    equal(Logical::JsonDocument, Raw::Integer(42), PgKind::Jsonb, b"\x0142");
    equal(
        Logical::Instant,
        Raw::Text(b"2000-01-01 00:00:00.000001"),
        PgKind::Timestamptz(6),
        &1_i64.to_be_bytes(),
    );
    equal(
        Logical::DateTime,
        Raw::Text(b"1999-12-31T23:59"),
        PgKind::Timestamp(6),
        &(-60_000_000_i64).to_be_bytes(),
    );
    equal(
        Logical::Date,
        Raw::Text(b"2000-03-01"),
        PgKind::Date,
        &60_i32.to_be_bytes(),
    );
    equal(
        Logical::TimeOfDay,
        Raw::Text(b"00:00:01.5"),
        PgKind::Time(6),
        &1_500_000_i64.to_be_bytes(),
    );
    let uuid: Vec<u8> = (0..16).collect();
    equal(
        Logical::Uuid,
        Raw::Text(b"00010203-0405-0607-0809-0A0b0c0d0e0f"),
        PgKind::Uuid,
        &uuid,
    );
    equal(Logical::Uuid, Raw::Blob(&uuid), PgKind::Uuid, &uuid);
}

#[test]
fn what_the_other_side_cannot_mean_is_different() {
    let different = |logical, stored: Raw<'_>, kind, sent: &[u8]| {
        assert_ne!(
            canonical(form(logical), stored),
            canonical(pg(kind), Raw::Postgres(sent)),
            "{stored:?} {kind:?}"
        );
    };
    different(Logical::Bool, Raw::Integer(2), PgKind::Bool, &[1]);
    different(
        Logical::Integer,
        Raw::Real(-0.0),
        PgKind::Int8,
        &0_i64.to_be_bytes(),
    );
    different(
        Logical::Integer,
        Raw::Text(b"1"),
        PgKind::Int8,
        &1_i64.to_be_bytes(),
    );
    different(
        Logical::Integer,
        Raw::Real(9.3e18),
        PgKind::Int8,
        &i64::MAX.to_be_bytes(),
    );
    different(
        Logical::Double,
        Raw::Real(0.0),
        PgKind::Float8,
        &(-0.0_f64).to_be_bytes(),
    );
    different(
        Logical::Double,
        Raw::Real(0.1),
        PgKind::Float4,
        &0.1_f32.to_be_bytes(),
    );
    different(
        Logical::Double,
        Raw::Integer(i64::MAX),
        PgKind::Float8,
        &(i64::MAX as f64).to_be_bytes(),
    );
    different(
        Logical::Double,
        Raw::Null,
        PgKind::Float8,
        &f64::NAN.to_be_bytes(),
    );
    different(Logical::Text, Raw::Blob(b"a"), PgKind::Text, b"a");
    different(Logical::Text, Raw::Null, PgKind::Text, b"");
    different(Logical::Bytes, Raw::Text(b"a"), PgKind::Bytea, b"a");
    different(Logical::Text, Raw::Text(b"a\0b"), PgKind::Text, b"a");
    different(
        Logical::Instant,
        Raw::Text(b"infinity"),
        PgKind::Timestamptz(6),
        &i64::MAX.to_be_bytes(),
    );
    // A form that is cut or too long is nothing's equal, and no panic.
    for kind in [
        PgKind::Bool,
        PgKind::Int4,
        PgKind::Numeric(None),
        PgKind::Jsonb,
        PgKind::Date,
        PgKind::Uuid,
    ] {
        assert_eq!(
            canonical(pg(kind), Raw::Postgres(b"\xff\xff\xff"))[0],
            tag::STORED_POSTGRES,
            "{kind:?}"
        );
    }
}

#[test]
fn decimals_are_compared_by_value() {
    all_equal(
        Logical::Decimal,
        &["1.50", "1.5", "+1.5", "0001.5000", "15e-1", ".15E1"],
    );
    all_equal(Logical::Decimal, &["0", "-0", "0.00", "0e9"]);
    all_different(
        Logical::Decimal,
        &[
            "1.5",
            "-1.5",
            "15",
            "0.15",
            "1.51",
            "0",
            "1500000000000000000000000000000.1",
            "1e400",
        ],
    );
    assert_eq!(
        canonical(form(Logical::Decimal), Raw::Real(0.1)),
        text(Logical::Decimal, "0.1")
    );
    assert_eq!(
        canonical(form(Logical::Decimal), Raw::Real(1e22)),
        text(Logical::Decimal, "10000000000000000000000")
    );
    // count 2, weight 0, positive, scale 1, groups 1 and 5000.
    let sent = [0, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0x13, 0x88];
    assert_eq!(
        canonical(pg(PgKind::Numeric(None)), Raw::Postgres(&sent)),
        text(Logical::Decimal, "1.5")
    );
    assert_eq!(number::text_of_postgres(&sent).as_deref(), Some("1.5"));
    let nan = [0, 0, 0, 0, 0xc0, 0, 0, 0];
    assert_eq!(
        canonical(pg(PgKind::Numeric(None)), Raw::Postgres(&nan)),
        text(Logical::Decimal, "NaN")
    );
}

#[test]
fn spellings_of_one_document_are_equal() {
    all_equal(
        Logical::JsonDocument,
        &[
            r#"{"a":"é/\n","bb":[1,100,{}],"c":0.010}"#,
            "\t{ \"c\" : 1.0e-2 ,\r\n\"bb\":[ 1 , 1e2, { } ] , \"a\" : \"\\u00e9\\/\\u000A\" } ",
            r#"{"a":0,"c":{"x":[1]},"a":"é/\n","bb":[1,1.0E+2,{}],"c":10e-3}"#,
        ],
    );
    all_equal(Logical::JsonDocument, &["-0", "0", "0e5", "-0E+1"]);
    all_equal(Logical::JsonDocument, &[r#""\ud83d\ude00""#, "\"😀\""]);
    all_equal(
        Logical::JsonDocument,
        &[
            "12345678901234567890123456789",
            "1234567890123456789012345.6789e4",
        ],
    );
}

#[test]
fn changes_of_a_document_are_found() {
    all_different(
        Logical::JsonDocument,
        &[
            "1",
            "1.0",
            "1.00",
            "-1",
            "10",
            "0",
            "0.0",
            "true",
            "false",
            "null",
            r#""""#,
            r#""1""#,
            "[]",
            "{}",
            "[1]",
            "[[1]]",
            "[1,2]",
            "[2,1]",
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":1,"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"":1}"#,
            r#"["a","b"]"#,
            r#"["ab",""]"#,
            r#""\u0000""#,
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\ud800""#,
            "1e400",
            "1e401",
            r#"{"a":1,"a":3}"#,
            "12345678901234567890123456789",
            "12345678901234567890123456788",
        ],
    );
}

#[test]
fn what_is_no_json_stands_for_itself() {
    for wrong in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "nul",
        "nulll",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\t\"",
        "[1 2]",
        "1 2",
        "{\"a\" 1}",
        "NaN",
        "]",
        "{]",
        "[}",
        "\"\\u12g4\"",
        "{\"a\"}",
        "[,]",
    ] {
        assert_eq!(text(Logical::JsonDocument, wrong)[0], tag::STORED_TEXT, "{wrong}");
    }
}

#[test]
fn depth_is_not_limited() {
    for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
        let deep = |depth: usize, core: &str| format!("{}{core}{}", open.repeat(depth), close.repeat(depth));
        let depth = 100_000;
        assert_ne!(
            text(Logical::JsonDocument, &deep(depth, "1")),
            text(Logical::JsonDocument, &deep(depth, "2"))
        );
        assert_ne!(
            text(Logical::JsonDocument, &deep(depth, "1")),
            text(Logical::JsonDocument, &deep(depth + 1, "1"))
        );
        assert_eq!(
            text(Logical::JsonDocument, &deep(depth, " 1e0")),
            text(Logical::JsonDocument, &deep(depth, "1"))
        );
    }
}

#[test]
fn values_are_shown_and_long_ones_cut() {
    let shown = |form: Form, raw: Raw<'_>| Shown::of(raw, form, &canonical(form, raw));
    assert_eq!(shown(form(Logical::Text), Raw::Null), Shown::Null);
    assert_eq!(
        shown(pg(PgKind::Int4), Raw::Postgres(&7_i32.to_be_bytes())),
        Shown::Integer(7)
    );
    assert_eq!(
        shown(pg(PgKind::Text), Raw::Postgres(b"a\xff")),
        Shown::Text("a\u{fffd}".to_owned())
    );
    assert_eq!(
        shown(pg(PgKind::Timestamptz(6)), Raw::Postgres(&0_i64.to_be_bytes())),
        Shown::Text("2000-01-01T00:00:00.000000+00:00".to_owned())
    );
    assert_eq!(
        shown(pg(PgKind::Timestamptz(6)), Raw::Postgres(&i64::MAX.to_be_bytes())),
        Shown::Text("infinity".to_owned())
    );
    assert_eq!(
        shown(pg(PgKind::Date), Raw::Postgres(&0_i32.to_be_bytes())),
        Shown::Text("2000-01-01".to_owned())
    );
    assert_eq!(
        shown(form(Logical::TimeOfDay), Raw::Text(b"10:20")),
        Shown::Text("10:20:00.000000".to_owned())
    );
    assert_eq!(
        shown(form(Logical::Instant), Raw::Text(b"now")),
        Shown::Text("now".to_owned())
    );
    assert_eq!(
        shown(pg(PgKind::Jsonb), Raw::Postgres(b"\x01[1]")),
        Shown::Text("[1]".to_owned())
    );
    let Shown::Text(long) = shown(form(Logical::Text), Raw::Text("é".repeat(1000).as_bytes())) else {
        panic!()
    };
    assert_eq!(long.chars().count(), SHOWN_CHARS + 1);
}

/// A document and its value, written in a random spelling by a writer of its own.
fn documents() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        ".{0,6}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            proptest::collection::vec((".{0,3}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Keys backwards, blanks, and every character escaped.
fn respelled(value: &serde_json::Value) -> String {
    let escaped = |text: &str| {
        let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{}\"", units.concat())
    };
    match value {
        serde_json::Value::String(text) => escaped(text),
        serde_json::Value::Array(items) => {
            format!(
                "[ {}\n]",
                items.iter().map(respelled).collect::<Vec<_>>().join(" ,\t")
            )
        }
        serde_json::Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .rev()
                .map(|(key, item)| format!("{} : {}", escaped(key), respelled(item)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        serde_json::Value::Number(number) => format!("{number}0e-1"),
        other => format!(" {other} "),
    }
}

proptest! {
    #[test]
    fn a_respelled_document_is_equal(value in documents()) {
        // A number written with one zero more and the point moved has one more digit behind the point in `jsonb`.
        let respelled = respelled(&value).replace("0e-1", "");
        prop_assert_eq!(text(Logical::JsonDocument, &value.to_string()), text(Logical::JsonDocument, &respelled));
    }

    #[test]
    fn two_documents_are_equal_only_if_their_values_are(one in documents(), other in documents()) {
        let same = text(Logical::JsonDocument, &one.to_string()) == text(Logical::JsonDocument, &other.to_string());
        prop_assert_eq!(same, one == other);
    }

    #[test]
    fn a_changed_byte_of_a_document_is_a_change_or_no_document(value in documents(), at in any::<prop::sample::Index>(), bit in 0..7) {
        let spelling = value.to_string();
        let mut changed = spelling.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] ^= 1_u8 << bit;
        let parsed = std::str::from_utf8(&changed).ok().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        let same = canonical(form(Logical::JsonDocument), Raw::Text(&changed)) == text(Logical::JsonDocument, &spelling);
        // Blanks and the case of `e` change nothing; -0 and 0 are one number to `jsonb`.
        let plain = |value: serde_json::Value| value.to_string().replace("-0", "0");
        prop_assert_eq!(same, parsed.is_some_and(|parsed| plain(parsed) == plain(value)));
    }

    #[test]
    fn both_readers_of_times_agree(
        text in "(20[0-9]{2}|[0-9]{4})-[01][0-9]-[0-3][0-9]([T t][0-2][0-9]:[0-5][0-9](:[0-6][0-9]([.,][0-9]{1,9})?)?(Z|z|[+-][0-2][0-9](:?[0-5][0-9])?)?)?",
        zone in prop_oneof![Just("UTC"), Just("America/Sao_Paulo"), Just("Europe/Berlin")],
    ) {
        let zone = LegacyZone::named(zone).unwrap();
        let other = Timestamp::parse(&text, &zone).ok().map(Timestamp::as_micros);
        let ours = time::instant(text.as_bytes(), &zone);
        // The other one refuses what its text form cannot write.
        prop_assert_eq!(ours.filter(|micros| Timestamp::from_micros(*micros).is_ok()), other, "{}", text);
    }

    #[test]
    fn one_bit_of_a_value_is_a_difference(n in any::<i64>(), bit in 0_u32..64) {
        let changed = n ^ (1_i64 << bit);
        for kind in [PgKind::Int8, PgKind::Time(6)] {
            prop_assert_ne!(canonical(pg(kind), Raw::Postgres(&n.to_be_bytes())), canonical(pg(kind), Raw::Postgres(&changed.to_be_bytes())));
        }
        let (one, other) = (f64::from_bits(n.cast_unsigned()), f64::from_bits(changed.cast_unsigned()));
        if !one.is_nan() || !other.is_nan() {
            prop_assert_ne!(canonical(form(Logical::Double), Raw::Real(one)), canonical(form(Logical::Double), Raw::Real(other)));
        }
    }

    #[test]
    fn zeros_around_a_number_are_none_of_its_value(
        digits in "[1-9]([0-9]{0,6}[1-9])?", before in 0_usize..6, after in 0_usize..6, point in 0_usize..20,
    ) {
        // The same digits, moved by a power of ten, in two spellings.
        let padded = format!("{}{digits}{}", "0".repeat(before), "0".repeat(after));
        let point = point.min(padded.len());
        let behind = i64::try_from(padded.len() - point).unwrap();
        let (whole, fraction) = padded.split_at(point);
        let dotted = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
        let power = i64::try_from(after).unwrap() - behind;
        let plain = format!("{digits}e{power}");
        prop_assert_eq!(text(Logical::Decimal, &dotted), text(Logical::Decimal, &plain));
        prop_assert_ne!(text(Logical::Decimal, &dotted), text(Logical::Decimal, &format!("{digits}e{}", power + 1)));
    }

    #[test]
    fn doubles_become_the_decimal_that_gives_them_back(n in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let expected = text(Logical::Decimal, &format!("{n:e}"));
        prop_assert_eq!(canonical(form(Logical::Decimal), Raw::Real(n)), expected);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for kind in [PgKind::Bool, PgKind::Int2, PgKind::Numeric(None), PgKind::Text, PgKind::Char(3), PgKind::Bytea, PgKind::Json, PgKind::Jsonb,
            PgKind::Timestamptz(6), PgKind::Timestamp(6), PgKind::Date, PgKind::Time(6), PgKind::Uuid, PgKind::Float4, PgKind::Other] {
            for (form, raw) in [(pg(kind), Raw::Postgres(&bytes)), (form(Logical::of_postgres(kind)), Raw::Text(&bytes)),
                (form(Logical::of_postgres(kind)), Raw::Blob(&bytes))] {
                let canonical = canonical(form, raw);
                prop_assert!(!canonical.is_empty());
                Shown::of(raw, form, &canonical);
            }
        }
    }
}

/// What a value comes back as, as SQLite's own value.
fn rendered(rendering: &str, kind: PgKind, sent: &[u8]) -> Vec<u8> {
    let rendering = Rendering::parse(rendering).unwrap();
    let made = ColumnKind::Postgres(super::super::catalog::PgType {
        name: String::new(),
        kind,
    });
    let (_, form) = Form::of_rendering(rendering, &made).unwrap();
    canonical(form, Raw::Postgres(sent))
}

fn stored(raw: Raw<'_>) -> Vec<u8> {
    canonical(form(Logical::Stored), raw)
}

fn no_form(rendering: &str, kind: PgKind, sent: &[u8]) {
    assert_eq!(
        rendered(rendering, kind, sent)[0],
        tag::STORED_POSTGRES,
        "{rendering} {sent:?}"
    );
}

#[test]
fn renderings_are_read_as_they_are_agreed() {
    for text in [
        "integer",
        "boolean",
        "real",
        "number",
        "decimal",
        "text",
        "blob",
        "uuid",
        "uuid-blob",
        "json",
        "json-number",
        "jsonb",
        "date",
        "time minutes",
        "time fixed6",
        "timestamp T seconds",
        "timestamp space six-or-none",
        "timestamptz T trimmed Z",
        "timestamptz space fixed1 +00:00",
        "timestamptz T seconds +00",
        "timestamptz T seconds -0330",
        "mixed",
        "mixed text",
        "mixed bytea",
        "timestamp from seconds",
        "timestamptz from microseconds",
        "boolean from 't'/'f'",
        "boolean from 1/-1",
        "boolean from 'a/b'/''''",
        "text from iso-8859-1",
        "text from koi8-r",
    ] {
        assert!(Rendering::parse(text).is_some(), "{text}");
    }
    for text in [
        "",
        "Integer",
        "time",
        "time fixed0",
        "time fixed7",
        "time fixed",
        "time six",
        "timestamp seconds T",
        "timestamp T",
        "timestamp _ seconds",
        "timestamp T seconds Z",
        "timestamptz T seconds",
        "timestamptz T seconds CET",
        "timestamptz T seconds +25:00",
        "timestamptz T seconds ",
        "mixed json",
        "date ",
        " date",
        "date from seconds",
        "timestamp from hours",
        "boolean from t/f",
        "boolean from 't'/'t'",
        "boolean from 't'",
        "boolean from 't'/'f' ",
        "boolean from 'abcdefghijklmnopqrstuvwxyz'/'f'",
        "boolean from 01/1",
        "text from utf-8",
        "empty-as-null",
    ] {
        assert_eq!(Rendering::parse(text), None, "{text}");
    }
}

#[test]
fn times_come_back_in_the_spelling_that_is_noted_or_not_at_all() {
    let clock = PgKind::Time(6);
    let micros = |text: &str| time::time_of_day(text.as_bytes()).unwrap().to_be_bytes();
    for (precision, of, spelled) in [
        ("minutes", "23:59", "23:59"),
        ("seconds", "00:00", "00:00:00"),
        ("fixed1", "01:02:03.4", "01:02:03.4"),
        ("fixed3", "01:02:03.4", "01:02:03.400"),
        ("fixed6", "01:02:03", "01:02:03.000000"),
        ("six-or-none", "01:02:03", "01:02:03"),
        ("six-or-none", "01:02:03.1", "01:02:03.100000"),
        ("trimmed", "01:02:03", "01:02:03"),
        ("trimmed", "01:02:03.000010", "01:02:03.00001"),
        ("trimmed", "01:02:03.999999", "01:02:03.999999"),
    ] {
        let rendering = format!("time {precision}");
        assert_eq!(
            rendered(&rendering, clock, &micros(of)),
            stored(Raw::Text(spelled.as_bytes()))
        );
    }
    for (precision, of) in [
        ("minutes", "23:59:01"),
        ("minutes", "23:59:00.000001"),
        ("seconds", "23:59:00.000001"),
        ("fixed1", "23:59:00.01"),
        ("fixed5", "23:59:00.000001"),
    ] {
        no_form(&format!("time {precision}"), clock, &micros(of));
    }
    // PostgreSQL's 24:00:00.
    no_form("time minutes", clock, &time::DAY_MICROS.to_be_bytes());
    no_form("time seconds", clock, &(-1_i64).to_be_bytes());
}

#[test]
fn dates_have_four_digits_and_zones_their_offset() {
    let date = |days: i32| rendered("date", PgKind::Date, &days.to_be_bytes());
    let text = |text: &str| stored(Raw::Text(text.as_bytes()));
    for (days, spelled) in [
        (0, "2000-01-01"),
        (59, "2000-02-29"),
        (60, "2000-03-01"),
        (-1, "1999-12-31"),
        (-730_119, "0001-01-01"),
        (2_921_939, "9999-12-31"),
        (36_524, "2099-12-31"),
        (36_583, "2100-02-28"),
        (36_584, "2100-03-01"),
    ] {
        assert_eq!(date(days), text(spelled), "{spelled}");
        // The reader and the writer agree.
        let read = time::date(spelled.as_bytes()).unwrap();
        assert_eq!(read, i64::from(days) + MICROS_TO_2000 / time::DAY_MICROS);
    }
    for days in [-730_120, 2_921_940, i32::MAX, i32::MIN] {
        no_form("date", PgKind::Date, &days.to_be_bytes());
    }
    let at =
        |rendering: &str, micros: i64| rendered(rendering, PgKind::Timestamptz(6), &micros.to_be_bytes());
    assert_eq!(
        at("timestamptz T seconds -03:30", 0),
        text("1999-12-31T20:30:00-03:30")
    );
    assert_eq!(
        at("timestamptz space minutes +0545", 0),
        text("2000-01-01 05:45+0545")
    );
    assert_eq!(
        at("timestamptz T trimmed +00", -1),
        text("1999-12-31T23:59:59.999999+00")
    );
    let last = 252_455_616_000_000_000 - 1_000_000;
    assert_eq!(at("timestamptz T seconds Z", last), text("9999-12-31T23:59:59Z"));
    no_form(
        "timestamptz T seconds +00:01",
        PgKind::Timestamptz(6),
        &last.to_be_bytes(),
    );
    for micros in [i64::MAX, i64::MIN, last + 1_000_000] {
        no_form(
            "timestamptz T trimmed Z",
            PgKind::Timestamptz(6),
            &micros.to_be_bytes(),
        );
        no_form(
            "timestamptz T trimmed -03:00",
            PgKind::Timestamptz(6),
            &i64::MIN.to_be_bytes(),
        );
        no_form("timestamp T trimmed", PgKind::Timestamp(6), &micros.to_be_bytes());
    }
}

#[test]
fn numbers_come_back_in_their_class() {
    let number = |n: f64| rendered("number", PgKind::Float8, &n.to_be_bytes());
    assert_eq!(number(0.0), stored(Raw::Integer(0)));
    assert_eq!(
        number(-9_223_372_036_854_775_808.0),
        stored(Raw::Integer(i64::MIN))
    );
    assert_eq!(
        number(9_223_372_036_854_775_808.0),
        stored(Raw::Real(9_223_372_036_854_775_808.0))
    );
    assert_eq!(number(0.5), stored(Raw::Real(0.5)));
    assert_eq!(number(f64::INFINITY), stored(Raw::Real(f64::INFINITY)));
    // As 0 it would come back without its sign.
    no_form("number", PgKind::Float8, &(-0.0_f64).to_be_bytes());
    no_form("number", PgKind::Float8, &f64::NAN.to_be_bytes());
    let real = |n: f64| rendered("real", PgKind::Float8, &n.to_be_bytes());
    assert_eq!(real(-0.0), stored(Raw::Real(-0.0)));
    assert_ne!(real(-0.0), stored(Raw::Real(0.0)));
    assert_eq!(real(5e-324), stored(Raw::Real(5e-324)));
    no_form("real", PgKind::Float8, &f64::NAN.to_be_bytes());

    let document = |text: &str| rendered("json-number", PgKind::Json, text.as_bytes());
    for (text, value) in [
        ("0", Raw::Integer(0)),
        ("-1", Raw::Integer(-1)),
        ("9223372036854775808", Raw::Text(b"9223372036854775808")),
        ("-0", Raw::Text(b"-0")),
        ("-0.0", Raw::Real(-0.0)),
        ("1.0", Raw::Real(1.0)),
        ("1.50", Raw::Text(b"1.50")),
        ("1e2", Raw::Text(b"1e2")),
        ("1e300", Raw::Real(1e300)),
        ("1e400", Raw::Text(b"1e400")),
        (" 1", Raw::Text(b" 1")),
        ("\"1\"", Raw::Text(b"\"1\"")),
    ] {
        assert_eq!(document(text), stored(value), "{text}");
    }

    // Groups of four digits, the power of the first, the sign, the digits behind the point.
    let decimal = |groups: &[u16], weight: i16, sign: u16, scale: u16| {
        let mut sent = Vec::new();
        let words = [
            u16::try_from(groups.len()).unwrap(),
            weight.cast_unsigned(),
            sign,
            scale,
        ];
        words
            .iter()
            .chain(groups)
            .for_each(|word| sent.extend(word.to_be_bytes()));
        rendered("decimal", PgKind::Numeric(None), &sent)
    };
    assert_eq!(decimal(&[], 0, 0, 0), stored(Raw::Integer(0)));
    assert_eq!(decimal(&[], 0, 0, 1), stored(Raw::Text(b"0.0")));
    assert_eq!(decimal(&[1], 0, 0x4000, 0), stored(Raw::Integer(-1)));
    assert_eq!(decimal(&[1, 5000], 0, 0, 1), stored(Raw::Real(1.5)));
    assert_eq!(decimal(&[1, 5000], 0, 0, 2), stored(Raw::Text(b"1.50")));
    assert_eq!(decimal(&[1], 0, 0, 1), stored(Raw::Text(b"1.0")));
    assert_eq!(decimal(&[1], 5, 0, 0), stored(Raw::Real(1e20)));
    assert_eq!(
        decimal(&[922, 3372, 368, 5477, 5807], 4, 0, 0),
        stored(Raw::Integer(i64::MAX))
    );
    assert_eq!(
        decimal(&[922, 3372, 368, 5477, 5809], 4, 0, 0),
        stored(Raw::Text(b"9223372036854775809"))
    );
    for sign in [0xc000, 0xd000, 0xf000] {
        assert_eq!(decimal(&[], 0, sign, 0)[0], tag::STORED_POSTGRES);
    }
}

#[test]
fn a_mixed_value_is_what_its_class_says() {
    let mixed = |kind: PgKind, class: Raw<'_>, sent: &[u8]| {
        let form = Form {
            logical: Logical::Stored,
            postgres: Some(kind),
            rendering: Some(Rendering::Mixed),
            nulls: Nulls::NONE,
        };
        canonical(form, Raw::Mixed(Class::of(class), sent))
    };
    let class = |class: &'static str| Raw::Postgres(class.as_bytes());
    for kind in [PgKind::Text, PgKind::Bytea] {
        assert_eq!(mixed(kind, class("integer"), b"1"), stored(Raw::Integer(1)));
        assert_eq!(mixed(kind, class("text"), b"1"), stored(Raw::Text(b"1")));
        assert_eq!(mixed(kind, class("real"), b"1.0"), stored(Raw::Real(1.0)));
        assert_eq!(mixed(kind, class("real"), b"-0.0"), stored(Raw::Real(-0.0)));
        assert_eq!(
            mixed(kind, class("real"), b"-inf"),
            stored(Raw::Real(f64::NEG_INFINITY))
        );
        for (word, sent) in [
            ("integer", "1.0"),
            ("integer", "+1"),
            ("integer", "01"),
            ("integer", " 1"),
            ("integer", "9223372036854775808"),
            ("real", "1"),
            ("real", "1.00"),
            ("real", "Infinity"),
            ("real", "NaN"),
            ("real", "1e2"),
            ("null", "1"),
            ("TEXT", "1"),
            ("", "1"),
        ] {
            assert_eq!(
                mixed(kind, class(word), sent.as_bytes())[0],
                tag::STORED_POSTGRES,
                "{word} {sent}"
            );
        }
    }
    assert_eq!(mixed(PgKind::Bytea, class("blob"), b"1"), stored(Raw::Blob(b"1")));
    assert_eq!(mixed(PgKind::Text, class("blob"), b"1")[0], tag::STORED_POSTGRES);
    assert_eq!(mixed(PgKind::Text, Raw::Null, b"1")[0], tag::STORED_POSTGRES);
    assert_eq!(mixed(PgKind::Bytea, Raw::Null, b"1")[0], tag::STORED_POSTGRES);
}

#[test]
fn what_was_told_of_a_value_is_carried_out() {
    let zoned = PgKind::Timestamptz(6);
    let at =
        |rendering: &str, micros: i64| rendered(rendering, zoned, &(micros - MICROS_TO_2000).to_be_bytes());
    assert_eq!(
        at("timestamptz from seconds", -1_000_000),
        stored(Raw::Integer(-1))
    );
    assert_eq!(
        at("timestamptz from milliseconds", 1_706_696_430_001_000),
        stored(Raw::Integer(1_706_696_430_001))
    );
    assert_eq!(at("timestamptz from microseconds", 1), stored(Raw::Integer(1)));
    no_form("timestamptz from seconds", zoned, &1_i64.to_be_bytes());
    no_form("timestamptz from milliseconds", zoned, &(-999_i64).to_be_bytes());
    for infinity in [i64::MAX, i64::MIN] {
        no_form("timestamptz from microseconds", zoned, &infinity.to_be_bytes());
    }
    let truth = |rendering: &str, byte: u8| rendered(rendering, PgKind::Bool, &[byte]);
    assert_eq!(truth("boolean from 't'/'f'", 1), stored(Raw::Text(b"t")));
    assert_eq!(truth("boolean from 't'/'f'", 0), stored(Raw::Text(b"f")));
    assert_eq!(truth("boolean from '1'/-1", 1), stored(Raw::Text(b"1")));
    assert_eq!(truth("boolean from '1'/-1", 0), stored(Raw::Integer(-1)));
    assert_eq!(truth("boolean from 'it''s'/''", 1), stored(Raw::Text(b"it's")));
    no_form("boolean from 't'/'f'", PgKind::Bool, &[2]);
    let text = |rendering: &str, sent: &str| rendered(rendering, PgKind::Text, sent.as_bytes());
    assert_eq!(
        text("text from windows-1252", "€ é"),
        stored(Raw::Text(b"\x80 \xe9"))
    );
    assert_eq!(
        text("text from iso-8859-1", "\u{80}é"),
        stored(Raw::Text(b"\x80\xe9"))
    );
    assert_eq!(
        text("text from ibm866", "При"),
        stored(Raw::Text(b"\x8f\xe0\xa8"))
    );
    for unwritable in ["Ω", "\u{80}", "e\u{301}", "\0"] {
        no_form("text from windows-1252", PgKind::Text, unwritable.as_bytes());
    }
    no_form("text from windows-1252", PgKind::Text, b"\xe9");
}

#[test]
fn null_is_a_text_where_that_is_noted() {
    let note = |note| Nulls::of_note(note);
    let (empty, rendering) = note("null-as-empty date");
    assert_eq!((rendering, empty.back()), ("date", Some("")));
    let (both, rendering) = note("empty-as-null zero-date-as-null type");
    assert_eq!((rendering, both.back()), ("type", None));
    assert!(both.has(b"") && both.has(b"0000-00-00") && !both.has(b"0000-00-00 00:00:00"));
    for plain in ["date", "timestamp T seconds", "null-as-dash date"] {
        assert_eq!(note(plain), (Nulls::NONE, plain));
    }

    let made = ColumnKind::Postgres(super::super::catalog::PgType {
        name: String::new(),
        kind: PgKind::Text,
    });
    let forms = |nulls| {
        let (file, made) = Form::of_rendering(Rendering::Text, &made).unwrap();
        (file.with_nulls(nulls), made.with_nulls(nulls))
    };
    let null = stored(Raw::Null);
    // '' comes back.
    let (file, made_form) = forms(empty);
    assert_eq!(canonical(made_form, Raw::Null), stored(Raw::Text(b"")));
    assert_eq!(canonical(file, Raw::Text(b"")), stored(Raw::Text(b"")));
    assert_eq!(canonical(file, Raw::Null), null, "and is none of them");
    assert_eq!(canonical(made_form, Raw::Postgres(b""))[0], tag::STORED_POSTGRES);
    assert_eq!(canonical(made_form, Raw::Postgres(b"x")), stored(Raw::Text(b"x")));
    // Both are one.
    let (file, made_form) = forms(both);
    for one in [Raw::Null, Raw::Text(b""), Raw::Text(b"0000-00-00")] {
        assert_eq!(canonical(file, one), null);
    }
    assert_eq!(canonical(made_form, Raw::Null), null);
    for other in [
        Raw::Text(b" "),
        Raw::Integer(0),
        Raw::Blob(b""),
        Raw::Text(b"0000-00-00 00:00:00"),
    ] {
        assert_eq!(canonical(file, other), stored(other));
    }
    assert_eq!(
        canonical(made_form, Raw::Postgres(b"0000-00-00"))[0],
        tag::STORED_POSTGRES
    );
    // A type that was asked for says what is compared.
    let (date, _) = Form::of_pair(
        &ColumnKind::Sqlite {
            declared: String::new(),
            affinity: Affinity::Text,
        },
        &ColumnKind::Postgres(super::super::catalog::PgType {
            name: String::new(),
            kind: PgKind::Date,
        }),
    );
    let made_date = pg(PgKind::Date).with_nulls(empty);
    assert_eq!(
        canonical(made_date, Raw::Null),
        canonical(date.with_nulls(empty), Raw::Text(b""))
    );
    assert_ne!(
        canonical(made_date, Raw::Null),
        canonical(date.with_nulls(empty), Raw::Null)
    );
}

/// The renderings that only somebody can ask for.
fn asked() -> impl Strategy<Value = String> {
    prop_oneof![
        "timestamp(tz)? from (seconds|milliseconds|microseconds)",
        "boolean from ('[ a-z/]{0,8}'|-?[1-9])/('[A-Zé]{1,8}'|0)",
        "text from (windows-125[0-8]|iso-8859-(1|2|15|16)|koi8-r|ibm866|macintosh)",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The copy writes it, and this reads it back: by other code, to the same.
    #[test]
    fn both_carry_out_what_was_told(note in asked(), number: i64, second in -300_000_000_000_i64..300_000_000_000, bytes in proptest::collection::vec(1_u8.., 0..12)) {
        let copys: crate::transfer::rendering::Rendering = note.parse().unwrap();
        prop_assert_eq!(&copys.to_string(), &note);
        let word = |at: usize| note.split(" from ").nth(1).unwrap_or_default().rsplit_once('/').map(|(yes, no)| [yes, no][at].trim_matches('\'').to_owned()).unwrap_or_default();
        let (yes, no) = (word(0), word(1));
        for value in [Value::Integer(number), Value::Integer(second), Value::Integer(0), Value::Integer(number % 10), Value::Text(&bytes), Value::Text(yes.as_bytes()), Value::Text(no.as_bytes())] {
            let mut out = Vec::new();
            if copys.encode(value, &mut out).is_ok() {
                let raw = match value {
                    Value::Integer(n) => Raw::Integer(n),
                    Value::Text(text) => Raw::Text(text),
                    other => panic!("{other:?}"),
                };
                let back = rendered(&note, copys.pg_type().kind, &out[4..]);
                prop_assert_eq!(back, stored(raw), "{} {:?}", note, value);
            }
        }
    }

    /// Whatever PostgreSQL has, both bring back the same, or nothing.
    #[test]
    fn both_bring_back_the_same(note in asked(), micros: i64, near in -1_000_000_000_i64..1_000_000_000, text in "[ -~€éПΩ\u{80}]{0,8}", truth in 0_u8..3) {
        let copys: crate::transfer::rendering::Rendering = note.parse().unwrap();
        let sent = match copys.pg_type().kind {
            PgKind::Bool => vec![vec![truth]],
            PgKind::Text => vec![text.into_bytes()],
            _ => [micros.clamp(-211_813_488_000_000_000, 9_223_371_331_199_999_999), near, near * 1_000, near * 1_000_000].map(|micros| micros.to_be_bytes().to_vec()).into(),
        };
        for raw in sent {
            let mut batch = RowBatch::new(1, 0);
            copys.decode(Some(&raw), None, &mut batch);
            let ours = rendered(&note, copys.pg_type().kind, &raw);
            if batch.refused().is_empty() {
                let back = match batch.rows().next().unwrap().value(0) {
                    Value::Integer(n) => stored(Raw::Integer(n)),
                    Value::Text(text) => stored(Raw::Text(text)),
                    other => panic!("{other:?}"),
                };
                prop_assert_eq!(ours, back, "{}", note);
            } else {
                prop_assert_eq!(ours[0], tag::STORED_POSTGRES, "{}", note);
            }
        }
    }
}

#[test]
fn half_a_surrogate_pair_stays_half_a_pair() {
    let read = |encoding: Utf16, bytes: &[u8]| {
        let mut text = b"before".to_vec();
        encoding.read(bytes, &mut text);
        text
    };
    let of = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    for text in ["", "a", "é€", "\u{1f600}x", "a\0b"] {
        assert_eq!(read(Utf16::Little, &of(text)), text.as_bytes());
    }
    assert_eq!(
        read(Utf16::Big, &[0, b'a', 0xd8, 0x3d, 0xde, 0]),
        "a\u{1f600}".as_bytes()
    );
    assert_eq!(read(Utf16::Little, &[0x3d, 0xd8, b'a', 0]), b"\xed\xa0\xbda");
    assert_eq!(read(Utf16::Big, &[0xde, 0, 0]), b"\xed\xb8\x80\xff");
}
