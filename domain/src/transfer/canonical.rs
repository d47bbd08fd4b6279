//! Canonical values: what two databases must agree on, in bytes that are equal exactly when the values are.
//!
//! A pair of columns decides what is compared ([`Logical`]); each side's value is brought to the canonical form from its
//! own form ([`Raw`]), SQLite's from its storage class, PostgreSQL's from its binary form. Nothing here is shared with the
//! conversions of the copy, because a mistake in a shared piece would hide itself: readers of JSON, times and numbers are
//! written a second time on purpose.
//!
//! A value that the logical type has no place for (an unreadable time, text among numbers) stands for itself, by storage
//! class and bytes. So it differs from everything the other side can hold, and is never an error.

mod asked;
mod json;
mod number;
mod rendering;
mod time;

use serde::Serialize;

pub use self::asked::{Nulls, UpperHalf, Word};
use self::json::JsonReader;
pub use self::rendering::{Class, Precision, Rendering, Separator, Suffix};
use super::catalog::{ColumnKind, PgKind};
use crate::time::{LegacyZone, Timestamp};

/// What is compared in a pair of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Logical {
    /// The storage class and the bytes: both sides are SQLite, or the other one says how its values come back there.
    Stored,
    /// True and false.
    Bool,
    /// A whole number.
    Integer,
    /// A double by its bits: -0.0 is not 0.0.
    Double,
    /// An exact decimal by its value; the scale is not part of it.
    Decimal,
    /// Text by its bytes.
    Text,
    /// `character(n)`: text without the blanks at its end, which the type does not tell apart.
    PaddedText,
    /// Bytes.
    Bytes,
    /// A document as it is spelled (`json`).
    JsonText,
    /// A document as `jsonb` keeps it: the last of equal keys, no order of keys, numbers with their scale.
    JsonDocument,
    /// An instant, in microseconds.
    Instant,
    /// A date and a time of day without zone, in microseconds.
    DateTime,
    /// A date.
    Date,
    /// A time of day, in microseconds.
    TimeOfDay,
    /// A UUID.
    Uuid,
}

impl Logical {
    fn of_postgres(kind: PgKind) -> Self {
        match kind {
            PgKind::Bool => Self::Bool,
            PgKind::Int2 | PgKind::Int4 | PgKind::Int8 => Self::Integer,
            PgKind::Float4 | PgKind::Float8 => Self::Double,
            PgKind::Numeric(_) => Self::Decimal,
            PgKind::Text | PgKind::Name | PgKind::Varchar(_) | PgKind::Other => Self::Text,
            PgKind::Char(_) => Self::PaddedText,
            PgKind::Bytea => Self::Bytes,
            PgKind::Json => Self::JsonText,
            PgKind::Jsonb => Self::JsonDocument,
            PgKind::Timestamptz(_) => Self::Instant,
            PgKind::Timestamp(_) => Self::DateTime,
            PgKind::Date => Self::Date,
            PgKind::Time(_) => Self::TimeOfDay,
            PgKind::Uuid => Self::Uuid,
        }
    }
}

/// How one side's values of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What they are compared as.
    pub logical: Logical,
    /// The binary form in which PostgreSQL sends them; none for SQLite.
    pub postgres: Option<PgKind>,
    /// How PostgreSQL's values come back in SQLite, if that is what is compared.
    pub rendering: Option<Rendering>,
    /// The texts of SQLite that are NULL in PostgreSQL.
    pub nulls: Nulls,
}

impl Form {
    /// Whether PostgreSQL is to send the value as text, having a type whose binary form is not read here.
    pub fn as_text(self, column: &ColumnKind) -> bool {
        matches!((self.postgres, column), (Some(PgKind::Text), ColumnKind::Postgres(ty)) if ty.kind != PgKind::Text)
    }

    /// Whether the class of each value stands in a column of its own, and is read before it.
    pub fn has_class(&self) -> bool {
        self.rendering == Some(Rendering::Mixed)
    }

