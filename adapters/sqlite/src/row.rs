//! Reading rows and binding values: from what a file really holds to the domain's fields and back.

use cutover_domain::json::Json;
use cutover_domain::market::day::Day;
use cutover_domain::stored::{Stored, StoredValue, TextEnum};
use cutover_domain::time::{LegacyZone, Timestamp};
use cutover_ports::{PortableRow, StoreError, StoreResult};
use rusqlite::Row;
use rusqlite::types::{Value, ValueRef};

/// A row's columns from left to right, in the order of the statement's column list. No stored value is an error: what
/// breaks its column's rule comes back as [`Stored::Other`].
#[derive(Debug)]
pub(crate) struct Columns<'r> {
    row: &'r Row<'r>,
    zone: &'r LegacyZone,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn new(row: &'r Row<'r>, zone: &'r LegacyZone) -> Self {
        Self { row, zone, next: 0 }
    }

    fn value(&mut self) -> StoreResult<ValueRef<'r>> {
        let index = self.next;
        self.next += 1;
        self.row
            .get_ref(index)
            .map_err(|error| StoreError::Backend(error.into()))
    }

    /// Text that is required: empty where the file holds NULL, replacement characters where it is not UTF-8.
    pub(crate) fn text(&mut self) -> StoreResult<String> {
        Ok(self.opt_text()?.unwrap_or_default())
    }

    pub(crate) fn opt_text(&mut self) -> StoreResult<Option<String>> {
        Ok(match self.value()? {
            ValueRef::Null => None,
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
            ValueRef::Integer(number) => Some(number.to_string()),
            ValueRef::Real(number) => Some(number.to_string()),
        })
    }

    pub(crate) fn time(&mut self) -> StoreResult<Stored<Timestamp>> {
        let value = self.value()?;
        if let ValueRef::Text(bytes) = value
            && let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(time) = Timestamp::parse(text, self.zone)
        {
            return Ok(Stored::Known(time));
        }
        Ok(Stored::Other(stored_value(value)))
    }

    pub(crate) fn opt_time(&mut self) -> StoreResult<Option<Stored<Timestamp>>> {
        Ok(Some(self.time()?).filter(|time| *time != Stored::Other(StoredValue::Null)))
    }

    /// A document that is required: `null` where the file holds NULL.
    pub(crate) fn json(&mut self) -> StoreResult<Json> {
        Ok(self.opt_json()?.unwrap_or_else(|| Json::from_trusted("null")))
    }

    pub(crate) fn opt_json(&mut self) -> StoreResult<Option<Json>> {
        Ok(self.opt_text()?.map(Json::from_trusted))
    }

    pub(crate) fn integer(&mut self) -> StoreResult<Stored<i64>> {
        Ok(match self.value()? {
            ValueRef::Integer(number) => Stored::Known(number),
            other => Stored::Other(stored_value(other)),
        })
    }

    pub(crate) fn opt_integer(&mut self) -> StoreResult<Option<Stored<i64>>> {
        Ok(Some(self.integer()?).filter(|number| *number != Stored::Other(StoredValue::Null)))
    }

    /// A double; SQLite may hold a whole one as an integer.
    pub(crate) fn real(&mut self) -> StoreResult<Stored<f64>> {
        Ok(match self.value()? {
            ValueRef::Real(number) => Stored::Known(number),
            ValueRef::Integer(number) => Stored::Known(number as f64),
            other => Stored::Other(stored_value(other)),
        })
    }

    pub(crate) fn opt_real(&mut self) -> StoreResult<Option<Stored<f64>>> {
        Ok(Some(self.real()?).filter(|number| *number != Stored::Other(StoredValue::Null)))
    }

    /// A day, as text.
    pub(crate) fn day(&mut self) -> StoreResult<Stored<Day>> {
        let value = self.value()?;
        let known = value.as_str().ok().and_then(|text| Day::parse(text).ok());
        Ok(known.map_or_else(|| Stored::Other(stored_value(value)), Stored::Known))
    }

    /// An optional truth value: 0, 1 or NULL.
    pub(crate) fn opt_bool(&mut self) -> StoreResult<Option<Stored<bool>>> {
        Ok(match self.value()? {
            ValueRef::Null => None,
            ValueRef::Integer(number @ 0..=1) => Some(Stored::Known(number == 1)),
            other => Some(Stored::Other(stored_value(other))),
        })
    }

    /// A text enumeration; a value outside the rule stays readable.
    pub(crate) fn text_enum<T: TextEnum>(&mut self) -> StoreResult<Stored<T>> {
        let value = self.value()?;
        let known = value.as_str().ok().and_then(T::from_text);
        Ok(known.map_or_else(|| Stored::Other(stored_value(value)), Stored::Known))
    }

    /// An optional text enumeration.
    pub(crate) fn opt_text_enum<T: TextEnum + PartialEq>(&mut self) -> StoreResult<Option<Stored<T>>> {
        Ok(Some(self.text_enum()?).filter(|value| *value != Stored::Other(StoredValue::Null)))
    }

    /// The whole row, with the names of its columns.
    pub(crate) fn portable_row(&mut self) -> StoreResult<PortableRow> {
        let names = self.row.as_ref().column_names();
        names
            .into_iter()
            .map(|name| Ok((name.to_owned(), stored_value(self.value()?))))
            .collect()
    }

    /// A count computed by the statement.
    pub(crate) fn count(&mut self) -> StoreResult<u64> {
        Ok(match self.value()? {
            ValueRef::Integer(number) => u64::try_from(number).unwrap_or(0),
            _ => 0,
        })
    }
}

