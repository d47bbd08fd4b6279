//! How a value stands in a column that we make in PostgreSQL, and how it comes back as the very value SQLite had: by storage class
//! and bytes. A rendering belongs to a column and is kept in the target as text ([`Display`](fmt::Display) and [`FromStr`]).
//!
//! [`Rendering::encode`] is strict: it refuses whatever [`Rendering::decode`] would not give back the same.

mod asked;
mod moment;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use super::catalog::{PgKind, PgType, is_number};
use super::convert::{
    DAY_MICROS, PG_EPOCH_MICROS, check_text, decimal_parts, decimal_text, field, length, push_decimal, put,
    put_decimal, uuid_bytes, uuid_text,
};
use super::json_text::{self, Verdict};
use super::numbers::{exact, whole};
use super::outcome::Reject;
use super::rows::RowBatch;
use super::schema::literal;
use super::value::{StorageClass, Value};

pub(super) use asked::CHARSETS;
pub use asked::{Charset, Decimals, TruthWords, Unit};
pub(super) use moment::{Form, Moment, Precisions, read as read_moment, write as write_moment};
pub use moment::{Precision, Separator, Zone};

/// The PostgreSQL type of a column that we make, and how its values are written back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendering {
    /// `bigint`: INTEGER.
    Integer,
    /// `boolean`: INTEGER 0 or 1.
    Boolean,
    /// `double precision`: REAL, by its bits.
    Real,
    /// `double precision`: INTEGER if it is whole and fits 64 bits, else REAL.
    Number,
    /// `numeric`: INTEGER if it has no fraction and fits 64 bits, else REAL if the nearest double shows the same digits, else TEXT.
    Decimal,
    /// `numeric`: INTEGER if it is whole and fits 64 bits, else REAL; zeros at its end say nothing.
    DecimalNumber,
    /// `text`: TEXT.
    Text,
    /// `text`: INTEGER or REAL if it is a number as Rust writes it (a REAL with a fraction), else TEXT that SQLite takes for no number.
    TextNumber,
    /// `bytea`: BLOB.
    Blob,
    /// `uuid`: TEXT in small letters with dashes.
    Uuid,
    /// `uuid`: BLOB of 16 bytes.
    UuidBlob,
    /// `json`: TEXT as it is.
    Json,
    /// `json`: INTEGER or REAL if the document is nothing but a number as Rust writes it, else TEXT as it is.
    JsonNumber,
    /// `jsonb`: TEXT as PostgreSQL prints it.
    Jsonb,
    /// `date`: TEXT of the form `YYYY-MM-DD`.
    Date,
    /// `time`: TEXT.
    Time(Precision),
    /// `timestamp`: TEXT.
    Timestamp {
        /// Between date and time.
        separator: Separator,
        /// Behind hours and minutes.
        precision: Precision,
    },
    /// `timestamptz`: TEXT in one fixed offset.
    Timestamptz {
        /// Between date and time.
        separator: Separator,
        /// Behind hours and minutes.
        precision: Precision,
        /// The suffix of every value.
        zone: Zone,
    },
    /// `text` with the storage class of each value beside it; none is a BLOB.
    MixedText,
    /// `bytea` with the storage class of each value beside it.
    MixedBytea,
    /// `timestamp`, in UTC: INTEGER since 1970. Only somebody can ask for it, as for those below.
    EpochTimestamp(Unit),
    /// `timestamptz`: INTEGER since 1970.
    EpochTimestamptz(Unit),
    /// `boolean`: one value for true and one for false.
    Truth(TruthWords),
    /// `text`: TEXT in another charset than the file's.
    Charset(Charset),
    /// `numeric` of a fixed number of digits behind the point: INTEGER and REAL, or REAL only.
    Decimals(Decimals),
}

/// Text that names no rendering.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rendering this version of Cutover knows")]
pub struct UnknownRendering(String);

