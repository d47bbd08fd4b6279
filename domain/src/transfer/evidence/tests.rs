use proptest::prelude::*;

use super::super::catalog::{Affinity, ColumnKind, Generated, Identity};
use super::super::rows::RowBatch;
use super::*;

/// A value that owns its bytes.
#[derive(Debug, Clone)]
enum Owned {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Real(number) => Value::Real(*number),
            Self::Text(bytes) => Value::Text(bytes),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }
}

impl From<&str> for Owned {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl From<i32> for Owned {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i64> for Owned {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Owned {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

fn null() -> Owned {
    Owned::Null
}

fn blob(bytes: &[u8]) -> Owned {
    Owned::Blob(bytes.to_vec())
}

fn column(declared: &str) -> Column {
    Column {
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
    }
}

fn evidence(declared: &str, values: &[Owned]) -> Evidence {
    let mut evidence = Evidence::new(&column(declared));
    for value in values {
        evidence.observe(value.value());
    }
    evidence
}

/// The values that do not come back.
fn lost(rendering: &Rendering, values: &[Owned]) -> Vec<String> {
    let lost = |value: &&Owned| {
        let value = value.value();
        let mut out = vec![];
        if rendering.encode(value, &mut out).is_err() {
            return true;
        }
        let mut fields = vec![];
        let mut rest = out.as_slice();
        while let Some((length, behind)) = rest.split_at_checked(4) {
            let length = usize::try_from(i32::from_be_bytes(length.try_into().unwrap())).ok();
            let (field, behind) = behind.split_at(length.unwrap_or(0));
            fields.push(length.map(|_| field));
            rest = behind;
        }
        let mut batch = RowBatch::new(1, 0);
        rendering.decode(fields[0], fields.get(1).copied().flatten(), &mut batch);
        let back = batch.rows().next().unwrap().value(0);
        let same = match (value, back) {
            (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        };
        !same || !batch.refused().is_empty()
    };
    values
        .iter()
        .filter(lost)
        .map(|value| value.value().describe())
        .collect()
}

fn chosen_by(declared: &str, values: &[Owned], rules: Rules) -> String {
    let choice = evidence(declared, values).choose(rules);
    let lost = lost(&choice.rendering, values);
    assert!(
        lost.is_empty() || choice.rejects_possible,
        "{} loses {lost:?}",
        choice.rendering
    );
    choice.rendering.to_string()
}

fn chosen(declared: &str, values: &[Owned]) -> String {
    chosen_by(declared, values, Rules::default())
}

/// The values of a list as they are.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$(Owned::from($value)),*] };
}

impl From<&[u8]> for Owned {
    fn from(bytes: &[u8]) -> Self {
        blob(bytes)
    }
}

#[test]
fn one_class_of_numbers() {
    assert_eq!(chosen("INT2", values![1, i64::MIN, i64::MAX]), "integer");
    assert_eq!(chosen("BOOLEAN", values![0, 1, null(), 1]), "boolean");
    assert_eq!(chosen("bool", values![1, 2]), "integer");
    assert_eq!(chosen("BOOLEAN", values![0, 1, -1]), "integer");
    assert_eq!(chosen("INTEGER", values![0, 1]), "integer");
    assert_eq!(chosen("BOOLEAN", values![0, 1, "true"]), "mixed text");
    assert_eq!(chosen("BOOLEAN", values![0, 1, 0.5]), "number");
    assert_eq!(chosen("DATE", values![20_240_131, 45_322]), "integer");
    assert_eq!(chosen("DATETIME", values![2_460_340.5]), "real");
    assert_eq!(
        chosen(
            "REAL",
            values![1.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324, f64::MAX]
        ),
        "real"
    );
    assert_eq!(chosen("INTEGER", values![1, 2.5, 1e300]), "number");
    assert_eq!(chosen("INTEGER", values![i64::MAX, 2.5]), "decimal-number");
    assert_eq!(
        chosen("INTEGER", values![(1_i64 << 53) + 1, 1e300]),
        "decimal-number"
    );
    assert_eq!(chosen("", values![1, 1.0]), "mixed text");
    assert_eq!(chosen("", values![1, -0.0]), "mixed text");
    assert_eq!(
        chosen("INTEGER", values![i64::MAX, f64::INFINITY, 0.5]),
        "mixed text"
    );
}

#[test]
fn decimals_are_declared_and_short() {
    for declared in ["DECIMAL(5,2)", "NUMERIC", "money", "NUMBER(10)"] {
        assert_eq!(chosen(declared, values![1, 1.5, -0.01, 1e20]), "decimal-number");
        assert_eq!(chosen(declared, values![1, 2]), "decimal-number");
        assert_eq!(chosen(declared, values![0.1]), "decimal-number");
        assert_eq!(chosen(declared, values![0.1 + 0.2]), "real");
        assert_eq!(chosen(declared, values![1, 1.0 / 3.0]), "number");
        assert_eq!(chosen(declared, values![i64::MAX, 1.0 / 3.0]), "decimal-number");
        assert_eq!(chosen(declared, values![1e300]), "real");
        assert_eq!(chosen(declared, values![1e-40]), "real");
        assert_eq!(chosen(declared, values![f64::INFINITY, 1.5]), "real");
        assert_eq!(
            chosen(declared, values![1, 1.5, "0.12345678901234567890"]),
            "decimal"
        );
        assert_eq!(chosen(declared, values![1, "oops"]), "mixed text");
        assert_eq!(chosen(declared, values![1.5, "1.5"]), "mixed text");
        assert_eq!(chosen(declared, values![1, b"1".as_slice()]), "mixed bytea");
        let in_key = Rules {
            in_key_with_others: true,
            ..Rules::default()
        };
        assert_eq!(chosen_by(declared, values![1.5, "1.50"], in_key), "mixed text");
        assert_eq!(chosen_by(declared, values![1.5, 2], in_key), "decimal-number");
    }
    assert_eq!(chosen("INTEGER", values![1, "1.50"]), "mixed text");
    assert_eq!(chosen("REAL", values![0.5]), "real");
}

#[test]
fn numbers_in_text_stay_text() {
    assert_eq!(chosen("TEXT", values!["007", "1.0", "+1"]), "text");
    assert_eq!(chosen("INTEGER", values!["1"]), "text");
    assert_eq!(chosen("VARCHAR(3)", values!["abcdef", "a  ", "", null()]), "text");
    assert_eq!(chosen("BOOLEAN", values!["t", "f"]), "text-number");
    // No text that SQLite would have made a number of is among them, and so no other will be when they come back.
    assert_eq!(
        chosen("STRING", values!["abc", "", "12a", "1e", "."]),
        "text-number"
    );
    assert_eq!(chosen("STRING", values!["abc", " 12 "]), "text");
    assert_eq!(chosen("REAL", values!["abc"]), "text");
}

#[test]
fn mixed_columns() {
    assert_eq!(chosen("INTEGER", values![1, 2, "oops"]), "mixed text");
    assert_eq!(chosen("", values![1, "1", 1.0]), "mixed text");
    assert_eq!(chosen("", values![1, "1", 1.0, b"1".as_slice()]), "mixed bytea");
    assert_eq!(chosen("TEXT", values!["abc", b"abc".as_slice()]), "mixed bytea");
    assert_eq!(chosen("DATE", values!["", 1]), "mixed text");
    let nul = Owned::from("a\0b");
    assert_eq!(chosen("INTEGER", &[1.into(), nul.clone()]), "mixed bytea");
    assert_eq!(
        chosen("INTEGER", &[1.into(), Owned::Text(vec![0xff])]),
        "mixed bytea"
    );
    let choice = evidence("TEXT", &[nul, "a".into()]).choose(Rules::default());
    assert_eq!(choice.rendering, Rendering::Text);
    assert!(choice.rejects_possible);
    assert!(
        !evidence("TEXT", values!["a"])
            .choose(Rules::default())
            .rejects_possible
    );
}

#[test]
fn blobs() {
    let id: &[u8] = &[7; 16];
    assert_eq!(chosen("UUID", values![id, null()]), "uuid-blob");
    assert_eq!(chosen("BLOB", values![id]), "blob");
    assert_eq!(chosen("UUID", values![id, b"".as_slice()]), "blob");
    assert_eq!(
        chosen("UUID", values![id, "07070707-0707-0707-0707-070707070707"]),
        "mixed bytea"
    );
}

#[test]
fn texts_of_one_form() {
    let id = "0d6e4079-e367-4e11-a42f-97a46cf9b9c0";
    assert_eq!(chosen("TEXT", values![id, null()]), "uuid");
    assert_eq!(chosen("TEXT", values![id, id.to_uppercase().as_str()]), "text");
    for declared in ["DATE", "TEXT", "", "VARCHAR(10)", "DATETIME"] {
        assert_eq!(chosen(declared, values!["2024-01-31", "0001-01-01"]), "date");
        assert_eq!(
            chosen(declared, values!["2024-01-31 10:20:30"]),
            "timestamp space six-or-none"
        );
    }
    let forms: [(&[&str], &str); 14] = [
        (&["2024-01-31T10:20"], "timestamp T minutes"),
        (
            &["2024-01-31 10:20:30.000", "2024-01-31 10:20:30.123"],
            "timestamp space fixed3",
        ),
        (
            &["2024-01-31 10:20:30", "2024-01-31 10:20:30.123000"],
            "timestamp space six-or-none",
        ),
        (
            &["2024-01-31 10:20:30", "2024-01-31 10:20:30.123"],
            "timestamp space trimmed",
        ),
        (
            &["2024-01-31T10:20:30.123Z", "2024-01-31T10:20:31.120Z"],
            "timestamptz T fixed3 Z",
        ),
        (&["2024-01-31T10:20:30+02:00"], "timestamptz T six-or-none +02:00"),
        (&["2024-01-31T10:20:30+02:00", "2024-01-31T10:20:30Z"], "text"),
        (&["2024-01-31T10:20:30Z", "2024-01-31T10:20:30"], "text"),
        (&["2024-01-31T10:20:30", "2024-01-31 10:20:30"], "text"),
        (&["2024-01-31 10:20:30", "2024-01-31"], "text"),
        (&["2024-01-31 10:20:30", "2024-01-31 10:20"], "text"),
        (&["2024-01-31 10:20:30.5", "2024-01-31 10:20:30.500"], "text"),
        (&["2024-01-31", ""], "text"),
        (&["2024-01-31", "2024-02-30"], "text"),
    ];
    for (texts, rendering) in forms {
        let values: Vec<Owned> = texts.iter().map(|text| Owned::from(*text)).collect();
        assert_eq!(chosen("TEXT", &values), rendering, "{texts:?}");
    }
    assert_eq!(chosen("TEXT", values!["10:20"]), "text");
    assert_eq!(chosen("TIME", values!["10:20"]), "time minutes");
    assert_eq!(chosen("TIME", values!["10:20:30", "24:00:00"]), "text-number");
    for word in [
        "now",
        "today",
        "epoch",
        "infinity",
        "0000-00-00",
        "2024-01-31 24:00:00",
        "2016-12-31 23:59:60",
    ] {
        assert_eq!(chosen("DATETIME", values![word]), "text-number", "{word}");
    }
}

#[test]
fn json() {
    assert_eq!(chosen("TEXT", values![r#"{"a": 1}"#, "[]", null()]), "jsonb");
    assert_eq!(chosen("TEXT", values![r#"{"a": 1}"#, r#"{"b":1}"#]), "json");
    assert_eq!(chosen("TEXT", values![r#"{"a": 1, "a": 2}"#]), "json");
    assert_eq!(chosen("TEXT", values![r#"["\u0000"]"#]), "json");
    assert_eq!(chosen("TEXT", values!["[1]", "2"]), "text");
    assert_eq!(chosen("TEXT", values!["[1]", "[1,]"]), "text");
    assert_eq!(chosen("JSON TEXT", values!["[1]", "null", "\"a\""]), "jsonb");
    assert_eq!(chosen("JSON", values!["[1]", "undefined"]), "text-number");
    assert_eq!(chosen("JSON", values!["[1]", ""]), "text-number");
    assert_eq!(chosen("JSON", values!["[1]", 42, 1.5, null()]), "json-number");
    assert_eq!(chosen("JSON", values![42]), "json-number");
    assert_eq!(chosen("JSON", values!["[1]", 42, f64::INFINITY]), "mixed text");
    assert_eq!(chosen("JSON", values!["42", 42]), "mixed text");
    assert_eq!(chosen("JSON", values!["[1]", b"[1]".as_slice()]), "mixed bytea");
    let deep = "[".repeat(2_000) + &"]".repeat(2_000);
    assert_eq!(chosen("TEXT", values![deep.as_str()]), "jsonb");
    let deeper = "[".repeat(200_000) + &"]".repeat(200_000);
    assert_eq!(chosen("TEXT", values![deeper.as_str()]), "text");
    assert_eq!(chosen("JSON", values![deeper.as_str(), 1]), "mixed text");
}

#[test]
fn rules_leave_out_types() {
    let keep = Rules {
        keep_text: true,
        ..Rules::default()
    };
    let used = Rules {
        used_in_expressions: true,
        ..Rules::default()
    };
    let key = Rules {
        in_key_with_others: true,
        ..Rules::default()
    };
    let (date, document) = (values!["2024-01-31"], values!["{}"]);
    assert_eq!(chosen_by("DATE", date, keep), "text-number");
    assert_eq!(chosen_by("DATE", date, used), "text-number");
    assert_eq!(chosen_by("DATE", date, key), "date");
    assert_eq!(chosen_by("JSON", document, keep), "text-number");
    assert_eq!(chosen_by("JSON", document, used), "text-number");
    assert_eq!(chosen_by("JSON", document, key), "text-number");
    assert_eq!(chosen_by("JSON", values!["{}", 1], key), "mixed text");
    assert_eq!(chosen_by("JSON", values![1], used), "integer");
    assert_eq!(chosen_by("UUID", values![[7; 16].as_slice()], used), "blob");
    assert_eq!(chosen_by("BOOLEAN", values![1], used), "boolean");
    assert_eq!(chosen_by("DECIMAL", values![1, 1.5], used), "decimal-number");
    for (declared, rules, rendering) in [
        ("DATE", keep, "text-number"),
        ("DATE", used, "text-number"),
        ("DATE", key, "date"),
        ("JSON", key, "text-number"),
        ("BOOLEAN", used, "boolean"),
    ] {
        assert_eq!(chosen_by(declared, &[null()], rules), rendering);
    }
}

#[test]
fn without_values_the_declaration_decides() {
    for (declared, rendering) in [
        ("BOOLEAN", "boolean"),
        ("TINYINT", "integer"),
        ("DOUBLE", "real"),
        ("DECIMAL(10,2)", "decimal-number"),
        ("DATE", "date"),
        ("DATETIME", "timestamp space six-or-none"),
        ("TIMESTAMP WITH TIME ZONE", "timestamptz space six-or-none +00:00"),
        ("TIME", "time six-or-none"),
        ("JSONB", "json"),
        ("GUID", "uuid"),
        ("BLOB", "blob"),
        ("", "text"),
        ("CLOB", "text"),
        ("STRING", "text-number"),
    ] {
        assert_eq!(chosen(declared, &[null(), null()]), rendering, "{declared}");
        assert_eq!(chosen(declared, &[]), rendering, "{declared}");
    }
}

#[test]
fn the_reason_is_for_a_person() {
    let why = |declared, values: &[Owned]| evidence(declared, values).choose(Rules::default()).why;
    let mut times = vec![Owned::from("2024-01-31 10:20:30"); 1_999];
    assert_eq!(why("TEXT", &times), "1,999 texts of the form 2024-01-31 10:20:30");
    times.push("oops".into());
    assert_eq!(
        why("TEXT", &times),
        "1 of 2,000 texts is not of the form 2024-01-31 10:20:30: \"oops\""
    );
    assert_eq!(
        why(
            "TEXT",
            values!["2024-01-31 10:20:30.5", "2024-01-31 10:20:30.500"]
        ),
        "2 texts of the form 2024-01-31 10:20:30.5, but with fractions of different lengths: \"2024-01-31 10:20:30.500\""
    );
    assert_eq!(
        why("INTEGER", values![1, 2, "oops"]),
        "2 integers and 1 text: 1, \"oops\""
    );
    assert_eq!(why("TEXT", values!["a"]), "1 text");
    assert_eq!(
        why("BOOLEAN", values![0, 1]),
        "2 integers, all 0 or 1, in a column declared as boolean"
    );
    assert_eq!(
        why("DECIMAL", values![1.5, 0.1 + 0.2]),
        "2 reals, not all of them decimals of at most 15 digits"
    );
    assert_eq!(
        why("JSON", values!["[]", "{"]),
        "2 texts, not all of them JSON: \"{\""
    );
}

#[test]
fn what_was_seen_is_told() {
    let seen = evidence(
        "",
        &[
            null(),
            5.into(),
            (-7).into(),
            "2024-01-31".into(),
            "a\0".into(),
            Owned::Text(b"\xff\xff\xff".to_vec()),
            blob(&[0; 100]),
        ],
    );
    assert_eq!(seen.classes(), [1, 2, 0, 3, 1]);
    assert_eq!(seen.integers(), Some((-7, 5)));
    assert_eq!((seen.longest_text(), seen.longest_blob()), (10, 100));
    assert_eq!((seen.texts_with_nul(), seen.texts_not_utf8()), (1, 1));
    assert_eq!(
        seen.examples(),
        ["5", "\"2024-01-31\"", "a blob of 100 bytes", "\"a\\0\""]
    );
    assert_eq!(evidence("", &[null()]).integers(), None);
}

#[test]
fn columns_of_a_foreign_key_get_one_type() {
    type Side<'a> = (&'a str, &'a [Owned]);
    let merged = |a: Side<'_>, b: Side<'_>| {
        let mut first = evidence(a.0, a.1);
        first.merge(&evidence(b.0, b.1));
        first.choose(Rules::default()).rendering.to_string()
    };
    let id = "0d6e4079-e367-4e11-a42f-97a46cf9b9c0";
    let cases: [(Side<'_>, Side<'_>, &str); 6] = [
        (("UUID", values![id]), ("TEXT", values![id]), "uuid"),
        (("INTEGER", values![1]), ("TEXT", values!["1"]), "mixed text"),
        (("INTEGER", values![1]), ("BOOLEAN", values![1]), "integer"),
        (("INTEGER", values![1]), ("DECIMAL", values![1]), "integer"),
        (("UUID", &[]), ("VARCHAR", &[]), "text"),
        (("JSON", values!["1"]), ("TEXT", values!["[]"]), "text"),
    ];
    for (a, b, rendering) in cases {
        assert_eq!(merged(a, b), rendering);
        assert_eq!(merged(b, a), rendering);
    }
}

fn declared() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "",
        "TEXT",
        "INTEGER",
        "REAL",
        "BLOB",
        "BOOLEAN",
        "DECIMAL(5,2)",
        "DATE",
        "DATETIME",
        "TIME",
        "JSON",
        "UUID",
    ])
}

/// Columns of which most values are of one kind, as in life.
fn column_values() -> impl Strategy<Value = Vec<Owned>> {
    let text = |pattern: &'static str| {
        pattern
            .prop_map(|text: String| Owned::Text(text.into_bytes()))
            .boxed()
    };
    let kinds = vec![
        Just(Owned::Null).boxed(),
        any::<i64>().prop_map(Owned::Integer).boxed(),
        (-2_i64..3).prop_map(Owned::Integer).boxed(),
        any::<u64>()
            .prop_map(|bits| Owned::Real(Some(f64::from_bits(bits)).filter(|n| !n.is_nan()).unwrap_or(-0.0)))
            .boxed(),
        (-100_000_i64..100_000)
            .prop_map(|cents| Owned::Real(cents as f64 / 100.0))
            .boxed(),
        proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(Owned::Text)
            .boxed(),
        proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(Owned::Blob)
            .boxed(),
        proptest::collection::vec(any::<u8>(), 16)
            .prop_map(Owned::Blob)
            .boxed(),
        text("\\PC*"),
        text("-?[0-9]{1,20}(\\.[0-9]{1,20})?"),
        text("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        text("20[0-9]{2}-[01][0-9]-[0-3][0-9]"),
        text("20[0-9]{2}-0[1-9]-[12][0-9] [01][0-9]:[0-5][0-9]:[0-5][0-9]"),
        text("20[0-9]{2}-0[1-9]-[12][0-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z"),
        text("20[0-9]{2}-0[1-9]-[12][0-9]T[01][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{6})?)?"),
        text("20[0-9]{2}-0[1-9]-[12][0-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{0,2}[1-9])?(\\+02:00|Z)?"),
        text("[01][0-9]:[0-5][0-9](:[0-5][0-9])?"),
        text(r#"\{("a": (1|1\.0|"x"|null)(, "b": \[\])?)?\}"#),
        text(r#"\[(1|1,2|"\\u000[0-9]"|\{"b":1,"a":2\})?\]"#),
        text("null|true|1|1\\.5|-0|\"x\""),
    ];
    let main = proptest::sample::select(kinds.clone());
    let other = proptest::sample::select(kinds);
    (main, other, 0_usize..3).prop_flat_map(|(main, other, odd)| {
        (
            proptest::collection::vec(main, 0..8),
            proptest::collection::vec(other, 0..=odd),
        )
            .prop_map(|(mut values, odd)| {
                values.extend(odd);
                values
            })
            .prop_shuffle()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn every_value_returns_from_the_chosen_type(declared in declared(), values in column_values(), keep_text: bool, used_in_expressions: bool, in_key_with_others: bool) {
        let choice = evidence(declared, &values).choose(Rules { keep_text, used_in_expressions, in_key_with_others });
        let lost = lost(&choice.rendering, &values);
        prop_assert_eq!(choice.rejects_possible, !lost.is_empty(), "{} loses {:?}", choice.rendering, lost);
        let unfit = |value: &Owned| matches!(value, Owned::Text(bytes) if bytes.contains(&0) || std::str::from_utf8(bytes).is_err());
        let bad_text = values.iter().any(unfit);
        prop_assert!(!choice.rejects_possible || (matches!(choice.rendering, Rendering::Text | Rendering::TextNumber) && bad_text));
    }

    /// What the fast paths leave out is refuted by a real value, and what they keep is not.
    #[test]
    fn candidates_are_those_that_return(values in column_values()) {
        let returns = |rendering: &str| lost(&rendering.parse().unwrap(), &values).is_empty();
        let decimals = evidence("DECIMAL", &values);
        let [_, integers, reals, texts, blobs] = decimals.classes();
        if blobs == 0 && texts == 0 {
            prop_assert_eq!(decimals.integers.exact && decimals.reals.number, returns("number"));
        }
        if blobs == 0 {
            prop_assert_eq!(decimals.reals.decimal && decimals.texts.decimal, returns("decimal"));
        }
        if integers + reals + blobs == 0 && texts > 0 {
            let shape = decimals.shape_rendering().map(|rendering| rendering.to_string());
            let times = ["minutes", "seconds", "six-or-none", "trimmed", "fixed1", "fixed2", "fixed3", "fixed6"]
                .into_iter()
                .flat_map(|precision| [format!("timestamp T {precision}"), format!("timestamp space {precision}"), format!("timestamptz T {precision} Z"), format!("timestamptz T {precision} +02:00")]);
            let fitting: Vec<String> = times.chain(["uuid".to_owned(), "date".to_owned()]).filter(|rendering| returns(rendering)).collect();
            if let Some(shape) = &shape {
                prop_assert!(fitting.contains(shape));
            } else {
                prop_assert_eq!(fitting, Vec::<String>::new());
            }
            let json = evidence("JSON", &values);
            prop_assert_eq!(json.texts.json.valid, returns("json"));
            prop_assert_eq!(json.texts.json.valid && json.texts.json.jsonb, returns("jsonb"));
        }
        if blobs == 0 {
            let json = evidence("JSON", &values);
            prop_assert_eq!(json.texts.json.valid && json.texts.json.numberless && json.reals.finite, returns("json-number"));
        }
    }

    #[test]
    fn parts_merged_are_the_whole(declared in declared(), values in column_values(), at in 0_usize..10, and in 0_usize..10) {
        let whole = evidence(declared, &values);
        let (at, and) = (at.min(values.len()), and.min(values.len()));
        let mut merged = evidence(declared, &values[..at.min(and)]);
        merged.merge(&evidence(declared, &values[at.min(and)..at.max(and)]));
        merged.merge(&evidence(declared, &values[at.max(and)..]));
        for rules in [Rules::default(), Rules { in_key_with_others: true, ..Rules::default() }, Rules { used_in_expressions: true, ..Rules::default() }] {
            let (whole, merged) = (whole.choose(rules), merged.choose(rules));
            prop_assert_eq!(whole.rendering, merged.rendering);
            prop_assert_eq!(whole.rejects_possible, merged.rejects_possible);
        }
        prop_assert_eq!(whole.classes(), merged.classes());
        prop_assert_eq!(whole.integers(), merged.integers());
        prop_assert_eq!((whole.longest_text(), whole.longest_blob()), (merged.longest_text(), merged.longest_blob()));
        prop_assert_eq!((whole.texts_with_nul(), whole.texts_not_utf8()), (merged.texts_with_nul(), merged.texts_not_utf8()));
    }

    #[test]
    fn fifteen_digits_are_counted_as_they_are_written(bits: u64, digits in 1_i64..10_000_000_000_000_000, scale in 0_i32..40) {
        for number in [f64::from_bits(bits), digits as f64 / 10_f64.powi(scale), format!("{digits}e-{scale}").parse().unwrap()] {
            let text = format!("{:e}", number.abs());
            let significant = text.split('e').next().unwrap().trim_end_matches('0').bytes().filter(u8::is_ascii_digit).count();
            let plain = number.abs().to_string();
            let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
            let short = number.is_finite() && significant <= 15 && whole.len() <= 30 && fraction.len() <= 30;
            prop_assert_eq!(is_short(number), short, "{}", number);
        }
    }
}

#[test]
fn a_default_is_a_value_like_those_that_are_there() {
    let with = |declared: &str, default: &str, values: &[Owned]| {
        let mut evidence = Evidence::new(&Column {
            default: Some(default.to_owned()),
            ..column(declared)
        });
        for value in values {
            evidence.observe(value.value());
        }
        evidence.choose(Rules::default()).rendering.to_string()
    };
    let days = ["2024-01-31".into(), "2024-02-29".into()];
    assert_eq!(with("DATE", "'2000-01-01'", &days), "date");
    assert_eq!(with("DATE", "'0000-00-00'", &days), "text-number");
    assert_eq!(with("DATE", "''", &days), "text-number");
    assert_eq!(with("DATE", "''", &[]), "text-number");
    assert_eq!(with("DATE", "NULL", &days), "date");
    // It says when, not how: the type stays, and what it gives is told to be respelt.
    assert_eq!(with("DATE", "CURRENT_TIMESTAMP", &days), "date");
    let fine = ["2024-01-31 10:20:30.123456".into()];
    assert_eq!(
        with("DATETIME", "CURRENT_TIMESTAMP", &fine),
        "timestamp space six-or-none"
    );
    assert_eq!(
        with("DATETIME", "'2000-01-01 00:00:00+00:00'", &[]),
        "timestamptz space six-or-none +00:00"
    );
    // A text of this form in a column that is declared as text is one.
    assert_eq!(with("TEXT", "'2024-01-31'", &[]), "text");
    // A number decides where there is no value, and a text among numbers changes no type.
    for (declared, default, expected) in [
        ("DATETIME", "'5'", "integer"),
        ("DATE", "19700101", "integer"),
        ("INTEGER", "1.5", "real"),
        ("BOOLEAN", "1", "boolean"),
        ("BOOLEAN", "2", "integer"),
        ("JSON", "0", "json-number"),
        ("UUID", "x'00'", "blob"),
        ("DECIMAL(5,2)", "0.5", "decimal-number"),
        ("DATETIME", "unixepoch()", "integer"),
        ("DATETIME", "CAST(strftime('%s', 'now') AS INTEGER)", "integer"),
        ("TIMESTAMP", "unixepoch('now', '+1 day')", "integer"),
        ("DATETIME", "datetime('now')", "timestamp space six-or-none"),
        ("DATETIME", "1 + 1", "timestamp space six-or-none"),
        ("UUID", "lower(hex(randomblob(16)))", "text-number"),
        ("UUID", "'id-' || hex(randomblob(4))", "text-number"),
        // Of eight digits some are numbers.
        ("UUID", "hex(randomblob(4))", "uuid"),
    ] {
        assert_eq!(
            with(declared, default, &[]),
            expected,
            "{declared} DEFAULT {default}"
        );
    }
    assert_eq!(with("DATE", "0", &days), "date");
    assert_eq!(with("DATE", "unixepoch()", &days), "date");
    assert_eq!(with("INTEGER", "'x'", &[1.into()]), "integer");
    let evidence = Evidence::new(&Column {
        default: Some("'none'".to_owned()),
        ..column("UUID")
    });
    let why = evidence.choose(Rules::default()).why;
    assert_eq!(why, "no values: by its declaration; its default is \"none\"");
}

/// As it is noted: the texts that become NULL, and the rendering that the other values prove.
fn noted(column: &Column, asked: Blanks, values: &[Owned]) -> String {
    let mut evidence = Evidence::new(column).without(asked);
    for value in values {
        evidence.observe(value.value());
    }
    format!(
        "{}{}",
        evidence.blanks(),
        evidence.choose(Rules::default()).rendering
    )
}

#[test]
fn texts_that_become_null_prove_nothing() {
    let empty = Blanks::default().and(Blank::Empty);
    let zero = Blanks::default().and(Blank::ZeroDate).and(Blank::ZeroDateTime);
    let both = zero.and(Blank::Empty);
    let day = || Owned::from("2024-01-31");
    for (asked, values, expected) in [
        (empty, vec![day(), "".into()], "null-as-empty date"),
        (empty, vec![day(), "".into(), null()], "empty-as-null date"),
        (empty, vec![day(), null()], "date"),
        (empty, vec![day(), "0000-00-00".into()], "text-number"),
        (zero, vec![day(), "0000-00-00".into()], "null-as-zero-date date"),
        (zero, vec![day(), "".into()], "text-number"),
        (
            both,
            vec!["".into(), day(), "0000-00-00".into()],
            "empty-as-null zero-date-as-null date",
        ),
        (
            zero,
            vec!["0000-00-00 00:00:00".into()],
            "null-as-zero-datetime date",
        ),
        (empty, vec![1.into(), "".into()], "null-as-empty integer"),
        (
            empty,
            vec![1.into(), " ".into(), "".into()],
            "null-as-empty mixed text",
        ),
        (Blanks::default(), vec![day(), "".into()], "text-number"),
    ] {
        assert_eq!(noted(&column("DATE"), asked, &values), expected, "{values:?}");
    }
    // A default that becomes NULL is there as much as a value.
    let with_default = |sql: &str| Column {
        default: Some(sql.to_owned()),
        ..column("DATE")
    };
    assert_eq!(noted(&with_default("''"), empty, &[day()]), "null-as-empty date");
    assert_eq!(
        noted(&with_default("''"), empty, &[day(), null()]),
        "empty-as-null date"
    );
    assert_eq!(noted(&with_default("''"), zero, &[day()]), "text-number");
    assert_eq!(
        noted(&with_default("''"), both, &["0000-00-00".into()]),
        "empty-as-null zero-date-as-null date"
    );
}

proptest! {
    #[test]
    fn parts_without_blanks_merged_are_the_whole(values in column_values(), blank in proptest::collection::vec(0_usize..6, 0..8), at in 0_usize..16) {
        let asked = Blanks::default().and(Blank::Empty).and(Blank::ZeroDate);
        let blank = blank.into_iter().map(|kind| Blank::ALL.get(kind).map_or(Owned::Null, |blank| blank.text().into()));
        let values: Vec<Owned> = values.into_iter().chain(blank).collect();
        let seen = |values: &[Owned]| {
            let mut evidence = Evidence::new(&column("")).without(asked);
            for value in values {
                evidence.observe(value.value());
            }
            evidence
        };
        let (one, other) = values.split_at(at.min(values.len()));
        let mut merged = seen(one);
        merged.merge(&seen(other));
        let whole = seen(&values);
        prop_assert_eq!(merged.blanks(), whole.blanks());
        prop_assert_eq!(merged.blank() + merged.classes().iter().sum::<u64>(), values.len() as u64);
        prop_assert_eq!(merged.choose(Rules::default()).rendering, whole.choose(Rules::default()).rendering);
    }
}