fn stored_value(value: ValueRef<'_>) -> StoredValue {
    match value {
        ValueRef::Null => StoredValue::Null,
        ValueRef::Integer(number) => StoredValue::Integer(number),
        ValueRef::Real(number) => StoredValue::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => StoredValue::Text(text.to_owned()),
            Err(_) => StoredValue::Blob(bytes.to_owned()),
        },
        ValueRef::Blob(bytes) => StoredValue::Blob(bytes.to_owned()),
    }
}

pub(crate) fn sql_value(value: &StoredValue) -> Value {
    match value {
        StoredValue::Null => Value::Null,
        StoredValue::Integer(number) => Value::Integer(*number),
        StoredValue::Real(number) => Value::Real(*number),
        StoredValue::Text(text) => Value::Text(text.clone()),
        StoredValue::Blob(bytes) => Value::Blob(bytes.clone()),
    }
}

/// An instant in the text form of the original application.
pub(crate) fn sql_time(value: &Stored<Timestamp>) -> Value {
    match value {
        Stored::Known(time) => Value::Text(time.to_iso()),
        Stored::Other(other) => sql_value(other),
    }
}

/// An optional instant.
pub(crate) fn opt_sql_time(value: Option<&Stored<Timestamp>>) -> Value {
    value.map_or(Value::Null, sql_time)
}

/// A day, or what an old file held in its place.
pub(crate) fn sql_day(value: &Stored<Day>) -> Value {
    match value {
        Stored::Known(day) => Value::Text(day.to_string()),
        Stored::Other(other) => sql_value(other),
    }
}

/// A number, or what an old file held in its place.
pub(crate) fn sql_number<T: Copy + Into<Value>>(value: &Stored<T>) -> Value {
    match value {
        Stored::Known(number) => (*number).into(),
        Stored::Other(other) => sql_value(other),
    }
}

/// An optional number.
pub(crate) fn opt_sql_number<T: Copy + Into<Value>>(value: Option<&Stored<T>>) -> Value {
    value.map_or(Value::Null, sql_number)
}

/// Texts as one value, which `json_each` spreads out again: a statement stays the same however many there are.
pub(crate) fn json_array(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

/// A text enumeration, or what an old file held in its place.
pub(crate) fn sql_enum<T: TextEnum>(value: &Stored<T>) -> Value {
    match value {
        Stored::Known(value) => Value::Text(value.as_str().to_owned()),
        Stored::Other(other) => sql_value(other),
    }
}

/// An optional text enumeration.
pub(crate) fn opt_sql_enum<T: TextEnum>(value: Option<&Stored<T>>) -> Value {
    value.map_or(Value::Null, sql_enum)
}