impl fmt::Display for Rendering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Real => "real",
            Self::Number => "number",
            Self::Decimal => "decimal",
            Self::DecimalNumber => "decimal-number",
            Self::Text => "text",
            Self::TextNumber => "text-number",
            Self::Blob => "blob",
            Self::Uuid => "uuid",
            Self::UuidBlob => "uuid-blob",
            Self::Json => "json",
            Self::JsonNumber => "json-number",
            Self::Jsonb => "jsonb",
            Self::Date => "date",
            Self::Time(precision) => return write!(f, "time {precision}"),
            Self::Timestamp { separator, precision } => {
                return write!(f, "timestamp {separator} {precision}");
            }
            Self::Timestamptz {
                separator,
                precision,
                zone,
            } => return write!(f, "timestamptz {separator} {precision} {zone}"),
            Self::MixedText => "mixed text",
            Self::MixedBytea => "mixed bytea",
            Self::EpochTimestamp(unit) => return write!(f, "timestamp from {unit}"),
            Self::EpochTimestamptz(unit) => return write!(f, "timestamptz from {unit}"),
            Self::Truth(words) => return write!(f, "boolean from {words}"),
            Self::Charset(charset) => return write!(f, "text from {charset}"),
            Self::Decimals(decimals) => return write!(f, "{} from {decimals}", decimals.type_name()),
        })
    }
}

impl FromStr for Rendering {
    type Err = UnknownRendering;

    fn from_str(text: &str) -> Result<Self, UnknownRendering> {
        if let Some((kind, source)) = text.split_once(" from ") {
            return Self::asked(kind, source).ok_or_else(|| UnknownRendering(text.to_owned()));
        }
        let words: Vec<&str> = text.split(' ').collect();
        let known = match words.as_slice() {
            ["integer"] => Some(Self::Integer),
            ["boolean"] => Some(Self::Boolean),
            ["real"] => Some(Self::Real),
            ["number"] => Some(Self::Number),
            ["decimal"] => Some(Self::Decimal),
            ["decimal-number"] => Some(Self::DecimalNumber),
            ["text"] => Some(Self::Text),
            ["text-number"] => Some(Self::TextNumber),
            ["blob"] => Some(Self::Blob),
            ["uuid"] => Some(Self::Uuid),
            ["uuid-blob"] => Some(Self::UuidBlob),
            ["json"] => Some(Self::Json),
            ["json-number"] => Some(Self::JsonNumber),
            ["jsonb"] => Some(Self::Jsonb),
            ["date"] => Some(Self::Date),
            ["time", precision] => precision.parse().ok().map(Self::Time),
            ["timestamp", separator, precision] => separator
                .parse()
                .ok()
                .zip(precision.parse().ok())
                .map(|(separator, precision)| Self::Timestamp { separator, precision }),
            ["timestamptz", separator, precision, zone] => separator
                .parse()
                .ok()
                .zip(precision.parse().ok())
                .zip(zone.parse().ok())
                .map(|((separator, precision), zone)| Self::Timestamptz {
                    separator,
                    precision,
                    zone,
                }),
            ["mixed", "text"] => Some(Self::MixedText),
            ["mixed", "bytea"] => Some(Self::MixedBytea),
            _ => None,
        };
        known.ok_or_else(|| UnknownRendering(text.to_owned()))
    }
}

impl Rendering {
    /// What somebody asks for as `kind from source`.
    fn asked(kind: &str, source: &str) -> Option<Self> {
        match kind {
            "timestamp" => source.parse().ok().map(Self::EpochTimestamp),
            "timestamptz" => source.parse().ok().map(Self::EpochTimestamptz),
            "boolean" => source.parse().ok().map(Self::Truth),
            "text" => source.parse().ok().map(Self::Charset),
            _ => {
                let PgKind::Numeric(limits) = PgType::parse(kind)?.kind else {
                    return None;
                };
                let reals = match source {
                    "reals" => true,
                    "numbers" => false,
                    _ => return None,
                };
                Some(Self::Decimals(Decimals::new(limits, reals)))
            }
        }
    }

