//! A value on its way into a statement.

use cutover_domain::transfer::value::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A value as a parameter: text by its bytes, whatever they are.
pub(super) struct Bound<'a>(pub(super) Value<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(value) => ValueRef::Integer(value),
            Value::Real(value) => ValueRef::Real(value),
            Value::Text(bytes) => ValueRef::Text(bytes),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
