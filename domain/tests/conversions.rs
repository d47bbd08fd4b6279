//! The conversions of the copy against the readings of the verification, which share no code: what one writes, the other reads as the same
//! value; what one refuses to read, the other has no place for. `CUTOVER_CONVERT_CASES=1000000` makes it long.

use cutover_domain::time::LegacyZone;
use cutover_domain::transfer::canonical::{self, Canonicaliser, Form, Raw};
use cutover_domain::transfer::catalog::{Affinity, ColumnKind, PgKind, PgType};
use cutover_domain::transfer::convert::{Converter, decode};
use cutover_domain::transfer::outcome::Reject;
use cutover_domain::transfer::rendering::Rendering;
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::value::Value;
use proptest::prelude::*;

const KINDS: [PgKind; 26] = [
    PgKind::Bool,
    PgKind::Int2,
    PgKind::Int4,
    PgKind::Int8,
    PgKind::Float4,
    PgKind::Float8,
    PgKind::Numeric(None),
    PgKind::Numeric(Some((5, 2))),
    PgKind::Numeric(Some((38, 0))),
    PgKind::Text,
    PgKind::Varchar(None),
    PgKind::Varchar(Some(3)),
    PgKind::Char(5),
    PgKind::Bytea,
    PgKind::Json,
    PgKind::Jsonb,
    PgKind::Timestamptz(6),
    PgKind::Timestamptz(3),
    PgKind::Timestamptz(0),
    PgKind::Timestamp(6),
    PgKind::Timestamp(2),
    PgKind::Date,
    PgKind::Time(6),
    PgKind::Time(0),
    PgKind::Uuid,
    PgKind::Other,
];

#[derive(Debug, Clone)]
enum Owned {
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Integer(number) => Value::Integer(*number),
            Self::Real(number) => Value::Real(*number),
            Self::Text(bytes) => Value::Text(bytes),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }

    fn raw(&self) -> Raw<'_> {
        raw(self.value())
    }
}

fn raw(value: Value<'_>) -> Raw<'_> {
    match value {
        Value::Null => Raw::Null,
        Value::Integer(number) => Raw::Integer(number),
        Value::Real(number) => Raw::Real(number),
        Value::Text(bytes) => Raw::Text(bytes),
        Value::Blob(bytes) => Raw::Blob(bytes),
    }
}

/// Texts that some type may take, and those that are nearly so.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[-+]?[0-9]{0,5}[.]?[0-9]{0,5}([eE][-+]?[0-9]{0,3})?",
        "[-+]?0{0,3}[1-9][0-9]{0,40}([.][0-9]{0,30})?",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]",
        "([0-9]{4}-[01][0-9]-[0-3][0-9][T ])?[0-2][0-9]:[0-6][0-9](:[0-6][0-9]([.,][0-9]{0,8})?)?(Z|z| ?[-+][0-9]{2}(:?[0-9]{2})?)?",
        "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,7})?(Z|[+-](0[0-9]|1[0-4]):?[03]0)?",
        "(now|today|epoch|infinity|-infinity|NaN|true|t|null)",
        "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-fA-F]{4}-[0-9a-f]{12}",
        "[0-9a-f]{30,34}",
        r#"[\[{]( ?"[a-b]"? ?[:,]? ?(-?[0-9]{0,3}([.][0-9]{0,3})?([eE]-?[0-9]{0,2})?|"\\?[\\u0d8c"n]{0,6}"|true|null|\[\]|\{\})?){0,3}[\]}]"#,
        r#"(-?[0-9]{1,3}([.][0-9]{0,3})?([eE][-+]?[0-9]{1,2})?|"[a-z\\]{0,3}"|true|false|null)"#,
        r#"\{("[ab]": ?(-?[0-9]{1,4}([.][0-9]{1,3})?(e[0-9])?|"[a-z]{0,3}"|\[[0-9]?\]|null), ?){0,3}"a":[0-9]\}"#,
    ]
}

fn values() -> impl Strategy<Value = Owned> {
    let integers = prop_oneof![
        any::<i64>(),
        -3..4_i64,
        any::<i16>().prop_map(i64::from),
        any::<i32>().prop_map(i64::from),
        (0..12_i64).prop_map(|n| (1 << 53) + n - 6),
        prop::sample::select(vec![
            i64::MIN,
            i64::MAX,
            32_768,
            -32_769,
            2_147_483_648,
            -2_147_483_649
        ]),
    ];
    let reals = prop_oneof![
        any::<f64>().prop_filter("SQLite makes NULL of it", |number| !number.is_nan()),
        any::<f32>()
            .prop_filter("likewise", |number| !number.is_nan())
            .prop_map(f64::from),
        (-100_000..100_000_i64, 0..5_i32).prop_map(|(n, places)| n as f64 / 10_f64.powi(places)),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1e15,
            1e22,
            9.3e18,
            -9.3e18,
            9_223_372_036_854_775_808.0,
            -9_223_372_036_854_775_808.0,
            5e-324
        ]),
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        1 => integers.prop_map(Owned::Integer),
        1 => reals.prop_map(Owned::Real),
        6 => texts().prop_map(|text| Owned::Text(text.into_bytes())),
        1 => bytes.clone().prop_map(Owned::Text),
        1 => bytes.prop_map(Owned::Blob),
        1 => prop::array::uniform16(any::<u8>()).prop_map(|bytes| Owned::Blob(bytes.to_vec())),
    ]
}

