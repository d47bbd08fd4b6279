//! Renderings, read and carried out a second time: what a column of a made table comes back as in SQLite.
//!
//! A copy notes for each column that it makes in PostgreSQL how its values are written back. Here PostgreSQL's binary form is
//! turned into the very value, by storage class and bytes, that the note promises, so that it can be compared with what SQLite
//! holds. A value that the rendering does not write has no form, and so equals nothing.

use std::fmt::{self, Write as _};

use super::super::catalog::PgKind;
use super::asked::{self, UpperHalf, Word};
use super::time::{self, DAY_MICROS};
use super::{MICROS_TO_2000, Raw, array, number, write_stored};

/// How the values of a column are written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// INTEGER.
    Integer,
    /// INTEGER 0 or 1.
    Boolean,
    /// REAL, by its bits.
    Real,
    /// REAL, as an R-Tree rounds a lower bound. It is never noted, but read off the table that is compared.
    Lower,
    /// The same of an upper one.
    Upper,
    /// INTEGER where the double is a whole number of 64 bits, else REAL.
    Number,
    /// INTEGER, REAL or TEXT, whichever has the digits of the decimal.
    Decimal,
    /// TEXT.
    Text,
    /// The number that a text is, INTEGER or a REAL with a fraction; TEXT if it is none.
    TextNumber,
    /// BLOB.
    Blob,
    /// TEXT of a UUID, lower case with dashes.
    Uuid,
    /// BLOB of a UUID's 16 bytes.
    UuidBlob,
    /// TEXT of a document.
    Json,
    /// A document that is a lone number comes back as that number, any other as TEXT.
    JsonNumber,
    /// TEXT of a document as PostgreSQL prints it.
    Jsonb,
    /// TEXT `YYYY-MM-DD`.
    Date,
    /// TEXT of a time of day.
    Time(Precision),
    /// TEXT of a date and a time of day.
    Timestamp(Separator, Precision),
    /// TEXT of a date and a time of day with a zone.
    Timestamptz(Separator, Precision, Suffix),
    /// Any class; that of each value stands in a column beside.
    Mixed,
    /// INTEGER since 1970, of a `timestamp`: so many microseconds each.
    EpochTimestamp(i64),
    /// The same of a `timestamptz`.
    EpochTimestamptz(i64),
    /// One value for true, and another one for false.
    Truth(Word, Word),
    /// TEXT in a charset.
    Charset(UpperHalf),
    /// INTEGER where the decimal is a whole number of 64 bits, else REAL; zeros at its end say nothing.
    Numbers,
    /// REAL; zeros at its end say nothing.
    Reals,
}

/// What stands between a date and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `T`
    T,
    /// A blank.
    Space,
}

/// What stands behind hours and minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Nothing.
    Minutes,
    /// Seconds.
    Seconds,
    /// Seconds, and so many digits of a fraction.
    Fixed(u8),
    /// Seconds, and six digits of a fraction unless all are zero.
    SixOrNone,
    /// Seconds, and a fraction without zeros at its end.
    Trimmed,
}

/// The zone as it is written (`Z`, `+02:00`), and the offset that it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suffix {
    text: [u8; LONGEST_SUFFIX],
    length: usize,
    micros_east: i64,
}

const LONGEST_SUFFIX: usize = "+00:00:00".len();

/// The storage class that stands beside a value of a mixed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// INTEGER.
    Integer,
    /// REAL.
    Real,
    /// TEXT.
    Text,
    /// BLOB.
    Blob,
    /// None of these, which only stands beside NULL.
    Unknown,
}

impl Class {
    /// Of what PostgreSQL sent as text.
    pub fn of(raw: Raw<'_>) -> Self {
        match raw {
            Raw::Postgres(b"integer") => Self::Integer,
            Raw::Postgres(b"real") => Self::Real,
            Raw::Postgres(b"text") => Self::Text,
            Raw::Postgres(b"blob") => Self::Blob,
            _ => Self::Unknown,
        }
    }
}

