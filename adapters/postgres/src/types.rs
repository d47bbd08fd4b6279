//! The domain's values in PostgreSQL's binary forms.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use cutover_domain::json::Json;
use cutover_domain::market::day::Day;
use cutover_domain::time::Timestamp;
use postgres_types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// A bound value and its type. The type is named so that a statement can run without being prepared first.
pub type Bind<'a> = (&'a (dyn ToSql + Sync), Type);

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's time begins.
const PG_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// An instant as `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgTime(pub Timestamp);

impl<'a> FromSql<'a> for PgTime {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        let micros = micros
            .checked_add(PG_EPOCH_MICROS)
            .ok_or("infinity is not an instant")?;
        Ok(Self(Timestamp::from_micros(micros)?))
    }
    accepts!(TIMESTAMPTZ);
}

impl ToSql for PgTime {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.0.as_micros() - PG_EPOCH_MICROS);
        Ok(IsNull::No)
    }
    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

/// Days from 1970-01-01 to 2000-01-01.
const PG_EPOCH_DAYS: i64 = 10_957;

/// A day as `date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgDay(pub Day);

impl<'a> FromSql<'a> for PgDay {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let days = i64::from(i32::from_be_bytes(raw.try_into()?));
        Ok(Self(Day::from_epoch_days(days + PG_EPOCH_DAYS)?))
    }
    accepts!(DATE);
}

impl ToSql for PgDay {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i32(i32::try_from(self.0.epoch_days() - PG_EPOCH_DAYS)?);
        Ok(IsNull::No)
    }
    accepts!(DATE);
    to_sql_checked!();
}

/// A document as `jsonb`, its text untouched on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct PgJson(pub Json);

impl<'a> FromSql<'a> for PgJson {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let text = match (ty, raw) {
            (&Type::JSONB, [1, text @ ..]) => text,
            (&Type::JSONB, _) => return Err("an unknown version of jsonb".into()),
            (_, text) => text,
        };
        Ok(Self(Json::from_trusted(std::str::from_utf8(text)?)))
    }
    accepts!(JSON, JSONB);
}

impl ToSql for PgJson {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if *ty == Type::JSONB {
            out.put_u8(1);
        }
        out.put_slice(self.0.as_str().as_bytes());
        Ok(IsNull::No)
    }
    accepts!(JSON, JSONB);
    to_sql_checked!();
}