/// The canonical form of a value of SQLite or of PostgreSQL in a pair of columns; none if the column has no place for it.
fn read(kind: PgKind, raw: Raw<'_>) -> Option<Vec<u8>> {
    /// From here on it stands for itself.
    const STORED: u8 = 0xf0;
    let sqlite = ColumnKind::Sqlite {
        declared: String::new(),
        affinity: Affinity::Blob,
    };
    let postgres = ColumnKind::Postgres(PgType {
        name: String::new(),
        kind,
    });
    let (stored, sent) = Form::of_pair(&sqlite, &postgres);
    let form = if matches!(raw, Raw::Postgres(_)) {
        sent
    } else {
        stored
    };
    let mut out = Vec::new();
    Canonicaliser::new(LegacyZone::utc()).write(&form, raw, &mut out);
    (out[0] < STORED).then_some(out)
}

fn converted(kind: PgKind, value: Value<'_>, proven: bool) -> Result<Vec<u8>, Reject> {
    let converter = Converter {
        zone: LegacyZone::utc(),
        proven,
    };
    let mut out = Vec::new();
    converter.encode(kind, value, &mut out)?;
    Ok(out.split_off(4))
}

/// Whether a refusal says that the value cannot be read as the type's, and not that the type has no room for it. Numbers are left out: a copy
/// takes fewer spellings of them (no `+1`, no `1e5`) than can be compared.
fn is_unreadable(reject: Reject) -> bool {
    matches!(
        reject,
        Reject::WrongClass(_) | Reject::NotATime | Reject::NotAUuid | Reject::NotJson
    )
}

fn cases(every_day: u32) -> ProptestConfig {
    let asked = std::env::var("CUTOVER_CONVERT_CASES").ok();
    ProptestConfig::with_cases(asked.and_then(|cases| cases.parse().ok()).unwrap_or(every_day))
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn what_is_written_is_read_as_the_same(owned in values()) {
        for kind in KINDS {
            let expected = read(kind, owned.raw());
            match converted(kind, owned.value(), false) {
                Ok(bytes) => {
                    prop_assert!(expected.is_some(), "{kind:?} takes {}", owned.value().describe());
                    prop_assert_eq!(read(kind, Raw::Postgres(&bytes)), expected, "{:?} {}", kind, owned.value().describe());
                    // What a survey has seen is written without a second look, and no other way.
                    prop_assert_eq!(converted(kind, owned.value(), true), Ok(bytes));
                }
                // In a column without zone a copy takes fewer spellings of zero offsets than can be compared.
                Err(Reject::NotATime) if matches!(kind, PgKind::Timestamp(_) | PgKind::Time(_)) => {}
                Err(reject) if is_unreadable(reject) => {
                    // Documents that are kept as they are spelled are compared by that; whether they are any, the reader of jsonb knows.
                    let expected = match reject {
                        Reject::NotJson => read(PgKind::Jsonb, owned.raw()),
                        _ => expected,
                    };
                    prop_assert_eq!(expected, None, "{:?} refuses {}: {}", kind, owned.value().describe(), reject);
                }
                Err(_) => {}
            }
        }
    }

    #[test]
    fn what_comes_back_is_read_as_the_same(bytes in prop::collection::vec(any::<u8>(), 0..24), text in texts(), number: i64) {
        for kind in KINDS {
            for raw_bytes in [bytes.as_slice(), text.as_bytes(), &number.to_be_bytes(), &number.to_be_bytes()[4..]] {
                let mut batch = RowBatch::new(1, 0);
                decode(kind, Some(raw_bytes), &mut batch);
                let back = batch.rows().next().unwrap().value(0);
                if batch.refused().is_empty() {
                    let there = read(kind, Raw::Postgres(raw_bytes));
                    if matches!(kind, PgKind::Numeric(_)) && there.is_none() {
                        // No numeric that a server sends.
                        continue;
                    }
                    prop_assert_eq!(read(kind, raw(back)), there, "{:?} {:?} comes back as {}", kind, raw_bytes, back.describe());
                }
            }
        }
    }
    /// For renderings that make something else of a text than its bytes: by the value that comes back, and by the note on the column.
    #[test]
    fn what_is_rendered_is_read_as_the_same(owned in values()) {
        for (noted, kind) in [("text-number", PgKind::Text), ("decimal-number", PgKind::Numeric(None)), ("decimal", PgKind::Numeric(None)), ("json-number", PgKind::Json)] {
            let rendering: Rendering = noted.parse().unwrap();
            let mut sent = match &owned {
                // As somebody writes it there.
                Owned::Text(text) if kind == PgKind::Text => [&[0; 4], text.as_slice()].concat(),
                _ => Vec::new(),
            };
            let fits = sent.is_empty() && rendering.encode(owned.value(), &mut sent).is_ok();
            if sent.len() < 4 || (!fits && kind != PgKind::Text) {
                continue;
            }
            let mut batch = RowBatch::new(1, 0);
            rendering.decode(Some(&sent[4..]), None, &mut batch);
            let back = batch.rows().next().unwrap().value(0);
            if fits {
                prop_assert!(batch.refused().is_empty(), "{noted} refuses {}", owned.value().describe());
                prop_assert_eq!(back, owned.value());
            }
            let made = ColumnKind::Postgres(PgType { name: String::new(), kind });
            let (stored, form) = Form::of_rendering(canonical::Rendering::parse(noted).unwrap(), &made).unwrap();
            let canonical = |form: &Form, raw: Raw<'_>| {
                let mut out = Vec::new();
                Canonicaliser::new(LegacyZone::utc()).write(form, raw, &mut out);
                out
            };
            let there = canonical(&form, Raw::Postgres(&sent[4..]));
            // What has no form equals nothing that SQLite holds.
            let here = canonical(&stored, raw(back));
            prop_assert_eq!(there == here, batch.refused().is_empty(), "{} {:?} comes back as {}", noted, sent, back.describe());
        }
    }
}
