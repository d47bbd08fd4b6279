use proptest::prelude::*;

use super::*;

fn zone(text: &str) -> Zone {
    Zone::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}

fn all() -> Vec<Rendering> {
    let mut all = vec![
        Rendering::Integer,
        Rendering::Boolean,
        Rendering::Real,
        Rendering::Number,
        Rendering::Decimal,
        Rendering::DecimalNumber,
        Rendering::Text,
        Rendering::TextNumber,
        Rendering::Blob,
        Rendering::Uuid,
        Rendering::UuidBlob,
        Rendering::Json,
        Rendering::JsonNumber,
        Rendering::Jsonb,
        Rendering::Date,
        Rendering::MixedText,
        Rendering::MixedBytea,
    ];
    let precisions = (1..=6).map(Precision::Fixed).chain([
        Precision::Minutes,
        Precision::Seconds,
        Precision::SixOrNone,
        Precision::Trimmed,
    ]);
    for precision in precisions {
        all.push(Rendering::Time(precision));
        for separator in [Separator::T, Separator::Space] {
            all.push(Rendering::Timestamp { separator, precision });
            for suffix in [
                "Z", "+00", "+0000", "+00:00", "-00:00", "-03:30", "+15:59", " +00:00", " Z", " -0330",
            ] {
                all.push(Rendering::Timestamptz {
                    separator,
                    precision,
                    zone: zone(suffix),
                });
            }
        }
    }
    let asked = [
        "timestamp from seconds",
        "timestamptz from milliseconds",
        "timestamptz from microseconds",
        "boolean from 't'/'f'",
        "boolean from 1/-1",
        "boolean from '1'/0",
        "boolean from 'it''s'/''",
        "text from windows-1252",
        "text from iso-8859-1",
        "text from windows-1253",
        "numeric(10,2) from numbers",
        "numeric(38,20) from numbers",
        "numeric from reals",
        "numeric(20,3) from reals",
    ];
    all.extend(asked.map(|text| text.parse::<Rendering>().unwrap()));
    all
}

/// The fields of a binary COPY, without their lengths.
fn fields(mut bytes: &[u8]) -> Vec<Option<&[u8]>> {
    let mut fields = vec![];
    while let Some((length, rest)) = bytes.split_at_checked(4) {
        let length = i32::from_be_bytes(length.try_into().unwrap());
        let Ok(length) = usize::try_from(length) else {
            fields.push(None);
            bytes = rest;
            continue;
        };
        let (field, rest) = rest.split_at(length);
        fields.push(Some(field));
        bytes = rest;
    }
    assert_eq!(bytes, b"");
    fields
}

fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

/// What is not refused comes back the same.
fn check(rendering: &Rendering, value: Value<'_>) -> Result<(), Reject> {
    let mut out = vec![];
    rendering.encode(value, &mut out)?;
    let fields = fields(&out);
    assert_eq!(
        fields.len(),
        1 + usize::from(rendering.has_class()),
        "{rendering}"
    );
    let mut batch = RowBatch::new(1, 0);
    rendering.decode(fields[0], fields.get(1).copied().flatten(), &mut batch);
    assert_eq!(batch.refused(), [], "{rendering} {}", value.describe());
    let back = batch.rows().next().unwrap().value(0);
    assert!(
        same(value, back),
        "{rendering}: {} came back as {}",
        value.describe(),
        back.describe()
    );
    Ok(())
}

fn accepts(rendering: &str, value: Value<'_>) {
    let parsed: Rendering = rendering.parse().unwrap();
    assert_eq!(check(&parsed, value), Ok(()), "{rendering} {}", value.describe());
}

fn refuses(rendering: &str, value: Value<'_>, reason: Reject) {
    let parsed: Rendering = rendering.parse().unwrap();
    assert_eq!(
        check(&parsed, value),
        Err(reason),
        "{rendering} {}",
        value.describe()
    );
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.as_bytes())
}

