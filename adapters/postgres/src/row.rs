//! Reading rows and binding values: from PostgreSQL's columns to the domain's fields and back.

use cutover_domain::json::Json;
use cutover_domain::market::day::Day;
use cutover_domain::stored::{Stored, StoredValue, TextEnum};
use cutover_domain::time::Timestamp;
use cutover_ports::{StoreError, StoreResult};
use postgres_types::FromSql;
use tokio_postgres::Row;

use crate::types::{PgDay, PgJson, PgTime};

/// A row's columns from left to right, in the order of the statement's column list.
#[derive(Debug)]
pub(crate) struct Columns<'r> {
    table: &'static str,
    row: &'r Row,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn new(table: &'static str, row: &'r Row) -> Self {
        Self { table, row, next: 0 }
    }

    /// From another than the first column on.
    pub(crate) fn starting_at(table: &'static str, row: &'r Row, next: usize) -> Self {
        Self { table, row, next }
    }

    /// The next column, as any type the driver can read.
    pub(crate) fn get<T: FromSql<'r>>(&mut self) -> StoreResult<T> {
        let index = self.next;
        self.next += 1;
        self.row.try_get(index).map_err(|error| StoreError::Corrupt {
            table: self.table.to_owned(),
            column: self
                .row
                .columns()
                .get(index)
                .map_or("?", |column| column.name())
                .to_owned(),
            reason: std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
        })
    }

    pub(crate) fn text(&mut self) -> StoreResult<String> {
        self.get()
    }

    pub(crate) fn opt_text(&mut self) -> StoreResult<Option<String>> {
        self.get()
    }

    pub(crate) fn time(&mut self) -> StoreResult<Stored<Timestamp>> {
        Ok(Stored::Known(self.get::<PgTime>()?.0))
    }

    pub(crate) fn opt_time(&mut self) -> StoreResult<Option<Stored<Timestamp>>> {
        Ok(self.get::<Option<PgTime>>()?.map(|time| Stored::Known(time.0)))
    }

    pub(crate) fn json(&mut self) -> StoreResult<Json> {
        Ok(self.get::<PgJson>()?.0)
    }

    pub(crate) fn opt_json(&mut self) -> StoreResult<Option<Json>> {
        Ok(self.get::<Option<PgJson>>()?.map(|json| json.0))
    }

    pub(crate) fn integer(&mut self) -> StoreResult<Stored<i64>> {
        Ok(Stored::Known(self.get()?))
    }

    pub(crate) fn opt_integer(&mut self) -> StoreResult<Option<Stored<i64>>> {
        Ok(self.get::<Option<i64>>()?.map(Stored::Known))
    }

    pub(crate) fn real(&mut self) -> StoreResult<Stored<f64>> {
        Ok(Stored::Known(self.get()?))
    }

    pub(crate) fn opt_real(&mut self) -> StoreResult<Option<Stored<f64>>> {
        Ok(self.get::<Option<f64>>()?.map(Stored::Known))
    }

    pub(crate) fn day(&mut self) -> StoreResult<Stored<Day>> {
        Ok(Stored::Known(self.get::<PgDay>()?.0))
    }

    pub(crate) fn opt_bool(&mut self) -> StoreResult<Option<Stored<bool>>> {
        Ok(self.get::<Option<bool>>()?.map(Stored::Known))
    }

    /// A text enumeration; a value outside the rule stays readable.
    pub(crate) fn text_enum<T: TextEnum>(&mut self) -> StoreResult<Stored<T>> {
        let text: String = self.get()?;
        Ok(T::from_text(&text).map_or_else(|| Stored::Other(StoredValue::Text(text)), Stored::Known))
    }

    /// An optional text enumeration.
    pub(crate) fn opt_text_enum<T: TextEnum>(&mut self) -> StoreResult<Option<Stored<T>>> {
        let text: Option<String> = self.get()?;
        Ok(text.map(|text| {
            T::from_text(&text).map_or_else(|| Stored::Other(StoredValue::Text(text)), Stored::Known)
        }))
    }

    /// A count computed by the statement.
    pub(crate) fn count(&mut self) -> StoreResult<u64> {
        Ok(u64::try_from(self.get::<i64>()?).unwrap_or(0))
    }
}

/// A stored value for a typed column: PostgreSQL cannot hold a value that breaks its column's type.
pub(crate) fn known<T: Copy>(what: &str, value: &Stored<T>) -> StoreResult<T> {
    match value {
        Stored::Known(value) => Ok(*value),
        Stored::Other(other) => Err(StoreError::invalid(
            what,
            format!("{other:?} is not a value of this column's type"),
        )),
    }
}

/// An optional stored value for a typed column.
pub(crate) fn opt_known<T: Copy>(what: &str, value: Option<&Stored<T>>) -> StoreResult<Option<T>> {
    value.map(|value| known(what, value)).transpose()
}

/// A day for a `date` column.
pub(crate) fn pg_day(what: &str, value: &Stored<Day>) -> StoreResult<PgDay> {
    known(what, value).map(PgDay)
}

/// An instant for a `timestamptz` column.
pub(crate) fn pg_time(what: &str, value: &Stored<Timestamp>) -> StoreResult<PgTime> {
    known(what, value).map(PgTime)
}

/// An optional instant for a `timestamptz` column.
pub(crate) fn opt_pg_time(what: &str, value: Option<&Stored<Timestamp>>) -> StoreResult<Option<PgTime>> {
    value.map(|value| pg_time(what, value)).transpose()
}

/// A text enumeration for a text column; a value outside the rule goes to the database, whose check decides.
pub(crate) fn pg_enum<T: TextEnum>(what: &str, value: &Stored<T>) -> StoreResult<String> {
    match value {
        Stored::Known(value) => Ok(value.as_str().to_owned()),
        Stored::Other(StoredValue::Text(text)) => Ok(text.clone()),
        Stored::Other(other) => Err(StoreError::invalid(what, format!("{other:?} is not text"))),
    }
}

/// An optional text enumeration for a text column.
pub(crate) fn opt_pg_enum<T: TextEnum>(what: &str, value: Option<&Stored<T>>) -> StoreResult<Option<String>> {
    value.map(|value| pg_enum(what, value)).transpose()
}

/// An optional document for a `jsonb` column.
pub(crate) fn opt_pg_json(value: Option<&Json>) -> Option<PgJson> {
    value.cloned().map(PgJson)
}