    /// The forms of a column in SQLite and of the one in PostgreSQL that was made for it; none if the rendering is not one for
    /// this type.
    pub fn of_rendering(rendering: Rendering, made: &ColumnKind) -> Option<(Self, Self)> {
        let ColumnKind::Postgres(ty) = made else {
            return None;
        };
        let stored = Self {
            logical: Logical::Stored,
            postgres: None,
            rendering: None,
            nulls: Nulls::NONE,
        };
        let rendered = Self {
            postgres: Some(ty.kind),
            rendering: Some(rendering),
            ..stored
        };
        rendering.fits(ty.kind).then_some((stored, rendered))
    }

    /// With texts of SQLite that are NULL in PostgreSQL.
    #[must_use]
    pub fn with_nulls(self, nulls: Nulls) -> Self {
        Self { nulls, ..self }
    }

    /// The forms of a pair of columns.
    pub fn of_pair(one: &ColumnKind, other: &ColumnKind) -> (Self, Self) {
        let form = |logical, postgres| Self {
            logical,
            postgres,
            rendering: None,
            nulls: Nulls::NONE,
        };
        match (one, other) {
            (ColumnKind::Sqlite { .. }, ColumnKind::Sqlite { .. }) => {
                (form(Logical::Stored, None), form(Logical::Stored, None))
            }
            (ColumnKind::Sqlite { .. }, ColumnKind::Postgres(ty)) => {
                let logical = Logical::of_postgres(ty.kind);
                (form(logical, None), form(logical, Some(sent(ty.kind))))
            }
            (ColumnKind::Postgres(_), ColumnKind::Sqlite { .. }) => {
                let (other, one) = Self::of_pair(other, one);
                (one, other)
            }
            (ColumnKind::Postgres(one), ColumnKind::Postgres(other)) => {
                let logical = Logical::of_postgres(one.kind);
                if logical == Logical::of_postgres(other.kind) {
                    return (
                        form(logical, Some(sent(one.kind))),
                        form(logical, Some(sent(other.kind))),
                    );
                }
                let text = form(Logical::Text, Some(PgKind::Text));
                (text, text)
            }
        }
    }
}

fn sent(kind: PgKind) -> PgKind {
    if kind == PgKind::Other { PgKind::Text } else { kind }
}