#[test]
fn the_stored_form_returns() {
    for rendering in all() {
        assert_eq!(rendering.to_string().parse(), Ok(rendering));
    }
    for unknown in [
        "",
        "Integer",
        "integer ",
        "mixed",
        "time",
        "time fixed0",
        "time fixed7",
        "timestamp space",
        "timestamp  seconds",
        "timestamptz T seconds",
        "timestamptz T seconds +16:00",
        "timestamptz T seconds z",
        "timestamptz T seconds +00:0",
        "timestamp from hours",
        "timestamp from seconds ",
        "date from seconds",
        "boolean from t/t",
        "boolean from 't'",
        "text from utf-8",
        "text from  windows-1252",
    ] {
        assert!(unknown.parse::<Rendering>().is_err(), "{unknown}");
    }
    let spelled: Vec<String> = ["timestamptz space six-or-none -03:30", "time trimmed"]
        .iter()
        .map(|text| text.parse::<Rendering>().unwrap().to_string())
        .collect();
    assert_eq!(spelled, ["timestamptz space six-or-none -03:30", "time trimmed"]);
}

#[test]
fn numbers_keep_their_class() {
    accepts("number", Value::Integer(0));
    accepts("number", Value::Integer(1 << 53));
    accepts("number", Value::Integer(i64::MIN));
    refuses("number", Value::Integer((1 << 53) + 1), Reject::Inexact);
    refuses("number", Value::Integer(i64::MAX), Reject::Inexact);
    accepts("number", Value::Real(0.5));
    accepts("number", Value::Real(f64::INFINITY));
    accepts("number", Value::Real(9_223_372_036_854_775_808.0));
    for whole in [0.0, -0.0, 1.0, -9_223_372_036_854_775_808.0, 1e18] {
        refuses("number", Value::Real(whole), Reject::Changed);
        refuses("decimal", Value::Real(whole), Reject::Changed);
        accepts("real", Value::Real(whole));
        accepts("mixed text", Value::Real(whole));
    }
    accepts("decimal", Value::Integer(i64::MAX));
    accepts("decimal", Value::Real(0.1 + 0.2));
    accepts("decimal", Value::Real(5e-324));
    accepts("decimal", Value::Real(f64::MAX));
    refuses("decimal", Value::Real(f64::INFINITY), Reject::Changed);
    for back_as_text in [
        "1.50",
        "0.000",
        "-0.10",
        "0.1234567890123456789",
        "9223372036854775808.0",
    ] {
        accepts("decimal", text(back_as_text));
    }
    for other in ["1", "-1", "007", "1.5", "-0", "-0.0", "0.5", "01.50"] {
        refuses("decimal", text(other), Reject::Changed);
    }
    for no_number in [
        "", ".5", "5.", "1e2", "+1", " 1", "1_000", "NaN", "Infinity", "１２",
    ] {
        refuses("decimal", text(no_number), Reject::NotANumber);
    }
    refuses("decimal", text(&("1".repeat(131_073) + ".0")), Reject::OutOfRange);
    refuses(
        "decimal",
        text(&("0.".to_owned() + &"1".repeat(16_384))),
        Reject::OutOfRange,
    );
    accepts(
        "decimal",
        text(&("1".repeat(131_072) + "." + &"1".repeat(16_383))),
    );
    refuses("boolean", Value::Integer(2), Reject::OutOfRange);
    refuses("boolean", text("true"), Reject::WrongClass(StorageClass::Text));
    refuses(
        "integer",
        Value::Real(1.0),
        Reject::WrongClass(StorageClass::Real),
    );
}

