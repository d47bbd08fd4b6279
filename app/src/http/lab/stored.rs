//! Stored values as clients see them. A value that breaks the rule of its column is shown as it is, which is why their
//! schemas say less than the rules.

use cutover_domain::json::Json;
use cutover_domain::lab::research_execution::DEFAULT_MODEL;
use cutover_domain::stored::{Stored, StoredValue, TextEnum};
use cutover_domain::time::{LegacyZone, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::http::number::fraction;
use crate::http::request::Mistakes;

/// An instant.
#[derive(Debug)]
pub(super) enum Time {
    /// In the form of most answers.
    Known(Timestamp),
    /// In another form, or no instant at all.
    Other(Value),
}

/// A number, or a text that is one of a few.
#[derive(Debug, Serialize)]
pub(super) struct Scalar(Value);

/// A document in the shape `T` if it has it, else as it is stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Document<T> {
    /// In its shape.
    Shaped(T),
    /// As it is stored.
    Other(Value),
}

impl Time {
    /// What stands for no time at all: now.
    pub(super) fn of(time: Timestamp) -> Self {
        Self::Known(time)
    }

    /// In the form that Python writes by itself: one in UTC ends with its offset.
    pub(super) fn isoformat(value: &Stored<Timestamp>) -> Self {
        match Self::from(value) {
            Self::Known(time) => Self::Other(time.to_json_text().replace('Z', "+00:00").into()),
            other @ Self::Other(_) => other,
        }
    }
}

impl From<&Stored<Timestamp>> for Time {
    fn from(value: &Stored<Timestamp>) -> Self {
        match value {
            Stored::Known(time) => Self::Known(*time),
            Stored::Other(other) => Self::Other(stored(other)),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(time) => serializer.serialize_str(time.json_text().as_str()),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

impl From<&Stored<i64>> for Scalar {
    fn from(value: &Stored<i64>) -> Self {
        Self(match value {
            Stored::Known(number) => (*number).into(),
            Stored::Other(other) => stored(other),
        })
    }
}

impl From<&Stored<f64>> for Scalar {
    fn from(value: &Stored<f64>) -> Self {
        Self(match value {
            Stored::Known(number) => real(*number),
            Stored::Other(other) => stored(other),
        })
    }
}

impl Scalar {
    /// One of a few texts.
    pub(super) fn of_enum<T: TextEnum>(value: &Stored<T>) -> Self {
        Self(match value {
            Stored::Known(value) => value.as_str().into(),
            Stored::Other(other) => stored(other),
        })
    }
}

impl Scalar {
    /// One of a few texts; the default where none is stored, or an empty one.
    pub(super) fn of_enum_or<T: TextEnum>(value: Option<&Stored<T>>, default: T) -> Self {
        match value {
            None => Self(default.as_str().into()),
            Some(Stored::Other(StoredValue::Text(text))) if text.is_empty() => Self(default.as_str().into()),
            Some(value) => Self::of_enum(value),
        }
    }

    /// A number; the default where none is stored, or 0 or an empty text, which the original does not tell apart.
    pub(super) fn or(value: Option<&Stored<i64>>, default: i64) -> Self {
        match value {
            None | Some(Stored::Known(0)) => default.into(),
            Some(Stored::Other(StoredValue::Text(text))) if text.is_empty() => default.into(),
            Some(value) => value.into(),
        }
    }

    /// A number or a text out of a document.
    pub(super) fn of_value(value: Option<&Value>) -> Option<Self> {
        value
            .filter(|value| value.is_number() || value.is_string())
            .map(|value| Self(value.clone()))
    }

    /// The same, a number from 0 to 1 in the one spelling of the original's answers.
    pub(super) fn of_fraction(value: Option<&Value>) -> Option<Self> {
        match value.and_then(lenient_fraction) {
            Some(number) => Some(Self(number.into())),
            None => Self::of_value(value),
        }
    }
}

impl From<i64> for Scalar {
    fn from(number: i64) -> Self {
        Self(number.into())
    }
}

impl<T: DeserializeOwned> Document<T> {
    /// Reads a stored document; JSON `null` is none.
    pub(super) fn read(document: &Json) -> Option<Self> {
        let value = document.canonical();
        match serde_json::from_value(value.clone()) {
            Ok(shaped) => Some(Self::Shaped(shaped)),
            Err(_) if value.is_null() => None,
            Err(_) => Some(Self::Other(value)),
        }
    }

    /// Reads a document that may be missing.
    pub(super) fn opt(document: Option<&Json>) -> Option<Self> {
        document.and_then(Self::read)
    }
}

/// The original shows the default where no model is stored, or an empty one.
pub(super) fn shown_model(model: Option<String>) -> String {
    model
        .filter(|model| !model.is_empty())
        .unwrap_or_else(|| DEFAULT_MODEL.to_owned())
}

/// An optional value.
pub(super) fn opt<'a, T, S: From<&'a T>>(value: Option<&'a T>) -> Option<S> {
    value.map(S::from)
}

fn stored(value: &StoredValue) -> Value {
    match value {
        StoredValue::Null => Value::Null,
        StoredValue::Integer(number) => (*number).into(),
        StoredValue::Real(number) => real(*number),
        StoredValue::Text(text) => text.as_str().into(),
        StoredValue::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}

/// JSON has no infinite numbers; they are shown as texts.
fn real(number: f64) -> Value {
    if number.is_finite() {
        number.into()
    } else {
        number.to_string().into()
    }
}

fn text_or_number(description: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Number]))
        .description(Some(description))
        .examples([example])
        .build()
}

impl utoipa::PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let description =
            "An instant in UTC, with microseconds unless they are 0. Old files may hold other texts.";
        text_or_number(description, "2026-01-01T12:00:00.123456Z").into()
    }
}