/// A value as its database gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw<'a> {
    /// NULL, on either side.
    Null,
    /// SQLite's INTEGER.
    Integer(i64),
    /// SQLite's REAL.
    Real(f64),
    /// SQLite's TEXT, which need not be UTF-8.
    Text(&'a [u8]),
    /// SQLite's BLOB.
    Blob(&'a [u8]),
    /// PostgreSQL's binary form.
    Postgres(&'a [u8]),
    /// PostgreSQL's binary form in a mixed column.
    Mixed(Class, &'a [u8]),
}

/// How a file that is not in UTF-8 stores text, by the order of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utf16 {
    /// The low byte first.
    Little,
    /// The high byte first.
    Big,
}

impl Utf16 {
    /// By SQLite's name of the encoding; none of UTF-8.
    pub fn named(encoding: &str) -> Option<Self> {
        match encoding {
            "UTF-16le" => Some(Self::Little),
            "UTF-16be" => Some(Self::Big),
            _ => None,
        }
    }

    /// What is stored, as UTF-8 in place of what `text` holds. Half a pair is written in the three bytes that UTF-8 would give it if it
    /// could, half a unit as a byte, neither of which any valid text has.
    pub fn read(self, bytes: &[u8], text: &mut Vec<u8>) {
        text.clear();
        let (units, half) = bytes.as_chunks::<2>();
        let units = units.iter().map(|unit| match self {
            Self::Little => u16::from_le_bytes(*unit),
            Self::Big => u16::from_be_bytes(*unit),
        });
        for letter in char::decode_utf16(units) {
            match letter {
                Ok(letter) => text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(half) => {
                    let [high, low] = half.unpaired_surrogate().to_be_bytes();
                    text.extend_from_slice(&[0xed, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]);
                }
            }
        }
        if !half.is_empty() {
            text.push(0xff);
        }
    }
}

/// The first byte of a canonical value. NULL is nothing but its tag.
mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const BOOL: u8 = 1;
    pub(super) const INTEGER: u8 = 2;
    pub(super) const DOUBLE: u8 = 3;
    pub(super) const DECIMAL: u8 = 4;
    pub(super) const TEXT: u8 = 5;
    pub(super) const BYTES: u8 = 6;
    pub(super) const DOCUMENT: u8 = 7;
    pub(super) const INSTANT: u8 = 8;
    pub(super) const DATE_TIME: u8 = 9;
    pub(super) const DATE: u8 = 10;
    pub(super) const TIME: u8 = 11;
    pub(super) const UUID: u8 = 12;
    /// A value that the logical type has no place for.
    pub(super) const STORED_INTEGER: u8 = 0xf1;
    pub(super) const STORED_REAL: u8 = 0xf2;
    pub(super) const STORED_TEXT: u8 = 0xf3;
    pub(super) const STORED_BLOB: u8 = 0xf4;
    pub(super) const STORED_POSTGRES: u8 = 0xf5;
}

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's time begins.
const MICROS_TO_2000: i64 = 10_957 * time::DAY_MICROS;

/// Brings values to their canonical form; keeps its buffers between values.
#[derive(Debug)]
pub struct Canonicaliser {
    zone: LegacyZone,
    json: JsonReader,
    scratch: Vec<u8>,
}

impl Canonicaliser {
    /// Times without a zone are meant in `zone`.
    pub fn new(zone: LegacyZone) -> Self {
        Self {
            zone,
            json: JsonReader::default(),
            scratch: Vec::new(),
        }
    }

    /// Appends the canonical form of `raw`. No canonical form is the beginning of another, so that the forms of a row's values
    /// one after the other stand for that row only.
    pub fn write(&mut self, form: &Form, raw: Raw<'_>, out: &mut Vec<u8>) {
        if form.nulls.any() {
            self.write_beside_nulls(form, raw, out);
        } else {
            self.write_value(form, raw, out);
        }
    }

    /// In a column where texts of SQLite are NULL in PostgreSQL.
    #[cold]
    fn write_beside_nulls(&mut self, form: &Form, raw: Raw<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let raw = match (form.postgres, raw, form.nulls.back()) {
            (None, Raw::Text(text), None) if form.nulls.has(text) => Raw::Null,
            (Some(_), Raw::Null, Some(text)) => Raw::Text(text.as_bytes()),
            _ => raw,
        };
        self.write_value(form, raw, out);
        // Such a text that is none in PostgreSQL is nothing that a copy has written.
        let of_postgres = matches!(raw, Raw::Postgres(_) | Raw::Mixed(..));
        let written = out.get(start..).unwrap_or_default();
        if of_postgres && is_text(written, |text| form.nulls.has(text)) {
            out.truncate(start);
            write_stored(raw, out);
        }
    }

    fn write_value(&mut self, form: &Form, raw: Raw<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let written = match raw {
            Raw::Null => {
                out.push(tag::NULL);
                Some(())
            }
            Raw::Postgres(bytes) => match (&form.rendering, form.postgres) {
                (Some(rendering), Some(kind)) => rendering.write(kind, bytes, &mut self.scratch, out),
                _ => self.write_postgres(form, bytes, out),
            },
            Raw::Mixed(class, bytes) => form
                .postgres
                .and_then(|kind| rendering::write_mixed(kind, class, bytes, out)),
            stored => self.write_sqlite(form.logical, stored, out),
        };
        if written.is_none() {
            out.truncate(start);
            write_stored(raw, out);
        }
    }

    fn write_sqlite(&mut self, logical: Logical, raw: Raw<'_>, out: &mut Vec<u8>) -> Option<()> {
        match (logical, raw) {
            (Logical::Bool, Raw::Integer(n @ (0 | 1))) => put(out, tag::BOOL, &[u8::from(n == 1)]),
            (Logical::Integer, Raw::Integer(n)) => put(out, tag::INTEGER, &n.to_le_bytes()),
            (Logical::Integer, Raw::Real(n)) => put(out, tag::INTEGER, &number::whole(n)?.to_le_bytes()),
            (Logical::Double, Raw::Real(n)) => put_double(out, n),
            (Logical::Double, Raw::Integer(n)) => put_double(out, number::exact_double(n)?),
            (Logical::Decimal, Raw::Integer(n)) => put_decimal(out, n.to_string().as_bytes())?,
            (Logical::Decimal, Raw::Real(n)) => put_decimal(out, n.to_string().as_bytes())?,
            (Logical::Decimal, Raw::Text(text)) => put_decimal(out, text)?,
            (Logical::Text | Logical::JsonText, Raw::Text(text)) => put_long(out, tag::TEXT, text),
            (Logical::PaddedText, Raw::Text(text)) => put_long(out, tag::TEXT, without_padding(text)),
            (Logical::Bytes, Raw::Blob(bytes)) => put_long(out, tag::BYTES, bytes),
            (Logical::JsonText, raw) => put_long(out, tag::TEXT, number_text(raw)?.as_bytes()),
            (Logical::JsonDocument, Raw::Text(text)) => self.put_document(out, text)?,
            (Logical::JsonDocument, raw) => self.put_document(out, number_text(raw)?.as_bytes())?,
            (Logical::Instant, Raw::Text(text)) => {
                put(out, tag::INSTANT, &time::instant(text, &self.zone)?.to_le_bytes());
            }
            (Logical::DateTime, Raw::Text(text)) => {
                put(out, tag::DATE_TIME, &time::date_time(text)?.to_le_bytes());
            }
            (Logical::Date, Raw::Text(text)) => put(out, tag::DATE, &time::date(text)?.to_le_bytes()),
            (Logical::TimeOfDay, Raw::Text(text)) => {
                put(out, tag::TIME, &time::time_of_day(text)?.to_le_bytes());
            }
            (Logical::Uuid, Raw::Text(text)) => put(out, tag::UUID, &uuid(text)?),
            (Logical::Uuid, Raw::Blob(bytes)) if bytes.len() == 16 => put(out, tag::UUID, bytes),
            _ => return None,
        }
        Some(())
    }

    fn write_postgres(&mut self, form: &Form, raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match form.postgres? {
            PgKind::Bool => {
                let [byte @ (0 | 1)] = raw else { return None };
                put(out, tag::BOOL, &[*byte]);
            }
            PgKind::Int2 => put(
                out,
                tag::INTEGER,
                &i64::from(i16::from_be_bytes(array(raw)?)).to_le_bytes(),
            ),
            PgKind::Int4 => put(
                out,
                tag::INTEGER,
                &i64::from(i32::from_be_bytes(array(raw)?)).to_le_bytes(),
            ),
            PgKind::Int8 => put(out, tag::INTEGER, &i64::from_be_bytes(array(raw)?).to_le_bytes()),
            PgKind::Float4 => put_double(out, f64::from(f32::from_be_bytes(array(raw)?))),
            PgKind::Float8 => put_double(out, f64::from_be_bytes(array(raw)?)),
            PgKind::Numeric(_) => {
                out.push(tag::DECIMAL);
                number::write_postgres(raw, out)?;
            }
            PgKind::Text | PgKind::Name | PgKind::Varchar(_) | PgKind::Json => put_long(out, tag::TEXT, raw),
            PgKind::Char(_) => put_long(out, tag::TEXT, without_padding(raw)),
            PgKind::Bytea => put_long(out, tag::BYTES, raw),
            // The first byte is the version of the form.
            PgKind::Jsonb => self.put_document(out, raw.strip_prefix(&[1])?)?,
            PgKind::Timestamptz(_) => put(out, tag::INSTANT, &since_1970(raw)?.to_le_bytes()),
            PgKind::Timestamp(_) => put(out, tag::DATE_TIME, &since_1970(raw)?.to_le_bytes()),
            PgKind::Date => {
                let days = i32::from_be_bytes(array(raw)?);
                // The two ends are the infinities.
                if days == i32::MAX || days == i32::MIN {
                    return None;
                }
                put(
                    out,
                    tag::DATE,
                    &(i64::from(days) + MICROS_TO_2000 / time::DAY_MICROS).to_le_bytes(),
                );
            }
            PgKind::Time(_) => put(out, tag::TIME, &i64::from_be_bytes(array(raw)?).to_le_bytes()),
            PgKind::Uuid => put(out, tag::UUID, &array::<16>(raw)?),
            PgKind::Other => return None,
        }
        Some(())
    }

    fn put_document(&mut self, out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
        out.push(tag::DOCUMENT);
        self.json.write_canonical(text, out)
    }
}

fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn put_long(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Seven bits a byte, the lowest first; the last one is below 128. Most lengths take one byte, which is less to hash.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}

/// All NaNs are one value.
fn put_double(out: &mut Vec<u8>, n: f64) {
    let n = if n.is_nan() { f64::NAN } else { n };
    put(out, tag::DOUBLE, &n.to_bits().to_le_bytes());
}

fn put_decimal(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    out.push(tag::DECIMAL);
    number::write_text(text, out)
}

fn write_stored(raw: Raw<'_>, out: &mut Vec<u8>) {
    match raw {
        Raw::Null => out.push(tag::NULL),
        Raw::Integer(n) => put(out, tag::STORED_INTEGER, &n.to_le_bytes()),
        Raw::Real(n) => put(out, tag::STORED_REAL, &n.to_bits().to_le_bytes()),
        Raw::Text(bytes) => put_long(out, tag::STORED_TEXT, bytes),
        Raw::Blob(bytes) => put_long(out, tag::STORED_BLOB, bytes),
        Raw::Postgres(bytes) | Raw::Mixed(_, bytes) => put_long(out, tag::STORED_POSTGRES, bytes),
    }
}

/// Whether a canonical value is that of such a text.
fn is_text(canonical: &[u8], such: impl Fn(&[u8]) -> bool) -> bool {
    match canonical.split_first() {
        Some((&(tag::TEXT | tag::STORED_TEXT), rest)) => such(after_length(rest)),
        _ => false,
    }
}

/// Whether a canonical value is that of NULL.
pub(super) fn is_null(canonical: &[u8]) -> bool {
    canonical == [tag::NULL]
}

fn array<const N: usize>(raw: &[u8]) -> Option<[u8; N]> {
    raw.try_into().ok()
}

fn since_1970(raw: &[u8]) -> Option<i64> {
    let micros = i64::from_be_bytes(array(raw)?);
    if micros == i64::MAX || micros == i64::MIN {
        return None;
    }
    micros.checked_add(MICROS_TO_2000)
}

fn without_padding(text: &[u8]) -> &[u8] {
    let kept = text
        .iter()
        .rposition(|byte| *byte != b' ')
        .map_or(0, |last| last + 1);
    text.get(..kept).unwrap_or(text)
}

/// A number that stands alone in a JSON column, which SQLite stores as a number.
fn number_text(raw: Raw<'_>) -> Option<String> {
    match raw {
        Raw::Integer(n) => Some(n.to_string()),
        Raw::Real(n) if n.is_finite() => Some(format!("{n:?}")),
        _ => None,
    }
}

/// With dashes in their places or without any, in capitals or not.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let digits: Vec<u8> = match text.len() {
        32 => text.to_vec(),
        36 if [8, 13, 18, 23].iter().all(|at| text.get(*at) == Some(&b'-')) => {
            text.iter().copied().filter(|byte| *byte != b'-').collect()
        }
        _ => return None,
    };
    let number = std::str::from_utf8(&digits).ok()?;
    let plain = digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit);
    plain
        .then(|| u128::from_str_radix(number, 16).ok())
        .flatten()
        .map(u128::to_be_bytes)
}

