//! What a column of SQLite that nobody made for them keeps of PostgreSQL's values: its affinity may make numbers of texts, and texts of numbers.

use super::catalog::{Affinity, PgKind};
use super::numbers::{exact, whole};
use super::value::Value;

/// Decimals of so many digits, and integers below 2⁵³, are what their double shows.
const DIGITS_OF_DOUBLE: usize = 15;
const INTEGERS_OF_DOUBLE: u64 = 1 << 53;

/// Whether a value of the type `kind`, as it is given to SQLite, still means the same once a column of this affinity has stored it: a number is
/// one by its value, a document by how it is spelled, and text is text.
pub(super) fn keeps(affinity: Affinity, kind: PgKind, value: Value<'_>) -> bool {
    if !affinity.changes(value) {
        return true;
    }
    match (kind, value) {
        (PgKind::Int2 | PgKind::Int4 | PgKind::Int8, Value::Integer(number)) => {
            affinity == Affinity::Real && exact(number).is_ok()
        }
        (PgKind::Float4 | PgKind::Float8, Value::Real(number)) => {
            affinity != Affinity::Text && !(number == 0.0 && number.is_sign_negative())
        }
        (PgKind::Numeric(_), Value::Integer(number)) => {
            affinity == Affinity::Text || number.unsigned_abs() <= INTEGERS_OF_DOUBLE
        }
        (PgKind::Numeric(_), Value::Real(number)) => {
            affinity != Affinity::Text || digits(&number.to_string()) <= DIGITS_OF_DOUBLE
        }
        (PgKind::Numeric(_), Value::Text(text)) => {
            std::str::from_utf8(text).is_ok_and(|text| digits(text) <= DIGITS_OF_DOUBLE)
        }
        (PgKind::Json | PgKind::Jsonb, Value::Text(text)) => {
            std::str::from_utf8(text).is_ok_and(|text| is_shown_as(affinity, text))
        }
        _ => false,
    }
}

/// Whether the number that SQLite makes of a document shows the same digits.
fn is_shown_as(affinity: Affinity, text: &str) -> bool {
    if affinity != Affinity::Real
        && let Ok(number) = text.parse::<i64>()
    {
        return number.to_string() == text;
    }
    let Ok(number) = text.parse::<f64>() else {
        return false;
    };
    // A whole one becomes an integer.
    let stays_real = affinity == Affinity::Real || whole(number).is_err();
    stays_real && format!("{number:?}") == text && digits(text) <= DIGITS_OF_DOUBLE
}

/// The digits of a decimal without the zeros around them.
fn digits(decimal: &str) -> usize {
    let all: String = decimal
        .chars()
        .take_while(|letter| !matches!(letter, 'e' | 'E'))
        .filter(char::is_ascii_digit)
        .collect();
    all.trim_matches('0').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_by_its_value_and_a_text_as_text() {
        use Affinity::{Blob, Integer, Numeric, Real, Text};
        let text = |text: &'static str| Value::Text(text.as_bytes());
        let decimal = PgKind::Numeric(None);
        for (affinity, kind, value, kept) in [
            (Numeric, decimal, text("12345678901234567.89"), false),
            (Numeric, decimal, text("1.50"), true),
            (Numeric, decimal, text("1200000000000000000000.50"), false),
            (Numeric, decimal, text("1200000000000000000000"), true),
            (Real, decimal, text("0.000000000000000123456789012345"), true),
            (Real, decimal, text("0.1234567890123456"), false),
            (Text, decimal, Value::Integer(i64::MAX), true),
            (Text, decimal, Value::Real(0.1), true),
            (Text, decimal, Value::Real(0.300_000_000_000_000_04), false),
            (Real, decimal, Value::Integer(1 << 53), true),
            (Real, decimal, Value::Integer((1 << 53) + 1), false),
            (Blob, decimal, text("12345678901234567.89"), true),
            (Real, PgKind::Int8, Value::Integer((1 << 53) + 1), false),
            (Real, PgKind::Int8, Value::Integer(1 << 60), true),
            (Real, PgKind::Int8, Value::Integer(i64::MAX), false),
            (Text, PgKind::Int4, Value::Integer(5), false),
            (Real, PgKind::Bool, Value::Integer(1), false),
            (Numeric, PgKind::Bool, Value::Integer(1), true),
            (Text, PgKind::Float8, Value::Real(5e-324), false),
            (Integer, PgKind::Float8, Value::Real(5.0), true),
            (Integer, PgKind::Float8, Value::Real(-0.0), false),
            (Real, PgKind::Float4, Value::Real(-0.0), false),
            (Integer, PgKind::Text, text("007"), false),
            (Numeric, PgKind::Varchar(None), text("5"), false),
            (Numeric, PgKind::Text, text("five"), true),
            (Text, PgKind::Text, text("007"), true),
            (Integer, PgKind::Jsonb, text("1.0"), false),
            (Integer, PgKind::Jsonb, text("1"), true),
            (Numeric, PgKind::Json, text("-0"), false),
            (Numeric, PgKind::Json, text("1.5"), true),
            (Numeric, PgKind::Json, text("1.50"), false),
            (Real, PgKind::Json, text("1"), false),
            (Real, PgKind::Json, text("1.0"), true),
            (Numeric, PgKind::Json, text("{\"a\": 1}"), true),
            (Numeric, PgKind::Bytea, Value::Blob(b"5"), true),
            (Numeric, PgKind::Other, text("5"), false),
        ] {
            assert_eq!(
                keeps(affinity, kind, value),
                kept,
                "{} as {kind:?} in {affinity:?}",
                value.describe()
            );
        }
    }
}