impl Rendering {
    /// From the words that a copy has noted; none if they are not understood.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((kind, source)) = text.split_once(" from ") {
            return Some(match kind {
                "timestamp" => Self::EpochTimestamp(asked::unit(source)?),
                "timestamptz" => Self::EpochTimestamptz(asked::unit(source)?),
                "text" => Self::Charset(asked::upper_half(source)?),
                "boolean" => {
                    let (yes, no) = Word::pair(source)?;
                    Self::Truth(yes, no)
                }
                _ if kind == "numeric" || kind.starts_with("numeric(") => match source {
                    "numbers" => Self::Numbers,
                    "reals" => Self::Reals,
                    _ => return None,
                },
                _ => return None,
            });
        }
        let words: Vec<&str> = text.split(' ').collect();
        Some(match *words.as_slice() {
            ["integer"] => Self::Integer,
            ["boolean"] => Self::Boolean,
            ["real"] => Self::Real,
            ["number"] => Self::Number,
            ["decimal"] => Self::Decimal,
            ["decimal-number"] => Self::Numbers,
            ["text"] => Self::Text,
            ["text-number"] => Self::TextNumber,
            ["blob"] => Self::Blob,
            ["uuid"] => Self::Uuid,
            ["uuid-blob"] => Self::UuidBlob,
            ["json"] => Self::Json,
            ["json-number"] => Self::JsonNumber,
            ["jsonb"] => Self::Jsonb,
            ["date"] => Self::Date,
            ["time", precision] => Self::Time(Precision::parse(precision)?),
            ["timestamp", separator, precision] => {
                Self::Timestamp(Separator::parse(separator)?, Precision::parse(precision)?)
            }
            ["timestamptz", separator, precision, suffix] => Self::Timestamptz(
                Separator::parse(separator)?,
                Precision::parse(precision)?,
                Suffix::parse(suffix)?,
            ),
            ["mixed"] | ["mixed", "text" | "bytea"] => Self::Mixed,
            _ => return None,
        })
    }

    /// Whether it is one for columns of this type.
    pub fn fits(self, kind: PgKind) -> bool {
        match self {
            Self::Integer => matches!(kind, PgKind::Int2 | PgKind::Int4 | PgKind::Int8),
            Self::Boolean | Self::Truth(..) => kind == PgKind::Bool,
            Self::Real | Self::Lower | Self::Upper | Self::Number => kind == PgKind::Float8,
            Self::Decimal | Self::Numbers | Self::Reals => matches!(kind, PgKind::Numeric(_)),
            Self::Text | Self::TextNumber | Self::Charset(_) => {
                matches!(kind, PgKind::Text | PgKind::Varchar(_))
            }
            Self::Blob => kind == PgKind::Bytea,
            Self::Uuid | Self::UuidBlob => kind == PgKind::Uuid,
            Self::Json | Self::JsonNumber => kind == PgKind::Json,
            Self::Jsonb => kind == PgKind::Jsonb,
            Self::Date => kind == PgKind::Date,
            Self::Time(_) => matches!(kind, PgKind::Time(_)),
            Self::Timestamp(..) | Self::EpochTimestamp(_) => matches!(kind, PgKind::Timestamp(_)),
            Self::Timestamptz(..) | Self::EpochTimestamptz(_) => matches!(kind, PgKind::Timestamptz(_)),
            Self::Mixed => matches!(kind, PgKind::Text | PgKind::Varchar(_) | PgKind::Bytea),
        }
    }

    /// Appends the canonical form of what a value comes back as; none if it has no form. `scratch` is overwritten.
    pub(super) fn write(
        &self,
        kind: PgKind,
        raw: &[u8],
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        scratch.clear();
        let stored = match *self {
            Self::Integer => Raw::Integer(match kind {
                PgKind::Int2 => i16::from_be_bytes(array(raw)?).into(),
                PgKind::Int4 => i32::from_be_bytes(array(raw)?).into(),
                _ => i64::from_be_bytes(array(raw)?),
            }),
            Self::Boolean => match raw {
                [byte @ (0 | 1)] => Raw::Integer((*byte).into()),
                _ => return None,
            },
            Self::Real => Raw::Real(double(raw)?),
            Self::Lower => Raw::Real(rounded(double(raw)?, f64::gt)),
            Self::Upper => Raw::Real(rounded(double(raw)?, f64::lt)),
            Self::Number => {
                let n = double(raw)?;
                // A negative zero is no number that a copy writes here, for it would come back as 0.
                if n == 0.0 && n.is_sign_negative() {
                    return None;
                }
                number::whole(n).map_or(Raw::Real(n), Raw::Integer)
            }
            Self::Decimal => decimal(raw, scratch)?,
            Self::Numbers => without_zeros(raw, scratch).and_then(|digits| {
                let n = integer(digits).map(Raw::Integer);
                n.or_else(|| written_double(digits).map(Raw::Real))
            })?,
            Self::Reals => without_zeros(raw, scratch)
                .and_then(written_double)
                .map(Raw::Real)?,
            Self::Text | Self::Json => Raw::Text(raw),
            Self::TextNumber => match integer(raw) {
                Some(n) => Raw::Integer(n),
                None if reads_as_number(raw) => {
                    let n = real(raw).filter(|n| n.is_finite() && *n != 0.0 && number::whole(*n).is_none());
                    Raw::Real(n?)
                }
                None => Raw::Text(raw),
            },
            Self::Blob => Raw::Blob(raw),
            Self::Uuid => {
                write_uuid(&array::<16>(raw)?, scratch);
                Raw::Text(scratch)
            }
            Self::UuidBlob => {
                array::<16>(raw)?;
                Raw::Blob(raw)
            }
            Self::JsonNumber => integer(raw)
                .map(Raw::Integer)
                .or_else(|| real(raw).filter(|n| n.is_finite()).map(Raw::Real))
                .unwrap_or(Raw::Text(raw)),
            // The first byte is the version of the form.
            Self::Jsonb => Raw::Text(raw.strip_prefix(&[1])?),
            Self::Date => {
                let days = i64::from(i32::from_be_bytes(array(raw)?));
                write_date(days + MICROS_TO_2000 / DAY_MICROS, scratch)?;
                Raw::Text(scratch)
            }
            Self::Time(precision) => {
                precision.write(i64::from_be_bytes(array(raw)?), scratch)?;
                Raw::Text(scratch)
            }
            Self::Timestamp(separator, precision) => {
                let micros = i64::from_be_bytes(array(raw)?);
                write_date_time(micros, separator, precision, scratch)?;
                Raw::Text(scratch)
            }
            Self::Timestamptz(separator, precision, suffix) => {
                let micros = i64::from_be_bytes(array(raw)?);
                let local = micros.checked_add(suffix.micros_east)?;
                write_date_time(local, separator, precision, scratch)?;
                scratch.extend_from_slice(suffix.as_bytes());
                Raw::Text(scratch)
            }
            Self::EpochTimestamp(unit) | Self::EpochTimestamptz(unit) => {
                let micros = i64::from_be_bytes(array(raw)?);
                // The two ends are the infinities.
                if micros == i64::MAX || micros == i64::MIN || micros % unit != 0 {
                    return None;
                }
                Raw::Integer((micros / unit).checked_add(MICROS_TO_2000 / unit)?)
            }
            Self::Charset(half) => {
                asked::write_in_charset(half, raw, scratch)?;
                Raw::Text(scratch)
            }
            Self::Truth(ref yes, ref no) => match raw {
                [1] => yes.raw(),
                [0] => no.raw(),
                _ => return None,
            },
            // Without its class it is no value.
            Self::Mixed => return None,
        };
        write_stored(stored, out);
        Some(())
    }
}