#[test]
fn times_have_one_form() {
    for (rendering, value) in [
        ("date", "0001-01-01"),
        ("date", "9999-12-31"),
        ("date", "2000-02-29"),
        ("time minutes", "23:59"),
        ("time fixed3", "00:00:00.000"),
        ("timestamp T seconds", "0001-01-01T00:00:00"),
        ("timestamp space fixed1", "9999-12-31 23:59:59.9"),
        ("timestamp space six-or-none", "2024-01-31 10:20:30"),
        ("timestamp space six-or-none", "2024-01-31 10:20:30.100000"),
        ("timestamp space trimmed", "2024-01-31 10:20:30"),
        ("timestamp space trimmed", "2024-01-31 10:20:30.1"),
        ("timestamp space trimmed", "1969-12-31 23:59:59.000001"),
        ("timestamp T minutes", "2024-01-31T10:20"),
        ("timestamptz T seconds Z", "2024-01-31T10:20:30Z"),
        ("timestamptz T seconds +15:59", "0001-01-01T00:00:00+15:59"),
        ("timestamptz T minutes -0330", "9999-12-31T23:59-0330"),
        (
            "timestamptz space fixed6 -00:00",
            "1600-02-29 10:20:30.000000-00:00",
        ),
    ] {
        accepts(rendering, text(value));
    }
    for (rendering, value) in [
        ("timestamp space six-or-none", "2024-01-31 10:20:30.000000"),
        ("timestamp space six-or-none", "2024-01-31 10:20:30.1"),
        ("timestamp space trimmed", "2024-01-31 10:20:30.10"),
        ("timestamp space trimmed", "2024-01-31 10:20:30.0"),
        ("timestamp space fixed3", "2024-01-31 10:20:30.12"),
        ("timestamp space seconds", "2024-01-31T10:20:30"),
        ("timestamp space seconds", "2024-01-31 10:20:30Z"),
        ("timestamptz T seconds Z", "2024-01-31T10:20:30+00:00"),
        ("timestamptz T seconds +02:00", "2024-01-31T10:20:30+01:00"),
        ("date", "2024-01-31 00:00"),
        ("time seconds", "2024-01-31"),
    ] {
        refuses(rendering, text(value), Reject::Changed);
    }
    for value in [
        "",
        "now",
        "today",
        "infinity",
        "epoch",
        "allballs",
        "0000-00-00",
        "0000-01-01",
        "2023-02-29",
        "1900-02-29",
        "2024-02-30",
        "2024-13-01",
        "2024-1-1",
        "99999-01-01",
        "-4713-01-01",
        "20240131",
        "31.12.1999",
        "12/31/99",
        "2024-01-31 24:00:00",
        "2024-01-31 23:59:60",
        "2024-01-31 10:60",
        "2024-01-31 10:20:30.",
        "2024-01-31 10:20:30,5",
        "2024-01-31 10:20:30.1234567",
        "2024-01-31 10:20:30  +00:00",
        "2024-01-31 10:20:30\t+00:00",
        "2024-01-31 10:20:30_+00:00",
        "2024-01-31 10:20:30 ",
        "2024-01-31 10:20:30+0",
        "2024-01-31 10:20:30+16",
        "2024-01-31 10:20:30z",
        "2024-01-31 10:20:30 UTC",
        "2024-01-31  10:20:30",
        "2024-01-31t10:20:30",
        "2024-01-31 10",
        "2024-01-31 ",
        " 2024-01-31",
        "2024-01-31\n",
        "２024-01-31",
        "2024\u{2d}01\u{2010}31",
        "10:20:30Z",
        "1:20",
        "24:00",
    ] {
        for rendering in all().iter().filter(|rendering| rendering.moment().is_some()) {
            assert_eq!(
                check(rendering, text(value)),
                Err(Reject::NotATime),
                "{rendering} {value:?}"
            );
        }
    }
}

