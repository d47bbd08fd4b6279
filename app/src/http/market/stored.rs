//! Stored values as clients see them. A value that breaks the rule of its column is shown as it is.

use cutover_domain::market::day::Day;
use cutover_domain::stored::{Stored, StoredValue, TextEnum};
use cutover_domain::time::Timestamp;
use cutover_ports::market::TimeForm;
use serde_json::Value;

/// A number; JSON has none that are not finite.
pub(super) fn number(value: Option<&Stored<f64>>) -> Value {
    match value {
        None => Value::Null,
        Some(Stored::Known(number)) => real(*number),
        Some(Stored::Other(other)) => other_value(other),
    }
}

/// A truth value.
pub(super) fn flag(value: Option<&Stored<bool>>) -> Value {
    match value {
        None => Value::Null,
        Some(Stored::Known(flag)) => (*flag).into(),
        Some(Stored::Other(other)) => other_value(other),
    }
}

/// A day.
pub(super) fn day(value: &Stored<Day>) -> Value {
    match value {
        Stored::Known(day) => day.to_string().into(),
        Stored::Other(other) => other_value(other),
    }
}

/// One of a few texts.
pub(super) fn text_enum<T: TextEnum>(value: &Stored<T>) -> Value {
    match value {
        Stored::Known(value) => value.as_str().into(),
        Stored::Other(other) => other_value(other),
    }
}

/// An instant of a store, in the form that the original gives it.
pub(super) fn time(value: Option<&Stored<Timestamp>>, form: TimeForm) -> Value {
    match value {
        None => Value::Null,
        Some(Stored::Known(time)) => instant(*time, form),
        Some(Stored::Other(other)) => other_value(other),
    }
}

/// An instant in a form.
fn instant(time: Timestamp, form: TimeForm) -> Value {
    match form {
        TimeForm::Naive => time.to_naive_json_text().into(),
        TimeForm::Utc => time.to_json_text().into(),
    }
}

/// An instant in the form in which the store itself writes it, where the original passes that on: SQLite's has a blank.
pub(super) fn instant_as_stored(time: Timestamp, form: TimeForm) -> Value {
    match form {
        TimeForm::Naive => time.to_naive_json_text().replacen('T', " ", 1).into(),
        TimeForm::Utc => instant(time, form),
    }
}

/// A number that was computed.
pub(super) fn real(number: f64) -> Value {
    if number.is_finite() {
        number.into()
    } else {
        Value::Null
    }
}

fn other_value(value: &StoredValue) -> Value {
    match value {
        StoredValue::Null => Value::Null,
        StoredValue::Integer(number) => (*number).into(),
        StoredValue::Real(number) => real(*number),
        StoredValue::Text(text) => text.as_str().into(),
        StoredValue::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}
