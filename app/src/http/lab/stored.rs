//! Stored values as JSON.

use cutover_domain::json::Json;
use cutover_domain::stored::{Stored, StoredValue, TextEnum};
use cutover_domain::time::Timestamp;
use serde_json::Value;

/// An instant; what an old file holds in its place is shown as it is.
pub(super) fn time(value: &Stored<Timestamp>) -> Value {
    match value {
        Stored::Known(time) => time.to_json_text().into(),
        Stored::Other(other) => stored(other),
    }
}

/// An optional instant.
pub(super) fn opt_time(value: Option<&Stored<Timestamp>>) -> Value {
    value.map_or(Value::Null, time)
}

/// A number.
pub(super) fn number<T: Copy + Into<Value>>(value: &Stored<T>) -> Value {
    match value {
        Stored::Known(number) => (*number).into(),
        Stored::Other(other) => stored(other),
    }
}

/// An optional number.
pub(super) fn opt_number<T: Copy + Into<Value>>(value: Option<&Stored<T>>) -> Value {
    value.map_or(Value::Null, number)
}

/// One of a set of texts.
pub(super) fn text_enum<T: TextEnum>(value: &Stored<T>) -> Value {
    match value {
        Stored::Known(value) => value.as_str().into(),
        Stored::Other(other) => stored(other),
    }
}

/// An optional document.
pub(super) fn opt_json(value: Option<&Json>) -> Value {
    value.map_or(Value::Null, Json::value)
}

fn stored(value: &StoredValue) -> Value {
    match value {
        StoredValue::Null => Value::Null,
        StoredValue::Integer(number) => (*number).into(),
        StoredValue::Real(number) => (*number).into(),
        StoredValue::Text(text) => text.as_str().into(),
        StoredValue::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}