#[test]
fn a_number_is_a_time_of_the_unit_named() {
    let micros = |rendering: &str, number: i64| {
        let mut out = vec![];
        let rendering: Rendering = rendering.parse().unwrap();
        rendering.encode(Value::Integer(number), &mut out)?;
        Ok::<_, Reject>(i64::from_be_bytes(out[4..].try_into().unwrap()) + PG_EPOCH_MICROS)
    };
    let of_2024 = 1_706_696_430;
    assert_eq!(
        micros("timestamptz from seconds", of_2024),
        Ok(of_2024 * 1_000_000)
    );
    assert_eq!(micros("timestamp from milliseconds", -1), Ok(-1_000));
    assert_eq!(micros("timestamptz from microseconds", of_2024), Ok(of_2024));
    for number in [
        0,
        -1,
        of_2024,
        253_402_300_800,
        -62_135_596_801,
        9_223_371_331_200,
        -210_866_803_200,
    ] {
        accepts("timestamptz from seconds", Value::Integer(number));
        accepts("timestamp from milliseconds", Value::Integer(number));
        accepts("timestamptz from microseconds", Value::Integer(number));
    }
    // The first and the last second that PostgreSQL holds, and those beside them.
    accepts("timestamptz from seconds", Value::Integer(-210_866_803_200));
    accepts("timestamptz from seconds", Value::Integer(9_224_318_015_999));
    for beyond in [-210_866_803_201, 9_224_318_016_000, i64::MIN, i64::MAX] {
        refuses(
            "timestamptz from seconds",
            Value::Integer(beyond),
            Reject::OutOfRange,
        );
    }
    refuses(
        "timestamp from milliseconds",
        Value::Integer(i64::MAX),
        Reject::OutOfRange,
    );
    refuses(
        "timestamp from microseconds",
        Value::Integer(i64::MIN),
        Reject::OutOfRange,
    );
    accepts("timestamp from microseconds", Value::Integer(i64::MAX));
    for (value, class) in [
        (Value::Real(1.0), StorageClass::Real),
        (text("1706696430"), StorageClass::Text),
        (Value::Blob(b"1"), StorageClass::Blob),
    ] {
        refuses("timestamptz from seconds", value, Reject::WrongClass(class));
    }
    // What PostgreSQL's own clock may write there is finer, or no time at all.
    for (rendering, micros) in [
        ("timestamptz from seconds", 1),
        ("timestamptz from milliseconds", 999),
        ("timestamptz from seconds", -500_000),
        ("timestamptz from microseconds", i64::MAX),
        ("timestamp from microseconds", i64::MIN),
    ] {
        assert_eq!(
            decoded(&rendering.parse().unwrap(), &micros.to_be_bytes()),
            Err(()),
            "{rendering} {micros}"
        );
    }
}

#[test]
fn only_the_two_words_are_true_and_false() {
    for word in ["t", "f"] {
        accepts("boolean from 't'/'f'", text(word));
    }
    for other in [
        text("T"),
        text("t "),
        text(""),
        text("true"),
        Value::Integer(1),
        Value::Blob(b"t"),
        Value::Real(1.0),
    ] {
        refuses("boolean from 't'/'f'", other, Reject::NoTruth);
    }
    accepts("boolean from 1/-1", Value::Integer(-1));
    for other in [Value::Integer(0), text("1"), Value::Real(-1.0)] {
        refuses("boolean from 1/-1", other, Reject::NoTruth);
    }
    accepts("boolean from '1'/0", text("1"));
    accepts("boolean from '1'/0", Value::Integer(0));
    refuses("boolean from '1'/0", Value::Integer(1), Reject::NoTruth);
    accepts("boolean from 'it''s'/''", text("it's"));
    accepts("boolean from 'it''s'/''", text(""));
    let words: Rendering = "boolean from 'no'/'yes'".parse().unwrap();
    assert_eq!(decoded(&words, &[1]), Ok(Back::Text(b"no".to_vec())));
    assert_eq!(decoded(&words, &[0]), Ok(Back::Text(b"yes".to_vec())));
    assert_eq!(decoded(&words, &[2]), Err(()));
}

#[test]
fn decimals_come_back_without_the_zeros_that_their_type_shows() {
    let numbers = "numeric(10,2) from numbers";
    for number in [0.5, -2.25, 1_234_567.89, 0.01, -0.1] {
        accepts(numbers, Value::Real(number));
        accepts("numeric(10,2) from reals", Value::Real(number));
    }
    accepts(numbers, Value::Integer(99_999_999));
    accepts(numbers, Value::Integer(-20));
    accepts("numeric(10,2) from reals", Value::Real(3.0));
    accepts("numeric from reals", Value::Real(1e300));
    accepts("numeric from reals", Value::Real(5e-324));
    refuses(numbers, Value::Real(3.0), Reject::Changed);
    refuses(numbers, Value::Real(0.005), Reject::Inexact);
    refuses(numbers, Value::Integer(100_000_000), Reject::OutOfRange);
    refuses(numbers, Value::Real(f64::INFINITY), Reject::OutOfRange);
    for rendering in [numbers, "numeric from reals"] {
        refuses(rendering, Value::Real(-0.0), Reject::Changed);
        refuses(rendering, text("1"), Reject::WrongClass(StorageClass::Text));
    }
    let whole = Reject::WrongClass(StorageClass::Integer);
    refuses("numeric from reals", Value::Integer(1), whole);
    let sent = |digits: &str| {
        let mut field = Vec::new();
        put_decimal(digits, None, &mut field).unwrap();
        field.split_off(size_of::<i32>())
    };
    let back = |rendering: &str, digits: &str| decoded(&rendering.parse().unwrap(), &sent(digits));
    assert_eq!(back(numbers, "20.00"), Ok(Back::Integer(20)));
    assert_eq!(back(numbers, "-0.10"), Ok(Back::Real((-0.1_f64).to_bits())));
    assert_eq!(back(numbers, "0.00"), Ok(Back::Integer(0)));
    assert_eq!(
        back("numeric(10,2) from reals", "20.00"),
        Ok(Back::Real(20.0_f64.to_bits()))
    );
    assert_eq!(back("numeric(10,2) from reals", "0.00"), Ok(Back::Real(0)));
    // More digits than a number of SQLite has.
    assert_eq!(back(numbers, "0.12345678901234567890"), Err(()));
    assert_eq!(back("numeric from reals", "12345678901234567890"), Err(()));
}

