//! Stored values as the writer's clients see them.

use cutover_domain::json::Json;
use cutover_domain::stored::{Stored, StoredValue, TextEnum};
use cutover_domain::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An instant: UTC, and without a zone, as the original writes it. What an old file holds in its place is shown as it is.
#[derive(Debug, Serialize)]
pub(super) struct NaiveTime(Value);

impl NaiveTime {
    pub(super) fn of(time: Option<&Stored<Timestamp>>) -> Self {
        Self(match time {
            None => Value::Null,
            Some(Stored::Known(time)) => time.to_naive_json_text().into(),
            Some(Stored::Other(other)) => value(other),
        })
    }
}

/// One of a few texts; what an old file holds in its place is shown as it is.
pub(super) fn of_enum<T: TextEnum>(stored: &Stored<T>) -> Value {
    match stored {
        Stored::Known(known) => known.as_str().into(),
        Stored::Other(other) => value(other),
    }
}

/// A whole number, or what an old file holds in its place.
pub(super) fn of_number(stored: &Stored<i64>) -> Value {
    match stored {
        Stored::Known(number) => (*number).into(),
        Stored::Other(other) => value(other),
    }
}

/// A list of texts, or the document that an old file holds in its place, in the form that both databases give back.
pub(super) fn of_texts(stored: &Stored<Vec<String>>) -> Value {
    match stored {
        Stored::Known(texts) => texts.as_slice().into(),
        Stored::Other(StoredValue::Text(text)) => {
            Json::parse(text.as_str()).map_or_else(|_| text.as_str().into(), |document| document.canonical())
        }
        Stored::Other(other) => value(other),
    }
}

fn value(stored: &StoredValue) -> Value {
    match stored {
        StoredValue::Null => Value::Null,
        StoredValue::Integer(number) => (*number).into(),
        // JSON has no infinite numbers.
        StoredValue::Real(number) if !number.is_finite() => number.to_string().into(),
        StoredValue::Real(number) => json!(number),
        StoredValue::Text(text) => text.as_str().into(),
        StoredValue::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}

impl PartialSchema for NaiveTime {
    fn schema() -> RefOr<Schema> {
        let description = "An instant in UTC, with microseconds unless they are 0 and without a zone. Rows of other programs may \
             have none, and old files may hold other texts.";
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Number, Type::Null]))
            .description(Some(description))
            .examples(["2026-01-01T12:00:00.123456"])
            .into()
    }
}

impl ToSchema for NaiveTime {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_in_the_place_of_texts_has_one_form() {
        let shown = |text: &str| of_texts(&Stored::Other(StoredValue::Text(text.to_owned())));
        // As SQLite keeps them, and as `jsonb` gives them back.
        for (written, given_back) in [
            (r#"{"b":1,"a":1.50}"#, r#"{"a": 1.50, "b": 1}"#),
            ("[1e2,1.0]", "[100, 1.0]"),
            (r#"{"a":1,"a":2}"#, r#"{"a": 2}"#),
        ] {
            assert_eq!(shown(written).to_string(), shown(given_back).to_string());
        }
        assert_eq!(shown("no document"), json!("no document"));
    }
}