/// A value for a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// NULL.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite double of SQLite.
    Real(f64),
    /// Anything else, in words; long ones are cut.
    Text(String),
}

/// Longer values are cut in reports.
const SHOWN_CHARS: usize = 200;

impl Shown {
    /// Of a value and its canonical form.
    pub fn of(raw: Raw<'_>, form: Form, canonical: &[u8]) -> Self {
        let Some((tag, rest)) = canonical.split_first() else {
            return Self::Null;
        };
        let number = || array::<8>(rest).map(i64::from_le_bytes);
        let iso = |micros: Option<i64>| Some(Timestamp::from_micros(micros?).ok()?.to_iso());
        let part = |micros, from: usize, to: usize| Some(iso(micros)?.get(from..to)?.to_owned());
        let text = match *tag {
            tag::NULL => return Self::Null,
            tag::BOOL => return Self::Bool(rest == [1]),
            tag::INTEGER | tag::STORED_INTEGER => return number().map_or(Self::Null, Self::Integer),
            // Of a rendered value this is the only place where it stands.
            tag::STORED_REAL => {
                let n = array(rest).map_or(f64::NAN, |bits| f64::from_bits(u64::from_le_bytes(bits)));
                if n.is_finite() {
                    return Self::Real(n);
                }
                Some(format!("{n:?}"))
            }
            tag::STORED_TEXT => Some(cut(&lossy(after_length(rest)))),
            tag::STORED_BLOB => Some(cut(&hex(after_length(rest)))),
            tag::INSTANT => iso(number()),
            tag::DATE_TIME => part(number(), 0, 26),
            tag::DATE => part(
                number().and_then(|days| days.checked_mul(time::DAY_MICROS)),
                0,
                10,
            ),
            tag::TIME => part(number(), 11, 26),
            _ => None,
        };
        Self::Text(text.unwrap_or_else(|| cut(&describe(raw, form.postgres))))
    }
}