#[test]
fn text_of_a_charset_is_its_bytes() {
    let all: Vec<u8> = (1..=u8::MAX).collect();
    accepts("text from windows-1252", Value::Text(&all));
    accepts("text from iso-8859-1", Value::Text(&all));
    accepts("text from windows-1252", Value::Text("é as UTF-8".as_bytes()));
    refuses(
        "text from windows-1253",
        Value::Text(b"a\xaa"),
        Reject::NotInCharset,
    );
    refuses(
        "text from windows-1252",
        Value::Text(b"a\0\xe9"),
        Reject::NulInText,
    );
    refuses(
        "text from windows-1252",
        Value::Blob(b"a"),
        Reject::WrongClass(StorageClass::Blob),
    );
    let latin: Rendering = "text from windows-1252".parse().unwrap();
    assert_eq!(
        decoded(&latin, "€é".as_bytes()),
        Ok(Back::Text(b"\x80\xe9".to_vec()))
    );
    for unwritable in ["Ω", "e\u{301}", "\u{80}"] {
        assert_eq!(decoded(&latin, unwritable.as_bytes()), Err(()), "{unwritable}");
    }
    assert_eq!(decoded(&latin, b"\xe9"), Err(()));
}

#[test]
fn a_default_is_a_literal_of_the_column() {
    let literal = |rendering: &str, value| rendering.parse::<Rendering>().unwrap().literal(value);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        literal("timestamptz from seconds", Value::Integer(-1)),
        some("'1969-12-31 23:59:59+00'::timestamptz")
    );
    assert_eq!(
        literal("timestamp from milliseconds", Value::Integer(1_500)),
        some("'1970-01-01 00:00:01.5'::timestamp")
    );
    assert_eq!(
        literal("timestamptz from seconds", Value::Integer(i64::MAX)),
        None
    );
    assert_eq!(literal("timestamptz from seconds", text("0")), None);
    assert_eq!(literal("boolean from 'f'/'t'", text("t")), some("FALSE"));
    assert_eq!(literal("boolean from 'f'/'t'", text("x")), None);
    assert_eq!(literal("text from koi8-r", text("it's")), some(" E'it''s'"));
    assert_eq!(literal("text from koi8-r", text("é")), None);
}

#[test]
fn a_time_that_the_form_cannot_write_has_no_form() {
    for (rendering, micros) in [
        ("timestamp space seconds", 1),
        ("timestamp space minutes", 1_000_000),
        ("timestamp space fixed3", 999),
        ("timestamp space trimmed", i64::MAX),
        ("timestamp space trimmed", i64::MIN),
        ("timestamptz T trimmed +02:00", i64::MAX),
        ("time trimmed", 86_400_000_000),
        ("time trimmed", -1),
        ("timestamp space trimmed", -63_082_281_600_000_001),
    ] {
        let mut batch = RowBatch::new(1, 0);
        let parsed: Rendering = rendering.parse().unwrap();
        parsed.decode(Some(&i64::to_be_bytes(micros)), None, &mut batch);
        assert_eq!(batch.refused().len(), 1, "{rendering} {micros}");
        assert_eq!(batch.refused()[0].reason, Reject::NoForm);
    }
}