    /// Whether somebody asked for it: no value proves it.
    pub fn is_asked(&self) -> bool {
        matches!(
            self,
            Self::EpochTimestamp(_)
                | Self::EpochTimestamptz(_)
                | Self::Truth(_)
                | Self::Charset(_)
                | Self::Decimals(_)
        )
    }

    /// The column's type.
    pub fn pg_type(&self) -> PgType {
        let (name, kind) = match self {
            Self::Integer => ("bigint", PgKind::Int8),
            Self::Boolean | Self::Truth(_) => ("boolean", PgKind::Bool),
            Self::Real | Self::Number => ("double precision", PgKind::Float8),
            Self::Decimal | Self::DecimalNumber => ("numeric", PgKind::Numeric(None)),
            Self::Decimals(decimals) => {
                return PgType {
                    name: decimals.type_name(),
                    kind: PgKind::Numeric(decimals.limits()),
                };
            }
            Self::Text | Self::TextNumber | Self::MixedText | Self::Charset(_) => ("text", PgKind::Text),
            Self::Blob | Self::MixedBytea => ("bytea", PgKind::Bytea),
            Self::Uuid | Self::UuidBlob => ("uuid", PgKind::Uuid),
            Self::Json | Self::JsonNumber => ("json", PgKind::Json),
            Self::Jsonb => ("jsonb", PgKind::Jsonb),
            Self::Date => ("date", PgKind::Date),
            Self::Time(_) => ("time without time zone", PgKind::Time(6)),
            Self::Timestamp { .. } | Self::EpochTimestamp(_) => {
                ("timestamp without time zone", PgKind::Timestamp(6))
            }
            Self::Timestamptz { .. } | Self::EpochTimestamptz(_) => {
                ("timestamp with time zone", PgKind::Timestamptz(6))
            }
        };
        PgType {
            name: name.to_owned(),
            kind,
        }
    }

    /// Whether a second column beside it holds the storage class of each value.
    pub fn has_class(&self) -> bool {
        matches!(self, Self::MixedText | Self::MixedBytea)
    }

    /// Whether it writes values of more than one storage class, or of another class than its type would suggest.
    pub fn has_several_classes(&self) -> bool {
        matches!(
            self,
            Self::Number
                | Self::Decimal
                | Self::DecimalNumber
                | Self::TextNumber
                | Self::JsonNumber
                | Self::UuidBlob
                | Self::MixedText
                | Self::MixedBytea
        ) || self.is_asked()
    }