impl ToSchema for Time {}

impl utoipa::PartialSchema for Scalar {
    fn schema() -> RefOr<Schema> {
        let description =
            "A number, or a text that is one of a few. Old files may hold either in place of the other.";
        text_or_number(description, "completed").into()
    }
}

impl ToSchema for Scalar {}

/// A time in a document, in the form of the original's answers: one in UTC ends with `Z`, one in another zone or without one stays in
/// it. What is no time is shown as it is.
pub(super) fn json_time(text: &str) -> String {
    let utc = LegacyZone::utc();
    // The zone stands behind the date, which has signs of its own.
    let zone = text.get(10..).and_then(|clock| clock.find(['Z', 'z', '+', '-']));
    let (local, zone) = text.split_at(zone.map_or(text.len(), |at| at + 10));
    match Timestamp::parse(text, &utc).and(Timestamp::parse(local, &utc)) {
        Ok(local) => {
            let zone = match zone {
                "z" | "+00:00" | "-00:00" => "Z",
                other => other,
            };
            format!("{}{zone}", local.to_naive_json_text())
        }
        Err(_) => text.to_owned(),
    }
}

/// What Python takes for false.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// A number from 0 to 1, in any spelling of the original's framework.
pub(super) fn lenient_fraction(value: &Value) -> Option<f64> {
    fraction(value, &[], &mut Mistakes::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_a_document_has_the_form_of_the_originals_answers() {
        for (stored, shown) in [
            ("2025-12-15T10:00:00+00:00", "2025-12-15T10:00:00Z"),
            ("2025-12-15T10:00:00.5Z", "2025-12-15T10:00:00.500000Z"),
            ("2025-12-15T10:00:00.000000z", "2025-12-15T10:00:00Z"),
            ("2025-12-15 10:00", "2025-12-15T10:00:00"),
            ("2025-12-15T10:00:00.123456", "2025-12-15T10:00:00.123456"),
            ("2025-12-15", "2025-12-15T00:00:00"),
            ("2025-12-15T10:00:00.25-03:00", "2025-12-15T10:00:00.250000-03:00"),
            ("2025-13-15T10:00:00", "2025-13-15T10:00:00"),
            ("yesterday", "yesterday"),
            ("", ""),
        ] {
            assert_eq!(json_time(stored), shown, "{stored}");
        }
    }
}