/// A value of PostgreSQL as it was sent, for a message.
pub(super) fn describe_sent(sent: &[u8], kind: PgKind) -> String {
    cut(&describe(Raw::Postgres(sent), Some(kind)))
}

/// What has no shorter form: the value as its own database gives it.
fn describe(raw: Raw<'_>, kind: Option<PgKind>) -> String {
    match (raw, kind) {
        (Raw::Null, _) => "NULL".to_owned(),
        (Raw::Integer(n), _) => n.to_string(),
        (Raw::Real(n), _) => format!("{n:?}"),
        (Raw::Text(text), _)
        | (
            Raw::Postgres(text),
            Some(PgKind::Text | PgKind::Name | PgKind::Varchar(_) | PgKind::Char(_) | PgKind::Json),
        ) => lossy(text),
        (Raw::Postgres(raw), Some(PgKind::Jsonb)) => lossy(raw.get(1..).unwrap_or_default()),
        (Raw::Postgres(raw), Some(PgKind::Float8)) => {
            array(raw).map_or_else(|| hex(raw), |raw| format!("{:?}", f64::from_be_bytes(raw)))
        }
        (Raw::Postgres(raw), Some(PgKind::Float4)) => {
            array(raw).map_or_else(|| hex(raw), |raw| format!("{:?}", f32::from_be_bytes(raw)))
        }
        (Raw::Postgres(raw), Some(PgKind::Numeric(_))) => {
            number::text_of_postgres(raw).unwrap_or_else(|| hex(raw))
        }
        (Raw::Postgres(raw), Some(PgKind::Uuid)) if raw.len() == 16 => {
            let digits = hex(raw);
            let digits = digits.trim_matches(['x', '\'']);
            let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
            [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
        }
        (Raw::Postgres(raw), Some(PgKind::Timestamptz(_) | PgKind::Timestamp(_) | PgKind::Date)) => {
            match raw.first() {
                Some(0x7f) => "infinity".to_owned(),
                Some(0x80) => "-infinity".to_owned(),
                _ => hex(raw),
            }
        }
        (Raw::Mixed(_, raw), Some(PgKind::Text | PgKind::Varchar(_))) => lossy(raw),
        (Raw::Blob(raw) | Raw::Postgres(raw) | Raw::Mixed(_, raw), _) => hex(raw),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes
        .iter()
        .take(SHOWN_CHARS)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("x'{}'", digits.concat())
}

/// What stands behind a length.
fn after_length(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().take_while(|byte| **byte > 0x7f).count() + 1;
    bytes.get(length..).unwrap_or_default()
}

fn lossy(text: &[u8]) -> String {
    // Four bytes at most make a character.
    let text = text.get(..4 * SHOWN_CHARS + 4).unwrap_or(text);
    String::from_utf8_lossy(text).into_owned()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