#[test]
fn json_is_text_or_a_number() {
    let deep = "[".repeat(2_000) + &"]".repeat(2_000);
    for document in [
        "null",
        " [1 , 2]\n",
        r#"{"b":1,"a":1e400,"b":"\u0000\ud800"}"#,
        &deep,
    ] {
        accepts("json", text(document));
        accepts("json-number", text(document));
    }
    for no_json in ["", "undefined", "[1,]", "NaN", "{a:1}", "\u{feff}1"] {
        refuses("json", text(no_json), Reject::NotJson);
    }
    let deeper = r#"["\u0000","#.to_owned() + &"[".repeat(100_000) + &"]".repeat(100_000) + "]";
    refuses("json", text(&deeper), Reject::JsonDepth);
    refuses("json", Value::Text(b"\"\xff\""), Reject::NotUtf8);
    for number in [
        Value::Integer(42),
        Value::Integer(i64::MIN),
        Value::Real(-0.0),
        Value::Real(1e300),
        Value::Real(1.0),
    ] {
        accepts("json-number", number);
    }
    refuses("json-number", Value::Real(f64::NEG_INFINITY), Reject::OutOfRange);
    for like_a_number in ["42", "1.0", "1e300", "-0.0"] {
        refuses("json-number", text(like_a_number), Reject::Changed);
    }
    for other in [
        " 42",
        "42 ",
        "1.50",
        "1E300",
        "1e400",
        "-0",
        "9223372036854775808",
        "\"42\"",
    ] {
        accepts("json-number", text(other));
    }
    accepts("jsonb", text(r#"{"a": 1, "b": [1.0, {"z": ""}], "aa": null}"#));
    refuses("jsonb", text(r#"{"a":1}"#), Reject::Changed);
    refuses("jsonb", text(r#"{"a": 1, "a": 2}"#), Reject::Changed);
    refuses("jsonb", text(r#""\u0000""#), Reject::JsonNul);
}

#[test]
fn mixed_values_keep_their_class() {
    for value in [
        Value::Null,
        Value::Integer(1),
        Value::Real(1.0),
        Value::Real(f64::NEG_INFINITY),
        Value::Real(-0.0),
        text("1"),
        text(""),
    ] {
        accepts("mixed text", value);
        accepts("mixed bytea", value);
    }
    accepts("mixed bytea", Value::Blob(b"1"));
    accepts("mixed bytea", Value::Text(b"\0\xff"));
    refuses("mixed text", Value::Text(b"\0"), Reject::NulInText);
    refuses(
        "mixed text",
        Value::Blob(b"1"),
        Reject::WrongClass(StorageClass::Blob),
    );
    let mut out = vec![];
    Rendering::MixedBytea.encode(Value::Null, &mut out).unwrap();
    assert_eq!(fields(&out), [None, Some(b"blob".as_slice())]);
    for (raw, class) in [
        ("1", None),
        ("1", Some("null")),
        ("01", Some("integer")),
        ("x", Some("integer")),
        ("1", Some("real")),
        ("NaN", Some("real")),
        // Columns with blobs are bytea.
        ("x", Some("blob")),
    ] {
        let mut batch = RowBatch::new(1, 0);
        Rendering::MixedText.decode(Some(raw.as_bytes()), class.map(str::as_bytes), &mut batch);
        assert_eq!(batch.refused().len(), 1, "{raw} {class:?}");
    }
}

/// PostgreSQL sends none of these; whatever does is not believed.
#[test]
fn bytes_that_are_no_decimal_are_refused() {
    let decimal = |count: u16, sign: u16, groups: &[u16]| -> Vec<u8> {
        let words = [count, 0, sign, 0].into_iter().chain(groups.iter().copied());
        words.flat_map(u16::to_be_bytes).collect()
    };
    for rendering in ["decimal", "decimal-number", "numeric(10,2) from numbers"] {
        let rendering: Rendering = rendering.parse().unwrap();
        assert_eq!(
            decoded(&rendering, &decimal(1, 0x4000, &[12])),
            Ok(Back::Integer(-12))
        );
        for raw in [
            // Fewer groups, and more, than it says.
            decimal(3470, 0x4000, &[]),
            decimal(2, 0, &[12]),
            decimal(0, 0, &[12]),
            [decimal(1, 0, &[12]), vec![0]].concat(),
            // Five digits in a group, a sign in one, a zero with a sign.
            decimal(1, 0, &[10_000]),
            decimal(1, 0, &[0xffff]),
            decimal(0, 0x4000, &[]),
        ] {
            assert_eq!(decoded(&rendering, &raw), Err(()), "{rendering} {raw:?}");
        }
    }
}

#[test]
fn uuids_are_small_and_dashed() {
    accepts("uuid", text("0d6e4079-e367-4e11-a42f-97a46cf9b9c0"));
    for other in [
        "0D6E4079-E367-4E11-A42F-97A46CF9B9C0",
        "0d6e4079e3674e11a42f97a46cf9b9c0",
        "{0d6e4079-e367-4e11-a42f-97a46cf9b9c0}",
        "0d6e4079-e367-4e11-a42f-97a46cf9b9cg",
        "0d6e4079-e367-4e11-a42f-97a46cf9b9c",
    ] {
        refuses("uuid", text(other), Reject::NotAUuid);
    }
    accepts("uuid-blob", Value::Blob(&[7; 16]));
    refuses("uuid-blob", Value::Blob(&[7; 15]), Reject::NotAUuid);
}

/// Text that a rendering may take for its own.
fn near_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+.:0-9eETZ ]{0,36}",
        "[-0]?[0-9]{0,20}(\\.[0-9]{0,20})?",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{1,7})?)?(Z|[-+][01][0-9](:?[0-6][0-9])?)?)?",
        "[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?",
        "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        r#"([\[\]{}:,"0-9.eE+\-]|true|null|"a"|"\\u00[0-9a-f]{2}"|[ \n]|é){0,12}"#,
        "\\PC*",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_taken_returns(text in near_text(), bytes in proptest::collection::vec(any::<u8>(), 0..20), integer: i64, small in -3_i64..3, bits: u64, cents in -1_000_000_i64..1_000_000) {
        let values = [
            Value::Null,
            Value::Text(text.as_bytes()),
            Value::Text(&bytes),
            Value::Blob(&bytes),
            Value::Integer(integer),
            Value::Integer(small),
            Value::Real(Some(f64::from_bits(bits)).filter(|n| !n.is_nan()).unwrap_or(-0.0)),
            Value::Real(cents as f64 / 100.0),
            Value::Real(integer as f64),
        ];
        for rendering in all() {
            for value in values {
                let _refused = check(&rendering, value);
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), class in proptest::option::of("integer|real|text|blob|null|x")) {
        for rendering in all() {
            rendering.decode(Some(&bytes), class.as_deref().map(str::as_bytes), &mut RowBatch::new(1, 0));
        }
        let _unknown = String::from_utf8_lossy(&bytes).parse::<Rendering>();
    }

    #[test]
    fn what_is_written_is_taken(micros: i64, near in 0_i64..400_000_000_000_000_000, digits in 0_u32..7) {
        let step = 10_i64.pow(6 - digits);
        for rendering in all().iter().filter(|rendering| rendering.moment().is_some()) {
            for micros in [micros, (near - 200_000_000_000_000_000) / step * step, near % 86_400_000_000 / 60_000_000 * 60_000_000] {
                let wide = micros.to_be_bytes();
                let days = i32::try_from(micros / 86_400_000_000).unwrap_or(0).to_be_bytes();
                let raw: &[u8] = if *rendering == Rendering::Date { &days } else { &wide };
                let mut batch = RowBatch::new(1, 0);
                rendering.decode(Some(raw), None, &mut batch);
                if batch.refused().is_empty() {
                    let written = batch.rows().next().unwrap().value(0);
                    let mut out = vec![];
                    prop_assert_eq!(rendering.encode(written, &mut out), Ok(()), "{} {}", rendering, written.describe());
                    prop_assert_eq!(&out[4..], raw);
                }
            }
        }
    }

    #[test]
    fn what_somebody_asked_for_returns_either_way(number: i64, near in -10_000_000_000_000_i64..10_000_000_000_000, bytes in proptest::collection::vec(1_u8.., 0..20), text in "[ -~€éΩ\u{80}]{0,8}", truth in 0_u8..3) {
        for rendering in all().iter().filter(|rendering| rendering.is_asked()) {
            for value in [Value::Integer(number), Value::Integer(near), Value::Text(&bytes), Value::Text(text.as_bytes())] {
                let _refused = check(rendering, value);
            }
            let [mut whole, mut fraction] = [vec![], vec![]];
            put_decimal(&(near % 100_000_000).to_string(), None, &mut whole).unwrap();
            put_decimal(&format!("{}.0{}", near % 100_000_000, truth + 1), None, &mut fraction).unwrap();
            for raw in [&number.to_be_bytes()[..], &(near * 1_000).to_be_bytes(), text.as_bytes(), &[truth], &whole[4..], &fraction[4..]] {
                // PostgreSQL has no text with a NUL.
                if rendering.pg_type().kind == PgKind::Text && raw.contains(&0) {
                    continue;
                }
                let mut batch = RowBatch::new(1, 0);
                rendering.decode(Some(raw), None, &mut batch);
                if batch.refused().is_empty() {
                    let mut out = vec![];
                    let value = batch.rows().next().unwrap().value(0);
                    prop_assert_eq!(rendering.encode(value, &mut out), Ok(()), "{} {}", rendering, value.describe());
                    prop_assert_eq!(&out[4..], raw, "{}", rendering);
                }
            }
        }
    }

    #[test]
    fn canonical_decimals_are_told_by_their_text(text in "-?[0-9]{0,3}[0-9]{1,30}(\\.[0-9]{1,30})?") {
        // The long way: as numeric prints it, read as a decimal is read.
        let mut out = vec![];
        put_decimal(&text, None, &mut out).unwrap();
        let mut batch = RowBatch::new(1, 0);
        Rendering::Decimal.decode(Some(&out[4..]), None, &mut batch);
        let returned = batch.rows().next().unwrap().value(0) == Value::Text(text.as_bytes());
        prop_assert_eq!(decimal_text_returns(&text), returned);
    }
}

/// A program may have written it in PostgreSQL. Where it cannot come back it must not come back as another zero.
#[test]
fn a_zero_with_a_sign_comes_back_or_is_refused() {
    for rendering in all() {
        let Ok(back) = decoded(&rendering, &(-0.0_f64).to_be_bytes()) else {
            continue;
        };
        let is_double = matches!(rendering.pg_type().kind, PgKind::Float8);
        assert!(
            !is_double || matches!(back, Back::Real(bits) if bits == (-0.0_f64).to_bits()),
            "{rendering} makes {back:?} of it"
        );
    }
    assert!(decoded(&Rendering::Number, &(-0.0_f64).to_be_bytes()).is_err());
    assert_eq!(
        decoded(&Rendering::Number, &0.0_f64.to_be_bytes()),
        Ok(Back::Integer(0))
    );
    assert_eq!(
        decoded(&Rendering::JsonNumber, b"-0.0"),
        Ok(Back::Real((-0.0_f64).to_bits()))
    );
    // As PostgreSQL's json keeps it, which is not how a REAL is written: it stays a document.
    assert_eq!(
        decoded(&Rendering::JsonNumber, b"-0"),
        Ok(Back::Text(b"-0".to_vec()))
    );
}

#[derive(Debug, PartialEq)]
enum Back {
    Integer(i64),
    Real(u64),
    Text(Vec<u8>),
    Other,
}

fn decoded(rendering: &Rendering, raw: &[u8]) -> Result<Back, ()> {
    let mut batch = RowBatch::new(1, 0);
    rendering.decode(Some(raw), None, &mut batch);
    if !batch.refused().is_empty() {
        return Err(());
    }
    Ok(match batch.rows().next().unwrap().value(0) {
        Value::Integer(number) => Back::Integer(number),
        Value::Real(number) => Back::Real(number.to_bits()),
        Value::Text(text) => Back::Text(text.to_vec()),
        Value::Null | Value::Blob(_) => Back::Other,
    })
}
