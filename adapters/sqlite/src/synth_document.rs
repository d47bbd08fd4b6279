//! What stands in a synth's document, as SQL functions. SQLite's own read the first of a key that stands twice; PostgreSQL's `jsonb`,
//! and all that is shown of a document, the last.

use std::fmt;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Gives a connection the functions, each of a document and of keys from the outside in: `document_scalar`, a number as a double, a truth
/// value as 0 or 1, a text, and NULL for all else; `document_text`, a text or NULL; `document_has`, whether anything but `null` is there.
pub(crate) fn add_functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let any_number = -1;
    connection.create_scalar_function("document_scalar", any_number, flags, |call| {
        found(call, |value| value.map_or(Value::Null, scalar))
    })?;
    connection.create_scalar_function("document_text", any_number, flags, |call| {
        found(call, |value| value.map_or(Value::Null, text))
    })?;
    connection.create_scalar_function("document_has", any_number, flags, |call| {
        found(call, |value| value.is_some_and(|value| value != "null").into())
    })
}

/// What `read` makes of the JSON value that a call asks for. There is none where the document cannot be read.
fn found(call: &Context<'_>, read: impl Fn(Option<&str>) -> Value) -> Result<Value> {
    let (ValueRef::Text(document) | ValueRef::Blob(document)) = call.get_raw(0) else {
        return Ok(read(None));
    };
    let document = String::from_utf8_lossy(document);
    let mut value = Some(document.as_ref());
    for number in 1..call.len() {
        let key = call.get_raw(number).as_str()?;
        value = value.and_then(|value| member(value, key));
    }
    Ok(read(value))
}

fn scalar(value: &str) -> Value {
    match value {
        "true" => Value::Real(1.0),
        "false" => Value::Real(0.0),
        _ if value.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) => {
            value.parse().map_or(Value::Null, Value::Real)
        }
        _ => text(value),
    }
}

fn text(value: &str) -> Value {
    serde_json::from_str(value).map_or(Value::Null, Value::Text)
}

/// The member of an object, the last one if there are several.
fn member<'d>(object: &'d str, key: &str) -> Option<&'d str> {
    let mut reader = serde_json::Deserializer::from_str(object);
    let member = reader.deserialize_map(Member(key)).ok()?;
    reader.end().ok()?;
    member.map(RawValue::get)
}

/// Reads an object for one member.
struct Member<'k>(&'k str);

impl<'d> Visitor<'d> for Member<'_> {
    type Value = Option<&'d RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'d>>(self, mut members: M) -> std::result::Result<Self::Value, M::Error> {
        let mut last = None;
        while let Some(is_it) = members.next_key_seed(Key(self.0))? {
            if is_it {
                last = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(last)
    }
}

/// Whether a member's name is this one.
struct Key<'k>(&'k str);

impl<'d> DeserializeSeed<'d> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'d>>(self, name: D) -> std::result::Result<bool, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> std::result::Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_key_that_stands_twice_the_last_counts_at_every_depth() {
        let connection = Connection::open_in_memory().unwrap();
        add_functions(&connection).unwrap();
        let whole =
            r#" {"a": {"b": 1}, "x": [{"a": 9}], "\u0061": {"b": 2, "b": "zwei \u00fc", "b" : -2.5e0 }} "#;
        for (document, keys, scalar, text, has) in [
            (whole, "'a', 'b'", "-2.5", "∅", "1"),
            (r#"{"a": 1, "a": "t"}"#, "'a'", "t", "t", "1"),
            (r#"{"a": "t", "a": true}"#, "'a'", "1.0", "∅", "1"),
            (r#"{"a": "t", "a": null}"#, "'a'", "∅", "∅", "0"),
            (r#"{"a": {"b": 1}, "a": 2}"#, "'a', 'b'", "∅", "∅", "0"),
            (r#"{"a": 1, "a": [1]}"#, "'a'", "∅", "∅", "1"),
            (r#"{"a": 1, "a": {}}"#, "'a'", "∅", "∅", "1"),
            (r#"{"a": 1}"#, "'b'", "∅", "∅", "0"),
            (r#"{"a": 1} x"#, "'a'", "∅", "∅", "0"),
            (r#"{"a": 1, "b": tru}"#, "'a'", "∅", "∅", "0"),
            ("[1]", "'a'", "∅", "∅", "0"),
            ("", "'a'", "∅", "∅", "0"),
        ] {
            for (function, expected) in [
                ("document_scalar", scalar),
                ("document_text", text),
                ("document_has", has),
            ] {
                let sql = format!("SELECT coalesce(CAST({function}(?1, {keys}) AS TEXT), '∅')");
                let found: String = connection.query_row(&sql, [document], |row| row.get(0)).unwrap();
                assert_eq!(found, expected, "{function}({document}, {keys})");
            }
        }
        let none = "SELECT document_has(NULL, 'a'), document_has(5, 'a')";
        let none = connection.query_row(none, [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(none.unwrap(), (0, 0));
    }
}