    /// Appends the value as a field of a binary COPY, its length and its bytes, and behind it the field of its class if there is one.
    /// When it is refused, `out` may hold a part of it.
    pub fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Reject> {
        match (self, value) {
            (Self::MixedText, value) => mixed(value, StorageClass::Text, out),
            (Self::MixedBytea, value) => mixed(value, StorageClass::Blob, out),
            (_, Value::Null) => {
                put(out, &(-1_i32).to_be_bytes());
                Ok(())
            }
            (Self::Integer, Value::Integer(number)) => put_field(out, &number.to_be_bytes()),
            (Self::Boolean, Value::Integer(number @ (0 | 1))) => put_field(out, &[u8::from(number == 1)]),
            (Self::Real, Value::Real(number)) if !number.is_nan() => put_field(out, &number.to_be_bytes()),
            (Self::Number, Value::Integer(number)) => put_field(out, &exact(number)?.to_be_bytes()),
            (Self::Number, Value::Real(number)) if number_returns(number) => {
                put_field(out, &number.to_be_bytes())
            }
            (Self::Decimal | Self::DecimalNumber, Value::Integer(number)) => {
                put_decimal(&number.to_string(), None, out)
            }
            // The shortest digits that give this double back, without an exponent.
            (Self::Decimal | Self::DecimalNumber, Value::Real(number)) if decimal_returns(number) => {
                put_decimal(&number.to_string(), None, out)
            }
            (Self::Decimal, Value::Text(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| Reject::NotANumber)?;
                put_decimal(text, None, out)?;
                decimal_text_returns(text).then_some(()).ok_or(Reject::Changed)
            }
            (Self::Real | Self::Number | Self::Decimal | Self::DecimalNumber, Value::Real(_)) => {
                Err(Reject::Changed)
            }
            (Self::Text, Value::Text(text)) => put_text(text, out),
            (Self::TextNumber, Value::Text(text)) if !is_number(text) => put_text(text, out),
            (Self::TextNumber, Value::Real(number)) if decimal_returns(number) => {
                put_field(out, format!("{number:?}").as_bytes())
            }
            (Self::TextNumber, Value::Text(_) | Value::Real(_)) => Err(Reject::Changed),
            (Self::Blob, Value::Blob(bytes)) => put_field(out, bytes),
            (Self::Uuid, Value::Text(text)) => put_field(out, &small_uuid(text).ok_or(Reject::NotAUuid)?),
            (Self::UuidBlob, Value::Blob(bytes)) if bytes.len() == 16 => put_field(out, bytes),
            (Self::UuidBlob, Value::Blob(_)) => Err(Reject::NotAUuid),
            (Self::Json, Value::Text(text)) => put_field(out, json(text)?),
            (Self::JsonNumber, Value::Text(text)) => {
                let text = json(text)?;
                if lone_number(text).is_some() {
                    return Err(Reject::Changed);
                }
                put_field(out, text)
            }
            (Self::TextNumber | Self::JsonNumber, Value::Integer(number)) => {
                put_field(out, number.to_string().as_bytes())
            }
            (Self::JsonNumber, Value::Real(number)) if number.is_finite() => {
                put_field(out, format!("{number:?}").as_bytes())
            }
            (Self::Boolean, Value::Integer(_)) | (Self::JsonNumber, Value::Real(_)) => {
                Err(Reject::OutOfRange)
            }
            (Self::Jsonb, Value::Text(text)) => put_jsonb(text, out),
            (Self::Date, Value::Text(text)) => {
                let day = self.micros_of(text)? / DAY_MICROS;
                put_field(
                    out,
                    &i32::try_from(day).map_err(|_| Reject::NotATime)?.to_be_bytes(),
                )
            }
            (Self::Time(_) | Self::Timestamp { .. } | Self::Timestamptz { .. }, Value::Text(text)) => {
                put_field(out, &self.micros_of(text)?.to_be_bytes())
            }
            (Self::EpochTimestamp(unit) | Self::EpochTimestamptz(unit), Value::Integer(number)) => {
                put_field(out, &unit.to_pg(number)?.to_be_bytes())
            }
            (Self::Charset(charset), Value::Text(bytes)) => put_text(charset.text(bytes)?.as_bytes(), out),
            (Self::Truth(words), value) => put_field(out, &[u8::from(words.truth(value)?)]),
            (Self::Decimals(decimals), value) => {
                put_decimal(&decimals.digits(value)?, decimals.limits(), out)
            }
            (
                Self::Integer
                | Self::Boolean
                | Self::Real
                | Self::Number
                | Self::Decimal
                | Self::DecimalNumber
                | Self::Text
                | Self::TextNumber
                | Self::Blob
                | Self::Uuid
                | Self::UuidBlob
                | Self::Json
                | Self::JsonNumber
                | Self::Jsonb
                | Self::Date
                | Self::Time(_)
                | Self::Timestamp { .. }
                | Self::Timestamptz { .. }
                | Self::EpochTimestamp(_)
                | Self::EpochTimestamptz(_)
                | Self::Charset(_),
                value,
            ) => Err(Reject::WrongClass(value.class())),
        }
    }

    /// The way back: adds to `batch` the value that SQLite had for a field of a binary COPY and for the field of its class. What
    /// has no such form is added as refused.
    pub fn decode(&self, raw: Option<&[u8]>, class: Option<&[u8]>, batch: &mut RowBatch) {
        let Some(raw) = raw else { return batch.push_null() };
        if self.decode_known(raw, class, batch).is_none() {
            let reason = match self {
                Self::TextNumber | Self::DecimalNumber => Reject::OtherNumber,
                _ => Reject::NoForm,
            };
            batch.push_refused(raw, reason);
        }
    }

