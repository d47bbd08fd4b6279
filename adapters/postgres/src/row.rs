//! Reading rows and binding values: from PostgreSQL's columns to the domain's fields and back.

use std::ops::Range;

use cutover_domain::json::Json;
use cutover_domain::market::day::Day;
use cutover_domain::stored::{Stored, StoredValue, TextEnum};
use cutover_domain::time::Timestamp;
use cutover_ports::error::BoxError;
use cutover_ports::{StoreError, StoreResult};
use postgres_types::{FromSql, Type, WrongType};
use tokio_postgres::{Column, Statement};

use crate::types::{PgDay, PgJson, PgTime};

/// A row of a statement, which may have been a part of a larger one.
#[derive(Debug)]
pub(crate) struct Row {
    row: tokio_postgres::Row,
    /// If it is not the whole row, but the record in one of its columns.
    record: Option<Record>,
}

/// What is in a column that holds a record.
#[derive(Debug)]
struct Record {
    column: usize,
    /// The statement whose row it is.
    statement: Statement,
    /// Where the fields are within the column; none for NULL.
    fields: Vec<Option<Range<usize>>>,
}

/// The bytes of a column, whatever they mean.
struct Bytes<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Row {
    /// A whole row.
    pub(crate) fn new(row: tokio_postgres::Row) -> Self {
        Self { row, record: None }
    }

    /// The row of `statement` that stands in a column of this one.
    pub(crate) fn record(self, column: usize, statement: &Statement) -> Result<Self, BoxError> {
        let Bytes(raw) = self.row.try_get(column)?;
        let record = Record {
            column,
            statement: statement.clone(),
            fields: fields(raw).ok_or("a record ends early")?,
        };
        if record.fields.len() != statement.columns().len() {
            return Err("a record has other columns than its statement".into());
        }
        Ok(Self {
            record: Some(record),
            ..self
        })
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> &[Column] {
        let of_record = self.record.as_ref().map(|record| record.statement.columns());
        of_record.unwrap_or_else(|| self.row.columns())
    }

    /// The value of a column.
    pub(crate) fn try_get<'r, T: FromSql<'r>>(&'r self, index: usize) -> Result<T, BoxError> {
        let Some(record) = &self.record else {
            return self.row.try_get(index).map_err(cause);
        };
        let (Some(column), Some(field)) = (self.columns().get(index), record.fields.get(index)) else {
            return Err("there is no such column".into());
        };
        let ty = column.type_();
        if !T::accepts(ty) {
            return Err(WrongType::new::<T>(ty.clone()).into());
        }
        let Bytes(raw) = self.row.try_get(record.column)?;
        T::from_sql_nullable(ty, field.clone().and_then(|field| raw.get(field)))
    }
}

/// What the driver says is wrong, without where.
fn cause(error: tokio_postgres::Error) -> BoxError {
    let text = error.to_string();
    error.into_source().unwrap_or_else(|| text.into())
}

/// Where the fields of a record are: their number, and of each its type, length and bytes.
fn fields(raw: &[u8]) -> Option<Vec<Option<Range<usize>>>> {
    let word = |at: usize| Some(i32::from_be_bytes(*raw.get(at..)?.first_chunk()?));
    let count = usize::try_from(word(0)?).ok()?;
    let mut at = 4;
    let mut fields = Vec::with_capacity(count.min(raw.len() / 8));
    for _ in 0..count {
        let begin = at + 8;
        // NULL has the length -1.
        let field = usize::try_from(word(at + 4)?)
            .ok()
            .map(|length| begin..begin + length);
        at = field.as_ref().map_or(begin, |field| field.end);
        fields.push(field);
    }
    (at == raw.len()).then_some(fields)
}

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
            reason: error.to_string(),
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