/// Appends the canonical form of a value of a mixed column; none if it has no form.
pub(super) fn write_mixed(kind: PgKind, class: Class, raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let stored = match class {
        Class::Integer => Raw::Integer(integer(raw)?),
        Class::Real => Raw::Real(real(raw)?),
        Class::Text => Raw::Text(raw),
        Class::Blob if kind == PgKind::Bytea => Raw::Blob(raw),
        // A column of text holds no bytes.
        Class::Blob | Class::Unknown => return None,
    };
    write_stored(stored, out);
    Some(())
}

/// What an R-Tree keeps of a number: 32 bits of it, and if those are on the `wrong` side those of what lies one part in 2²³ beyond, as
/// SQLite does it.
#[expect(clippy::cast_possible_truncation, reason = "that is what is done there")]
fn rounded(number: f64, wrong: impl Fn(&f64, &f64) -> bool) -> f64 {
    let nearest = f64::from(number as f32);
    if !wrong(&nearest, &number) {
        return nearest;
    }
    let part = (nearest - number).signum() / 8_388_608.0;
    let further = 1.0 - part * number.signum();
    f64::from((number * further) as f32)
}

/// A double that SQLite can hold.
fn double(raw: &[u8]) -> Option<f64> {
    let n = f64::from_be_bytes(array(raw)?);
    (!n.is_nan()).then_some(n)
}

/// The integer that is written exactly so.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let n: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    is_written(format_args!("{n}"), text).then_some(n)
}

/// The double that is written exactly so: `1.0`, `-0.0`, `1e300`, `inf`.
fn real(text: &[u8]) -> Option<f64> {
    let n: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!n.is_nan() && is_written(format_args!("{n:?}"), text)).then_some(n)
}

/// Whether SQLite makes a number of a text in a column of numbers (datatype3.html §3.1): its digits may have blanks around them, and are
/// those of a decimal, with an exponent or without.
fn reads_as_number(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (
            digits,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (text, None),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits(whole)
        && only_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && only_digits(exponent))
}

/// Whether this is how something is written.
fn is_written(value: fmt::Arguments<'_>, text: &[u8]) -> bool {
    /// What is still to come.
    struct Expected<'a>(&'a [u8]);
    impl fmt::Write for Expected<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part.as_bytes()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut expected = Expected(text);
    expected.write_fmt(value).is_ok() && expected.0.is_empty()
}