    /// An SQL literal of the column's type for a value of a column that somebody has told the meaning of.
    pub(super) fn literal(&self, value: Value<'_>) -> Option<String> {
        let mut field = Vec::new();
        self.encode(value, &mut field).ok()?;
        let raw = field.get(size_of::<i32>()..)?;
        match self {
            Self::Truth(_) => Some(if raw == [1] { "TRUE" } else { "FALSE" }.to_owned()),
            Self::EpochTimestamp(_) | Self::EpochTimestamptz(_) => {
                let micros = i64::from_be_bytes(raw.try_into().ok()?).checked_add(PG_EPOCH_MICROS)?;
                let form = Form::Timestamp(Separator::Space);
                let written = write_moment(form, Precision::Trimmed, micros)?;
                let written = std::str::from_utf8(written.as_bytes()).ok()?;
                Some(match self {
                    Self::EpochTimestamp(_) => format!("'{written}'::timestamp"),
                    _ => format!("'{written}+00'::timestamptz"),
                })
            }
            Self::Decimals(_) => decimal_text(raw),
            // The text of a schema is not in a column's charset.
            Self::Charset(_) if raw.is_ascii() => Some(literal(std::str::from_utf8(raw).ok()?)),
            _ => None,
        }
    }

    /// The moment of a statement in SQL, where the column holds seconds since 1970.
    pub(super) fn now(&self) -> Option<&'static str> {
        match self {
            Self::EpochTimestamp(Unit::Seconds) => {
                Some("date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC')")
            }
            Self::EpochTimestamptz(Unit::Seconds) => Some("date_trunc('second', statement_timestamp())"),
            _ => None,
        }
    }

    fn decode_known(&self, raw: &[u8], class: Option<&[u8]>, batch: &mut RowBatch) -> Option<()> {
        match self {
            Self::Integer => batch.push_integer(i64::from_be_bytes(raw.try_into().ok()?)),
            Self::Boolean => match raw {
                [0] => batch.push_integer(0),
                [1] => batch.push_integer(1),
                _ => return None,
            },
            Self::Real => batch.push_real(double(raw)?),
            Self::Number => {
                let number = double(raw)?;
                match whole(number) {
                    // An INTEGER has no sign of zero, and a REAL that is whole is not what this rendering writes.
                    Ok(0) if number.is_sign_negative() => return None,
                    Ok(number) => batch.push_integer(number),
                    Err(_) => batch.push_real(number),
                }
            }
            Self::Decimal => push_decimal(&decimal_text(raw)?, batch),
            Self::DecimalNumber => batch.push(Decimals::new(None, false).number(&decimal_text(raw)?)?),
            Self::Text | Self::Json => batch.push_text(raw),
            Self::TextNumber if !is_number(raw) => batch.push_text(raw),
            Self::TextNumber => match lone_number(raw)? {
                Value::Real(number) if !decimal_returns(number) => return None,
                number => batch.push(number),
            },
            Self::Blob => batch.push_blob(raw),
            Self::Uuid => batch.push_text(&uuid_text(raw)?),
            Self::UuidBlob => batch.push_blob(<&[u8; 16]>::try_from(raw).ok()?),
            Self::JsonNumber => match lone_number(raw) {
                Some(Value::Integer(number)) => batch.push_integer(number),
                Some(Value::Real(number)) => batch.push_real(number),
                _ => batch.push_text(raw),
            },
            Self::Jsonb => batch.push_text(raw.strip_prefix(&[1])?),
            Self::Date => {
                let day = i64::from(i32::from_be_bytes(raw.try_into().ok()?));
                self.push_moment(day.checked_mul(DAY_MICROS)?, batch)?;
            }
            Self::Time(_) | Self::Timestamp { .. } | Self::Timestamptz { .. } => {
                self.push_moment(i64::from_be_bytes(raw.try_into().ok()?), batch)?;
            }
            Self::MixedText | Self::MixedBytea => match class? {
                b"integer" => batch.push_integer(written_integer(raw)?),
                b"real" => batch.push_real(written_real(raw)?),
                b"text" => batch.push_text(raw),
                b"blob" if *self == Self::MixedBytea => batch.push_blob(raw),
                _ => return None,
            },
            Self::EpochTimestamp(unit) | Self::EpochTimestamptz(unit) => {
                batch.push_integer(unit.of_pg(i64::from_be_bytes(raw.try_into().ok()?))?);
            }
            Self::Charset(charset) => batch.push_text(&charset.stored(std::str::from_utf8(raw).ok()?)?),
            Self::Truth(words) => match raw {
                [truth @ (0 | 1)] => batch.push(words.word(*truth == 1)),
                _ => return None,
            },
            Self::Decimals(decimals) => batch.push(decimals.number(&decimal_text(raw)?)?),
        }
        Some(())
    }

    /// Form and precision of a date or time, and what lies between its microseconds and PostgreSQL's.
    fn moment(&self) -> Option<(Form, Precision, i64)> {
        Some(match self {
            Self::Date => (Form::Date, Precision::Minutes, PG_EPOCH_MICROS),
            Self::Time(precision) => (Form::Time, *precision, 0),
            Self::Timestamp { separator, precision } => {
                (Form::Timestamp(*separator), *precision, PG_EPOCH_MICROS)
            }
            Self::Timestamptz {
                separator,
                precision,
                zone,
            } => (
                Form::Timestamptz(*separator, *zone),
                *precision,
                PG_EPOCH_MICROS + zone.micros(),
            ),
            Self::Integer
            | Self::Boolean
            | Self::Real
            | Self::Number
            | Self::Decimal
            | Self::DecimalNumber
            | Self::Text
            | Self::TextNumber
            | Self::Blob
            | Self::Uuid
            | Self::UuidBlob
            | Self::Json
            | Self::JsonNumber
            | Self::Jsonb
            | Self::MixedText
            | Self::MixedBytea
            | Self::EpochTimestamp(_)
            | Self::EpochTimestamptz(_)
            | Self::Truth(_)
            | Self::Charset(_)
            | Self::Decimals(_) => return None,
        })
    }

    fn micros_of(&self, text: &[u8]) -> Result<i64, Reject> {
        let (form, precision, distance) = self.moment().ok_or(Reject::NotATime)?;
        let moment = read_moment(text).ok_or(Reject::NotATime)?;
        let fits = moment.form == form && (form == Form::Date || moment.precisions.contains(precision));
        fits.then_some(moment.micros - distance).ok_or(Reject::Changed)
    }

    fn push_moment(&self, micros: i64, batch: &mut RowBatch) -> Option<()> {
        let (form, precision, distance) = self.moment()?;
        let written = write_moment(form, precision, micros.checked_add(distance)?)?;
        batch.push_text(written.as_bytes());
        Some(())
    }
}