fn decimal<'a>(raw: &[u8], scratch: &'a mut Vec<u8>) -> Option<Raw<'a>> {
    number::write_printed(raw, scratch)?;
    let digits = scratch.as_slice();
    if let Some(n) = integer(digits) {
        return Some(Raw::Integer(n));
    }
    Some(written_double(digits).map_or(Raw::Text(digits), Raw::Real))
}

/// The digits of a decimal without the zeros that end it behind the point.
fn without_zeros<'a>(raw: &[u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    number::write_printed(raw, scratch)?;
    if scratch.contains(&b'.') {
        while scratch.pop_if(|digit| *digit == b'0').is_some() {}
        scratch.pop_if(|digit| *digit == b'.');
    }
    Some(scratch)
}

/// The double that is written exactly so, without an exponent.
fn written_double(digits: &[u8]) -> Option<f64> {
    let n: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (n.is_finite() && is_written(format_args!("{n}"), digits)).then_some(n)
}

fn write_uuid(bytes: &[u8; 16], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Of microseconds since 2000 on a clock without zone.
fn write_date_time(micros: i64, separator: Separator, precision: Precision, out: &mut Vec<u8>) -> Option<()> {
    let days = micros.div_euclid(DAY_MICROS) + MICROS_TO_2000 / DAY_MICROS;
    write_date(days, out)?;
    out.push(match separator {
        Separator::T => b'T',
        Separator::Space => b' ',
    });
    precision.write(micros.rem_euclid(DAY_MICROS), out)
}

/// Of days since 1970, in the years 1 to 9999.
fn write_date(days: i64, out: &mut Vec<u8>) -> Option<()> {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // Counted from March of the year 0, so that a leap day is the last one of its year. An infinity is far outside.
    let days = days + 719_468;
    if !(306..3_652_365).contains(&days) {
        return None;
    }
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    // Without the leap days that have passed: one in four years, none in a hundred, the last day of the 400 years.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // The months from March on have 31, 30, 31, 30, 31 days, and again.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year, month + 3)
    } else {
        (year + 1, month - 9)
    };
    write_digits(era * 400 + year, 4, out);
    out.push(b'-');
    write_digits(month, 2, out);
    out.push(b'-');
    write_digits(day, 2, out);
    Some(())
}

fn write_digits(n: i64, count: u32, out: &mut Vec<u8>) {
    for place in (0..count).rev() {
        let digit = n / 10_i64.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

impl Separator {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "T" => Some(Self::T),
            "space" => Some(Self::Space),
            _ => None,
        }
    }
}

impl Precision {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "minutes" => Self::Minutes,
            "seconds" => Self::Seconds,
            "six-or-none" => Self::SixOrNone,
            "trimmed" => Self::Trimmed,
            _ => match word.strip_prefix("fixed")?.as_bytes() {
                [digits @ b'1'..=b'6'] => Self::Fixed(digits - b'0'),
                _ => return None,
            },
        })
    }

    /// Of microseconds since midnight; none if it is too coarse for them, or there is no such time.
    fn write(self, micros: i64, out: &mut Vec<u8>) -> Option<()> {
        if !(0..DAY_MICROS).contains(&micros) {
            return None;
        }
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        write_digits(seconds / 3600, 2, out);
        out.push(b':');
        write_digits(seconds / 60 % 60, 2, out);
        if self == Self::Minutes {
            return (micros % 60_000_000 == 0).then_some(());
        }
        out.push(b':');
        write_digits(seconds % 60, 2, out);
        let digits = match self {
            Self::Minutes | Self::Seconds => 0,
            Self::Fixed(digits) => u32::from(digits),
            Self::SixOrNone if fraction == 0 => 0,
            Self::SixOrNone => 6,
            Self::Trimmed => (0..6)
                .find(|digits| fraction % 10_i64.pow(6 - digits) == 0)
                .unwrap_or(6),
        };
        let unit = 10_i64.pow(6 - digits);
        if fraction % unit != 0 {
            return None;
        }
        if digits > 0 {
            out.push(b'.');
            write_digits(fraction / unit, digits, out);
        }
        Some(())
    }
}

impl Suffix {
    fn parse(word: &str) -> Option<Self> {
        // An underscore is noted for a blank, which ends a word.
        let offset = word.strip_prefix('_').unwrap_or(word);
        let seconds = time::read_offset(offset.as_bytes())??;
        let mut text = [b' '; LONGEST_SUFFIX];
        text.get_mut(word.len() - offset.len()..word.len())?
            .copy_from_slice(offset.as_bytes());
        Some(Self {
            text,
            length: word.len(),
            micros_east: seconds * 1_000_000,
        })
    }

    fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}