fn put_field(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Reject> {
    field(out, bytes).map(|_| ())
}

fn put_text(text: &[u8], out: &mut Vec<u8>) -> Result<(), Reject> {
    check_text(text)?;
    put_field(out, text)
}

/// A value and its class; `own` is the class that the column's type holds as it is, and that NULL is given.
fn mixed(value: Value<'_>, own: StorageClass, out: &mut Vec<u8>) -> Result<(), Reject> {
    match value {
        Value::Null => put(out, &(-1_i32).to_be_bytes()),
        Value::Integer(number) => put_field(out, number.to_string().as_bytes())?,
        Value::Real(number) if number.is_nan() => return Err(Reject::OutOfRange),
        Value::Real(number) => put_field(out, format!("{number:?}").as_bytes())?,
        Value::Text(text) if own == StorageClass::Text => put_text(text, out)?,
        Value::Blob(_) if own == StorageClass::Text => return Err(Reject::WrongClass(StorageClass::Blob)),
        Value::Text(bytes) | Value::Blob(bytes) => put_field(out, bytes)?,
    }
    let class = match value.class() {
        StorageClass::Null => own,
        class => class,
    };
    put_field(out, class.as_str().as_bytes())
}

/// Whether `number` gives this REAL back: it is not whole, or beyond 64 bits.
pub(super) fn number_returns(number: f64) -> bool {
    whole(number).is_err() && !number.is_nan()
}

/// Whether `decimal` gives this REAL back.
pub(super) fn decimal_returns(number: f64) -> bool {
    number.is_finite() && whole(number).is_err()
}

/// Whether `decimal` gives this TEXT back: it is written as `numeric` prints it, and is neither an INTEGER nor a REAL then.
pub(super) fn decimal_text_returns(text: &str) -> bool {
    let Some((_, whole, fraction)) = decimal_parts(text) else {
        return false;
    };
    let canonical_whole = match text.strip_prefix('-').unwrap_or(text).strip_prefix('0') {
        Some(rest) => rest.is_empty() || rest.starts_with('.'),
        None => true,
    };
    let is_zero = whole.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    let canonical = canonical_whole && !(is_zero && text.starts_with('-'));
    let in_range = whole.len() <= NUMERIC_WHOLE_MAX && fraction.len() <= NUMERIC_FRACTION_MAX;
    let is_real = || {
        text.parse::<f64>()
            .is_ok_and(|number| number.is_finite() && number.to_string() == text)
    };
    canonical && in_range && text.parse::<i64>().is_err() && !is_real()
}

const NUMERIC_WHOLE_MAX: usize = 131_072;
const NUMERIC_FRACTION_MAX: usize = 16_383;

/// The bytes of a UUID in small letters with dashes.
pub(super) fn small_uuid(text: &[u8]) -> Option<[u8; 16]> {
    uuid_bytes(text)
        .filter(|(_, capitals)| !capitals)
        .map(|(bytes, _)| bytes)
}

/// A document that `json` takes.
fn json(text: &[u8]) -> Result<&[u8], Reject> {
    check_text(text)?;
    let verdict = json_text::judge(text).ok_or(Reject::NotJson)?;
    if verdict.too_deep {
        return Err(Reject::JsonDepth);
    }
    Ok(text)
}

fn put_jsonb(text: &[u8], out: &mut Vec<u8>) -> Result<(), Reject> {
    check_text(text)?;
    let verdict = json_text::judge(text).ok_or(Reject::NotJson)?;
    check_jsonb(text, verdict)?;
    put(out, &length(1 + text.len()));
    put(out, &[1]);
    put(out, text);
    Ok(())
}

/// The server reads at most 2^24 elements of one array of `jsonb`, which take three characters each at least; and a container there has
/// less than 256 MiB, of which a document takes up to four times as many as its text has bytes.
const JSONB_TEXT_MAX: usize = 50_000_000;

/// Whether `jsonb` gives the document back as it is.
pub(super) fn check_jsonb(text: &[u8], verdict: Verdict) -> Result<(), Reject> {
    if let Some(reason) = verdict.jsonb {
        return Err(reason);
    }
    if text.len() > JSONB_TEXT_MAX {
        return Err(Reject::TooLarge);
    }
    if verdict.respelled || verdict.duplicate_keys {
        return Err(Reject::Changed);
    }
    Ok(())
}

/// The number that a JSON document is, if it is nothing else and written as [`Rendering::JsonNumber`] writes numbers.
pub(super) fn lone_number(text: &[u8]) -> Option<Value<'static>> {
    matches!(text.first()?, b'-' | b'0'..=b'9').then_some(())?;
    written_integer(text)
        .map(Value::Integer)
        .or_else(|| written_real(text).map(Value::Real))
}

/// An integer exactly as Rust writes it.
fn written_integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A double exactly as Rust's `{:?}` writes it.
fn written_real(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: f64 = text.parse().ok()?;
    (!number.is_nan() && format!("{number:?}") == text).then_some(number)
}

fn double(raw: &[u8]) -> Option<f64> {
    Some(f64::from_be_bytes(raw.try_into().ok()?)).filter(|number| !number.is_nan())
}
